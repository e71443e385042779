// VideoMAE against transformers' model: the files in tests/fixtures/videomae are written by
// scripts/fixtures/videomae.py.
#include "models/videomae.h"

#include <gtest/gtest.h>

#include <cmath>
#include <memory>

#include "engine/executor.h"
#include "engine/ops.h"
#include "engine/optimizer.h"
#include "io/safetensors.h"
#include "models/layers.h"
#include "models/transformer.h"
#include "models/videomae_weights.h"
#include "tests/data.h"
#include "tests/temporary.h"
#include "tests/videomae_fixture.h"

namespace framefold {
namespace {

const Stream stream{.device = {}, .threads = 2};

std::filesystem::path fixture(const std::string& name) {
  return source_file("tests/fixtures/videomae/" + name);
}

ModelOptions tiny() {
  ModelOptions options = test::videomae_fixture(fixture(""));
  options.mask_ratio = 0.75;
  return videomae_options(options);
}

// A model on masks that are given, with transformers' weights.
struct Masked {
  explicit Masked(ModelOptions given,
                  const std::filesystem::path& weights = fixture("model.safetensors"),
                  Mode mode = Mode::train, Index batch = 2)
      : options(std::move(given)), graph(mode) {
    const ClipShape& shape = options.clip;
    const TubeMask mask = videomae_mask(options);
    tokens = mask.tokens();
    clip = graph.input(
        "clip", {DType::u8, {batch, shape.frames, shape.height, shape.width, shape.channels}});
    const MaskedTokens lists{graph.input("visible", {DType::i32, {batch, mask.visible()}}),
                             graph.input("masked", {DType::i32, {batch, mask.masked()}})};
    made = videomae_masked(graph, options, clip, lists);
    parameters = std::make_unique<Parameters>(graph);
    const SafetensorsFile file(weights);
    ForeignWeights(file, weights, graph, options).read(*parameters);
    executor = std::make_unique<Executor>(
        std::make_shared<Plan>(compile(
            graph, {.loss = made.loss, .fetch = {made.encoded, made.predicted}, .stream = stream})),
        *parameters);
  }

  void give(const std::uint8_t* pixels, const std::uint8_t* masks) {
    const Tensor input = executor->input("clip");
    std::copy_n(pixels, input.size(), input.as<std::uint8_t>());
    auto* seen = executor->input("visible").as<std::int32_t>();
    auto* unseen = executor->input("masked").as<std::int32_t>();
    for (Index i = 0; i < input.shape[0] * tokens; ++i)
      *(masks[i] != 0 ? unseen : seen)++ = static_cast<std::int32_t>(i % tokens);
  }

  ModelOptions options;
  Graph graph;
  Index tokens = 0;
  Value clip;
  MaskedVideo made;
  std::unique_ptr<Parameters> parameters;
  std::unique_ptr<Executor> executor;
};

template <class T>
std::vector<T> read(const SafetensorsFile& file, const std::string& name) {
  const SafetensorsEntry& entry = *file.find(name);
  std::vector<T> values(static_cast<std::size_t>(entry.shape.size()));
  file.read(name, {values.data(), *entry.dtype, entry.shape});
  return values;
}

// The largest error over the largest expected number.
double error_of(const float* given, const std::vector<float>& expected) {
  double error = 0;
  double most = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    error = std::max(error, std::abs(double{given[i]} - double{expected[i]}));
    most = std::max(most, std::abs(double{expected[i]}));
  }
  return error / most;
}

// Encoder, predictions, losses and every gradient of the model in a folder.
void expect_equality(const std::filesystem::path& folder) {
  const SafetensorsFile expected(folder / "expected.safetensors");
  ModelOptions options = test::videomae_fixture(folder);
  const Index batch = expected.find("clip")->shape[0];
  const Shape visible = expected.find("encoded")->shape;
  const Shape masks = expected.find("masks")->shape;
  options.mask_ratio = 1 - (static_cast<double>(visible[1]) - 0.5) / static_cast<double>(masks[1]);
  options.mask = "random";  // given token by token
  const auto run = [&](Masked& model) {
    model.give(read<std::uint8_t>(expected, "clip").data(),
               read<std::uint8_t>(expected, "masks").data());
    model.executor->run({}, options.target == "normalized");
  };
  const auto weights = folder / "model.safetensors";
  {
    Masked model(options, weights, Mode::train, batch);
    run(model);
    const auto value = [&](Value v) { return model.executor->value(v).as<float>(); };
    EXPECT_LT(error_of(value(model.made.encoded), read<float>(expected, "encoded")), 1e-4);
    EXPECT_LT(error_of(value(model.made.predicted), read<float>(expected, "logits")), 1e-4);
    EXPECT_LT(error_of(value(model.made.loss), read<float>(expected, "loss")), 1e-4);

    // The gradients, in transformers' layout.
    std::ranges::copy(model.parameters->gradients(), model.parameters->values().begin());
    int compared = 0;
    for (const auto& [name, shape, numbers] :
         foreign_weights(*model.parameters, options, WeightNames::transformers)) {
      std::string key = "gradient/" + name;
      for (const auto& [old, now] : {std::pair{"q_bias", "query.bias"}, {"v_bias", "value.bias"}})
        if (key.ends_with(old)) key.replace(key.size() - 6, 6, now);
      ASSERT_NE(expected.find(key), nullptr) << key;
      EXPECT_LT(error_of(numbers.data(), read<float>(expected, key)), 1e-4) << key;
      ++compared;
    }
    EXPECT_EQ(compared, std::ranges::count_if(expected.entries(), [](const auto& entry) {
                return entry.name.starts_with("gradient/");
              }));
  }
  options.target = "raw";
  Masked raw(options, weights, Mode::train, batch);
  run(raw);
  const float loss = raw.executor->loss();
  EXPECT_LT(error_of(&loss, read<float>(expected, "loss_raw")), 1e-4);
}

TEST(VideoMae, EqualsTransformers) { expect_equality(fixture("")); }

// scripts/fixtures/videomae.py --size s --out DATA/videomae-s writes what this one wants.
TEST(VideoMae, RealShapesEqualTransformers) {
  bool found = false;
  for (const char* name : {"videomae-s", "videomae-b"})
    if (const auto folder = test_data(name); !folder.empty()) {
      SCOPED_TRACE(name);
      expect_equality(folder);
      found = true;
    }
  if (!found) GTEST_SKIP() << "videomae-s and videomae-b are absent";
}

TEST(VideoMae, TenStepsOfAdamWEqualPyTorchs) {
  const SafetensorsFile expected(fixture("curve.safetensors"));
  const auto clips = read<std::uint8_t>(expected, "clips");
  const auto masks = read<std::uint8_t>(expected, "masks");
  const auto losses = read<float>(expected, "losses");
  Masked model(tiny());
  Optimizer optimizer(
      *model.parameters,
      {.kind = OptimizerKind::adamw, .beta1 = 0.9, .beta2 = 0.95, .weight_decay = 0.05}, stream);
  for (std::size_t step = 0; step < losses.size(); ++step) {
    model.give(clips.data() + step * clips.size() / losses.size(),
               masks.data() + step * masks.size() / losses.size());
    optimizer.clear_gradients();
    model.executor->run({});
    EXPECT_NEAR(model.executor->loss() / losses[step], 1, 1e-4) << "step " << step;
    optimizer.update(2e-3, optimizer.gradient_norm());
  }
}

TEST(VideoMae, TheOriginalNamesAreTheSameWeights) {
  const Masked one(tiny());
  const Masked other(tiny(), fixture("original.safetensors"));
  EXPECT_TRUE(std::ranges::equal(one.parameters->values(), other.parameters->values()));
}

TEST(VideoMae, ExportedWeightsReadBackBitForBit) {
  const TemporaryDirectory directory;
  const ModelOptions options = tiny();
  const Masked model(options);
  for (const WeightNames names : {WeightNames::transformers, WeightNames::original}) {
    const auto exported = foreign_weights(*model.parameters, options, names);
    std::vector<NamedView> views;
    for (const NamedNumbers& tensor : exported)
      views.push_back({tensor.name, {tensor.numbers.data(), DType::f32, tensor.shape}});
    const auto path = directory / "exported.safetensors";
    write_safetensors(path, views);
    const SafetensorsFile file(path);
    EXPECT_EQ(weight_names(file), names);
    Parameters again(model.graph);
    ForeignWeights(file, path, model.graph, options).read(again);
    EXPECT_TRUE(std::ranges::equal(again.values(), model.parameters->values()));

    // As the published file has it, tensor by tensor.
    const SafetensorsFile published(
        fixture(names == WeightNames::original ? "original.safetensors" : "model.safetensors"));
    ASSERT_EQ(file.entries().size(), published.entries().size());
    for (const SafetensorsEntry& entry : published.entries()) {
      ASSERT_NE(file.find(entry.name), nullptr) << entry.name;
      EXPECT_EQ(read<float>(file, entry.name), read<float>(published, entry.name)) << entry.name;
    }
  }
}

TEST(VideoMae, WeightsThatDoNotFitAreListed) {
  const TemporaryDirectory directory;
  const ModelOptions options = tiny();
  const Masked model(options);
  std::vector<NamedNumbers> tensors =
      foreign_weights(*model.parameters, options, WeightNames::transformers);
  std::vector<float> zeros(24);
  const auto message = [&](const char* lost, const char* added, float value) -> std::string {
    std::vector<NamedView> views;
    for (const NamedNumbers& tensor : tensors)
      if (tensor.name != lost)
        views.push_back({tensor.name, {tensor.numbers.data(), DType::f32, tensor.shape}});
    std::ranges::fill(zeros, value);
    views.push_back({added, {zeros.data(), DType::f32, {24}}});
    write_safetensors(directory / "w", views);
    const SafetensorsFile file(directory / "w");
    try {
      ForeignWeights(file, "w", model.graph, options);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::shape);
      return error.what();
    }
    return "";
  };
  const char* key_bias = "videomae.encoder.layer.0.attention.attention.key.bias";
  EXPECT_EQ(message("", key_bias, 0), "");
  EXPECT_EQ(message("", key_bias, 1),
            text("w does not fit its configuration; unknown: ", key_bias));
  EXPECT_EQ(message("mask_token", "extra", 0),
            "w does not fit its configuration; missing: mask_token; unknown: extra");
  EXPECT_EQ(message("videomae.layernorm.weight", "mask_tokens", 0),
            "w does not fit its configuration; missing: videomae.layernorm.weight; unknown: "
            "mask_tokens");
  tensors.front().shape = {3, 2, 8, 8, 24};
  EXPECT_EQ(message("", key_bias, 0),
            text("w does not fit its configuration; misshapen: ", tensors.front().name,
                 " is F32 [3, 2, 8, 8, 24], expected F32, BF16 or F64 [24, 3, 2, 8, 8]"));
}

// Table 8 of the paper's appendix has the widths; the counts are those of the published weights.
TEST(VideoMae, CountsOfTheSizes) {
  const auto count = [](const char* size, std::string_view prefix) {
    Graph graph;
    videomae(graph, {.clip = {16, 224, 224, 3}, .size = size, .input = "imagenet"}, 1);
    Index total = 0;
    for (const Graph::ValueInfo& value : graph.values())
      if (value.kind == Graph::Kind::parameter && value.name.starts_with(prefix))
        total += value.type.shape.size();
    return total;
  };
  const auto millions = [](Index n) { return std::round(static_cast<double>(n) / 1e4) / 100; };
  EXPECT_EQ(millions(count("s", "")), 24.03);
  EXPECT_EQ(millions(count("b", "")), 94.21);
  EXPECT_EQ(millions(count("l", "")), 343.00);
  EXPECT_EQ(millions(count("h", "")), 692.49);
  EXPECT_EQ(millions(count("s", "encoder.")), 21.88);
  EXPECT_EQ(millions(count("b", "encoder.")), 86.23);
}

// All tokens visible; the norm stands behind their mean.
TEST(VideoMae, TheFineTunedEncoderEqualsTransformers) {
  const SafetensorsFile expected(fixture("classifier/expected.safetensors"));
  ModelOptions options = tiny();
  options.encoder_norm = false;
  Graph graph(Mode::evaluate);
  const Value clip = graph.input("clip", {DType::u8, {2, 4, 24, 32, 3}});
  const Value tokens = videomae_encoder(graph, options, clip);
  const Value mean = reduce(graph, tokens, Reduction::mean, {1});
  const Value logits = layers::dense(
      graph, "head", layers::layer_norm(graph, "fc_norm", mean, options.final_epsilon), 5);
  Parameters parameters(graph, false);
  const auto path = fixture("classifier/model.safetensors");
  const SafetensorsFile weights(path);
  ForeignWeights(weights, path, graph, options).read(parameters);
  Executor executor(
      std::make_shared<Plan>(compile(graph, {.fetch = {tokens, logits}, .stream = stream})),
      parameters);
  std::ranges::copy(read<std::uint8_t>(expected, "clip"),
                    executor.input("clip").as<std::uint8_t>());
  executor.run({}, false);
  const auto value = [&](Value v) { return executor.value(v).as<float>(); };
  EXPECT_LT(error_of(value(tokens), read<float>(expected, "tokens")), 1e-4);
  EXPECT_LT(error_of(value(logits), read<float>(expected, "logits")), 1e-4);
}

TEST(VideoMae, TheEncoderSeesVisibleTokensOnly) {
  ModelOptions options = tiny();
  Masked model(options, fixture("model.safetensors"), Mode::evaluate);
  std::vector<std::uint8_t> pixels(2 * 4 * 24 * 32 * 3, 100);
  std::vector<std::uint8_t> masks(48, 1);
  for (const Index token : {0, 3, 7, 12, 15, 19, 24, 27, 31, 36, 39, 43})
    masks[static_cast<std::size_t>(token)] = 0;
  const auto encoded = [&] {
    model.give(pixels.data(), masks.data());
    model.executor->run({}, false);
    const View value = model.executor->value(model.made.encoded);
    EXPECT_EQ(value.shape, Shape({2, 6, 24}));
    return std::vector<float>(value.as<float>(), value.as<float>() + value.size());
  };
  const std::vector<float> before = encoded();
  pixels[8 * 3] = 200;  // in token 1, which is masked
  EXPECT_EQ(encoded(), before);
  pixels[0] = 200;
  EXPECT_NE(encoded(), before);
}

TEST(VideoMae, EveryKindOfMask) {
  for (const char* mask : {"tube", "random", "frame"}) {
    Graph graph(Mode::evaluate);
    const Autoencoder model = videomae(graph,
                                       {.clip = {8, 16, 16, 3},
                                        .width = 12,
                                        .depth = 1,
                                        .heads = 2,
                                        .decoder_width = 8,
                                        .decoder_depth = 1,
                                        .decoder_heads = 1,
                                        .patch = 4,
                                        .positions = "learned",
                                        .mask = mask,
                                        .mask_ratio = 0.5,
                                        .drop_path = 0.3},
                                       3);
    Parameters parameters(graph, false);
    parameters.initialize(1);
    Executor executor(std::make_shared<Plan>(compile(
                          graph, {.fetch = {model.loss, model.reconstruction, model.masked_clip}})),
                      parameters);
    const Tensor clip = executor.input("clip");
    std::fill_n(clip.as<std::uint8_t>(), clip.size(), std::uint8_t{51});
    executor.run({}, false);
    EXPECT_TRUE(std::isfinite(*executor.value(model.loss).as<float>()));
    const auto* seen = executor.value(model.masked_clip).as<float>();
    const auto* made = executor.value(model.reconstruction).as<float>();
    Index grey = 0;
    for (Index i = 0; i < clip.size(); ++i) {
      grey += seen[i] == 0.5F;
      if (seen[i] != 0.5F) {
        ASSERT_EQ(made[i], seen[i]);
      }
    }
    EXPECT_EQ(grey, clip.size() / 2) << mask;
    EXPECT_TRUE(model.caveat.empty());
  }
}

TEST(VideoMae, InitialValues) {
  Graph graph;
  ModelOptions options = tiny();
  options.drop_path = 0.1;
  videomae(graph, options, 1);
  Parameters parameters(graph);
  parameters.initialize(3);
  const auto largest = [&](const std::string& name) {
    const Tensor value = parameters.value(name);
    return std::abs(*std::max_element(value.as<float>(), value.as<float>() + value.size(),
                                      [](float a, float b) { return std::abs(a) < std::abs(b); }));
  };
  const auto near_bound = [&](const std::string& name, double bound) {
    EXPECT_LE(largest(name), bound) << name;
    EXPECT_GT(largest(name), 0.97 * bound) << name;
  };
  near_bound("encoder.patch_embed.weight", 1 / std::sqrt(384.0));
  near_bound("encoder.blocks.0.attn.qkv.weight", std::sqrt(6.0 / (4 * 24)));
  near_bound("encoder.blocks.1.mlp.fc1.weight", std::sqrt(6.0 / (5 * 24)));
  near_bound("decoder.head.weight", std::sqrt(6.0 / (16 + 384)));
  EXPECT_LE(largest("mask_token"), 0.02F);
  EXPECT_GT(largest("mask_token"), 0.01F);
  EXPECT_EQ(largest("encoder.blocks.0.attn.q_bias"), 0);
  EXPECT_EQ(largest("encoder.blocks.0.norm1.gamma"), 1);
  for (const Parameters::Entry& entry : parameters.entries())
    EXPECT_EQ(entry.decays, entry.shape.rank() > 1) << entry.name;
  for (const Parameters::Entry& entry : parameters.buffer_entries())
    ADD_FAILURE() << entry.name << " would be stored, but is a formula";

  // Token 5, channels 4 and 5: the angle 5 / 10000^(4 / 24).
  const Tensor positions = parameters.value("encoder.positions");
  EXPECT_EQ(positions.shape, Shape({24, 24}));
  const double angle = 5 / std::pow(10000.0, 4.0 / 24);
  EXPECT_FLOAT_EQ(positions.as<float>()[5 * 24 + 4], static_cast<float>(std::sin(angle)));
  EXPECT_FLOAT_EQ(positions.as<float>()[5 * 24 + 5], static_cast<float>(std::cos(angle)));
}

TEST(VideoMae, WrongOptionsAreNamed) {
  const auto message = [](ModelOptions options) -> std::string {
    try {
      videomae_options(std::move(options));
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::config);
      return error.what();
    }
    return "no error";
  };
  EXPECT_EQ(message({.clip = {16, 224, 224, 3}, .size = "xl"}),
            "model videomae: model.size is \"xl\", expected one of ti, s, b, l, h");
  EXPECT_EQ(message({.clip = {16, 224, 224, 3}}),
            "model videomae: width, depth, heads, decoder_width, decoder_depth, decoder_heads, "
            "tubelet and patch are at least 1; give model.size (ti, s, b, l, h) or all of them");
  EXPECT_EQ(message({.clip = {15, 224, 220, 3}, .size = "s"}),
            "model videomae: clips of 15 x 224 x 220 are no whole tubelets of 2 x 16 x 16; change "
            "data.frames, data.height and data.width, or model.tubelet and model.patch");
  EXPECT_EQ(message({.clip = {16, 224, 224, 1}, .size = "s", .input = "imagenet"}),
            "model videomae: model.input = \"imagenet\" is for 3 channels, data.channels is 1; "
            "choose \"unit\"");
}

TEST(VideoMae, PositionsAreInterpolated) {
  // Along one axis 0 2 -> 0 0.5 1.5 2: centres at -1/4, 1/4, 3/4 and 5/4 of the old cells.
  const std::vector<float> two{0, 2};
  EXPECT_EQ(interpolated_positions({two.data(), DType::f32, {2, 1}}, {1, 1, 2}, {1, 1, 4}),
            std::vector<float>({0, 0.5F, 1.5F, 2}));
  const std::vector<float> grid{1, 2, 3, 4, 5, 6, 7, 8};
  EXPECT_EQ(interpolated_positions({grid.data(), DType::f32, {8, 1}}, {2, 2, 2}, {2, 2, 2}), grid);
  EXPECT_EQ(interpolated_positions({grid.data(), DType::f32, {8, 1}}, {2, 2, 2}, {1, 1, 1}),
            std::vector<float>({4.5F}));
}

}  // namespace
}  // namespace framefold
