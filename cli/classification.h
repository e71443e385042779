// How well a classifier tells the classes of held-out videos.
//
// A video's probabilities are the means over its views (data.test_clips times data.test_crops) of
// the softmax. top1 and top5 are the shares of videos whose class is the most probable, or among
// the five most probable; of equal ones the lower number counts first.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/parts.h"
#include "engine/executor.h"
#include "io/picture.h"

namespace framefold {

struct Classification {
  std::vector<std::string> classes;
  Index videos = 0, clips = 0;   // clips: views of them
  std::vector<std::string> bad;  // what is wrong with views left out, where data.on_bad is skip
  double loss = 0;               // mean over clips, labels not smoothed
  Index right = 0, among_five = 0;
  std::vector<Index> confusion;  // [K, K] videos: rows are their classes, columns what was said

  double top1() const { return static_cast<double>(right) / static_cast<double>(videos); }
  double top5() const { return static_cast<double>(among_five) / static_cast<double>(videos); }
  Index of_class(std::size_t row) const;  // videos
  double largest_class() const;           // the share that naming the commonest class would reach

  void add(Index label, const double* probabilities);
};

struct ClassRow {
  std::string name;
  Index videos = 0, right = 0;
  std::string mostly;  // what it is taken for most often when it is missed; empty: never missed
};
std::vector<ClassRow> class_rows(const Classification& found);

// The confusion matrix, each row in shares of its class: black 0, pale yellow 1.
Picture confusion_picture(const Classification& found);

Json to_json(const Classification& found);  // with the table of classes and the matrix

class ClassifierEvaluator {
 public:
  // Of `clips` clips at most, 0: all; videos evenly over the dataset, each with all of its views.
  ClassifierEvaluator(const Config& config, std::shared_ptr<const Dataset> dataset, Index clips,
                      std::vector<std::string> classes, Parameters& parameters);
  Classification run();

 private:
  struct Video {
    std::vector<Index> views;
  };

  std::shared_ptr<const Dataset> dataset_;
  std::vector<std::string> classes_;
  Parameters& parameters_;
  BadSamples allowed_;
  std::vector<Video> videos_;
  std::vector<Index> samples_;
  std::vector<Compiled> plans_;  // of the batch, of the rest
};

}  // namespace framefold
