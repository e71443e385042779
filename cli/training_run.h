// One run of `framefold train`, from its parts to its folder.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "cli/evaluation.h"
#include "cli/metrics.h"
#include "cli/print.h"
#include "cli/run_directory.h"
#include "cli/run_report.h"
#include "cli/samples.h"
#include "cli/training_parts.h"
#include "engine/train.h"

namespace framefold {

class TrainingRun {
 public:
  // A new run, or, with `resumed`, one that goes on from its newest undamaged checkpoint.
  TrainingRun(RunDirectory directory, const Config& config, bool resumed);

  // To the end, to the time limit or to a signal; returns what results.json then says.
  Json run();
  Ending ending() const { return ending_; }
  const std::filesystem::path& path() const { return directory_.path(); }
  Index step() const { return trainer_->counters().step; }
  std::string summary() const;  // the results for people
  // Times every operation, on a device by launching kernel by kernel; before run().
  void profile() { parts_.executor->profile(true); }
  const Executor& executor() const { return *parts_.executor; }
  const RunDirectory& directory() const { return directory_; }

 private:
  void start_from(const std::filesystem::path& weights);
  void resume(Checkpoints& checkpoints);
  void after_step(const StepRecord& record);
  double evaluate(Index step);
  double evaluate_classes(Index step);
  void save_pictures(const Samples& samples, Index step);
  void write_report();
  double bad_met() const;  // bad samples of training
  void note_held_out_bad(const std::vector<std::string>& bad, const char* what);
  std::string progress_text(const StepRecord& record) const;

  RunDirectory directory_;
  TrainingParts parts_;
  Config config_;  // the parts', with the run's steps
  ProgressLine progress_;
  std::unique_ptr<Checkpoints> checkpoints_;
  std::unique_ptr<Trainer> trainer_;
  std::unique_ptr<Metrics> metrics_;
  std::unique_ptr<Evaluator> evaluator_;  // made by the first evaluation, as the next
  std::unique_ptr<ClassifierEvaluator> classifier_evaluator_;
  RunSummary summary_;
  Ending ending_ = Ending::finished;
  Index evaluated_step_ = -1;

  struct Window {
    Index steps = 0, clips = 0;
    double data = 0, seconds = 0;

    void add(const StepRecord& record);
    double clips_per_second() const { return static_cast<double>(clips) / seconds; }
  };
  // Of the process, since the last row of metrics, since the last progress line.
  Window total_, window_, shown_;
  std::chrono::steady_clock::time_point start_;
  std::string refusal_;               // of the device, said once
  Index bad_ = 0, held_out_bad_ = 0;  // samples others replaced, as they were told last
  double seconds_before_ = 0;         // of the run's earlier sessions
};

// Milliseconds since this process was started, at most 10 too many: what the kernel counts in.
double process_age_ms();

}  // namespace framefold
