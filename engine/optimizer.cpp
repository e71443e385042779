#include "engine/optimizer.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "kernels/buffer.h"
#include "kernels/device.h"

namespace framefold {
namespace {

Tensor flat(std::span<float> values) {
  return {values.data(), DType::f32, {static_cast<Index>(values.size())}};
}

Tensor part(std::span<float> values, Index offset, const Shape& shape) {
  return {values.data() + offset, DType::f32, shape};
}

}  // namespace

OptimizerKind optimizer_kind(std::string_view name) {
  for (const auto kind :
       {OptimizerKind::sgd, OptimizerKind::rmsprop, OptimizerKind::adam, OptimizerKind::adamw})
    if (name == name_of(kind)) return kind;
  fail(ErrorCode::config, "optimizer: ", name, " is unknown, expected sgd, rmsprop, adam or adamw");
}

std::string_view name_of(OptimizerKind kind) {
  switch (kind) {
    case OptimizerKind::sgd: return "sgd";
    case OptimizerKind::rmsprop: return "rmsprop";
    case OptimizerKind::adam: return "adam";
    case OptimizerKind::adamw: return "adamw";
  }
  return "";
}

void OptimizerOptions::check() const {
  const auto within = [](std::string_view name, double value, double end) {
    if (!(value >= 0 && value < end))
      fail(ErrorCode::config, "optimizer: ", name, " is ", value,
           ", expected at least 0 and below ", end);
  };
  const double any = std::numeric_limits<double>::infinity();
  within("momentum", momentum, 1);
  within("smoothing", smoothing, 1);
  within("beta1", beta1, 1);
  within("beta2", beta2, 1);
  within("average", average, 1);
  within("weight_decay", weight_decay, any);
  within("clip", clip, any);
  if (!(layer_decay > 0 && layer_decay <= 1))
    fail(ErrorCode::config, "optimizer: layer_decay is ", layer_decay,
         ", expected above 0 and at most 1");
  if (!(epsilon > 0 && epsilon < any))
    fail(ErrorCode::config, "optimizer: epsilon is ", epsilon, ", expected a number above 0");
  if (nesterov && (kind != OptimizerKind::sgd || momentum == 0))
    fail(ErrorCode::config, "optimizer: nesterov wants sgd with a momentum");
}

std::vector<Index> layers_of(const std::vector<Parameters::Entry>& parameters) {
  constexpr Index last = -1;
  std::vector<Index> layers;
  Index deepest = 0;
  for (const Parameters::Entry& entry : parameters) {
    const std::string& name = entry.name;
    Index layer = deepest == 0 && name.starts_with("encoder.") ? 0 : last;
    for (std::size_t at = name.find('.'); name.starts_with("encoder.") && at < name.size();
         at = name.find('.', at + 1)) {
      Index number = 0;
      const char* const end = name.data() + name.size();
      const auto read = std::from_chars(name.data() + at + 1, end, number);
      if (read.ec != std::errc() || (read.ptr != end && *read.ptr != '.')) continue;
      layer = number + 1;
      deepest = std::max(deepest, layer);
      break;
    }
    layers.push_back(layer);
  }
  for (Index& layer : layers) layer = layer == last ? deepest + 1 : layer;
  return layers;
}

std::vector<std::string_view> state_names(const OptimizerOptions& options) {
  std::vector<std::string_view> names;
  switch (options.kind) {
    case OptimizerKind::adam:
    case OptimizerKind::adamw: return {"first_moment", "second_moment"};
    case OptimizerKind::rmsprop: names.push_back("mean_square"); break;
    case OptimizerKind::sgd: break;
  }
  if (options.momentum > 0) names.push_back("momentum");
  return names;
}

Optimizer::Optimizer(Parameters& parameters, const OptimizerOptions& options, const Stream& stream)
    : parameters_(parameters), options_(options), stream_(on_main_queue(stream)) {
  options_.check();
  const std::span<float> values = parameters_.values();
  const Device& device = stream_.device;
  if (!(parameters.device() == device))
    fail(ErrorCode::argument, "optimizer: stream and parameters are for two devices");
  if (parameters_.gradients().size() != values.size())
    fail(ErrorCode::argument, "optimizer: the parameters were made without gradients");
  for (std::size_t i = 0; i < state_names(options_).size(); ++i)
    states_.emplace_back(values.size_bytes(), device);
  if (options_.average > 0) average_ = Mirrored(values.size_bytes(), device);
  workspace_ = Buffer(norm_workspace(static_cast<Index>(values.size())), device);
  if (on_device(stream_)) {
    now_ = Buffer(3 * sizeof(float), device);
    now_on_host_ = Buffer::pinned(3 * sizeof(float), device);
    verdict_ = Buffer(2 * sizeof(float), device);
  }

  const std::vector<Index> layers = layers_of(parameters_.entries());
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const Parameters::Entry& entry = parameters_.entries()[i];
    const bool decays = options_.weight_decay > 0 && entry.decays;
    const double rate =
        std::pow(options_.layer_decay, static_cast<double>(std::ranges::max(layers) - layers[i]));
    if (spans_.empty() || spans_.back().decays != decays || spans_.back().rate != rate)
      spans_.push_back({.offset = entry.offset, .decays = decays, .rate = rate});
    spans_.back().count = entry.offset + entry.shape.size() - spans_.back().offset;
  }
}

void Optimizer::clear_gradients() { fill(stream_, flat(parameters_.gradients()), 0); }

double Optimizer::gradient_norm() const {
  return norm_of(stream_, {workspace_.data(), workspace_.bytes()}, flat(parameters_.gradients()));
}

void Optimizer::update(double rate, double gradient_norm) {
  if (updates_++ == 0 && options_.average > 0)
    std::ranges::copy(parameters_.values(), average_.host().begin());
  const double scale = options_.clip > 0 ? clip_scale(gradient_norm, options_.clip) : 1;
  for (const Span& span : spans_) update(span, rate * span.rate, scale);
  if (options_.average > 0)
    average_update(stream_, options_.average, flat(average_.host()), flat(parameters_.values()));
}

void Optimizer::prepare(double rate) {
  DeviceRuntime& runtime = device_runtime(stream_.device);
  const auto step = static_cast<double>(updates_ + 1);
  const std::span<float> now = now_on_host_.as<float>();
  now[0] = static_cast<float>(rate);
  now[1] = static_cast<float>(1 / (1 - std::pow(options_.beta1, step)));
  now[2] = static_cast<float>(1 / std::sqrt(1 - std::pow(options_.beta2, step)));
  runtime.copy(stream_.queue, now_.data(), now.data(), 3 * sizeof(float));
  if (updates_ == 0 && options_.average > 0)
    runtime.copy(stream_.queue, average_.live().data(), parameters_.live_values().data(),
                 average_.live().size_bytes());
}

View Optimizer::verdict() const { return {verdict_.data(), DType::f32, {2}}; }

void Optimizer::enqueue_update(View loss) {
  const double limit = options_.clip > 0 ? options_.clip : std::numeric_limits<double>::infinity();
  const Tensor verdict{verdict_.data(), DType::f32, {2}};
  clip_factor(stream_, limit, verdict, {workspace_.data(), workspace_.bytes()},
              flat(parameters_.gradients()), loss);
  Beside beside{.clip = verdict, .now = {now_.data(), DType::f32, {3}}};
  for (const Span& span : spans_) {
    if (options_.average > 0) beside.average = part(average_.live(), span.offset, {span.count});
    beside.average_decay = options_.average;
    update(span, span.rate, 1, beside);
  }
}

void Optimizer::update(const Span& span, double rate, double scale, const Beside& beside) {
  const auto& o = options_;
  const auto of = [&span](std::span<float> values) {
    return part(values, span.offset, {span.count});
  };
  const auto state = [&](std::size_t i) {
    return i < states_.size() ? of(states_[i].live()) : Tensor{};
  };
  const double decay = span.decays ? o.weight_decay : 0;
  const Tensor weights = of(parameters_.live_values());
  const View gradient = of(parameters_.gradients());
  switch (o.kind) {
    case OptimizerKind::sgd:
      return sgd_update(stream_, {rate, o.momentum, o.nesterov, decay}, weights, state(0), gradient,
                        scale, beside);
    case OptimizerKind::rmsprop:
      return rmsprop_update(stream_, {rate, o.smoothing, o.epsilon, o.momentum, decay}, weights,
                            state(0), state(1), gradient, scale, beside);
    case OptimizerKind::adam:
    case OptimizerKind::adamw:
      return adam_update(
          stream_,
          {rate, o.beta1, o.beta2, o.epsilon, decay, /*decoupled=*/o.kind == OptimizerKind::adamw},
          weights, state(0), state(1), gradient, scale, beside.now ? 1 : updates_, beside);
  }
}

void Optimizer::swap_average() {
  if (options_.average == 0 || updates_ == 0) return;
  if (!on_device(stream_)) {
    std::ranges::swap_ranges(parameters_.values(), average_.host());
    return;
  }
  DeviceRuntime& runtime = device_runtime(stream_.device);
  const std::span<float> weights = parameters_.live_values();
  const std::span<float> average = average_.live();
  const std::span<float> between = parameters_.gradients();
  runtime.copy(stream_.queue, between.data(), weights.data(), weights.size_bytes());
  runtime.copy(stream_.queue, weights.data(), average.data(), weights.size_bytes());
  runtime.copy(stream_.queue, average.data(), between.data(), weights.size_bytes());
}

void Optimizer::upload() const {
  for (const Mirrored& state : states_) state.upload();
  average_.upload();
}

void Optimizer::download() const {
  for (const Mirrored& state : states_) state.download();
  average_.download();
}

std::vector<NamedTensor> Optimizer::state() const {
  std::vector<NamedTensor> tensors;
  const auto add = [&](const std::string& prefix, const Mirrored& numbers) {
    for (const Parameters::Entry& entry : parameters_.entries())
      tensors.push_back({prefix + entry.name, part(numbers.host(), entry.offset, entry.shape)});
  };
  const std::vector<std::string_view> names = state_names(options_);
  for (std::size_t i = 0; i < names.size(); ++i) add(text(state_prefix, names[i], '/'), states_[i]);
  if (options_.average > 0) add(std::string(average_prefix), average_);
  return tensors;
}

Bytes Optimizer::bytes() const {
  Bytes bytes = average_.bytes() + workspace_.bytes();
  for (const Mirrored& state : states_) bytes += state.bytes();
  return bytes;
}

Bytes Optimizer::bytes_of(const Graph& graph, const OptimizerOptions& options) {
  const Bytes weights = Parameters::bytes_of(graph, true) - Parameters::bytes_of(graph, false);
  const Bytes copies = state_names(options).size() + (options.average > 0 ? 1 : 0);
  const auto count = static_cast<Index>(weights / sizeof(float));
  return weights * copies + Buffer::padded(norm_workspace(count));
}

}  // namespace framefold
