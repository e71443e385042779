#include <cmath>

#include "kernels/check.h"
#include "kernels/device.h"
#include "kernels/layer_norm.h"

namespace framefold {
namespace {

struct Extent {
  Index rows, width;
};

Extent extent_of(const Shape& x) { return {x.size() / x[-1], x[-1]}; }

template <class T>
void forward(const Stream& stream, float eps, Extent extent, T* y, Accumulator<T>* mean,
             Accumulator<T>* rstd, const T* x, const Accumulator<T>* gamma,
             const Accumulator<T>* beta, T* summed, const T* b) {
  using A = Accumulator<T>;
  const auto width = static_cast<A>(extent.width);
  parallel_for(stream, extent.rows, 1, [&](Index begin, Index end) {
    for (Index r = begin; r < end; ++r) {
      const T* row = x + r * extent.width;
      if (b) {
        T* to = summed + r * extent.width;
        for (Index c = 0; c < extent.width; ++c)
          to[c] = T(static_cast<A>(row[c]) + static_cast<A>(b[r * extent.width + c]));
        row = to;
      }
      A sum = 0;
      for (Index c = 0; c < extent.width; ++c) sum += static_cast<A>(row[c]);
      const A m = sum / width;
      A squares = 0;
      for (Index c = 0; c < extent.width; ++c) {
        const A d = static_cast<A>(row[c]) - m;
        squares += d * d;
      }
      const A s = 1 / std::sqrt(squares / width + static_cast<A>(eps));
      for (Index c = 0; c < extent.width; ++c)
        y[r * extent.width + c] = T((static_cast<A>(row[c]) - m) * s * gamma[c] + beta[c]);
      mean[r] = m;
      rstd[r] = s;
    }
  });
}

// With n = (x - mean) rstd and g = dy gamma:  dx = rstd (g - mean(g) - n mean(g n)) + dsum.
template <class T>
void dgrad(const Stream& stream, Extent extent, T* dx, const T* dy, const T* x,
           const Accumulator<T>* mean, const Accumulator<T>* rstd, const Accumulator<T>* gamma,
           T* db, const T* dsum) {
  using A = Accumulator<T>;
  const auto width = static_cast<A>(extent.width);
  parallel_for(stream, extent.rows, 1, [&](Index begin, Index end) {
    for (Index r = begin; r < end; ++r) {
      const Index at = r * extent.width;
      A sum_g = 0;
      A sum_gn = 0;
      for (Index c = 0; c < extent.width; ++c) {
        const A g = static_cast<A>(dy[at + c]) * gamma[c];
        sum_g += g;
        sum_gn += g * (static_cast<A>(x[at + c]) - mean[r]) * rstd[r];
      }
      for (Index c = 0; c < extent.width; ++c) {
        const A n = (static_cast<A>(x[at + c]) - mean[r]) * rstd[r];
        const A g = static_cast<A>(dy[at + c]) * gamma[c];
        const A beside = dsum ? static_cast<A>(dsum[at + c]) : 0;
        dx[at + c] = T(rstd[r] * (g - sum_g / width - n * sum_gn / width) + beside);
        if (db) db[at + c] = dx[at + c];
      }
    }
  });
}

template <class T>
void wgrad(Extent extent, Accumulator<T>* dgamma, Accumulator<T>* dbeta, const T* dy, const T* x,
           const Accumulator<T>* mean, const Accumulator<T>* rstd) {
  using A = Accumulator<T>;
  for (Index r = 0; r < extent.rows; ++r)
    for (Index c = 0; c < extent.width; ++c) {
      const Index at = r * extent.width + c;
      dgamma[c] += static_cast<A>(dy[at]) * (static_cast<A>(x[at]) - mean[r]) * rstd[r];
      dbeta[c] += static_cast<A>(dy[at]);
    }
}

}  // namespace

void layer_norm_forward(const Stream& stream, LayerNorm norm, Tensor y, Tensor mean, Tensor rstd,
                        View x, View gamma, View beta, Tensor sum, View b) {
  if (on_device(stream))
    return device<&layer_norm_forward>(stream, norm, y, mean, rstd, x, gamma, beta, sum, b);
  if (fast::layer_norm_forward(stream, norm, y, mean, rstd, x, gamma, beta, sum, b)) return;
  for_float(x.dtype, [&]<class T>(T) {
    using A = Accumulator<T>;
    forward<T>(stream, norm.eps, extent_of(x.shape), y.as<T>(), mean.as<A>(), rstd.as<A>(),
               x.as<T>(), gamma.as<A>(), beta.as<A>(), b ? sum.as<T>() : nullptr,
               b ? b.as<T>() : nullptr);
  });
}

void layer_norm_dgrad(const Stream& stream, Tensor dx, View dy, View x, View mean, View rstd,
                      View gamma, Tensor db, View dsum) {
  if (on_device(stream))
    return device<&layer_norm_dgrad>(stream, dx, dy, x, mean, rstd, gamma, db, dsum);
  if (fast::layer_norm_dgrad(stream, dx, dy, x, mean, rstd, gamma, db, dsum)) return;
  for_float(x.dtype, [&]<class T>(T) {
    using A = Accumulator<T>;
    dgrad<T>(stream, extent_of(x.shape), dx.as<T>(), dy.as<T>(), x.as<T>(), mean.as<A>(),
             rstd.as<A>(), gamma.as<A>(), db ? db.as<T>() : nullptr, dsum ? dsum.as<T>() : nullptr);
  });
}

void layer_norm_wgrad(const Stream& stream, Tensor dgamma, Tensor dbeta, Workspace workspace,
                      View dy, View x, View mean, View rstd) {
  if (on_device(stream))
    return device<&layer_norm_wgrad>(stream, dgamma, dbeta, workspace, dy, x, mean, rstd);
  if (fast::layer_norm_wgrad(stream, dgamma, dbeta, workspace, dy, x, mean, rstd)) return;
  for_float(x.dtype, [&]<class T>(T) {
    using A = Accumulator<T>;
    wgrad<T>(extent_of(x.shape), dgamma.as<A>(), dbeta.as<A>(), dy.as<T>(), x.as<T>(), mean.as<A>(),
             rstd.as<A>());
  });
}

void layer_norm_backward(const Stream& stream, Tensor dx, Tensor dgamma, Tensor dbeta,
                         Workspace workspace, View dy, View x, View mean, View rstd, View gamma,
                         Tensor db, View dsum) {
  if (!on_device(stream) && fast::layer_norm_backward(stream, dx, dgamma, dbeta, workspace, dy, x,
                                                      mean, rstd, gamma, db, dsum))
    return;
  layer_norm_dgrad(stream, dx, dy, x, mean, rstd, gamma, db, dsum);
  layer_norm_wgrad(stream, dgamma, dbeta, workspace, dy, x, mean, rstd);
}

}  // namespace framefold
