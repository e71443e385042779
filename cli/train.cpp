// framefold train CONFIG, framefold train --resume runs/NAME
#include "cli/command.h"
#include "cli/profile.h"
#include "cli/training_run.h"
#include "io/file.h"

namespace framefold {
namespace {

struct Arguments {
  ConfigArguments config;
  std::string name, resume;
  bool overwrite = false, json = false, profile = false;
  std::string floor;
};

TrainingRun begin(const Arguments& arguments) {
  if (!arguments.resume.empty()) {
    if (!arguments.config.file.empty() || !arguments.name.empty() || arguments.overwrite)
      fail(ErrorCode::config,
           "train: --resume continues a run as it is; leave out CONFIG, --name "
           "and --overwrite");
    RunDirectory directory = RunDirectory::resume(arguments.resume);
    const Config config = resolve_resumed(directory.config(), arguments.config.sets);
    return {std::move(directory), config, true};
  }
  if (arguments.config.file.empty())
    fail(ErrorCode::config,
         "train: expected a CONFIG or --resume; `framefold models` lists the presets");
  Config config = arguments.config.resolve();
  if (!arguments.name.empty()) config.run.name = arguments.name;
  if (!config.data.path.empty())
    config.data.path = std::filesystem::absolute(config.data.path).lexically_normal().string();
  RunDirectory directory = RunDirectory::create(config, arguments.overwrite);
  const std::filesystem::path path = directory.path();
  try {
    return {std::move(directory), config, false};
  } catch (...) {  // of a configuration or data that cannot be trained nothing stays
    RunDirectory::remove_untouched(path);
    throw;
  }
}

void run(const Arguments& arguments) {
  std::optional<Floor> floor;
  if (!arguments.floor.empty()) floor = parse_floor(arguments.floor);
  TrainingRun training = begin(arguments);
  if (arguments.profile) training.profile();
  const Json result = training.run();
  if (training.ending() == Ending::interrupted)
    fail(ErrorCode::interrupted, "interrupted at step ", training.step(),
         " and saved; continue with: framefold train --resume ", training.path().string());
  std::string profile;
  if (arguments.profile) {
    const Executor& executor = training.executor();
    write_file(training.directory().trace(), trace_of(executor).dump() + '\n');
    profile = profile_text(profile_rows(executor), floor) + '\n';
  }
  arguments.json ? print(result) : print(profile + training.summary());
}

}  // namespace

void add_train(CLI::App& app) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = subcommand(
      app, "train", "Train a model; everything about the run lands in runs/NAME/",
      "  framefold train digits-dense                            a preset, as it is\n"
      "  framefold train moving-digits --name demo --set train.steps=500\n"
      "  framefold train clips --set data.path=DIR               on the videos under DIR\n"
      "  framefold train my.toml --name second --set train.learning_rate=3e-4\n"
      "  framefold train --resume runs/demo                      go on where it stopped\n"
      "  framefold train --resume runs/demo --set train.steps=2000      and further\n"
      "\nCtrl-C (or SIGTERM) saves after the current step and exits with 75.\n",
      arguments->json);
  arguments->config.add_to(*command, false);
  command->add_option("--name", arguments->name, "The run's name, its folder under runs/")
      ->type_name("NAME");
  command->add_option("--resume", arguments->resume, "Continue the run in this folder")
      ->type_name("RUN");
  CLI::Option* profile = command->add_flag("--profile", arguments->profile,
                                           "Time every operation; a mean step goes to trace.json");
  command
      ->add_option("--floor", arguments->floor,
                   "The machine's peaks, TFLOP/s and TB/s: 790,4.3; the profile says what share of "
                   "them was reached")
      ->needs(profile)
      ->type_name("TFLOPS,TBS");
  command->add_flag("--overwrite", arguments->overwrite, "Replace a run of the same name");
  command->callback([arguments] { run(*arguments); });
}

}  // namespace framefold
