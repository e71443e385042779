// framefold reconstruct runs/NAME
#include "cli/command.h"
#include "cli/print.h"
#include "cli/samples.h"
#include "cli/trained.h"
#include "io/file.h"

namespace framefold {
namespace {

namespace fs = std::filesystem;

struct Arguments {
  TrainedArguments trained;
  std::string out;
  Index clips = 8;
  bool json = false;
};

void run(const Arguments& arguments) {
  Trained trained(arguments.trained);
  const fs::path out =
      arguments.out.empty() ? trained.run.path() / "reconstructions" : fs::path(arguments.out);
  std::error_code error;
  fs::create_directories(out, error);
  if (error)
    fail(ErrorCode::file, "cannot create the folder ", out.string(), ": ", error.message(),
         "; choose another --out");
  Evaluator evaluator(trained.config, trained.clips, arguments.clips, *trained.parameters);
  Json json = Json::array();
  TextTable table({"clip", "PSNR (dB)", "MSE", "picture"});
  evaluator.run([&](const Evaluator::Sample& sample) {
    Samples one(trained.clips->shape());
    one.add(sample.clip, sample.reconstruction);
    const fs::path png = out / text("clip-", sample.index, ".png");
    write_file(png, encode_png(one.strip()));
    const std::string name = trained.clips->name(sample.index);
    json.push_back({{"clip", name},
                    {"psnr", sample.quality.psnr},
                    {"mse", sample.quality.mse},
                    {"picture", png.string()}});
    if (const std::vector<Picture> frames = one.animation(); !frames.empty()) {
      const fs::path webp = out / text("clip-", sample.index, ".webp");
      write_file(webp, encode_webp(frames, Samples::frames_per_second));
      json.back()["animation"] = webp.string();
    }
    table.row({name, with_digits(sample.quality.psnr, 2), with_digits(sample.quality.mse, 5),
               png.string()});
  });
  arguments.json ? print(json) : print(table.text());
}

}  // namespace

void add_reconstruct(CLI::App& app) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = subcommand(
      app, "reconstruct", "Write pictures of clips beside a run's reconstructions of them",
      "  framefold reconstruct runs/clips                  held-out clips, into the run's folder\n"
      "  framefold reconstruct runs/clips --data my.mp4 --out pictures --clips 4\n",
      arguments->json);
  arguments->trained.add_to(*command);
  command->add_option("--out", arguments->out, "Where the pictures go (RUN/reconstructions)")
      ->type_name("DIR");
  command->add_option("--clips", arguments->clips, "How many clips, from the first; 0: all")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->callback([arguments] { run(*arguments); });
}

}  // namespace framefold
