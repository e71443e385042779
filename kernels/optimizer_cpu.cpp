// Each formula is one loop, templated on the scalar: the reference as it stands, the fast path
// compiled for every instruction set.
#include <cmath>
#include <limits>
#include <utility>

#include "kernels/check.h"
#include "kernels/device.h"
#include "kernels/optimizer.h"
#include "kernels/pointwise.h"

namespace framefold {
namespace {

template <class T>
struct SgdFactors {
  T scale, decay, rate, momentum;
  bool nesterov;
};

template <class T>
FRAMEFOLD_INLINE void sgd(const SgdFactors<T>& f, Index count, T* w, T* u, const T* gradient) {
  const auto g = [=](Index i) { return f.scale * gradient[i] + f.decay * w[i]; };
  if (f.momentum == 0) return each(count, [=](Index i) { w[i] -= f.rate * g(i); });
  const T keep = f.nesterov ? T{1} : T{0};
  const T follow = f.nesterov ? f.momentum : T{1};
  each(count, [=](Index i) {
    const T now = g(i);
    u[i] = f.momentum * u[i] + now;
    w[i] -= f.rate * (keep * now + follow * u[i]);
  });
}

template <class T>
struct RmsPropFactors {
  T scale, decay, rate, smoothing, rest, epsilon, momentum;
};

template <class T>
FRAMEFOLD_INLINE void rmsprop(const RmsPropFactors<T>& f, Index count, T* w, T* s, T* u,
                              const T* gradient) {
  const auto step = [=](Index i) {
    const T g = f.scale * gradient[i] + f.decay * w[i];
    s[i] = f.smoothing * s[i] + f.rest * g * g;
    return g / (std::sqrt(s[i]) + f.epsilon);
  };
  if (f.momentum == 0) return each(count, [=](Index i) { w[i] -= f.rate * step(i); });
  each(count, [=](Index i) {
    u[i] = f.momentum * u[i] + step(i);
    w[i] -= f.rate * u[i];
  });
}

template <class T>
struct AdamFactors {
  T scale, decay, keep, rate, beta1, rest1, beta2, rest2, root, epsilon;
};

template <class T>
FRAMEFOLD_INLINE void adam(const AdamFactors<T>& f, Index count, T* w, T* m, T* v,
                           const T* gradient) {
  each(count, [=](Index i) {
    const T g = f.scale * gradient[i] + f.decay * w[i];
    m[i] = f.beta1 * m[i] + f.rest1 * g;
    v[i] = f.beta2 * v[i] + f.rest2 * g * g;
    w[i] = f.keep * w[i] - f.rate * m[i] / (std::sqrt(v[i]) * f.root + f.epsilon);
  });
}

template <class T>
FRAMEFOLD_INLINE void average(T decay, T rest, Index count, T* a, const T* w) {
  each(count, [=](Index i) { a[i] = decay * a[i] + rest * w[i]; });
}

FRAMEFOLD_SIMD void sgd_fast(const SgdFactors<float>& f, Index count, float* w, float* u,
                             const float* gradient) {
  sgd(f, count, w, u, gradient);
}
FRAMEFOLD_SIMD void rmsprop_fast(const RmsPropFactors<float>& f, Index count, float* w, float* s,
                                 float* u, const float* gradient) {
  rmsprop(f, count, w, s, u, gradient);
}
FRAMEFOLD_SIMD void adam_fast(const AdamFactors<float>& f, Index count, float* w, float* m,
                              float* v, const float* gradient) {
  adam(f, count, w, m, v, gradient);
}
FRAMEFOLD_SIMD void average_fast(float decay, float rest, Index count, float* a, const float* w) {
  average(decay, rest, count, a, w);
}
FRAMEFOLD_SIMD double squares_fast(Index count, const float* x) {
  return sum_of(count,
                [=](Index i) { return static_cast<double>(x[i]) * static_cast<double>(x[i]); });
}

// parallel_loop with `fast` for f32, unless plain loops are wanted.
template <class T, class Plain, class Fast, class... P>
void update(const Stream& stream, Index count, Plain plain, Fast fast, P*... pointers) {
  if constexpr (std::is_same_v<T, float>)
    if (stream.wants(Path::native)) return parallel_loop(stream, count, fast, pointers...);
  parallel_loop(stream, count, plain, pointers...);
}

using Operand = std::pair<std::string_view, View>;

// f(T{}) with the type of w, whose type and shape the others must have.
template <class F>
void for_weights(std::string_view op, View w, std::initializer_list<Operand> others, F&& f) {
  for (const auto& [name, view] : others)
    if (view) expect(op, name, view.type(), w.type(), "as the weights");
  if (w.dtype == DType::f64) return f(double{});
  return f(float{});
}

template <class T>
T* data_of(Tensor state) {
  return state ? state.as<T>() : nullptr;
}

template <class T>
T clipped(double scale, const Beside& beside) {
  if (beside.now) fail(ErrorCode::argument, "an update on the CPU takes its numbers by value");
  return T(scale) * (beside.clip ? *beside.clip.as<T>() : T{1});
}

template <class T>
void follow(const Stream& stream, const Beside& beside, View w) {
  if (beside.average) average_update(stream, beside.average_decay, beside.average, w);
  if (beside.narrow)
    parallel_each(stream, w.size(), [to = beside.narrow.as<bf16>(), from = w.as<T>()](Index i) {
      to[i] = bf16(from[i]);
    });
}

}  // namespace

void sgd_update(const Stream& stream, const Sgd& o, Tensor w, Tensor u, View gradient, double scale,
                const Beside& beside) {
  if (on_device(stream)) return device<&sgd_update>(stream, o, w, u, gradient, scale, beside);
  for_weights("sgd", w, {{"gradient", gradient}, {"u", u}}, [&]<class T>(T) {
    const SgdFactors<T> f{clipped<T>(scale, beside), T(o.decay), T(o.rate), T(o.momentum),
                          o.nesterov};
    update<T>(
        stream, w.size(), [=](auto... a) { sgd<T>(f, a...); },
        [=](auto... a) { sgd_fast(f, a...); }, w.as<T>(), data_of<T>(u), gradient.as<T>());
    follow<T>(stream, beside, w);
  });
}

void rmsprop_update(const Stream& stream, const RmsProp& o, Tensor w, Tensor s, Tensor u,
                    View gradient, double scale, const Beside& beside) {
  if (on_device(stream))
    return device<&rmsprop_update>(stream, o, w, s, u, gradient, scale, beside);
  for_weights("rmsprop", w, {{"gradient", gradient}, {"s", s}, {"u", u}}, [&]<class T>(T) {
    const RmsPropFactors<T> f{clipped<T>(scale, beside), T(o.decay),   T(o.rate),    T(o.smoothing),
                              T(1 - o.smoothing),        T(o.epsilon), T(o.momentum)};
    update<T>(
        stream, w.size(), [=](auto... a) { rmsprop<T>(f, a...); },
        [=](auto... a) { rmsprop_fast(f, a...); }, w.as<T>(), s.as<T>(), data_of<T>(u),
        gradient.as<T>());
    follow<T>(stream, beside, w);
  });
}

void adam_update(const Stream& stream, const Adam& o, Tensor w, Tensor m, Tensor v, View gradient,
                 double scale, Index step, const Beside& beside) {
  if (step < 1) fail(ErrorCode::argument, "adam: step is ", step, ", the first update's is 1");
  if (on_device(stream))
    return device<&adam_update>(stream, o, w, m, v, gradient, scale, step, beside);
  const double correction1 = 1 - std::pow(o.beta1, step);
  const double correction2 = 1 - std::pow(o.beta2, step);
  for_weights("adam", w, {{"gradient", gradient}, {"m", m}, {"v", v}}, [&]<class T>(T) {
    const AdamFactors<T> f{.scale = clipped<T>(scale, beside),
                           .decay = T(o.decoupled ? 0 : o.decay),
                           .keep = T(o.decoupled ? 1 - o.rate * o.decay : 1),
                           .rate = T(o.rate / correction1),
                           .beta1 = T(o.beta1),
                           .rest1 = T(1 - o.beta1),
                           .beta2 = T(o.beta2),
                           .rest2 = T(1 - o.beta2),
                           .root = T(1 / std::sqrt(correction2)),
                           .epsilon = T(o.epsilon)};
    update<T>(
        stream, w.size(), [=](auto... a) { adam<T>(f, a...); },
        [=](auto... a) { adam_fast(f, a...); }, w.as<T>(), m.as<T>(), v.as<T>(), gradient.as<T>());
    follow<T>(stream, beside, w);
  });
}

void average_update(const Stream& stream, double decay, Tensor a, View w) {
  if (on_device(stream)) return device<&average_update>(stream, decay, a, w);
  for_weights("average", a, {{"w", w}}, [&]<class T>(T) {
    const T keep = T(decay);
    const T rest = T(1 - decay);
    update<T>(
        stream, a.size(), [=](auto... p) { average<T>(keep, rest, p...); },
        [=](auto... p) { average_fast(keep, rest, p...); }, a.as<T>(), w.as<T>());
  });
}

double norm_of(const Stream& stream, Workspace workspace, View x) {
  if (on_device(stream))
    fail(ErrorCode::unavailable, "the norm of a device's tensor stays there: see clip_factor");
  double sum = 0;
  if (x.dtype == DType::f32 && stream.wants(Path::native)) {
    const float* data = x.as<float>();
    sum = piecewise_sum(stream, x.size(), pointwise_grain, workspace, [=](Index begin, Index end) {
      return squares_fast(end - begin, data + begin);
    });
  } else {
    for_weights("norm", x, {}, [&]<class T>(T) {
      sum = parallel_sum(stream, x.size(), workspace, [data = x.as<T>()](Index i) {
        return static_cast<double>(data[i]) * static_cast<double>(data[i]);
      });
    });
  }
  return std::sqrt(sum);
}

Bytes norm_workspace(Index count) { return piecewise_sum_workspace(count, pointwise_grain); }

double clip_scale(double norm, double limit) { return norm > limit ? limit / norm : 1; }

void clip_factor(const Stream& stream, double limit, Tensor factor, Workspace workspace, View x,
                 View loss) {
  if (on_device(stream)) return device<&clip_factor>(stream, limit, factor, workspace, x, loss);
  for_weights("clip_factor", x, {}, [&]<class T>(T) {
    const double norm = norm_of(stream, workspace, x);
    const bool finite = std::isfinite(norm) && (!loss || std::isfinite(*loss.as<T>()));
    factor.as<T>()[0] = finite ? T(clip_scale(norm, limit)) : std::numeric_limits<T>::quiet_NaN();
    factor.as<T>()[1] = T(norm);
  });
}

}  // namespace framefold
