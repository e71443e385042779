// framefold attention RUN --out DIR
#include <algorithm>
#include <cmath>

#include "cli/attention.h"
#include "cli/encoder_arguments.h"
#include "cli/parts.h"
#include "cli/print.h"
#include "cli/trained.h"
#include "engine/checkpoint.h"
#include "engine/executor.h"
#include "io/draw.h"
#include "io/file.h"
#include "models/videomae.h"

namespace framefold {
namespace {

namespace fs = std::filesystem;

struct Arguments {
  EncoderArguments encoder;
  std::string out = "attention";
  Index block = -1, clips = 4;
  bool json = false;
};

// The products that block `block` of the encoder attends by, [B, N, 3 H d].
Value product_of(const Graph& graph, Index block) {
  std::vector<Value> products;
  for (const Graph::Node& node : graph.nodes())
    if (node.op->name() == "attention") products.push_back(node.in[0]);
  const auto count = static_cast<Index>(products.size());
  if (block >= count || block < -count)
    fail(ErrorCode::argument, "--block is ", block, ", the encoder has ", count,
         " of them; expected 0 to ", count - 1, ", or -1 for the last");
  return products[static_cast<std::size_t>(block < 0 ? block + count : block)];
}

// A map over the clip's frame t, the frame below it shown through where little is attended to.
Picture overlaid(const Picture& frame, const float* map, Index h, Index w, float most) {
  Picture made(frame.width, frame.height, 3, 0);
  for (Index y = 0; y < frame.height; ++y)
    for (Index x = 0; x < frame.width; ++x) {
      const float share = map[(y * h / frame.height) * w + x * w / frame.width] / most;
      const Colour heat = inferno(share);
      for (std::size_t c = 0; c < 3; ++c) {
        const std::uint8_t grey =
            frame.at(x, y)[frame.channels == 3 ? static_cast<Index>(c) : Index{0}];
        made.at(x, y)[c] = static_cast<std::uint8_t>((grey + 2 * heat[c]) / 3);
      }
    }
  return made;
}

Picture maps_of(View clip, const std::vector<float>& received, Index heads, const Extents& grid) {
  const Index frames = clip.shape[0], tokens = grid[0] * grid[1] * grid[2];
  const Index shown = std::min<Index>(8, frames);
  const auto row = [&](const std::string& label, const float* map) {
    LabelledRow made{label, {}};
    const float most = map == nullptr ? 1 : std::max(1e-12F, *std::max_element(map, map + tokens));
    for (Index i = 0; i < shown; ++i) {
      const Index t = shown == 1 ? 0 : i * (frames - 1) / (shown - 1);
      const Picture frame = frame_of(clip, t);
      made.frames.push_back(map == nullptr
                                ? frame
                                : overlaid(frame, map + t * grid[0] / frames * grid[1] * grid[2],
                                           grid[1], grid[2], most));
    }
    return made;
  };
  std::vector<float> mean(static_cast<std::size_t>(tokens));
  for (std::size_t i = 0; i < received.size(); ++i)
    mean[i % mean.size()] += received[i] / static_cast<float>(heads);
  std::vector<LabelledRow> rows{row("clip", nullptr), row("all heads", mean.data())};
  for (Index head = 0; head < heads; ++head)
    rows.push_back(row(text("head ", head), received.data() + head * tokens));
  return draw_rows(rows);
}

void run(const Arguments& arguments) {
  const Config config = arguments.encoder.resolve();
  if (config.model.name != "videomae")
    fail(ErrorCode::config, "model ", config.model.name,
         " attends to nothing; this is for videomae");
  const std::shared_ptr<const Dataset> clips = arguments.encoder.clips(config).clips;
  const ModelOptions model = videomae_options(model_options(config));
  const ClipShape& shape = model.clip;
  const Extents grid = videomae_mask(model).grid;

  Graph graph(Mode::evaluate);
  encode(graph, model,
         graph.input("clip",
                     {DType::u8, {1, shape.frames, shape.height, shape.width, shape.channels}}));
  const Value product = product_of(graph, arguments.block);
  open_device(config.train);
  Parameters parameters(graph, false, device_of(config.train));
  const fs::path weights = weights_of(arguments.encoder.path);
  load_initial(weights, parameters);
  Executor executor(std::make_shared<Plan>(
                        compile(graph, {.fetch = {product}, .stream = stream_of(config.train)})),
                    parameters);

  std::error_code error;
  fs::create_directories(arguments.out, error);
  if (error)
    fail(ErrorCode::file, "cannot create the folder ", arguments.out, ": ", error.message(),
         "; choose another --out");
  Json json = Json::array();
  TextTable table({"clip", "picture"});
  const Index count =
      arguments.clips == 0 ? clips->size() : std::min(arguments.clips, clips->size());
  for (Index clip = 0; clip < count; ++clip) {
    const Tensor input = executor.input("clip");
    clips->read(clip, {}, {input.data, DType::u8, clips->shape()});
    executor.run({}, false);
    const std::vector<float> received = attention_received(executor.value(product), model.heads);
    const fs::path picture = fs::path(arguments.out) / text("clip-", clip, ".png");
    write_file(picture, encode_png(maps_of({input.data, DType::u8, clips->shape()}, received,
                                           model.heads, grid)));
    table.row({clips->name(clip), picture.string()});
    json.push_back({{"clip", clips->name(clip)}, {"picture", picture.string()}});
  }
  arguments.json ? print(json) : print(table.text());
}

}  // namespace

std::vector<float> attention_received(View qkv, Index heads) {
  const Index tokens = qkv.shape[1], width = qkv.shape[2] / 3, d = width / heads;
  std::vector<float> received(static_cast<std::size_t>(heads * tokens));
  std::vector<double> weights(static_cast<std::size_t>(tokens));
  for (Index head = 0; head < heads; ++head)
    for (Index i = 0; i < tokens; ++i) {
      const float* q = qkv.as<float>() + i * 3 * width + head * d;
      double most = -1e300, sum = 0;
      for (Index j = 0; j < tokens; ++j) {
        const float* k = qkv.as<float>() + j * 3 * width + width + head * d;
        double score = 0;
        for (Index c = 0; c < d; ++c)
          score += static_cast<double>(q[c]) * static_cast<double>(k[c]);
        weights[static_cast<std::size_t>(j)] = score /= std::sqrt(static_cast<double>(d));
        most = std::max(most, score);
      }
      for (double& weight : weights) sum += weight = std::exp(weight - most);
      for (std::size_t j = 0; j < weights.size(); ++j)
        received[static_cast<std::size_t>(head * tokens) + j] +=
            static_cast<float>(weights[j] / sum / static_cast<double>(tokens));
    }
  return received;
}

void add_attention(CLI::App& app) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = subcommand(
      app, "attention", "Draw where a transformer's tokens look: maps over clips",
      "  framefold attention runs/videomae-ti --out maps            held-out clips, last block\n"
      "  framefold attention runs/videomae-ti --block 0 --clips 1   the first block\n",
      arguments->json);
  arguments->encoder.add_to(*command);
  command->add_option("--out", arguments->out, "Where the pictures go")
      ->type_name("DIR")
      ->capture_default_str();
  command->add_option("--block", arguments->block, "Which block of the encoder; -1: the last")
      ->capture_default_str();
  command->add_option("--clips", arguments->clips, "How many clips, from the first; 0: all")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->callback([arguments] { run(*arguments); });
}

}  // namespace framefold
