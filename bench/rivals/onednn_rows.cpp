// Rows of the comparison in oneDNN itself: what framefold-bench's row of the same name does, on the
// same operands, where oneDNN has the primitive. Its memory formats are its own choice or channels
// last, the faster counts and is named; primitives, scratchpads and reordered operands are made
// beforehand. Operands and checksums are bench/op_rows.h's. One file, however long:
// bench/rivals/run compiles it by itself.
//
// Usage: onednn_rows ROW... [--seconds=1] | --list     what torch_rows.py prints, a line a row
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <dnnl.hpp>
#include <functional>
#include <numeric>
#include <string>
#include <unordered_map>
#include <vector>

#include "bench/rate.h"

namespace {

using dnnl::algorithm;
using dnnl::memory;
using dnnl::normalization_flags;
using dnnl::primitive;
using dnnl::prop_kind;
using Dims = memory::dims;
using Tag = memory::format_tag;
constexpr auto f32 = memory::data_type::f32;

const dnnl::engine cpu(dnnl::engine::kind::cpu, 0);
dnnl::stream queue(cpu);

float operand_value(std::uint32_t i, int input) {
  auto hash = i * 2654435761U + static_cast<std::uint32_t>(input + 1) * 7919U;
  hash = (hash ^ hash >> 15U) * 2246822519U;
  return static_cast<float>(static_cast<int>((hash ^ hash >> 13U) % 97) - 48) / 256;
}

// Without gaps; `order` names the axes from the slowest to the fastest.
memory::desc dense(const Dims& dims, const std::vector<int>& order, memory::data_type type = f32) {
  Dims strides(dims.size());
  memory::dim step = 1;
  for (auto axis = order.rbegin(); axis != order.rend(); ++axis) {
    strides[static_cast<std::size_t>(*axis)] = step;
    step *= dims[static_cast<std::size_t>(*axis)];
  }
  return {dims, type, strides};
}
memory::desc dense(const Dims& dims) {
  std::vector<int> order(dims.size());
  std::iota(order.begin(), order.end(), 0);
  return dense(dims, order);
}
memory::desc any(const Dims& dims) { return {dims, f32, Tag::any}; }
memory::desc last(const Dims& dims) { return {dims, f32, Tag::ndhwc}; }

memory empty(const memory::desc& desc) {
  memory made(desc, cpu);
  std::memset(made.get_data_handle(), 0, desc.get_size());
  return made;
}
// Operand number `operand` in the layout `ours`, reordered to `wanted`.
memory filled(const memory::desc& ours, int operand, const memory::desc& wanted) {
  memory made(ours, cpu);
  auto* data = static_cast<float*>(made.get_data_handle());
  for (std::size_t i = 0; i < ours.get_size() / sizeof(float); ++i)
    data[i] = operand_value(static_cast<std::uint32_t>(i), operand);
  if (ours == wanted) return made;
  memory other = empty(wanted);
  dnnl::reorder(made, other).execute(queue, made, other);
  queue.wait();
  return other;
}
memory filled(const memory::desc& ours, int operand) { return filled(ours, operand, ours); }

struct Step {
  primitive made;
  std::unordered_map<int, memory> arguments;
};
struct Way {
  std::string name;
  std::vector<Step> steps;
  std::vector<std::pair<memory, memory::desc>> results;  // and their layout in Framefold

  void run() {
    for (Step& step : steps) step.made.execute(queue, step.arguments);
    queue.wait();
  }
};
using Ways = std::vector<Way>;
std::vector<std::pair<std::string, std::function<Ways()>>> rows;

constexpr const char *own = "own choice", *channels_last = "channels last";

struct Layer {
  const char* name;
  bool transposed;
  memory::dim from, to;
  Dims size;
  memory::dim kernel, stride, batch;
};
const Layer layers[] = {
    {"3-32_s2", false, 3, 32, {16, 64, 64}, 3, 2, 4},
    {"32-64_s2", false, 32, 64, {8, 32, 32}, 3, 2, 4},
    {"64-128_s2", false, 64, 128, {4, 16, 16}, 3, 2, 4},
    {"16-16", false, 16, 16, {8, 32, 32}, 3, 1, 4},
    {"64-64", false, 64, 64, {8, 32, 32}, 3, 1, 1},
    {"transposed_128-64_s2", true, 128, 64, {2, 8, 8}, 4, 2, 4},
    {"transposed_64-32_s2", true, 64, 32, {4, 16, 16}, 4, 2, 4},
    {"transposed_32-3_s2", true, 32, 3, {8, 32, 32}, 4, 2, 4},
};

template <class Forward, class Data, class Weights>
Way convolution(const Layer& l, const std::string& pass, algorithm direct, bool choose) {
  Dims x{l.batch, l.from}, y{l.batch, l.to};
  for (const memory::dim extent : l.size) {
    x.push_back(extent);
    y.push_back(l.transposed ? (extent - 1) * l.stride - 2 + l.kernel
                             : (extent + 2 - l.kernel) / l.stride + 1);
  }
  const Dims w{l.to, l.from, l.kernel, l.kernel, l.kernel}, stride(3, l.stride), pad(3, 1);
  const auto weights = l.transposed ? dense(w, {2, 3, 4, 0, 1}) : dense(w, {2, 3, 4, 1, 0});
  const auto xs = choose ? any(x) : last(x), ys = choose ? any(y) : last(y);
  const typename Forward::primitive_desc forward(
      {prop_kind::forward_training, direct, xs, any(w), ys, stride, pad, pad}, cpu);
  Way way{choose ? own : channels_last, {}, {}};
  if (pass == "forward") {
    const memory made = empty(forward.dst_desc());
    way.steps = {{Forward(forward),
                  {{DNNL_ARG_SRC, filled(last(x), 0, forward.src_desc())},
                   {DNNL_ARG_WEIGHTS, filled(weights, 1, forward.weights_desc())},
                   {DNNL_ARG_DST, made}}}};
    way.results = {{made, last(y)}};
  } else if (pass == "dgrad") {
    const typename Data::primitive_desc back({direct, xs, any(w), ys, stride, pad, pad}, cpu,
                                             forward);
    const memory made = empty(back.diff_src_desc());
    way.steps = {{Data(back),
                  {{DNNL_ARG_DIFF_DST, filled(last(y), 15, back.diff_dst_desc())},
                   {DNNL_ARG_WEIGHTS, filled(weights, 1, back.weights_desc())},
                   {DNNL_ARG_DIFF_SRC, made}}}};
    way.results = {{made, last(x)}};
  } else {
    const typename Weights::primitive_desc back({direct, xs, any(w), ys, stride, pad, pad}, cpu,
                                                forward);
    const memory made = empty(back.diff_weights_desc());
    way.steps = {{Weights(back),
                  {{DNNL_ARG_DIFF_DST, filled(last(y), 15, back.diff_dst_desc())},
                   {DNNL_ARG_SRC, filled(last(x), 0, back.src_desc())},
                   {DNNL_ARG_DIFF_WEIGHTS, made}}}};
    way.results = {{made, weights}};
  }
  return way;
}

// C = A B, by rows; what is `weight` may be packed beforehand.
struct Matrices {
  Dims a, b;
  bool transpose_a = false, transpose_b = false, weight = false;
  int number_a = 0, number_b = 1;
  const char* ending = "";
  bool accumulate = false;
};
Ways product(const Matrices& p) {
  const auto stored = [](const Dims& dims, bool transposed) {
    const int rank = static_cast<int>(dims.size());
    std::vector<int> order(dims.size());
    std::iota(order.begin(), order.end(), 0);
    if (transposed) std::swap(order[static_cast<std::size_t>(rank - 2)], order.back());
    return dense(dims, order);
  };
  const auto a = stored(p.a, p.transpose_a), b = stored(p.b, p.transpose_b);
  Dims c = p.a;
  c.back() = p.b.back();
  Dims bias(c.size(), 1);
  bias.back() = c.back();
  const std::string ending = p.ending;
  dnnl::post_ops post;
  if (p.accumulate) post.append_sum(1.0F);
  if (ending == "relu") post.append_eltwise(1, algorithm::eltwise_relu, 0, 0);
  if (ending == "sigmoid") post.append_eltwise(1, algorithm::eltwise_logistic, 0, 0);
  dnnl::primitive_attr attributes;
  attributes.set_post_ops(post);
  Ways ways;
  for (const bool packed : {false, true}) {
    if (packed && !p.weight) continue;
    const auto b_used = packed ? any(p.b) : b;
    const dnnl::matmul::desc plain(a, b_used, dense(c));
    const dnnl::matmul::desc biased(a, b_used, dense(bias), dense(c));
    const dnnl::matmul::primitive_desc chosen(ending.empty() ? plain : biased, attributes, cpu);
    const memory made = empty(dense(c));
    Way way{packed ? "weight in its own choice" : "as stored",
            {{dnnl::matmul(chosen),
              {{DNNL_ARG_SRC, filled(a, p.number_a)},
               {DNNL_ARG_WEIGHTS, filled(b, p.number_b, chosen.weights_desc())},
               {DNNL_ARG_DST, made}}}},
            {{made, dense(c)}}};
    if (!ending.empty()) way.steps[0].arguments.insert({DNNL_ARG_BIAS, filled(dense(bias), 2)});
    ways.push_back(way);
  }
  return ways;
}

// The state before the first step is given as zeros: left out, 2.6.3 gets dwh wrong.
Ways lstm(memory::dim units, bool both) {
  constexpr memory::dim batch = 16, steps = 20;
  const Dims sequence{steps, batch, units}, state{1, 1, batch, units},
      weight{1, 1, units, 4, units}, bias{1, 1, 4, units};
  const auto ours = dense(sequence, {1, 0, 2});
  const auto direction = dnnl::rnn_direction::unidirectional_left2right;
  const dnnl::lstm_forward::primitive_desc forward(
      {both ? prop_kind::forward_training : prop_kind::forward_inference, direction, any(sequence),
       any(state), any(state), any(weight), any(weight), dense(bias), any(sequence), any(state),
       any(state)},
      cpu);
  const memory x = filled(ours, 0, forward.src_layer_desc()), b = filled(dense(bias), 3),
               h = empty(forward.dst_layer_desc()), h_last = empty(forward.dst_iter_desc()),
               c_last = empty(forward.dst_iter_c_desc()), h0 = empty(forward.src_iter_desc()),
               c0 = empty(forward.src_iter_c_desc());
  Way way{own,
          {{dnnl::lstm_forward(forward),
            {{DNNL_ARG_SRC_LAYER, x},
             {DNNL_ARG_SRC_ITER, h0},
             {DNNL_ARG_SRC_ITER_C, c0},
             {DNNL_ARG_WEIGHTS_LAYER, filled(dense(weight), 1, forward.weights_layer_desc())},
             {DNNL_ARG_WEIGHTS_ITER, filled(dense(weight), 2, forward.weights_iter_desc())},
             {DNNL_ARG_BIAS, b},
             {DNNL_ARG_DST_LAYER, h},
             {DNNL_ARG_DST_ITER, h_last},
             {DNNL_ARG_DST_ITER_C, c_last}}}},
          {{h, ours}, {h_last, dense(state)}, {c_last, dense(state)}}};
  if (!both) return {way};
  const dnnl::lstm_backward::primitive_desc back(
      {prop_kind::backward, direction,     any(sequence), any(state),    any(state),
       any(weight),         any(weight),   dense(bias),   any(sequence), any(state),
       any(state),          any(sequence), any(state),    any(state),    any(weight),
       any(weight),         dense(bias),   any(sequence), any(state),    any(state)},
      cpu, forward);
  const memory space = empty(forward.workspace_desc()), dx = empty(back.diff_src_layer_desc()),
               dwx = empty(back.diff_weights_layer_desc()),
               dwh = empty(back.diff_weights_iter_desc()), db = empty(dense(bias));
  way.steps[0].arguments.insert({DNNL_ARG_WORKSPACE, space});
  way.steps.push_back(
      {dnnl::lstm_backward(back),
       {{DNNL_ARG_SRC_LAYER, x},
        {DNNL_ARG_SRC_ITER, h0},
        {DNNL_ARG_SRC_ITER_C, c0},
        {DNNL_ARG_DIFF_SRC_ITER, empty(back.diff_src_iter_desc())},
        {DNNL_ARG_DIFF_SRC_ITER_C, empty(back.diff_src_iter_c_desc())},
        {DNNL_ARG_WEIGHTS_LAYER, filled(dense(weight), 1, back.weights_layer_desc())},
        {DNNL_ARG_WEIGHTS_ITER, filled(dense(weight), 2, back.weights_iter_desc())},
        {DNNL_ARG_BIAS, b},
        {DNNL_ARG_DST_LAYER, h},
        {DNNL_ARG_DST_ITER, h_last},
        {DNNL_ARG_DST_ITER_C, c_last},
        {DNNL_ARG_WORKSPACE, space},
        {DNNL_ARG_DIFF_DST_LAYER, filled(ours, 15, back.diff_dst_layer_desc())},
        {DNNL_ARG_DIFF_DST_ITER, filled(dense(state), 15, back.diff_dst_iter_desc())},
        {DNNL_ARG_DIFF_DST_ITER_C, filled(dense(state), 15, back.diff_dst_iter_c_desc())},
        {DNNL_ARG_DIFF_SRC_LAYER, dx},
        {DNNL_ARG_DIFF_WEIGHTS_LAYER, dwx},
        {DNNL_ARG_DIFF_WEIGHTS_ITER, dwh},
        {DNNL_ARG_DIFF_BIAS, db}}});
  for (const auto& [made, layout] :
       {std::pair(dx, ours), {dwx, dense(weight)}, {dwh, dense(weight)}, {db, dense(bias)}})
    way.results.emplace_back(made, layout);
  return {way};
}

const Dims wide{8, 1024, 1024}, tokens{8, 1568, 384}, clip{4, 64, 16, 32, 32},
    half{4, 64, 8, 16, 16};

// y = f(x), one tensor in and out; backward reads x or, in oneDNN's other form, y.
Ways eltwise(algorithm kind, float alpha, float beta, bool backward, bool of_result) {
  const auto layout = dense(wide);
  const dnnl::eltwise_forward::primitive_desc forward(
      {prop_kind::forward_training, kind, layout, alpha, beta}, cpu);
  const memory x = filled(layout, 0), y = empty(layout), dx = empty(layout);
  const Step once{dnnl::eltwise_forward(forward), {{DNNL_ARG_SRC, x}, {DNNL_ARG_DST, y}}};
  if (!backward) return {{own, {once}, {{y, layout}}}};
  once.made.execute(queue, once.arguments);
  const dnnl::eltwise_backward::primitive_desc back({kind, layout, layout, alpha, beta}, cpu,
                                                    forward);
  return {{of_result ? "from the result" : "from the operand",
           {{dnnl::eltwise_backward(back),
             {{of_result ? DNNL_ARG_DST : DNNL_ARG_SRC, of_result ? y : x},
              {DNNL_ARG_DIFF_DST, filled(layout, 15)},
              {DNNL_ARG_DIFF_SRC, dx}}}},
           {{dx, layout}}}};
}

Ways binary(algorithm kind) {
  const auto layout = dense(wide);
  const memory y = empty(layout);
  return {{own,
           {{dnnl::binary(dnnl::binary::primitive_desc({kind, layout, layout, layout}, cpu)),
             {{DNNL_ARG_SRC_0, filled(layout, 0)},
              {DNNL_ARG_SRC_1, filled(layout, 1)},
              {DNNL_ARG_DST, y}}}},
           {{y, layout}}}};
}

// A normalisation with a scale and a shift for each of `count` channels.
template <class Forward, class Backward>
Way norm(const memory::desc& ours, const memory::desc& used, memory::dim count, bool backward,
         const char* name) {
  const auto flags = normalization_flags::use_scale | normalization_flags::use_shift;
  const typename Forward::primitive_desc forward({prop_kind::forward_training, used, 1e-5F, flags},
                                                 cpu);
  const auto channels = dense({count});
  const memory x = filled(ours, 0, used), y = empty(used), mean = empty(forward.mean_desc()),
               variance = empty(forward.variance_desc()), gamma = filled(channels, 1),
               beta = filled(channels, 2);
  const Step once{Forward(forward),
                  {{DNNL_ARG_SRC, x},
                   {DNNL_ARG_SCALE, gamma},
                   {DNNL_ARG_SHIFT, beta},
                   {DNNL_ARG_MEAN, mean},
                   {DNNL_ARG_VARIANCE, variance},
                   {DNNL_ARG_DST, y}}};
  if (!backward) return {name, {once}, {{y, ours}}};
  once.made.execute(queue, once.arguments);
  const typename Backward::primitive_desc back({prop_kind::backward, used, used, 1e-5F, flags}, cpu,
                                               forward);
  const memory dx = empty(used), dgamma = empty(channels), dbeta = empty(channels);
  return {name,
          {{Backward(back),
            {{DNNL_ARG_SRC, x},
             {DNNL_ARG_MEAN, mean},
             {DNNL_ARG_VARIANCE, variance},
             {DNNL_ARG_SCALE, gamma},
             {DNNL_ARG_SHIFT, beta},
             {DNNL_ARG_DIFF_DST, filled(ours, 15, used)},
             {DNNL_ARG_DIFF_SRC, dx},
             {DNNL_ARG_DIFF_SCALE, dgamma},
             {DNNL_ARG_DIFF_SHIFT, dbeta}}}},
          {{dx, ours}, {dgamma, channels}, {dbeta, channels}}};
}

// The same in channels last and in blocks of 16 channels.
template <class Make>
Ways layouts(const Dims& dims, const Make& make) {
  return {make(last(dims), channels_last),
          make(memory::desc(dims, f32, Tag::nCdhw16c), "blocks of 16")};
}

Ways pool(algorithm kind, memory::dim kernel, memory::dim padding, bool backward) {
  const Dims size(3, kernel), stride(3, 2), pad(3, padding);
  return layouts(clip, [&](const memory::desc& used, const char* name) -> Way {
    const dnnl::pooling_forward::primitive_desc forward(
        {prop_kind::forward_training, kind, used, any(half), stride, size, pad, pad}, cpu);
    const memory y = empty(forward.dst_desc()), space = empty(forward.workspace_desc());
    const Step once{dnnl::pooling_forward(forward),
                    {{DNNL_ARG_SRC, filled(last(clip), 0, used)},
                     {DNNL_ARG_DST, y},
                     {DNNL_ARG_WORKSPACE, space}}};
    if (!backward) return {name, {once}, {{y, last(half)}}};
    once.made.execute(queue, once.arguments);
    const dnnl::pooling_backward::primitive_desc back(
        {kind, used, forward.dst_desc(), stride, size, pad, pad}, cpu, forward);
    const memory dx = empty(used);
    return {name,
            {{dnnl::pooling_backward(back),
              {{DNNL_ARG_DIFF_DST, filled(last(half), 15, forward.dst_desc())},
               {DNNL_ARG_WORKSPACE, space},
               {DNNL_ARG_DIFF_SRC, dx}}}},
            {{dx, last(clip)}}};
  });
}

Ways resample(algorithm kind, bool backward) {
  return layouts(half, [&](const memory::desc& used, const char* name) -> Way {
    const dnnl::resampling_forward::primitive_desc forward(
        {prop_kind::forward_training, kind, used, any(clip)}, cpu);
    const memory x = filled(last(half), 0, used), y = empty(forward.dst_desc());
    if (!backward)
      return {name,
              {{dnnl::resampling_forward(forward), {{DNNL_ARG_SRC, x}, {DNNL_ARG_DST, y}}}},
              {{y, last(clip)}}};
    const dnnl::resampling_backward::primitive_desc back({kind, used, forward.dst_desc()}, cpu,
                                                         forward);
    const memory dx = empty(used);
    return {name,
            {{dnnl::resampling_backward(back),
              {{DNNL_ARG_DIFF_DST, filled(last(clip), 15, forward.dst_desc())},
               {DNNL_ARG_DIFF_SRC, dx}}}},
            {{dx, last(half)}}};
  });
}

Ways softmax(bool backward) {
  const auto layout = dense({6, 1568, 1568});
  const auto kind = algorithm::softmax_accurate;
  const dnnl::softmax_v2_forward::primitive_desc forward(
      {prop_kind::forward_training, kind, layout, layout, 2}, cpu);
  const memory y = empty(layout), dx = empty(layout);
  const Step once{dnnl::softmax_v2_forward(forward),
                  {{DNNL_ARG_SRC, filled(layout, 0)}, {DNNL_ARG_DST, y}}};
  if (!backward) return {{own, {once}, {{y, layout}}}};
  once.made.execute(queue, once.arguments);
  const dnnl::softmax_v2_backward::primitive_desc back({kind, layout, layout, layout, 2}, cpu,
                                                       forward);
  return {
      {own,
       {{dnnl::softmax_v2_backward(back),
         {{DNNL_ARG_DST, y}, {DNNL_ARG_DIFF_DST, filled(layout, 15)}, {DNNL_ARG_DIFF_SRC, dx}}}},
       {{dx, layout}}}};
}

Ways reduction(const Dims& to) {
  const memory y = empty(dense(to));
  return {{own,
           {{dnnl::reduction(dnnl::reduction::primitive_desc(
                 {algorithm::reduction_mean, dense(tokens), dense(to), 0, 0}, cpu)),
             {{DNNL_ARG_SRC, filled(dense(tokens), 0)}, {DNNL_ARG_DST, y}}}},
           {{y, dense(to)}}}};
}

// A copy from one layout to another; `number` is the operand's.
Ways copy(const memory& from, const memory::desc& to, const dnnl::primitive_attr& how = {}) {
  const memory made = empty(to);
  return {{own,
           {{dnnl::reorder(dnnl::reorder::primitive_desc(from, made, how)),
             {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, made}}}},
           {{made, to}}}};
}

Ways concat() {
  const memory y = empty(last({4, 128, 16, 32, 32}));
  const dnnl::concat::primitive_desc joined(y.get_desc(), 1, {last(clip), last(clip)}, cpu);
  return {{channels_last,
           {{dnnl::concat(joined),
             {{DNNL_ARG_MULTIPLE_SRC, filled(last(clip), 0)},
              {DNNL_ARG_MULTIPLE_SRC + 1, filled(last(clip), 1)},
              {DNNL_ARG_DST, y}}}},
           {{y, y.get_desc()}}}};
}

Ways pixels() {
  const auto layout = dense({8, 16, 224, 224, 3});
  memory clip_of_pixels(dense({8, 16, 224, 224, 3}, {0, 1, 2, 3, 4}, memory::data_type::u8), cpu);
  auto* data = static_cast<std::uint8_t*>(clip_of_pixels.get_data_handle());
  for (std::size_t i = 0; i < layout.get_size() / sizeof(float); ++i)
    data[i] = static_cast<std::uint8_t>(i % 251);
  dnnl::primitive_attr scaled;
  scaled.set_output_scales(0, {1.0F / 255});
  return copy(clip_of_pixels, layout, scaled);
}

void add_rows() {
  const auto row = [](const std::string& name, std::function<Ways()> ways) {
    rows.emplace_back(name, std::move(ways));
  };
  for (const Layer& l : layers)
    for (const char* pass : {"forward", "dgrad", "wgrad"})
      row(std::string("conv3d/") + l.name + '/' + pass, [&l, pass] {
        Ways ways;
        for (const bool choose : {true, false})
          ways.push_back(
              l.transposed
                  ? convolution<dnnl::deconvolution_forward, dnnl::deconvolution_backward_data,
                                dnnl::deconvolution_backward_weights>(
                        l, pass, algorithm::deconvolution_direct, choose)
                  : convolution<dnnl::convolution_forward, dnnl::convolution_backward_data,
                                dnnl::convolution_backward_weights>(
                        l, pass, algorithm::convolution_direct, choose));
        return ways;
      });

  const std::pair<const char*, Matrices> products[] = {
      {"square 1024", {{1024, 1024}, {1024, 1024}}},
      {"square 1024 B transposed", {{1024, 1024}, {1024, 1024}, false, true}},
      {"square 1024 A transposed", {{1024, 1024}, {1024, 1024}, true}},
      {"scores 3136", {{3136, 64}, {64, 3136}, false, true}},
      {"scores 12x196", {{12, 196, 64}, {12, 64, 196}, false, true}},
      {"mix 12x196", {{12, 196, 196}, {12, 196, 64}}},
  };
  for (const auto& [name, p] : products)
    row(std::string("matmul/") + name + "/forward", [p = p] { return product(p); });
  struct Linear {
    const char* name;
    memory::dim count, from, to;
    const char* ending = "";
  };
  const Linear linear[] = {
      {"dense 784-32", 256, 784, 32, "relu"},
      {"dense 32-784", 256, 32, 784, "sigmoid"},
      {"tokens 384-1536", 1568, 384, 1536, "bias"},
      {"long 64-64", 65536, 64, 64},
      {"lstm 512", 16, 512, 2048},
      {"lstm 2048", 16, 2048, 8192},
  };
  for (const Linear& l : linear) {
    const std::string name = std::string("matmul/") + l.name;
    const Dims x{l.count, l.from}, w{l.from, l.to}, y{l.count, l.to};
    row(name + "/forward", [=] { return product({x, w, false, false, true, 0, 1, l.ending}); });
    row(name + "/dgrad", [=] { return product({y, {l.to, l.from}, false, true, true, 15, 1}); });
    row(name + "/wgrad", [=] {
      return product({{l.from, l.count}, y, true, false, false, 0, 15, "", true});
    });
  }
  for (const memory::dim units : {512, 2048})
    for (const bool both : {false, true})
      row("lstm/" + std::to_string(units) + (both ? "/both" : "/forward"),
          [=] { return lstm(units, both); });

  struct Function {
    const char* name;
    algorithm forward;
    algorithm from_result = algorithm::undef;
    float alpha = 0, beta = 0;
  };
  const Function functions[] = {
      {"activation relu", algorithm::eltwise_relu, algorithm::eltwise_relu_use_dst_for_bwd},
      {"activation leaky_relu", algorithm::eltwise_relu, algorithm::eltwise_relu_use_dst_for_bwd,
       0.01F},
      {"activation sigmoid", algorithm::eltwise_logistic,
       algorithm::eltwise_logistic_use_dst_for_bwd},
      {"activation tanh", algorithm::eltwise_tanh, algorithm::eltwise_tanh_use_dst_for_bwd},
      {"activation gelu_erf", algorithm::eltwise_gelu_erf},
      {"activation gelu_tanh", algorithm::eltwise_gelu_tanh},
      {"activation silu", algorithm::eltwise_swish, algorithm::undef, 1},
      {"scale", algorithm::eltwise_linear, algorithm::undef, 2, 1},
  };
  for (const Function& f : functions)
    for (const bool backward : {false, true})
      row(std::string(f.name) + (backward ? "/backward" : "/forward"), [=] {
        Ways ways = eltwise(f.forward, f.alpha, f.beta, backward, false);
        if (backward && f.from_result != algorithm::undef)
          ways.push_back(eltwise(f.from_result, f.alpha, f.beta, true, true)[0]);
        return ways;
      });
  row("add/forward", [] { return binary(algorithm::binary_add); });
  row("multiply/forward", [] { return binary(algorithm::binary_mul); });
  row("concat/forward", concat);
  row("pixels/forward", pixels);
  row("reduce columns/forward", [] { return reduction({8, 1, 384}); });
  row("reduce rows/forward", [] { return reduction({8, 1568, 1}); });
  struct Permutation {
    const char* name;
    Dims dims;
    std::vector<int> order;
  };
  for (const Permutation& p :
       {Permutation{"permute heads", {8, 1568, 3, 6, 64}, {2, 0, 3, 1, 4}},
        Permutation{"permute patches", {4, 8, 2, 14, 16, 14, 16, 3}, {0, 1, 3, 5, 2, 4, 6, 7}},
        Permutation{"permute transpose", tokens, {0, 2, 1}}}) {
    const auto from = dense(p.dims), to = dense(p.dims, p.order);
    row(std::string(p.name) + "/forward", [=] { return copy(filled(from, 0), to); });
    row(std::string(p.name) + "/backward", [=] { return copy(filled(to, 15), from); });
  }
  for (const bool backward : {false, true}) {
    const std::string pass = backward ? "/backward" : "/forward";
    row("batch_norm" + pass, [=] {
      return layouts(clip, [&](const memory::desc& used, const char* name) {
        return norm<dnnl::batch_normalization_forward, dnnl::batch_normalization_backward>(
            last(clip), used, 64, backward, name);
      });
    });
    row("layer_norm" + pass, [=] {
      return Ways{norm<dnnl::layer_normalization_forward, dnnl::layer_normalization_backward>(
          dense(tokens), dense(tokens), 384, backward, own)};
    });
    row("max_pool3d 2" + pass, [=] { return pool(algorithm::pooling_max, 2, 0, backward); });
    row("max_pool3d 3 stride 2" + pass,
        [=] { return pool(algorithm::pooling_max, 3, 1, backward); });
    row("mean_pool3d 2" + pass,
        [=] { return pool(algorithm::pooling_avg_exclude_padding, 2, 0, backward); });
    row("softmax" + pass, [=] { return softmax(backward); });
    row("upsample3d nearest" + pass,
        [=] { return resample(algorithm::resampling_nearest, backward); });
    row("upsample3d trilinear" + pass,
        [=] { return resample(algorithm::resampling_linear, backward); });
  }
}

// Sum and magnitude, as bench/op_rows.h has them.
std::pair<double, double> checksum(Way& way) {
  way.run();
  double sum = 0, scale = 0;
  int number = 31;
  for (auto& [made, layout] : way.results) {
    memory ours = empty(layout);
    dnnl::reorder(made, ours).execute(queue, made, ours);
    queue.wait();
    const auto* data = static_cast<const float*>(ours.get_data_handle());
    for (std::size_t i = 0; i < layout.get_size() / sizeof(float); ++i) {
      const double term =
          static_cast<double>(operand_value(static_cast<std::uint32_t>(i), number)) *
          static_cast<double>(data[i]);
      sum += term;
      scale += std::abs(term);
    }
    ++number;
  }
  return {sum, scale};
}

// The median, and the machine's rate beside it.
std::pair<double, double> measured(Way& way, double budget) {
  using Clock = std::chrono::steady_clock;
  const auto since = [](Clock::time_point begun) {
    return std::chrono::duration<double>(Clock::now() - begun).count();
  };
  const auto begun = Clock::now();
  for (int i = 0; i < 2 || (i < 100 && since(begun) < 0.1 * budget); ++i) way.run();
  framefold::bench::Repetitions repetitions;
  for (const auto started = Clock::now();
       repetitions.all().size() < 9 ||
       (since(started) < budget && repetitions.all().size() < 5000);) {
    const auto once = Clock::now();
    way.run();
    repetitions.add(since(once));
  }
  auto [times, rate] = repetitions.kept();
  const auto middle = times.begin() + static_cast<long>(times.size() / 2);
  std::nth_element(times.begin(), middle, times.end());
  return {*middle, rate};
}

void measure(const std::string& name, Ways ways, double budget) {
  double best = 1e9, least_rate = 1e9;
  std::pair<double, double> sums;
  std::string fastest;
  for (Way& way : ways) {
    const auto own_sums = checksum(way);
    const auto [seconds, rate] = measured(way, budget);
    least_rate = std::min(least_rate, rate);
    if (seconds >= best) continue;
    best = seconds;
    sums = own_sums;
    fastest = way.name;
  }
  const dnnl_version_t* version = dnnl_version();
  std::printf(
      "{\"row\": \"%s\", \"seconds\": %.9g, \"rate\": %.4g, \"checksum\": %.17g, "
      "\"scale\": %.17g, \"way\": \"%s\", \"version\": \"%d.%d.%d\"}\n",
      name.c_str(), best, least_rate, sums.first, sums.second, fastest.c_str(), version->major,
      version->minor, version->patch);
  std::fflush(stdout);
}

}  // namespace

int main(int count, char** arguments) {
  add_rows();
  const std::vector<std::string> wanted(arguments + 1, arguments + count);
  if (wanted == std::vector<std::string>{"--list"}) {
    for (const auto& [name, ways] : rows)
      std::printf("%s%s\"%s\"", name == rows[0].first ? "[" : "", name == rows[0].first ? "" : ", ",
                  name.c_str());
    std::puts("]");
    return 0;
  }
  double budget = 1;
  for (const std::string& name : wanted)
    if (name.rfind("--seconds=", 0) == 0) budget = std::stod(name.substr(10));
  for (const auto& [name, ways] : rows)
    if (std::find(wanted.begin(), wanted.end(), name) != wanted.end())
      measure(name, ways(), budget);
}
