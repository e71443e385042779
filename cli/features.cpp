// framefold features RUN | WEIGHTS
#include <unistd.h>

#include <filesystem>

#include "cli/features.h"

#include "cli/encoder_arguments.h"
#include "cli/print.h"
#include "cli/trained.h"
#include "io/printable.h"

namespace framefold {
namespace {

struct Arguments {
  EncoderArguments encoder;
  std::string out;
  bool tokens = false, pixels = false, json = false;
};

// Before hours of work, not after.
void check_out(const std::filesystem::path& out) {
  if (out.extension() != ".safetensors" && out.extension() != ".npy")
    fail(ErrorCode::argument, out.string(), " ends in neither .safetensors nor .npy");
  const std::filesystem::path folder = std::filesystem::absolute(out).parent_path();
  if (::access(folder.c_str(), W_OK) != 0)
    fail(ErrorCode::file, "no file can be written in ", folder.string(), "; choose another --out");
}

void run(const Arguments& arguments) {
  check_out(arguments.out);
  const Config config = arguments.encoder.resolve();
  EncoderClips clips = arguments.encoder.clips(config);
  const FeatureKind kind = arguments.pixels   ? FeatureKind::pixels
                           : arguments.tokens ? FeatureKind::tokens
                                              : FeatureKind::pooled;
  std::string weights;
  if (!arguments.pixels) weights = weights_of(arguments.encoder.path).string();
  Features found = extract_features(config, *clips.clips, kind, weights);
  found.skipped.insert(found.skipped.begin(), clips.skipped.begin(), clips.skipped.end());
  write_features(arguments.out, found,
                 {{"framefold.weights", printable(weights)},
                  {"framefold.data", printable(clips.clips->description())}});
  if (arguments.json)
    return print(Json{{"file", arguments.out},
                      {"weights", weights},
                      {"rows", found.rows()},
                      {"shape", std::vector<Index>(found.shape.begin(), found.shape.end())},
                      {"classes", found.classes},
                      {"skipped", found.skipped}});
  for (const std::string& message : found.skipped) print("left out: " + message + '\n');
  print(text(arguments.out, ": ", found.shape, " of ", clips.clips->description(),
             found.skipped.empty() ? "" : text(", ", found.skipped.size(), " left out"), "\n"));
}

}  // namespace

void add_features(CLI::App& app) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = subcommand(
      app, "features", "Store what an encoder makes of clips, one row a clip",
      "  framefold features runs/clips --out held_out.safetensors\n"
      "  framefold features runs/clips --part train --out train.safetensors\n"
      "  framefold features runs/clips --data talk.mp4 --tokens --out talk.npy\n"
      "  framefold features weights.safetensors --config clips --set data.path=DIR --out f.npy\n",
      arguments->json);
  arguments->encoder.add_to(*command);
  command->add_option("--out", arguments->out, "What to write: FILE.safetensors or FILE.npy")
      ->required()
      ->type_name("FILE");
  command->add_flag("--tokens", arguments->tokens, "All tokens of a clip, not their mean");
  command->add_flag("--pixels", arguments->pixels, "The clip's pixels, to compare with");
  command->callback([arguments] { run(*arguments); });
}

}  // namespace framefold
