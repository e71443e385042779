// framefold data show CONFIG
#include "cli/command.h"
#include "cli/parts.h"
#include "cli/print.h"
#include "io/draw.h"
#include "io/file.h"

namespace framefold {
namespace {

struct Arguments {
  ConfigArguments config;
  std::string out = "contact-sheet.png";
  Index clips = 8;
  bool json = false;
};

// What training is fed first: the loader's own batch, a row of frames for each clip.
void show(const Arguments& arguments) {
  const Config config = arguments.config.resolve();
  const Split data = open_data(config.data);
  LoaderOptions options = loader_options(config);
  options.batch = std::min(arguments.clips, data.train->size());
  options.steps = 1;
  Loader loader(data.train, options);
  std::vector<std::uint8_t> pixels(loader.type().bytes());
  const Batch batch = loader.next({pixels.data(), DType::u8, loader.type().shape});
  const std::vector<std::string> names = loader.names(batch);

  const Shape shape = data.train->shape();
  std::vector<LabelledRow> rows;
  for (Index i = 0; i < batch.count; ++i) {
    const View clip{pixels.data() + i * shape.size(), DType::u8, shape};
    LabelledRow row{names[static_cast<std::size_t>(i)], {}};
    const Index shown = std::min<Index>(8, shape[0]);
    for (Index t = 0; t < shown; ++t)
      row.frames.push_back(frame_of(clip, shown == 1 ? 0 : t * (shape[0] - 1) / (shown - 1)));
    rows.push_back(std::move(row));
  }
  write_file(arguments.out, encode_png(draw_rows(rows)));

  const Index held_out = data.held_out ? data.held_out->size() : 0;
  const Index steps = data.train->size() / config.train.batch;
  if (arguments.json)
    return print(Json{{"description", data.train->description()},
                      {"shape", std::vector<Index>(shape.begin(), shape.end())},
                      {"train", data.train->size()},
                      {"held_out", held_out},
                      {"steps_per_epoch", steps},
                      {"clips", names},
                      {"skipped", data.skipped},
                      {"picture", arguments.out}});
  std::string skipped;
  for (const std::string& message : data.skipped) skipped += "left out: " + message + '\n';
  print(text(data.train->description(), "\nclips of ", shape, ": ", data.train->size(),
             " to train on, ", held_out, " held out; ", steps, " steps of ", config.train.batch,
             " an epoch\n", skipped, "what training is fed first: ", arguments.out, "\n"));
}

}  // namespace

void add_data(CLI::App& app) {
  CLI::App* data = app.add_subcommand("data", "Look at the data of a configuration");
  data->require_subcommand(1);
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command =
      subcommand(*data, "show", "Draw the first clips that training is fed, as it gets them",
                 "  framefold data show moving-digits\n"
                 "  framefold data show clips --set data.path=DIR --out sheet.png\n",
                 arguments->json);
  arguments->config.add_to(*command);
  command->add_option("--out", arguments->out, "The picture")
      ->type_name("PNG")
      ->capture_default_str();
  command->add_option("--clips", arguments->clips, "How many")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->callback([arguments] { show(*arguments); });
}

}  // namespace framefold
