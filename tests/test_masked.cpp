#include "cli/masked.h"

#include <gtest/gtest.h>

#include "cli/attention.h"

namespace framefold {
namespace {

// Two frames of 2 x 6 pixels, one channel, tubelets of 1 x 2 x 2: three places a frame.
const Shape shape{2, 2, 6, 1};
const Extents tubelet{1, 2, 2};
const std::vector<std::uint8_t> clip{
    51, 51, 0, 0, 153, 255,  //
    51, 51, 0, 0, 153, 255,  //
    0,  0,  0, 0, 0,   0,    //
    0,  0,  0, 0, 255, 255,
};

TEST(Masked, FindsWhatIsHidden) {
  std::vector<float> masked;
  for (const std::uint8_t pixel : clip) masked.push_back(static_cast<float>(pixel) / 255);
  for (const std::size_t at : {2U, 3U, 8U, 9U, 16U, 17U, 22U, 23U}) masked[at] = 0.5F;
  EXPECT_EQ(hidden_tubelets(clip.data(), masked.data(), shape, tubelet),
            (std::vector<bool>{false, true, false, false, false, true}));
}

TEST(Masked, GuessesByHand) {
  const std::vector<float> guess =
      guess_hidden(clip.data(), {false, true, false, false, true, true}, shape, tubelet);
  // The middle of the first frame: its neighbours' means are 0.2 and 0.8.
  for (const std::size_t at : {2U, 3U, 8U, 9U}) EXPECT_NEAR(guess[at], 0.5, 1e-6);
  EXPECT_NEAR(guess[0], 0.2, 1e-6);
  // The second frame shows its first place alone, two places from the last.
  for (const std::size_t at : {14U, 15U, 16U, 17U, 22U, 23U}) EXPECT_EQ(guess[at], 0);
  // A slot without anything to see takes the mean of the rest: 0.2, 0, 0.8.
  const std::vector<float> blind =
      guess_hidden(clip.data(), {false, false, false, true, true, true}, shape, tubelet);
  for (std::size_t at = 12; at < 24; ++at) EXPECT_NEAR(blind[at], 1.0 / 3, 1e-6);
}

// An untrained model is no better than its weights; the sums are those of the hidden pixels.
TEST(Masked, MeasuresAModel) {
  Config config;
  config.data = {.kind = "moving-digits",
                 .frames = 4,
                 .height = 32,
                 .width = 32,
                 .clips = 12,
                 .digits = 1,
                 .speed = 1,
                 .held_out = 0.5};
  config.model = {.name = "videomae",
                  .width = 8,
                  .depth = 1,
                  .heads = 1,
                  .decoder_width = 8,
                  .decoder_depth = 1,
                  .decoder_heads = 1,
                  .patch = 8,
                  .mask_ratio = 0.5};
  config.train.threads = 2;
  const Compiled compiled = compile_evaluation(config, 1);
  Parameters parameters(compiled.plan->graph(), false);
  parameters.initialize(1);
  std::fill_n(parameters.value("decoder.head.weight").as<float>(),
              parameters.value("decoder.head.weight").size(), 0.0F);
  const Tensor bias = parameters.value("decoder.head.bias");
  std::fill_n(bias.as<float>(), bias.size(), 1.0F);
  const auto found = masked_quality(config, *open_data(config).held_out, parameters);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->model.clips, 6);
  EXPECT_GT(found->model.mse, 0.5);  // white where it is mostly black
  EXPECT_LT(found->neighbours.mse, 0.3);
  config.model.target = "normalized";
  EXPECT_FALSE(masked_quality(config, *open_data(config).held_out, parameters));
  config.model = {.name = "conv3d", .widths = {4}};
  EXPECT_FALSE(masked_quality(config, *open_data(config).held_out, parameters));
}

// Two tokens, two heads of one number: the first looks at one token, the second at both alike.
TEST(Attention, ReceivedByHand) {
  const std::vector<float> qkv{1, 0, 0, 0, 5, 5,  //
                               1, 0, 2, 0, 5, 5};
  const std::vector<float> received = attention_received({qkv.data(), DType::f32, {1, 2, 6}}, 2);
  EXPECT_NEAR(received[0], 0.119203, 1e-6);  // 1 / (1 + e^2)
  EXPECT_NEAR(received[1], 0.880797, 1e-6);
  EXPECT_NEAR(received[2], 0.5, 1e-6);
  EXPECT_NEAR(received[3], 0.5, 1e-6);
}

}  // namespace
}  // namespace framefold
