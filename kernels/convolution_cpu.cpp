#include "kernels/convolution.h"

#include "kernels/check.h"
#include "kernels/device.h"
#include "kernels/epilogue.h"

namespace framefold {
namespace {

// The position on the fine side that tap k of coarse position j meets, or -1 outside.
Index fine_of(const Convolution& c, std::size_t axis, Index j, Index k) {
  const Index f = c.stride[axis] * j - c.padding[axis] + c.dilation[axis] * k;
  return f < c.fine[axis] ? f : -1;
}

// The coarse position whose tap k meets fine position f, or -1.
Index coarse_of(const Convolution& c, std::size_t axis, Index f, Index k) {
  const Index at = f + c.padding[axis] - c.dilation[axis] * k;
  return at >= 0 && at % c.stride[axis] == 0 && at / c.stride[axis] < c.coarse[axis]
             ? at / c.stride[axis]
             : -1;
}

// Calls body(tap, other) for every tap of a position whose `other_of` on each axis is not outside;
// other is the position there, in the batch element b.
template <class Body>
void for_taps(const Convolution& c,
              Index (*other_of)(const Convolution&, std::size_t, Index, Index),
              const Extents& other, Index b, Index t, Index h, Index w, Body&& body) {
  for (Index i = 0; i < c.kernel[0]; ++i)
    for (Index j = 0; j < c.kernel[1]; ++j)
      for (Index k = 0; k < c.kernel[2]; ++k) {
        const Index ot = other_of(c, 0, t, i);
        const Index oh = other_of(c, 1, h, j);
        const Index ow = other_of(c, 2, w, k);
        if (ot < 0 || oh < 0 || ow < 0) continue;
        body((i * c.kernel[1] + j) * c.kernel[2] + k,
             ((b * other[0] + ot) * other[1] + oh) * other[2] + ow);
      }
}

// Calls body(position, b, t, h, w) for every position of [batch, *extents], shared out.
template <class Body>
void for_positions(const Stream& stream, Index batch, const Extents& extents, Body&& body) {
  parallel_for(stream, batch * extents[0] * extents[1] * extents[2], 1, [&](Index p, Index end) {
    for (; p < end; ++p)
      body(p, p / extents[2] / extents[1] / extents[0], p / extents[2] / extents[1] % extents[0],
           p / extents[2] % extents[1], p % extents[2]);
  });
}

template <class T, class A = Accumulator<T>>
void sum_coarse_from_fine(const Stream& stream, const Convolution& c, T* coarse, const T* fine,
                          const A* weight, const A* bias) {
  const Index cf = c.fine_group();
  const Index cc = c.coarse_channels;
  for_positions(stream, c.batch, c.coarse, [&](Index p, Index b, Index t, Index h, Index w) {
    for (Index o = 0; o < cc; ++o) {
      const Index first = o / c.coarse_group() * cf;
      A sum = 0;
      for_taps(c, fine_of, c.fine, b, t, h, w, [&](Index tap, Index other) {
        for (Index i = 0; i < cf; ++i)
          sum += static_cast<A>(fine[other * c.fine_channels + first + i]) *
                 weight[(tap * cf + i) * cc + o];
      });
      coarse[p * cc + o] = T(activate(c.activation, bias ? sum + bias[o] : sum));
    }
  });
}

template <class T, class A = Accumulator<T>>
void sum_fine_from_coarse(const Stream& stream, const Convolution& c, T* fine, const T* coarse,
                          const A* weight, const A* bias) {
  const Index cf = c.fine_group();
  const Index cc = c.coarse_channels;
  for_positions(stream, c.batch, c.fine, [&](Index p, Index b, Index t, Index h, Index w) {
    for (Index i = 0; i < c.fine_channels; ++i) {
      const Index first = i / cf * c.coarse_group();
      A sum = 0;
      for_taps(c, coarse_of, c.coarse, b, t, h, w, [&](Index tap, Index other) {
        for (Index o = first; o < first + c.coarse_group(); ++o)
          sum += static_cast<A>(coarse[other * cc + o]) * weight[(tap * cf + i % cf) * cc + o];
      });
      fine[p * c.fine_channels + i] = T(activate(c.activation, bias ? sum + bias[i] : sum));
    }
  });
}

// Shared out by output channel, so that each weight's sum runs over the positions in their order.
template <class T, class A = Accumulator<T>>
void sum_weight_from_both(const Stream& stream, const Convolution& c, A* weight, const T* fine,
                          const T* coarse) {
  const Index cf = c.fine_group();
  const Index cc = c.coarse_channels;
  parallel_for(stream, cc, 1, [&](Index begin, Index end) {
    for_positions({}, c.batch, c.coarse, [&](Index p, Index b, Index t, Index h, Index w) {
      for_taps(c, fine_of, c.fine, b, t, h, w, [&](Index tap, Index other) {
        for (Index i = 0; i < cf; ++i)
          for (Index o = begin; o < end; ++o)
            weight[(tap * cf + i) * cc + o] +=
                static_cast<A>(fine[other * c.fine_channels + o / c.coarse_group() * cf + i]) *
                static_cast<A>(coarse[p * cc + o]);
      });
    });
  });
}

}  // namespace

void coarse_from_fine(const Stream& stream, const Convolution& c, Tensor coarse,
                      Workspace workspace, View fine, View weight, View bias) {
  if (on_device(stream))
    return device<&coarse_from_fine>(stream, c, coarse, workspace, fine, weight, bias);
  if (fast::coarse_from_fine(stream, c, coarse, workspace, fine, weight, bias)) return;
  for_float(coarse.dtype, [&]<class T>(T) {
    using A = Accumulator<T>;
    sum_coarse_from_fine<T>(stream, c, coarse.as<T>(), fine.as<T>(), weight.as<A>(),
                            bias ? bias.as<A>() : nullptr);
  });
}

void fine_from_coarse(const Stream& stream, const Convolution& c, Tensor fine, Workspace workspace,
                      View coarse, View weight, View bias) {
  if (on_device(stream))
    return device<&fine_from_coarse>(stream, c, fine, workspace, coarse, weight, bias);
  if (fast::fine_from_coarse(stream, c, fine, workspace, coarse, weight, bias)) return;
  for_float(fine.dtype, [&]<class T>(T) {
    using A = Accumulator<T>;
    sum_fine_from_coarse<T>(stream, c, fine.as<T>(), coarse.as<T>(), weight.as<A>(),
                            bias ? bias.as<A>() : nullptr);
  });
}

void weight_from_both(const Stream& stream, const Convolution& c, Tensor weight,
                      Workspace workspace, View fine, View coarse) {
  if (on_device(stream))
    return device<&weight_from_both>(stream, c, weight, workspace, fine, coarse);
  if (fast::weight_from_both(stream, c, weight, workspace, fine, coarse)) return;
  for_float(fine.dtype, [&]<class T>(T) {
    sum_weight_from_both<T>(stream, c, weight.as<Accumulator<T>>(), fine.as<T>(), coarse.as<T>());
  });
}

bool convolution_has_vendor(const Stream& stream, const Convolution& c, DType type) {
  return on_device(stream) && vendor_has<&convolution_has_vendor>(stream, c, type);
}

Bytes coarse_from_fine_workspace(const Stream& stream, const Convolution& c, DType type) {
  if (on_device(stream)) return device<&coarse_from_fine_workspace>(stream, c, type);
  return fast::coarse_from_fine_workspace(stream, c, type);
}

Bytes fine_from_coarse_workspace(const Stream& stream, const Convolution& c, DType type) {
  if (on_device(stream)) return device<&fine_from_coarse_workspace>(stream, c, type);
  return fast::fine_from_coarse_workspace(stream, c, type);
}

Bytes weight_from_both_workspace(const Stream& stream, const Convolution& c, DType type) {
  if (on_device(stream)) return device<&weight_from_both_workspace>(stream, c, type);
  return fast::weight_from_both_workspace(stream, c, type);
}

Shape shape_of(const Extents& extents) { return {extents.begin(), extents.end()}; }

void expect_convolution(std::string_view op, const TensorType& x, const TensorType& weight,
                        const Extents& stride, const Extents& padding, const Extents& dilation,
                        Activation activation) {
  expect_fusible(op, activation);
  expect_float(op, "x", x.dtype);
  if (x.shape.rank() != 5 || x.shape.size() == 0)
    fail(ErrorCode::shape, op, ": x is ", x, ", expected [B, T, H, W, C], none of them 0");
  if (weight.shape.rank() != 5 || weight.shape.size() == 0 || weight.dtype != master_of(x.dtype))
    fail(ErrorCode::shape, op, ": weight is ", weight, ", expected ", master_of(x.dtype),
         " with axes kT, kH, kW and two of channels, none of them 0");
  for (std::size_t axis = 0; axis < 3; ++axis)
    if (stride[axis] < 1 || padding[axis] < 0 || dilation[axis] < 1)
      fail(ErrorCode::argument, op, ": stride is ", shape_of(stride), ", padding ",
           shape_of(padding), ", dilation ", shape_of(dilation),
           "; expected at least 1, 0 and 1 on each axis");
}

void expect_groups(std::string_view op, Index groups, Index channels, Index outputs) {
  if (groups >= 1 && channels % groups == 0 && outputs % groups == 0) return;
  fail(ErrorCode::argument, op, ": groups is ", groups, ", expected a divisor of the ", channels,
       " channels of x and of the ", outputs, " outputs");
}

}  // namespace framefold
