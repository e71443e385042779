// framefold data show CONFIG, framefold data pack LIST
#include <array>
#include <filesystem>
#include <thread>

#include "cli/command.h"
#include "cli/parts.h"
#include "cli/print.h"
#include "io/draw.h"
#include "io/file.h"
#include "io/listed_videos.h"
#include "io/shards.h"

namespace framefold {
namespace {

struct ShowArguments {
  ConfigArguments config;
  std::string out = "contact-sheet.png";
  std::string augment;
  Index clips = 8;
  bool json = false;
};

LabelledRow row_of(const std::string& label, View clip) {
  LabelledRow row{label, {}};
  const Index frames = clip.shape[0], shown = std::min<Index>(8, frames);
  for (Index t = 0; t < shown; ++t)
    row.frames.push_back(
        enlarged(frame_of(clip, shown == 1 ? 0 : t * (frames - 1) / (shown - 1)), 64));
  return row;
}

void write_picture(const std::string& path, const Picture& picture) {
  const bool webp = std::filesystem::path(path).extension() == ".webp";
  write_file(path, webp ? encode_webp({picture}, 1) : encode_png(picture));
}

// One augmentation by itself, as strong as shows.
struct Demonstration {
  std::string_view name;
  AugmentConfig augment;
};

const auto& demonstrations() {
  static const std::array all = {
      Demonstration{"multi-scale", {.crop = "multi-scale"}},
      Demonstration{"resized", {.crop = "resized", .values = {.scale_low = 0.2}}},
      Demonstration{"flip", {.values = {.flip = 0.5}}},
      Demonstration{"rotate", {.values = {.rotate = 30}}},
      Demonstration{"shear", {.values = {.shear = 30}}},
      Demonstration{"affine", {.values = {.rotate = 15, .shear = 10, .zoom = 0.3, .shift = 0.2}}},
      Demonstration{
          "colour",
          {.values = {.brightness = 0.4, .contrast = 0.4, .saturation = 0.8, .hue = 0.2}}},
      Demonstration{"rand", {.values = {.rand_ops = 4, .rand_magnitude = 7}}},
      Demonstration{"blur", {.values = {.blur = 4}}},
      Demonstration{"erase", {.values = {.erase = 1}}},
      Demonstration{"masks", {.values = {.masks = 3, .mask_side = 0.3}}},
      Demonstration{"gaussian", {.values = {.gaussian = 0.15}}},
      Demonstration{"poisson", {.values = {.poisson = 20}}},
      Demonstration{"walk", {.values = {.walk = 0.05}}},
      Demonstration{"salt", {.values = {.salt = 0.1}}},
      Demonstration{"mixup", {.mixing = {.mixup = 2}}},
      Demonstration{"cutmix", {.mixing = {.cutmix = 2}}},
  };
  return all;
}

// The first clip as it is read, below it the same under three draws.
void show_augmentation(const ShowArguments& arguments, Config config) {
  const Demonstration* wanted = nullptr;
  std::string names;
  for (const Demonstration& each : demonstrations()) {
    if (each.name == arguments.augment) wanted = &each;
    names += " " + std::string(each.name);
  }
  if (wanted == nullptr)
    fail(ErrorCode::config, "--augment: there is no \"", arguments.augment, "\", expected one of",
         names);
  config.augment = {};
  const Split data = open_data(config);
  if (!data.train) fail(ErrorCode::config, "data.held_out leaves no clip to show; make it smaller");
  const Shape shape = data.train->shape();
  const Index size = shape.size();
  std::vector<std::uint8_t> clips(static_cast<std::size_t>(2 * size));
  std::vector<std::uint8_t> drawn(static_cast<std::size_t>(2 * size));
  for (Index i = 0; i < 2; ++i)
    data.train->read(i % data.train->size(), {}, {clips.data() + i * size, DType::u8, shape});
  std::vector<LabelledRow> rows = {row_of("as read", {clips.data(), DType::u8, shape})};
  const Augmenter augmenter(augmentation_of(wanted->augment));
  for (Index draw = 0; draw < 3; ++draw) {
    const auto seed = static_cast<std::uint64_t>(config.train.seed);
    const Random random{seed, stream_of(static_cast<std::uint64_t>(draw))};
    for (Index i = 0; i < 2; ++i)
      augmenter.apply({clips.data() + i * size, DType::u8, shape}, random,
                      {drawn.data() + i * size, DType::u8, shape});
    mix_batch(wanted->augment.mixing, seed, draw,
              {drawn.data(), DType::u8, {2, shape[0], shape[1], shape[2], shape[3]}});
    rows.push_back(
        row_of(text(wanted->name, ", draw ", draw + 1), {drawn.data(), DType::u8, shape}));
  }
  write_picture(arguments.out, draw_rows(rows));
  if (arguments.json)
    print(Json{{"augment", wanted->name}, {"picture", arguments.out}});
  else
    print(text(wanted->name, ": ", arguments.out, "\n"));
}

// What training is fed first: the loader's own batch, a row of frames for each clip.
void show(const ShowArguments& arguments) {
  const Config config = arguments.config.resolve();
  if (!arguments.augment.empty()) return show_augmentation(arguments, config);
  const Split data = open_data(config);
  if (!data.train) fail(ErrorCode::config, "data.held_out leaves no clip to show; make it smaller");
  LoaderOptions options = loader_options(config);
  options.batch = std::min(arguments.clips, data.train->size());
  options.steps = 1;
  LoaderSource source(data.train, options, config.augment.mixing, 0, 0, config.corrupt);
  const Shape shape = data.train->shape();
  const Shape batch{options.batch, shape[0], shape[1], shape[2], shape[3]};
  std::vector<std::uint8_t> fed(static_cast<std::size_t>(batch.size()));
  std::vector<std::uint8_t> target(changes(config.corrupt) ? fed.size() : 0);
  const std::array inputs = {Tensor{fed.data(), DType::u8, batch},
                             Tensor{target.data(), DType::u8, batch}};
  source.next({inputs.data(), target.empty() ? 1U : 2U});
  const std::vector<std::string> names = source.names();

  std::vector<LabelledRow> rows;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto clip = [&](std::vector<std::uint8_t>& of) {
      return View{of.data() + static_cast<Index>(i) * shape.size(), DType::u8, shape};
    };
    rows.push_back(row_of(names[i], clip(fed)));
    if (!target.empty()) rows.push_back(row_of("what that is compared with", clip(target)));
  }
  write_picture(arguments.out, draw_rows(rows));

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

void add_show(CLI::App& data) {
  auto arguments = std::make_shared<ShowArguments>();
  CLI::App* command =
      subcommand(data, "show", "Draw the first clips that training is fed, as it gets them",
                 "  framefold data show moving-digits\n"
                 "  framefold data show clips --set data.path=DIR --out sheet.png\n"
                 "  framefold data show clips --set data.path=DIR --augment rotate\n",
                 arguments->json);
  arguments->config.add_to(*command);
  command->add_option("--out", arguments->out, "The picture, .png or .webp")
      ->type_name("FILE")
      ->capture_default_str();
  command->add_option("--clips", arguments->clips, "How many")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command
      ->add_option("--augment", arguments->augment,
                   "The first clip under this augmentation alone, drawn three times")
      ->type_name("NAME");
  command->callback([arguments] { show(*arguments); });
}

struct PackArguments {
  ListOptions list;
  Packing packing;
  std::string shard = "256MiB";
  bool json = false;
};

void pack_list(const PackArguments& arguments) {
  Packing packing = arguments.packing;
  packing.shard = parse_bytes(arguments.shard, "--shard");
  packing.threads = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  ListOptions options = arguments.list;
  options.skip_missing = packing.skip_bad;
  VideoList list = read_list(options);
  packing.classes = list.classes;
  const std::vector<MissingFile> missing = list.missing;
  const auto files = std::make_shared<const VideoFiles>(VideoFiles::Options{.rate = packing.rate});
  const auto videos = listed_videos(std::move(list), files);
  ProgressLine progress;
  Packed packed = pack(*videos, packing, [&](Index done) {
    if (progress.due()) progress.show(text(done, " of ", videos->size(), " videos packed"));
  });
  progress.clear();
  for (auto file = missing.rbegin(); file != missing.rend(); ++file)
    packed.skipped.insert(packed.skipped.begin(), file->message);
  for (const std::string& message : packed.skipped) progress.note("left out: " + message);
  if (arguments.json)
    return print(Json{{"directory", packing.directory},
                      {"videos", packed.videos},
                      {"frames", packed.frames},
                      {"bytes", packed.bytes},
                      {"shards", packed.shards},
                      {"kept", packed.kept},
                      {"skipped", packed.skipped}});
  print(text(packing.directory, ": ", packed.videos, " videos, ", packed.frames, " frames of ",
             packing.height, " x ", packing.width, ", ", with_bytes(packed.bytes), " in ",
             packed.shards, " shards, ", packed.kept, " of them from before\n"));
}

void add_pack(CLI::App& data) {
  auto arguments = std::make_shared<PackArguments>();
  Packing& packing = arguments->packing;
  CLI::App* command = subcommand(
      data, "pack", "Decode the videos of a list once, into shards that are read at memory's speed",
      "  framefold data pack videos/ --out packed --height 128 --width 171\n"
      "  framefold data pack train.csv --list-root k400/ --out packed\n"
      "  framefold train clips --set data.kind=shards --set data.path=packed\n",
      arguments->json);
  command->add_option("LIST", arguments->list.path, "A list of videos, or a folder")
      ->required()
      ->type_name("");
  command->add_option("--out", packing.directory, "Where the shards go")
      ->required()
      ->type_name("DIR");
  command->add_option("--list-format", arguments->list.format, "The list's format (detected)")
      ->type_name("NAME");
  command->add_option("--list-root", arguments->list.root, "Where relative paths begin")
      ->type_name("DIR");
  command->add_option("--height", packing.height, "Of the stored frames")->capture_default_str();
  command->add_option("--width", packing.width, "Of the stored frames")->capture_default_str();
  command->add_option("--channels", packing.channels, "1: gray, 3: colour")->capture_default_str();
  command->add_option("--stride", packing.stride, "Store every such frame")->capture_default_str();
  command->add_option("--fps", packing.rate, "First take frames at this rate, by their times")
      ->check(CLI::Range(0.0, 1000.0))
      ->type_name("RATE");
  command->add_option("--shard", arguments->shard, "A shard is closed when it has passed this")
      ->type_name("SIZE")
      ->capture_default_str();
  command->add_flag("--skip-bad", packing.skip_bad, "Leave out missing and damaged videos");
  command->callback([arguments] { pack_list(*arguments); });
}

}  // namespace

void add_data(CLI::App& app) {
  CLI::App* data = app.add_subcommand("data", "Look at the data of a configuration, and pack it");
  data->require_subcommand(1);
  data->footer(
      "Examples:\n"
      "  framefold data show clips --set data.path=DIR    draw what training is fed\n"
      "  framefold data verify DIR                        which videos are good\n"
      "  framefold data pack DIR --out packed             decode once, into shards\n"
      "  framefold data COMMAND --help                    more on each\n");
  add_show(*data);
  add_pack(*data);
  add_data_verify(*data);
}

}  // namespace framefold
