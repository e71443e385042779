#include "cli/classification.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "cli/stop.h"
#include "io/draw.h"

namespace framefold {
namespace {

std::size_t at(Index index) { return static_cast<std::size_t>(index); }

}  // namespace

void Classification::add(Index label, const double* probabilities) {
  const auto count = static_cast<Index>(classes.size());
  confusion.resize(classes.size() * classes.size());
  const auto before = [&](Index other) {
    return probabilities[other] > probabilities[label] ||
           (probabilities[other] == probabilities[label] && other < label);
  };
  Index rank = 0;
  for (Index other = 0; other < count; ++other) rank += before(other) ? 1 : 0;
  ++videos;
  right += rank < 1 ? 1 : 0;
  among_five += rank < 5 ? 1 : 0;
  const Index said = std::max_element(probabilities, probabilities + count) - probabilities;
  ++confusion[at(label * count + said)];
}

Index Classification::of_class(std::size_t row) const {
  const auto begin = confusion.begin() + static_cast<std::ptrdiff_t>(row * classes.size());
  return std::accumulate(begin, begin + std::ssize(classes), Index{0});
}

double Classification::largest_class() const {
  Index most = 0;
  for (std::size_t row = 0; row < classes.size(); ++row) most = std::max(most, of_class(row));
  return static_cast<double>(most) / static_cast<double>(videos);
}

std::vector<ClassRow> class_rows(const Classification& found) {
  std::vector<ClassRow> rows;
  const std::size_t count = found.classes.size();
  for (std::size_t row = 0; row < count; ++row) {
    const Index* said = found.confusion.data() + row * count;
    ClassRow made{found.classes[row], found.of_class(row), said[row], {}};
    Index most = 0;
    for (std::size_t other = 0; other < count; ++other)
      if (other != row && said[other] > most) {
        most = said[other];
        made.mostly = found.classes[other];
      }
    rows.push_back(std::move(made));
  }
  return rows;
}

Picture confusion_picture(const Classification& found) {
  const auto count = static_cast<Index>(found.classes.size());
  const Index cell = std::clamp<Index>(640 / count, 2, 48);
  constexpr Index letter = 6, line = 8, margin = 4, longest = 24;
  const bool named = cell >= line;
  Index letters = 0;
  for (const std::string& name : found.classes)
    letters = std::max(letters, std::min(longest, static_cast<Index>(name.size()) + 4));
  const Index left = margin + (named ? letters * letter + margin : 0);
  const Index top = margin + (named ? line + margin : 0);
  Picture picture(left + count * cell + margin, top + count * cell + margin, 3, 255);
  for (Index row = 0; row < count; ++row) {
    if (named) {
      const Index numbered = std::ssize(text(row)) * letter;
      const std::string label = text(row, ' ', found.classes[at(row)]).substr(0, longest);
      paste(picture, draw_text(label, 1), margin, top + row * cell + (cell - line) / 2);
      if (numbered <= cell)
        paste(picture, draw_text(text(row), 1), left + row * cell + (cell - numbered) / 2, margin);
    }
    const Index all = std::max<Index>(1, found.of_class(at(row)));
    for (Index said = 0; said < count; ++said) {
      const Index videos = found.confusion[at(row * count + said)];
      const Colour colour = inferno(static_cast<float>(videos) / static_cast<float>(all));
      for (Index y = 0; y < cell; ++y)
        for (Index x = 0; x < cell; ++x)
          std::ranges::copy(colour, picture.at(left + said * cell + x, top + row * cell + y));
    }
  }
  return picture;
}

Json to_json(const Classification& found) {
  Json json{{"videos", found.videos},    {"clips", found.clips},
            {"loss", found.loss},        {"top1", found.top1()},
            {"top5", found.top5()},      {"baseline_largest_class", found.largest_class()},
            {"bad", found.bad},          {"classes", Json::array()},
            {"confusion", Json::array()}};
  const std::size_t count = found.classes.size();
  for (const ClassRow& row : class_rows(found)) {
    Json& added = json["classes"].emplace_back(
        Json{{"name", row.name}, {"videos", row.videos}, {"right", row.right}});
    if (!row.mostly.empty()) added["mostly_taken_for"] = row.mostly;
  }
  for (std::size_t row = 0; row < count; ++row)
    json["confusion"].push_back(
        std::vector<Index>(found.confusion.begin() + std::ptrdiff_t(row * count),
                           found.confusion.begin() + std::ptrdiff_t((row + 1) * count)));
  return json;
}

ClassifierEvaluator::ClassifierEvaluator(const Config& config,
                                         std::shared_ptr<const Dataset> dataset, Index clips,
                                         std::vector<std::string> classes, Parameters& parameters)
    : dataset_(std::move(dataset)),
      classes_(std::move(classes)),
      parameters_(parameters),
      allowed_(bad_samples(config.data)) {
  std::vector<Video> all;
  std::size_t views = 1;
  for (Index i = 0; i < dataset_->size(); ++i) {
    if (i == 0 || dataset_->source(i) != dataset_->source(i - 1)) all.emplace_back();
    all.back().views.push_back(i);
    views = std::max(views, all.back().views.size());
  }
  std::size_t count = all.size();
  if (clips > 0) count = std::clamp<std::size_t>(at(clips) / views, 1, count);
  for (std::size_t i = 0; i < count; ++i) {
    videos_.push_back(all[all.size() * i / count]);
    samples_.insert(samples_.end(), videos_.back().views.begin(), videos_.back().views.end());
  }
  for (const Index batch : evaluation_batches(config.train.batch, std::ssize(samples_)))
    plans_.push_back(compile_evaluation(config, batch));
}

Classification ClassifierEvaluator::run() {
  const std::size_t classes = classes_.size();
  const Shape shape = dataset_->shape();
  std::vector<float> probabilities(samples_.size() * classes);
  std::vector<bool> good(samples_.size());
  Classification found{.classes = classes_};
  std::size_t done = 0;
  for (const Compiled& compiled : plans_) {
    Executor executor(compiled.plan, parameters_);
    const Tensor labels = executor.input("labels");
    std::fill_n(labels.as<float>(), labels.size(), 0.0F);
    auto* clips = executor.input("clip").as<std::uint8_t>();
    const auto batch = at(compiled.batch);
    for (; done + batch <= samples_.size(); done += batch) {
      StopSignal::leave_if_requested();
      for (std::size_t row = 0; row < batch; ++row)
        good[done + row] =
            read_or_leave(*dataset_, samples_[done + row],
                          {clips + static_cast<Index>(row) * shape.size(), DType::u8, shape},
                          allowed_, found.bad);
      executor.run({}, false);
      std::copy_n(executor.value(compiled.probabilities).as<float>(), batch * classes,
                  probabilities.data() + done * classes);
    }
  }

  std::vector<double> mean(classes);
  std::vector<float> label(classes);
  std::size_t view = 0;
  for (const Video& video : videos_) {
    const Index own = dataset_->label(video.views.front());
    write_label(*dataset_, video.views.front(), 0, label);  // an Error where it has none
    std::ranges::fill(mean, 0);
    Index views = 0;
    for (std::size_t i = 0; i < video.views.size(); ++i, ++view) {
      if (!good[view]) continue;
      const float* row = probabilities.data() + view * classes;
      for (std::size_t k = 0; k < classes; ++k) mean[k] += static_cast<double>(row[k]);
      found.loss -= std::log(std::max(static_cast<double>(row[own]), 1e-30));
      ++views;
    }
    found.clips += views;
    if (views > 0) found.add(own, mean.data());
  }
  if (found.videos == 0) fail(ErrorCode::format, "evaluation: no held-out video can be read");
  found.loss /= static_cast<double>(found.clips);
  return found;
}

}  // namespace framefold
