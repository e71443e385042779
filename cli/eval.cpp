// framefold eval runs/NAME
#include <cmath>

#include "cli/command.h"
#include "cli/eval_classifier.h"
#include "cli/masked.h"
#include "cli/pca.h"
#include "cli/print.h"
#include "cli/run_report.h"
#include "cli/trained.h"

namespace framefold {
namespace {

struct Arguments {
  TrainedArguments trained;
  std::string confusion;
  bool pca = false, json = false;
};

void run(const Arguments& arguments) {
  Trained trained(arguments.trained);
  if (trained.config.task.classifies())
    return eval_classifier(trained, arguments.confusion, arguments.json);
  const Dataset& clips = *trained.clips;
  Evaluator evaluator(trained.config, trained.clips, 0, *trained.parameters);
  const HeldOut found = evaluator.run();
  const auto mean = trained.mean();
  const auto pixels = static_cast<std::size_t>(clips.shape().size());
  const Baselines base = baselines(clips, 0, mean.value_or(std::vector<float>(pixels)));

  Json json{{"run", trained.run.path().string()},
            {"checkpoint", trained.checkpoint.string()},
            {"step", trained.step},
            {"data", clips.description()},
            {"clips", found.quality.clips},
            {"loss", found.loss},
            {"code", evaluator.code_size()}};
  if (found.frames.size() > 1) json["frames"] = to_json(found.frames);
  json.update(to_json(found.quality));
  TextTable table({"", "PSNR (dB)", "SSIM", "MSE"});
  const auto row = [&](const std::string& name, const char* key, const Quality& quality) {
    table.row({name, with_digits(quality.psnr, 2),
               std::isfinite(quality.ssim) ? with_digits(quality.ssim, 4) : "",
               with_digits(quality.mse, 5)});
    if (key != nullptr) json[key] = to_json(quality);
  };
  row(trained.config.model.name, nullptr, found.quality);
  if (found.fed.clips > 0) row("what it is fed, corrupted", "fed", found.fed);
  if (arguments.pca)
    row(text("PCA, ", evaluator.code_size(), " components"), "pca",
        pca(*plain_training(trained.data(), trained.config), clips, 0, evaluator.code_size()));
  if (mean) row("mean frame of the training data", "baseline_mean_frame", base.mean_frame);
  if (base.own_mean_frame.clips > 0)
    row("each clip's own mean frame", "baseline_own_mean_frame", base.own_mean_frame);
  if (const auto masked = masked_quality(trained.config, clips, *trained.parameters)) {
    row("hidden pixels alone", "masked", masked->model);
    row("mean colour of the nearest visible tubelets", "baseline_visible_neighbours",
        masked->neighbours);
  }
  json["bad"] = trained.note_bad();
  if (arguments.json) return print(json);
  print(text(clips.description(), "\n", found.quality.clips, " clips, step ", trained.step, ", ",
             trained.config.model.loss, " loss ", with_digits(found.loss, 5), "\n\n",
             table.text()));
}

}  // namespace

void add_eval(CLI::App& app) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = subcommand(
      app, "eval", "Measure a trained run on held-out clips, beside its baselines",
      "  framefold eval runs/digits-dense --pca     beside the best linear autoencoder\n"
      "  framefold eval runs/clips --data DIR       on other videos, all of them\n"
      "  framefold eval runs/k400 --data val.txt --set data.kind=list --set data.test_clips=5\n"
      "  framefold eval runs/probe --json           a classifier: top-1, top-5, by class\n",
      arguments->json);
  arguments->trained.add_to(*command);
  command->add_flag("--pca", arguments->pca,
                    "Also fit a principal component analysis with a code of the same width");
  command
      ->add_option("--confusion", arguments->confusion,
                   "A classifier's confusion matrix; without it confusion.png in the run's folder")
      ->type_name("FILE.png");
  command->callback([arguments] { run(*arguments); });
}

}  // namespace framefold
