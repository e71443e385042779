#include "kernels/optimizer.cuh"

#include <cmath>

#include "kernels/device/total.cuh"

namespace framefold {
namespace gpu {
namespace {

struct Average {
  float keep, rest;
  __device__ __forceinline__ float operator()(Index, float a, float w) const {
    return keep * a + rest * w;
  }
};

struct Square {
  __device__ __forceinline__ float operator()(float x) const { return x * x; }
};

float* data_of(Tensor tensor) { return tensor ? tensor.as<float>() : nullptr; }

template <class Rule>
void update(const Stream& stream, const Rule& rule, Tensor w, Tensor first, Tensor second,
            View gradient, double scale, const Beside& beside) {
  if (w.size() == 0) return;
  const UpdateBuffers b{.w = w.as<float>(),
                        .state = {data_of(first), data_of(second)},
                        .gradient = gradient.as<float>(),
                        .clip = beside.clip ? beside.clip.as<float>() : nullptr,
                        .average = data_of(beside.average),
                        .narrow = beside.narrow ? beside.narrow.as<bf16>() : nullptr,
                        .now = beside.now ? beside.now.as<float>() : nullptr,
                        .scale = static_cast<float>(scale),
                        .average_keep = static_cast<float>(beside.average_decay),
                        .average_rest = static_cast<float>(1 - beside.average_decay)};
  const auto run = [&]<int N>(std::integral_constant<int, N>) {
    const Grid grid{{blocks_of(divide_up(w.size(), Index{update_threads} * N))}, {update_threads}};
    launch<&update_packs<N, Rule>>(stream, grid, rule, b, w.size());
  };
  if (aligned(b.w, b.state[0], b.state[1], b.gradient, b.average, b.narrow))
    run(std::integral_constant<int, pack_of<float>>{});
  else
    run(std::integral_constant<int, 1>{});
}

void sgd_update(const Stream& stream, const Sgd& o, Tensor w, Tensor u, View gradient, double scale,
                const Beside& beside) {
  const SgdRule rule{.decay = static_cast<float>(o.decay),
                     .rate = static_cast<float>(o.rate),
                     .momentum = static_cast<float>(o.momentum),
                     .nesterov = o.nesterov};
  update(stream, rule, w, o.momentum == 0 ? Tensor{} : u, {}, gradient, scale, beside);
}

void rmsprop_update(const Stream& stream, const RmsProp& o, Tensor w, Tensor s, Tensor u,
                    View gradient, double scale, const Beside& beside) {
  const RmsPropRule rule{.decay = static_cast<float>(o.decay),
                         .rate = static_cast<float>(o.rate),
                         .smoothing = static_cast<float>(o.smoothing),
                         .rest = static_cast<float>(1 - o.smoothing),
                         .epsilon = static_cast<float>(o.epsilon),
                         .momentum = static_cast<float>(o.momentum)};
  update(stream, rule, w, s, o.momentum == 0 ? Tensor{} : u, gradient, scale, beside);
}

void adam_update(const Stream& stream, const Adam& o, Tensor w, Tensor m, Tensor v, View gradient,
                 double scale, Index step, const Beside& beside) {
  const double correction1 = beside.now ? 1 : 1 - std::pow(o.beta1, step);
  const double correction2 = beside.now ? 1 : 1 - std::pow(o.beta2, step);
  const AdamRule rule{.decay = static_cast<float>(o.decoupled ? 0 : o.decay),
                      .keep = static_cast<float>(o.decoupled ? 1 - o.rate * o.decay : 1),
                      .shrink = static_cast<float>(o.decoupled ? o.rate * o.decay : 0),
                      .rate = static_cast<float>(o.rate / correction1),
                      .beta1 = static_cast<float>(o.beta1),
                      .rest1 = static_cast<float>(1 - o.beta1),
                      .beta2 = static_cast<float>(o.beta2),
                      .rest2 = static_cast<float>(1 - o.beta2),
                      .root = static_cast<float>(1 / std::sqrt(correction2)),
                      .epsilon = static_cast<float>(o.epsilon)};
  update(stream, rule, w, m, v, gradient, scale, beside);
}

void average_update(const Stream& stream, double decay, Tensor a, View w) {
  const float* before = a.as<float>();
  map(stream, Average{static_cast<float>(decay), static_cast<float>(1 - decay)}, a.size(),
      a.as<float>(), before, w.as<float>());
}

void clip_factor(const Stream& stream, double limit, Tensor factor, Workspace workspace, View x,
                 View loss) {
  float* to = factor.as<float>();
  sum_elements(stream, Square{}, x.size(), to + 1, 1, workspace, x.as<float>());
  launch<&finish_clip>(stream, {{1}, {warp_size}}, static_cast<float>(limit),
                       loss ? loss.as<float>() : nullptr, to);
}

const OnDevice<&framefold::sgd_update> sgd_path(sgd_update);
const OnDevice<&framefold::rmsprop_update> rmsprop_path(rmsprop_update);
const OnDevice<&framefold::adam_update> adam_path(adam_update);
const OnDevice<&framefold::average_update> average_path(average_update);
const OnDevice<&framefold::clip_factor> clip_path(clip_factor);

}  // namespace
}  // namespace gpu
}  // namespace framefold
