#include "models/classifier.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

#include "cli/classification.h"
#include "engine/checkpoint.h"
#include "engine/executor.h"
#include "engine/optimizer.h"
#include "io/moving_digits.h"
#include "io/safetensors.h"
#include "tests/temporary.h"

namespace framefold {
namespace {

const ModelOptions encoder{.name = "conv3d", .clip = {4, 8, 8, 1}, .widths = {8, 64}};
constexpr Index batch = 8;

// Clips whose left or right half is bright: class 0 or 1.
void draw(const Executor& executor, std::uint64_t step) {
  const Tensor clips = executor.input("clip");
  auto* pixel = clips.as<std::uint8_t>();
  auto* label = executor.input("labels").as<float>();
  for (Index b = 0; b < batch; ++b) {
    const auto side = static_cast<Index>(Random{step, 5}.below(static_cast<std::uint64_t>(b), 2));
    for (Index i = 0; i < clips.size() / batch; ++i)
      *pixel++ = (i % 8 < 4) == (side == 0) ? 200 : 30;
    label[2 * b] = side == 0 ? 1 : 0;
    label[2 * b + 1] = side == 0 ? 0 : 1;
  }
}

class Classifiers : public testing::TestWithParam<ClassifierOptions> {};

TEST_P(Classifiers, Learn) {
  Graph graph;
  const Classifier made = build_classifier(graph, encoder, GetParam(), batch);
  EXPECT_EQ(graph.shape(made.probabilities), (Shape{batch, 2}));
  Parameters parameters(graph);
  parameters.initialize(1);
  const std::vector<float> buffers(parameters.buffers().begin(), parameters.buffers().end());
  Executor executor(
      std::make_shared<Plan>(compile(graph, {.loss = made.loss, .stream = {.threads = 2}})),
      parameters);
  Optimizer optimizer(parameters, {}, {.threads = 2});
  for (std::uint64_t step = 0; step < 60; ++step) {
    draw(executor, step);
    optimizer.clear_gradients();
    executor.run({1, step});
    if (step == 0) {
      EXPECT_NEAR(executor.loss(), std::log(2.0), 1e-3);  // a head of nearly 0
    }
    optimizer.update(1e-2, optimizer.gradient_norm());
  }
  EXPECT_LT(executor.loss(), 0.2F);
  // Frozen, the encoder has neither gradients nor an optimiser's state, and stays as it was.
  const bool frozen = GetParam().freeze;
  for (const Parameters::Entry& entry : parameters.entries())
    EXPECT_FALSE(frozen && entry.name.starts_with("encoder.")) << entry.name;
  EXPECT_EQ(parameters.buffer_entries().size(), frozen ? 4U : 0U);
  EXPECT_TRUE(std::ranges::equal(parameters.buffers(), buffers));
  for (const NamedTensor& state : optimizer.state())
    EXPECT_FALSE(frozen && state.name.find("/encoder.") != std::string::npos) << state.name;
}

INSTANTIATE_TEST_SUITE_P(
    All, Classifiers,
    testing::Values(ClassifierOptions{.classes = 2, .pool = "flat"},
                    ClassifierOptions{.classes = 2, .pool = "flat", .freeze = true},
                    ClassifierOptions{.classes = 2, .head = "attentive", .freeze = true},
                    ClassifierOptions{.classes = 2, .head = "attentive", .dropout = 0.1}));

TEST(Classifier, PoolsTheMeanByHand) {
  Graph graph(Mode::evaluate);
  const ModelOptions dense{.name = "dense", .clip = {1, 1, 2, 1}, .widths = {2}};
  const Classifier made = build_classifier(graph, dense, {.classes = 2}, 1);
  Parameters parameters(graph, false);
  const auto set = [&](const std::string& name, const std::vector<float>& values) {
    std::ranges::copy(values, parameters.value(name).as<float>());
  };
  set("encoder.0.weight", {1, 0, 0, 1});
  set("encoder.0.bias", {0, 0});
  set("fc_norm.gamma", {1, 2});
  set("fc_norm.beta", {0, 1});
  set("head.weight", {1, 0, 0, 1});
  set("head.bias", {0, 0});
  Executor executor(std::make_shared<Plan>(
                        compile(graph, {.fetch = {made.features, made.probabilities, made.loss}})),
                    parameters);
  executor.input("clip").as<std::uint8_t>()[0] = 255;
  executor.input("clip").as<std::uint8_t>()[1] = 0;
  executor.input("labels").as<float>()[0] = 0.75F;
  executor.input("labels").as<float>()[1] = 0.25F;
  executor.run({}, false);
  // (1, 0) normalised is (1, -1), scaled and shifted (1, -1); e / (e + 1/e) = 0.880797.
  const auto* features = executor.value(made.features).as<float>();
  EXPECT_NEAR(features[0], 1, 1e-4);
  EXPECT_NEAR(features[1], -1, 1e-4);
  EXPECT_NEAR(executor.value(made.probabilities).as<float>()[0], 0.880797, 1e-5);
  EXPECT_NEAR(*executor.value(made.loss).as<float>(), 0.75 * 0.126928 + 0.25 * 2.126928, 1e-4);
}

TEST(Classifier, WantsClasses) {
  Graph graph;
  EXPECT_ERROR(ErrorCode::config, "task.classes is 1",
               build_classifier(graph, encoder, {.classes = 1}, 2));
}

// An autoencoder's weights under a classifier; the moving average, where there is one.
TEST(Classifier, StartsFromAnEncoder) {
  const TemporaryDirectory directory;
  Graph source;
  build_model(source, encoder, 1);
  Parameters learnt(source);
  learnt.initialize(3);
  Optimizer optimizer(learnt, {.average = 0.5}, {});
  save_checkpoint(directory / "average", learnt, optimizer, {});  // an average of zeros
  Optimizer plain(learnt, {}, {});
  save_checkpoint(directory / "plain", learnt, plain, {});

  for (const bool freeze : {false, true}) {
    Graph graph;
    build_classifier(graph, encoder, {.classes = 3, .freeze = freeze}, 1);
    Parameters parameters(graph);
    parameters.initialize(4);
    const std::vector<std::string> drawn = load_initial(directory / "plain", parameters);
    EXPECT_EQ(drawn, (std::vector<std::string>{"fc_norm.gamma", "fc_norm.beta", "head.weight",
                                               "head.bias"}));
    const Tensor own = parameters.value("encoder.1.weight"),
                 from = learnt.value("encoder.1.weight");
    EXPECT_TRUE(std::equal(own.as<float>(), own.as<float>() + own.size(), from.as<float>()));
    load_initial(directory / "average", parameters);
    EXPECT_EQ(parameters.value("encoder.1.weight").as<float>()[7], 0);
  }

  ModelOptions deeper = encoder;
  deeper.widths = {8, 32, 16};
  deeper.clip = {8, 8, 8, 1};
  Graph other;
  build_classifier(other, deeper, {.classes = 3}, 1);
  Parameters parameters(other);
  EXPECT_ERROR(ErrorCode::shape,
               "missing: encoder.2.weight, encoder.2.bias; misshapen: encoder.1.weight",
               load_initial(directory / "plain", parameters));
  ModelOptions shallow = encoder;
  shallow.widths = {8};
  Graph small;
  build_classifier(small, shallow, {.classes = 3}, 1);
  Parameters few(small);
  EXPECT_ERROR(ErrorCode::shape, "unknown: encoder.1", load_initial(directory / "plain", few));
}

TEST(LayerDecay, LayersByName) {
  std::vector<Parameters::Entry> entries;
  for (const char* name : {"encoder.patch_embed.weight", "encoder.blocks.0.norm1.gamma",
                           "encoder.blocks.0.mlp.fc1.weight", "encoder.blocks.11.norm1.gamma",
                           "encoder.norm.gamma", "fc_norm.gamma", "head.weight"})
    entries.push_back({.name = name});
  EXPECT_EQ(layers_of(entries), (std::vector<Index>{0, 1, 1, 12, 13, 13, 13}));
}

// Plain gradient descent with gradients of 1: each weight falls by the rate of its layer.
TEST(LayerDecay, ScalesTheRate) {
  Graph graph;
  for (const char* name :
       {"encoder.embed.weight", "encoder.0.weight", "encoder.1.weight", "head.weight"})
    graph.parameter(name, {1}, Init::ones());
  Parameters parameters(graph);
  parameters.initialize(1);
  Optimizer optimizer(parameters, {.kind = OptimizerKind::sgd, .layer_decay = 0.5}, {});
  for (const Parameters::Entry& entry : parameters.entries())
    parameters.gradient(entry.name).as<float>()[0] = 1;
  optimizer.update(0.8, 2);
  EXPECT_FLOAT_EQ(parameters.value("encoder.embed.weight").as<float>()[0], 0.9F);
  EXPECT_FLOAT_EQ(parameters.value("encoder.0.weight").as<float>()[0], 0.8F);
  EXPECT_FLOAT_EQ(parameters.value("encoder.1.weight").as<float>()[0], 0.6F);
  EXPECT_FLOAT_EQ(parameters.value("head.weight").as<float>()[0], 0.2F);
  EXPECT_ERROR(ErrorCode::config, "layer_decay is 0",
               Optimizer(parameters, {.layer_decay = 0}, {}));
}

TEST(Classification, CountsByHand) {
  Classification found{.classes = {"a", "b", "c", "d", "e", "f"}};
  const auto add = [&](Index label, const std::vector<double>& probabilities) {
    found.add(label, probabilities.data());
  };
  add(0, {0.5, 0.1, 0.1, 0.1, 0.1, 0.1});
  add(0, {0.1, 0.5, 0.1, 0.1, 0.1, 0.1});  // taken for b, second of equals
  add(5, {0.2, 0.2, 0.2, 0.2, 0.2, 0.0});  // the last
  add(5, {0.1, 0.1, 0.1, 0.1, 0.1, 0.1});  // equals: the lower numbers count first
  EXPECT_EQ(found.videos, 4);
  EXPECT_DOUBLE_EQ(found.top1(), 0.25);
  EXPECT_DOUBLE_EQ(found.top5(), 0.5);
  EXPECT_DOUBLE_EQ(found.largest_class(), 0.5);
  const std::vector<ClassRow> rows = class_rows(found);
  EXPECT_EQ(rows[0].videos, 2);
  EXPECT_EQ(rows[0].right, 1);
  EXPECT_EQ(rows[0].mostly, "b");
  EXPECT_EQ(rows[5].mostly, "a");
  EXPECT_EQ(rows[1].mostly, "");
  const Picture picture = confusion_picture(found);
  EXPECT_GT(picture.width, 6 * 48);
  EXPECT_EQ(to_json(found)["confusion"][0], (std::vector<Index>{1, 1, 0, 0, 0, 0}));
}

// Two views a video: samples 2 i and 2 i + 1 are of video i.
class Views final : public Dataset {
 public:
  explicit Views(std::shared_ptr<const Dataset> all) : all_(std::move(all)) {}
  Index size() const override { return all_->size(); }
  Shape shape() const override { return all_->shape(); }
  std::string name(Index index) const override { return all_->name(index); }
  std::string description() const override { return "views"; }
  Index label(Index index) const override { return all_->label(index / 2 * 2); }
  std::vector<std::string> classes() const override { return all_->classes(); }
  Index source(Index index) const override { return index / 2; }

 private:
  void do_read(Index index, Random random, Tensor clip) const override {
    all_->read(index, random, clip);
  }
  std::shared_ptr<const Dataset> all_;
};

TEST(Classification, AveragesTheViewsOfAVideo) {
  Config config;
  config.data = {.kind = "moving-digits",
                 .frames = 4,
                 .height = 32,
                 .width = 32,
                 .clips = 40,
                 .digits = 1,
                 .speed = 1,
                 .directions = true,
                 .held_out = 0.5};
  config.model = {.name = "conv3d", .widths = {4, 4}};
  config.task.kind = "classify";
  config.task.classifier.classes = 4;
  config.train.batch = 8;
  config.train.threads = 2;
  const auto views = std::make_shared<const Views>(open_data(config).held_out);
  const Compiled compiled = compile_evaluation(config, 1);
  Parameters parameters(compiled.plan->graph(), false);
  parameters.initialize(1);
  std::ranges::fill(parameters.value("head.weight").as<float>(),
                    parameters.value("head.weight").as<float>() + 16, 0.3F);
  parameters.value("head.weight").as<float>()[5] = 1;  // so that views differ
  ClassifierEvaluator evaluator(config, views, 0, views->classes(), parameters);
  const Classification found = evaluator.run();
  EXPECT_EQ(found.videos, 10);
  EXPECT_EQ(found.clips, 20);

  // By hand, one clip at a time.
  Executor executor(compiled.plan, parameters);
  Classification expected{.classes = views->classes()};
  for (Index video = 0; video < 10; ++video) {
    std::vector<double> sum(4);
    for (Index view = 2 * video; view < 2 * video + 2; ++view) {
      views->read(view, {}, {executor.input("clip").data, DType::u8, views->shape()});
      write_label(*views, view, 0, {executor.input("labels").as<float>(), 4});
      executor.run({}, false);
      expected.loss += static_cast<double>(*executor.value(compiled.model.loss).as<float>()) / 20;
      for (std::size_t k = 0; k < 4; ++k)
        sum[k] += static_cast<double>(executor.value(compiled.probabilities).as<float>()[k]);
    }
    expected.add(views->label(2 * video), sum.data());
  }
  EXPECT_EQ(found.confusion, expected.confusion);
  EXPECT_NEAR(found.loss, expected.loss, 1e-5);

  EXPECT_EQ(ClassifierEvaluator(config, views, 8, views->classes(), parameters).run().videos, 4);
}

// Labels as a batch delivers them: smoothed, and mixed by the share that the pixels are mixed by.
TEST(Labels, AreSmoothedAndMixed) {
  const Split digits = [] {
    Config config;
    config.data = {.kind = "moving-digits",
                   .frames = 2,
                   .height = 32,
                   .width = 32,
                   .clips = 8,
                   .digits = 1,
                   .speed = 1,
                   .directions = true,
                   .held_out = 0};
    return open_data(config);
  }();
  std::array<float, 4> label{};
  write_label(*digits.train, 3, 0.2, label);
  for (Index k = 0; k < 4; ++k)
    EXPECT_FLOAT_EQ(label[static_cast<std::size_t>(k)],
                    k == digits.train->label(3) ? 0.85F : 0.05F);

  const LoaderOptions options{.batch = 4, .shuffle = false, .workers = 0, .seed = 9};
  std::vector<float> plain(16), mixed(16);
  std::vector<std::uint8_t> clips(4 * 2 * 32 * 32), mixed_clips(clips.size());
  const auto fill = [&](const Mixing& mixing, std::vector<float>& labels,
                        std::vector<std::uint8_t>& pixels) {
    LoaderSource source(digits.train, options, mixing, 4, 0.1);
    const std::array<Tensor, 2> inputs{Tensor{pixels.data(), DType::u8, {4, 2, 32, 32, 1}},
                                       Tensor{labels.data(), DType::f32, {4, 4}}};
    source.next(inputs);
  };
  fill({}, plain, clips);
  const Mixing mixing{.mixup = 0.8};
  fill(mixing, mixed, mixed_clips);
  // The share, from the pixels of the first clip and of its partner, the last.
  std::size_t at = 0;
  const std::size_t last = 3 * 2 * 32 * 32;
  while (clips[at] < 200 || clips[last + at] > 10) ++at;
  const double share = (mixed_clips[at] - static_cast<double>(clips[last + at])) /
                       (static_cast<double>(clips[at]) - static_cast<double>(clips[last + at]));
  for (std::size_t k = 0; k < 4; ++k)
    EXPECT_NEAR(
        mixed[k],
        share * static_cast<double>(plain[k]) + (1 - share) * static_cast<double>(plain[12 + k]),
        0.006);
  EXPECT_NE(mixed, plain);
}

}  // namespace
}  // namespace framefold
