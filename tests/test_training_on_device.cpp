// Small models of every family, trained on a device and on the processor: the losses of all steps
// are the same but for rounding. On the device's double in every test run, on a GPU in
// framefold-gpu-tests.
#include <gtest/gtest.h>

#include <cmath>

#include "engine/ops.h"
#include "engine/train.h"
#include "models/model.h"
#include "tests/simt/runtime.h"

namespace framefold {
namespace {

constexpr Index batch = 2, steps = 8;

// Two batches of stripes that move, in turn.
class Stripes final : public BatchSource {
 public:
  void seek(Index number) override { next_ = number; }
  Batch next(std::span<const Tensor> inputs) override {
    const Tensor& clips = inputs[0];
    const Index row = clips.shape[3] * clips.shape[4], frame = row * clips.shape[2];
    for (Index i = 0; i < clips.size(); ++i) {
      const Index at = i % row / clips.shape[4] + i / frame + 3 * (next_ % 2);
      clips.as<std::uint8_t>()[i] =
          static_cast<std::uint8_t>(at % 8 < 4 ? 220 - i % 7 : 30 + i % 5);
    }
    ++next_;
    return {.samples = batch};
  }
  std::vector<std::string> names() const override { return {}; }

 private:
  Index next_ = 0;
};

using Build = std::function<Value(Graph&)>;  // the loss

std::vector<double> losses_of(const Build& build, const Device& device, Path path) {
  const simt::HostKeepsOut keeps_out;
  Graph graph;
  const Value loss = build(graph);
  const Stream stream = on_main_queue({.device = device, .threads = 1, .path = path});
  Parameters parameters(graph, true, device);
  Executor executor(std::make_shared<Plan>(compile(graph, {.loss = loss, .stream = stream})),
                    parameters);
  Optimizer optimizer(parameters, {.kind = OptimizerKind::adamw, .weight_decay = 0.05, .clip = 1},
                      stream);
  Stripes source;
  Trainer trainer(executor, parameters, optimizer, source,
                  {.seed = 5, .steps = steps, .schedule = {.rate = 1e-2}});
  parameters.initialize(5);
  std::vector<double> losses;
  trainer.run({.step = [&](const StepRecord& record) { losses.push_back(record.loss); }});
  if (device.kind == Device::Kind::cuda && path == Path::automatic) {
    EXPECT_EQ(trainer.refusal(), "");
  }
  return losses;
}

void expect_the_cpus_losses(const Build& build, Path path = Path::automatic) {
  const std::vector<double> cpu = losses_of(build, Device::cpu(), Path::automatic);
  const std::vector<double> device = losses_of(build, Device::cuda(0), path);
  ASSERT_EQ(cpu.size(), static_cast<std::size_t>(steps));
  ASSERT_EQ(device.size(), cpu.size());
  // It learns, of the same batch far more than the tolerance: rounding alone parts the curves by
  // 2e-7 to 2e-6 on the double.
  EXPECT_LT(cpu[steps - 2], 0.98 * cpu[0]);
  for (std::size_t i = 0; i < cpu.size(); ++i)
    EXPECT_NEAR(device[i], cpu[i], 1e-4 * cpu[i]) << "step " << i;
}

Build model(const ModelOptions& options) {
  return [options](Graph& graph) { return build_model(graph, options, batch).loss; };
}

const ModelOptions masked{.name = "videomae",
                          .clip = {.frames = 4, .height = 16, .width = 16, .channels = 3},
                          .width = 16,
                          .depth = 1,
                          .heads = 2,
                          .decoder_width = 16,
                          .decoder_depth = 1,
                          .decoder_heads = 2,
                          .patch = 4,
                          .mask_ratio = 0.5,
                          .drop_path = 0.1};

// Frames as steps of a sequence, which the LSTM predicts from those before.
Value sequences(Graph& g) {
  constexpr Index frames = 5, pixels = 48, units = 16;
  const Value clip = g.input("clip", {DType::u8, {batch, frames, 4, 4, 3}});
  const Value x = reshape(g, framefold::pixels(g, clip), {batch, frames, pixels});
  const auto weight = [&](const char* name, Index from, Index to) {
    return g.parameter(name, {from, to}, Init::glorot(from, to));
  };
  const Value h = lstm(g, x,
                       {.wx = weight("wx", pixels, 4 * units),
                        .wh = weight("wh", units, 4 * units),
                        .bias = g.parameter("bias", {4 * units}, Init::normal(0.1))})
                      .h;
  const Value next = linear(g, h, weight("head", units, pixels));
  return mse(g, slice(g, next, 1, 0, frames - 1), slice(g, x, 1, 1, frames));
}

#define SKIPS_WITHOUT_A_DEVICE \
  if (const std::string why = simt::why_no_device(); !why.empty()) GTEST_SKIP() << why

TEST(TrainingOnDevice, Dense) {
  SKIPS_WITHOUT_A_DEVICE;
  expect_the_cpus_losses(model(
      {.name = "dense", .clip = {.height = 8, .width = 8, .channels = 1}, .widths = {24, 8}}));
}

TEST(TrainingOnDevice, Conv2d) {
  SKIPS_WITHOUT_A_DEVICE;
  expect_the_cpus_losses(model(
      {.name = "conv2d", .clip = {.height = 8, .width = 8, .channels = 1}, .widths = {8, 4}}));
}

TEST(TrainingOnDevice, Conv3d) {
  SKIPS_WITHOUT_A_DEVICE;
  expect_the_cpus_losses(model({.name = "conv3d",
                                .clip = {.frames = 4, .height = 8, .width = 8, .channels = 3},
                                .widths = {6, 8}}));
}

TEST(TrainingOnDevice, Residual3d) {
  SKIPS_WITHOUT_A_DEVICE;
  expect_the_cpus_losses(model({.name = "residual3d",
                                .clip = {.frames = 4, .height = 8, .width = 8, .channels = 3},
                                .widths = {8, 8}}));
}

TEST(TrainingOnDevice, Lstm) {
  SKIPS_WITHOUT_A_DEVICE;
  expect_the_cpus_losses(sequences);
}

TEST(TrainingOnDevice, VideoMae) {
  SKIPS_WITHOUT_A_DEVICE;
  expect_the_cpus_losses(model(masked));
}

// What a library declines, and everything where there is none, our kernels compute.
TEST(TrainingOnDevice, OnTheVendorsPath) {
  SKIPS_WITHOUT_A_DEVICE;
  expect_the_cpus_losses(model(masked), Path::vendor);
  expect_the_cpus_losses(sequences, Path::vendor);
}

}  // namespace
}  // namespace framefold
