#include "engine/plan.h"

#include <gtest/gtest.h>
#include <malloc.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <numeric>
#include <optional>

#include "engine/executor.h"
#include "engine/ops.h"

namespace framefold {
namespace {

// Operations that the tests can check by hand; vectors of one length, f32.
class Local : public Op {
 public:
  Types infer(const Types& in) const override { return {in[0]}; }
  double forward_flops(const Types& in, const Types&) const override {
    return static_cast<double>(in[0].shape.size());
  }
};

// y = a x, in place both ways.
class Times final : public Local {
 public:
  explicit Times(float by) : by_(by) {}
  std::string_view name() const override { return "times"; }
  Needs needs(const Stream&, const Types&, const Types&) const override {
    return {.differentiable = {0}, .in_place = true, .gradient_in_place = true};
  }
  void forward(Run& run) const override { multiply(run.out[0], run.in[0]); }
  void backward(Run& run) const override { multiply(run.din[0], run.dout[0]); }

 private:
  void multiply(Tensor y, View x) const {
    for (Index i = 0; i < y.size(); ++i) y.as<float>()[i] = by_ * x.as<float>()[i];
  }
  float by_;
};

// y = p x with a parameter p, through a workspace and a saved copy of x.
class Weigh final : public Local {
 public:
  std::string_view name() const override { return "weigh"; }
  Needs needs(const Stream&, const Types& in, const Types&) const override {
    return {.saved = {in[0]},
            .reads_inputs = {1},
            .differentiable = {0, 1},
            .accumulates = {1},
            .forward_workspace = in[0].bytes(),
            .backward_workspace = Workspace::padded(in[0].bytes())};
  }
  void forward(Run& run) const override {
    std::memcpy(run.saved[0].data, run.in[0].data, run.in[0].bytes());
    for (Index i = 0; i < run.out[0].size(); ++i)
      run.out[0].as<float>()[i] = run.in[1].as<float>()[i] * run.in[0].as<float>()[i];
  }
  void backward(Run& run) const override {
    float* product = run.workspace.take<float>(run.dout[0].size());
    for (Index i = 0; i < run.dout[0].size(); ++i)
      product[i] = run.dout[0].as<float>()[i] * run.saved[0].as<float>()[i];
    for (Index i = 0; i < run.dout[0].size(); ++i) {
      if (run.wants(1)) run.din[1].as<float>()[i] += product[i];
      if (run.wants(0))
        run.din[0].as<float>()[i] = run.dout[0].as<float>()[i] * run.in[1].as<float>()[i];
    }
  }
};

// y = a b.
class Product final : public Local {
 public:
  std::string_view name() const override { return "product"; }
  Needs needs(const Stream&, const Types&, const Types&) const override {
    return {.reads_inputs = {0, 1}, .differentiable = {0, 1}, .in_place = false};
  }
  void forward(Run& run) const override { multiply(run.out[0], run.in[0], run.in[1]); }
  void backward(Run& run) const override {
    if (run.wants(0)) multiply(run.din[0], run.dout[0], run.in[1]);
    if (run.wants(1)) multiply(run.din[1], run.dout[0], run.in[0]);
  }

 private:
  static void multiply(Tensor y, View a, View b) {
    for (Index i = 0; i < y.size(); ++i) y.as<float>()[i] = a.as<float>()[i] * b.as<float>()[i];
  }
};

// The same bytes under another shape.
class Flat final : public Local {
 public:
  std::string_view name() const override { return "flat"; }
  Types infer(const Types& in) const override { return {{in[0].dtype, {1, in[0].shape.size()}}}; }
  Needs needs(const Stream&, const Types&, const Types&) const override {
    return {.differentiable = {0}, .alias_of = 0};
  }
  void forward(Run&) const override {}
  void backward(Run&) const override {}
};

class Total final : public Local {
 public:
  std::string_view name() const override { return "total"; }
  Types infer(const Types&) const override { return {{DType::f32, {1}}}; }
  Needs needs(const Stream&, const Types&, const Types&) const override {
    return {.differentiable = {0}};
  }
  void forward(Run& run) const override {
    const float* x = run.in[0].as<float>();
    *run.out[0].as<float>() = std::accumulate(x, x + run.in[0].size(), 0.0F);
  }
  void backward(Run& run) const override {
    std::fill_n(run.din[0].as<float>(), run.din[0].size(), *run.dout[0].as<float>());
  }
};

// Writes one number too many.
class Rogue final : public Local {
 public:
  std::string_view name() const override { return "rogue"; }
  Needs needs(const Stream&, const Types&, const Types&) const override { return {}; }
  void forward(Run& run) const override { std::memset(run.out[0].data, 0, run.out[0].bytes() + 4); }
  void backward(Run&) const override {}
};

constexpr Index width = 70;  // 280 bytes: no multiple of the alignment

Value times(Graph& g, Value x, float by) { return g.one(std::make_shared<Times>(by), {x}); }
Value weigh(Graph& g, Value x, const std::string& name) {
  const Value p = g.parameter(name, g.shape(x), Init::uniform(1));
  return g.one(std::make_shared<Weigh>(), {x, p});
}
Value product(Graph& g, Value a, Value b) { return g.one(std::make_shared<Product>(), {a, b}); }
Value flat(Graph& g, Value x) { return g.one(std::make_shared<Flat>(), {x}); }
Value total(Graph& g, Value x) { return g.one(std::make_shared<Total>(), {x}); }

struct Sample {
  Graph graph;
  Value loss;
};

// A random graph: values with several consumers, views, shared parameters, dead ends.
Sample random_graph(std::uint64_t seed) {
  Sample sample;
  Graph& g = sample.graph;
  const Random random{seed, 1};
  std::vector<Value> pool{g.input("x", {DType::f32, {1, width}})};
  pool.push_back(weigh(g, pool[0], "p0"));
  const auto length = 4 + random.below(0, 12);
  for (std::uint32_t i = 1; i <= length; ++i) {
    const auto pick = [&](std::uint64_t n) {
      return pool[random.below(4 * i + n, static_cast<std::uint32_t>(pool.size()))];
    };
    switch (random.below(4 * i, 4)) {
      case 0: pool.push_back(times(g, pick(1), 0.5F + random.uniform(i))); break;
      case 1: pool.push_back(weigh(g, pick(1), text("p", random.below(4 * i + 2, 5)))); break;
      case 2: pool.push_back(product(g, pick(1), pick(2))); break;
      default: pool.push_back(flat(g, pick(1))); break;
    }
  }
  sample.loss = total(g, product(g, pool[1 + random.below(1, 2)], pool.back()));
  return sample;
}

struct Outcome {
  float loss;
  std::vector<float> gradients;
  bool operator==(const Outcome&) const = default;
};

Outcome train_once(const Sample& sample, bool in_place, bool debug) {
  Parameters parameters(sample.graph);
  parameters.initialize(7);
  PlanOptions options{.loss = sample.loss, .in_place = in_place, .debug_memory = debug};
  Executor executor(std::make_shared<Plan>(compile(sample.graph, options)), parameters);
  const Tensor x = executor.input("x");
  for (Index i = 0; i < x.size(); ++i)
    x.as<float>()[i] = Random{3, 3}.normal(static_cast<std::uint64_t>(i));
  executor.run({});
  return {executor.loss(), {parameters.gradients().begin(), parameters.gradients().end()}};
}

TEST(Plan, RegionsThatLiveTogetherShareNoByte) {
  for (std::uint64_t seed = 0; seed < 200; ++seed)
    for (const bool in_place : {true, false}) {
      const Sample sample = random_graph(seed);
      const Plan plan = compile(sample.graph, {.loss = sample.loss, .in_place = in_place});
      for (const Region& a : plan.regions()) {
        EXPECT_EQ(a.offset % Plan::alignment, 0U);
        EXPECT_LE(a.offset + a.bytes, plan.arena_bytes());
        for (const Region& b : plan.regions()) {
          if (&a == &b || a.last < b.first || b.last < a.first) continue;
          EXPECT_TRUE(a.offset + a.bytes <= b.offset || b.offset + b.bytes <= a.offset)
              << "seed " << seed << ": " << a.name << " and " << b.name;
        }
      }
      EXPECT_GE(plan.arena_bytes(), plan.live_bytes_bound());
    }
}

// Were a region reused too early, the poison would reach the loss or a gradient.
TEST(Plan, InPlaceAndPoisonChangeNothing) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const Sample sample = random_graph(seed);
    const Outcome plain = train_once(sample, false, false);
    EXPECT_TRUE(std::isfinite(plain.loss));
    EXPECT_EQ(train_once(sample, true, false), plain) << "seed " << seed;
    EXPECT_EQ(train_once(sample, true, true), plain) << "seed " << seed;
    EXPECT_EQ(train_once(sample, false, true), plain) << "seed " << seed;
  }
}

TEST(Plan, GradientsOfSharedValuesAddUp) {
  // loss = sum(2 p x * 3 p x), so dloss/dp = 12 p x^2.
  Graph g;
  const Value x = g.input("x", {DType::f32, {1, 3}});
  const Value px = weigh(g, x, "p");
  const Value loss = total(g, product(g, times(g, px, 2), times(g, flat(g, px), 3)));
  Parameters parameters(g);
  const float p[] = {1, -2, 0.5F};
  std::copy_n(p, 3, parameters.value("p").as<float>());
  Executor executor(std::make_shared<Plan>(compile(g, {.loss = loss})), parameters);
  const float values[] = {2, 1, 4};
  std::copy_n(values, 3, executor.input("x").as<float>());
  executor.run({});
  EXPECT_FLOAT_EQ(executor.loss(), 6 * (4 + 4 + 4));
  const float* gradient = parameters.gradient("p").as<float>();
  EXPECT_FLOAT_EQ(gradient[0], 48);
  EXPECT_FLOAT_EQ(gradient[1], -24);
  EXPECT_FLOAT_EQ(gradient[2], 96);
  executor.run({}, true, 0.5F);  // adds, scaled
  EXPECT_FLOAT_EQ(gradient[0], 72);
}

TEST(Plan, InPlaceSavesMemory) {
  Graph g;
  Value x = g.input("x", {DType::f32, {1, 4096}});
  for (int i = 0; i < 8; ++i) x = times(g, x, 2);
  constexpr Bytes tensor = 4096 * sizeof(float);
  // The input is never overwritten; a chain needs two tensors, in place only one.
  EXPECT_EQ(compile(g, {.fetch = {x}}).arena_bytes(), 2 * tensor);
  EXPECT_EQ(compile(g, {.fetch = {x}, .in_place = false}).arena_bytes(), 3 * tensor);
}

// Two residual blocks with norms ahead: x += scale(norm(x)); a last norm, and its sum.
struct Residual {
  Graph graph;
  Value x, sum, loss;

  explicit Residual(bool blocks, bool apart = false) : apart_(apart) {
    x = graph.input("x", {DType::f32, {6, 16}});
    sum = weigh(graph, x, "p");
    for (int i = 0; i < 2; ++i) {
      std::optional<Graph::Block> again;
      if (blocks) again.emplace(graph);
      sum = add(graph, sum, times(graph, norm(sum, 2 * i), 0.5F));
      sum = add(graph, sum, times(graph, norm(sum, 2 * i + 1), -0.7F));
    }
    loss = total(graph, norm(sum, 4));
  }

 private:
  Value norm(Value of, int i) {
    const Value gamma = graph.parameter(text("gamma", i), {16}, Init::normal(1));
    const Value beta = graph.parameter(text("beta", i), {16}, Init::normal(1));
    return layer_norm(graph, apart_ ? reshape(graph, of, {6, 16}) : of, gamma, beta);
  }

  bool apart_;  // a view between each sum and its norm, past which a plan does not look
};

std::map<std::string, int> steps_by_op(const Plan& plan, Phase phase) {
  std::map<std::string, int> counts;
  for (const Step& step : plan.steps())
    if (step.phase == phase && step.node >= 0 &&
        (step.kind == Step::Kind::forward || step.kind == Step::Kind::backward))
      ++counts[std::string(plan.graph().nodes()[static_cast<std::size_t>(step.node)].op->name())];
  return counts;
}

// An addition and the layer norm behind it are one step, and no gradients are summed up besides.
TEST(Plan, ANormOfASumIsOneStep) {
  Residual model(false);
  const Plan plan = compile(model.graph, {.loss = model.loss});
  for (const Phase phase : {Phase::forward, Phase::backward}) {
    const auto counts = steps_by_op(plan, phase);
    EXPECT_EQ(counts.count("add"), 0U);
    EXPECT_EQ(counts.at("layer_norm"), 5);
  }
  Index sums = 0;
  for (const Step& step : plan.steps()) sums += step.kind == Step::Kind::accumulate;
  EXPECT_EQ(sums, 1);  // of the first x, which no addition made
}

// The sum alone, or a value between, keeps the two apart.
TEST(Plan, ASumWithoutANormStaysAnAddition) {
  Graph g;
  const Value x = g.input("x", {DType::f32, {6, 16}});
  const Value gamma = g.parameter("gamma", {16}, Init::ones());
  const Value beta = g.parameter("beta", {16}, Init::zeros());
  const Value sum = add(g, x, times(g, x, 2));
  const Value y = layer_norm(g, sum, gamma, beta);
  EXPECT_EQ(steps_by_op(compile(g, {.fetch = {sum}}), Phase::forward).count("add"), 1U);
  EXPECT_EQ(steps_by_op(compile(g, {.fetch = {y}}), Phase::forward).count("add"), 0U);
  const Value biased = add(g, y, beta);
  const Value z = layer_norm(g, biased, gamma, beta);
  EXPECT_EQ(steps_by_op(compile(g, {.fetch = {z}}), Phase::forward).count("add"), 1U);
}

// Joined or apart, recomputed or not: the same numbers.
TEST(Plan, JoinedStepsComputeTheSame) {
  const auto gradients = [](const Residual& model, const PlanOptions& options) {
    Parameters parameters(model.graph);
    parameters.initialize(3);
    const auto plan = std::make_shared<Plan>(compile(model.graph, options));
    Executor executor(plan, parameters);
    const Tensor x = executor.input("x");
    for (Index i = 0; i < x.size(); ++i)
      x.as<float>()[i] = Random{4, 4}.normal(static_cast<std::uint64_t>(i));
    executor.run({});
    return std::vector<float>(parameters.gradients().begin(), parameters.gradients().end());
  };
  const Residual model(true);
  const auto joined = gradients(model, {.loss = model.loss});
  for (const bool debug : {false, true})
    EXPECT_EQ(gradients(model, {.loss = model.loss, .recompute = true, .debug_memory = debug}),
              joined);
  const Residual apart(false, true);
  const auto separate = gradients(apart, {.loss = apart.loss});
  ASSERT_EQ(separate.size(), joined.size());
  for (std::size_t i = 0; i < joined.size(); ++i) EXPECT_NEAR(separate[i], joined[i], 2e-5) << i;
}

TEST(Plan, WhatTheLossDoesNotNeedDoesNotRun) {
  Graph g;
  const Value x = g.input("x", {DType::f32, {1, 3}});
  const Value used = weigh(g, x, "p");
  weigh(g, x, "unused");
  const Plan plan = compile(g, {.loss = total(g, used)});
  for (const Step& step : plan.steps())
    for (const Slot& slot : step.in) EXPECT_NE(slot.name, "unused");
}

TEST(Plan, FetchedValuesStayReadable) {
  Graph g;
  const Value x = g.input("x", {DType::f32, {1, 3}});
  const Value y = times(g, x, 2);
  const Value z = times(g, y, 2);
  const Value last = times(g, z, 2);
  Parameters parameters(g);
  Executor executor(std::make_shared<Plan>(compile(g, {.fetch = {y, last}})), parameters);
  std::fill_n(executor.input("x").as<float>(), 3, 1.0F);
  executor.run({});
  EXPECT_FLOAT_EQ(executor.value(y).as<float>()[2], 2);
  EXPECT_FLOAT_EQ(executor.value(last).as<float>()[2], 8);
  EXPECT_THROW(executor.value(z), Error);
}

TEST(Plan, ALossThatIsNoScalarIsRefused) {
  Graph g;
  const Value x = g.input("x", {DType::f32, {1, 3}});
  EXPECT_THROW(compile(g, {.loss = x}), Error);
}

// Every byte that the plan and the parameters announce is what the process takes, and no more.
TEST(Plan, ThePeakIsWhatTheProcessTakes) {
  const Bytes before = tensor_memory();
  const struct mallinfo2 heap_before = mallinfo2();
  Graph g;
  Value x = g.input("x", {DType::f32, {64, 65536}});
  for (int i = 0; i < 3; ++i) x = weigh(g, x, text("p", i));
  const Value loss = total(g, x);
  const auto plan = std::make_shared<Plan>(compile(g, {.loss = loss}));
  Parameters parameters(g);
  Executor executor(plan, parameters);
  EXPECT_EQ(parameters.bytes(), Parameters::bytes_of(g));
  EXPECT_EQ(executor.arena_bytes(), plan->arena_bytes());
  const Bytes announced = plan->arena_bytes() + Parameters::bytes_of(g);
  EXPECT_EQ(tensor_memory() - before, announced);
  std::fill_n(executor.input("x").as<float>(), 64 * 65536, 1.0F);
  executor.run({});
  const struct mallinfo2 heap = mallinfo2();
  const auto taken = static_cast<double>(heap.uordblks + heap.hblkhd) -
                     static_cast<double>(heap_before.uordblks + heap_before.hblkhd);
#if !defined(__SANITIZE_ADDRESS__)
  EXPECT_NEAR(taken, static_cast<double>(announced), 0.01 * static_cast<double>(announced));
#else
  static_cast<void>(taken);  // the address checker's allocator keeps no such books
#endif
}

TEST(Executor, NamesTheFirstFault) {
  Graph g;
  const Value x = g.input("x", {DType::f32, {1, 3}});
  Value y;
  {
    const Graph::Scope scope(g, "encoder");
    y = weigh(g, x, "p");
  }
  const Value loss = total(g, times(g, product(g, y, y), 3e38F));
  Parameters parameters(g);
  std::fill_n(parameters.value("encoder.p").as<float>(), 3, 2.0F);
  Executor executor(std::make_shared<Plan>(compile(g, {.loss = loss})), parameters);
  std::fill_n(executor.input("x").as<float>(), 3, 1.0F);
  const auto fault = executor.find_fault({});
  ASSERT_TRUE(fault);
  EXPECT_EQ(fault->step, "times");
  EXPECT_EQ(fault->output, "output 0 [1, 3]: 0 NaN and 3 infinite of 3");
  ASSERT_EQ(fault->inputs.size(), 1U);
  EXPECT_NE(fault->inputs[0].find("from 4 to 4"), std::string::npos);
  parameters.value("encoder.p").as<float>()[1] = NAN;
  EXPECT_EQ(executor.find_fault({})->output.substr(0, 11), "encoder.p [");
}

TEST(Executor, AnOverwrittenGuardIsNamed) {
  Graph g;
  const Value x = g.input("x", {DType::f32, {1, 64}});
  const Value y = g.one(std::make_shared<Rogue>(), {x});
  Parameters parameters(g);
  Executor executor(std::make_shared<Plan>(compile(g, {.fetch = {y}, .debug_memory = true})),
                    parameters);
  try {
    executor.run({});
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("after rogue the guard behind rogue_0"),
              std::string::npos);
  }
}

TEST(Executor, ProfileCountsEveryStep) {
  const Sample sample = random_graph(5);
  Parameters parameters(sample.graph);
  Executor executor(std::make_shared<Plan>(compile(sample.graph, {.loss = sample.loss})),
                    parameters);
  executor.profile(true);
  executor.run({});
  executor.run({});
  ASSERT_EQ(executor.times().size(), executor.plan().steps().size());
  for (const StepTime& time : executor.times()) EXPECT_EQ(time.runs, 2);
}

TEST(Parameters, InitialValuesDependOnNameAndSeedAlone) {
  Graph one;
  one.parameter("a", {100}, Init::normal(0.02));
  one.parameter("b", {5000}, Init::truncated_normal(1));
  Graph two;
  two.parameter("b", {5000}, Init::truncated_normal(1));
  Parameters first(one);
  Parameters second(two);
  first.initialize(1);
  second.initialize(1);
  const float* b = first.value("b").as<float>();
  EXPECT_TRUE(std::equal(b, b + 5000, second.value("b").as<float>()));
  EXPECT_LE(*std::max_element(b, b + 5000), 2);
  second.initialize(2);
  EXPECT_FALSE(std::equal(b, b + 5000, second.value("b").as<float>()));
  EXPECT_EQ(first.count(), 5100);
}

}  // namespace
}  // namespace framefold
