#include "cli/eval_classifier.h"

#include "cli/classification.h"
#include "cli/print.h"
#include "io/file.h"

namespace framefold {
namespace {

// A list with numbers for labels names no classes: its numbers count those of the run.
bool only_counts(const std::vector<std::string>& found, const std::vector<std::string>& classes) {
  for (std::size_t i = 0; i < found.size(); ++i)
    if (found[i] != text(i)) return false;
  return !found.empty() && found.size() <= classes.size();
}

}  // namespace

void eval_classifier(const Trained& trained, std::string picture, bool as_json) {
  const std::vector<std::string> classes = read_classes(trained.run);
  if (!only_counts(trained.clips->classes(), classes) &&
      classes_of(trained.config, {.train = nullptr, .held_out = trained.clips}) != classes)
    fail(ErrorCode::config, "the classes of this data are not those of ",
         trained.run.classes().string(), "; they must be the same in the same order");
  ClassifierEvaluator evaluator(trained.config, trained.clips, 0, classes, *trained.parameters);
  const Classification found = evaluator.run();
  if (picture.empty()) picture = (trained.run.path() / "confusion.png").string();
  write_file(picture, encode_png(confusion_picture(found)));

  for (const std::string& message : found.bad) ProgressLine().note("left out: " + message);
  if (as_json) {
    Json json{{"run", trained.run.path().string()},
              {"checkpoint", trained.checkpoint.string()},
              {"step", trained.step},
              {"data", trained.clips->description()}};
    json.update(to_json(found));
    json["picture"] = picture;
    return print(json);
  }
  const auto percent = [](double share) { return with_digits(100 * share, 2) + " %"; };
  TextTable table({"class", "videos", "top-1", "mostly taken for"});
  for (const ClassRow& row : class_rows(found))
    table.row({row.name, text(row.videos),
               row.videos == 0
                   ? ""
                   : percent(static_cast<double>(row.right) / static_cast<double>(row.videos)),
               row.mostly});
  print(text(trained.clips->description(), "\n", found.videos, " videos in ", found.clips,
             " views, step ", trained.step, ", cross-entropy ", with_digits(found.loss, 5),
             "\n\ntop-1 ", percent(found.top1()), ", top-5 ", percent(found.top5()),
             "; always the largest class: ", percent(found.largest_class()), "\n\n", table.text(),
             "\nconfusion matrix: ", picture, "\n"));
}

}  // namespace framefold
