#include "kernels/upsample3d.h"

#include "kernels/device.h"

namespace framefold {
namespace {

// Calls body(o, i, weight) for all that the outputs of an axis read, in their order.
template <class Body>
void for_taps(Upsampling kind, Index in, Index out, Body&& body) {
  for (Index o = 0; o < out; ++o) {
    const Tap tap = tap_of(kind, in, out, o);
    body(o, tap.at, 1 - tap.fraction);
    if (tap.fraction > 0) body(o, tap.at + 1, tap.fraction);
  }
}

ResampleAxis axis_of(Upsampling kind, Index in, Index out, bool backward, Workspace& workspace) {
  const Index targets = backward ? in : out;
  auto* starts = workspace.take<std::int32_t>(targets + 2);
  auto* sources = workspace.take<std::int32_t>(2 * out);
  auto* weights = workspace.take<double>(2 * out);
  // starts[j + 2] counts, then starts[j + 1] is where the next of j goes, at last its end.
  std::fill_n(starts, targets + 2, 0);
  for_taps(kind, in, out, [&](Index o, Index i, double) { ++starts[(backward ? i : o) + 2]; });
  for (Index j = 2; j < targets + 2; ++j) starts[j] += starts[j - 1];
  for_taps(kind, in, out, [&](Index o, Index i, double weight) {
    const std::int32_t at = starts[(backward ? i : o) + 1]++;
    sources[at] = static_cast<std::int32_t>(backward ? o : i);
    weights[at] = weight;
  });
  return {targets, starts, sources, weights};
}

// Calls body(source, weight) for what target j reads.
template <class Body>
void for_sources(const ResampleAxis& axis, Index j, Body&& body) {
  for (std::int32_t e = axis.starts[j]; e < axis.starts[j + 1]; ++e)
    body(axis.sources[e], axis.weights[e]);
}

template <class T>
void resample_plainly(const Stream& stream, const Resample& r, T* to, const T* from) {
  using A = Accumulator<T>;
  const Index height = r.axes[1].targets;
  const Index width = r.axes[2].targets;
  const Index rows = r.batch * r.axes[0].targets * height;
  parallel_for(stream, rows, 1, [&](Index begin, Index end) {
    for (Index i = begin * width * r.channels; i < end * width * r.channels; ++i) {
      const Index c = i % r.channels;
      const Index w = i / r.channels % width;
      const Index h = i / r.channels / width % height;
      const Index frame = i / r.channels / width / height;
      const Index t = frame % r.axes[0].targets;
      const Index first = frame / r.axes[0].targets * r.from[0];
      A sum = 0;
      for_sources(r.axes[0], t, [&](Index st, double wt) {
        for_sources(r.axes[1], h, [&](Index sh, double wh) {
          for_sources(r.axes[2], w, [&](Index sw, double ww) {
            const Index at = ((first + st) * r.from[1] + sh) * r.from[2] + sw;
            sum += static_cast<A>(wt * wh * ww) * static_cast<A>(from[at * r.channels + c]);
          });
        });
      });
      to[i] = T(sum);
    }
  });
}

void resample(const Stream& stream, Upsampling kind, bool backward, Tensor to, Workspace workspace,
              View from) {
  Resample r{.batch = from.shape[0],
             .channels = from.shape[4],
             .from = {from.shape[1], from.shape[2], from.shape[3]},
             .axes = {}};
  for (int a = 0; a < 3; ++a) {
    const Index source = from.shape[a + 1];
    const Index target = to.shape[a + 1];
    r.axes[static_cast<std::size_t>(a)] =
        axis_of(kind, backward ? target : source, backward ? source : target, backward, workspace);
  }
  if (fast::resample(stream, r, to, workspace, from)) return;
  for_float(to.dtype,
            [&]<class T>(T) { resample_plainly<T>(stream, r, to.as<T>(), from.as<T>()); });
}

}  // namespace

void upsample3d_forward(const Stream& stream, Upsampling kind, Tensor y, Workspace workspace,
                        View x) {
  if (on_device(stream)) return device<&upsample3d_forward>(stream, kind, y, workspace, x);
  resample(stream, kind, false, y, workspace, x);
}

void upsample3d_dgrad(const Stream& stream, Upsampling kind, Tensor dx, Workspace workspace,
                      View dy) {
  if (on_device(stream)) return device<&upsample3d_dgrad>(stream, kind, dx, workspace, dy);
  resample(stream, kind, true, dx, workspace, dy);
}

Bytes upsample3d_workspace(const Stream& stream, const Shape& x, const Shape& y) {
  if (on_device(stream)) return device<&upsample3d_workspace>(stream, x, y);
  Bytes bytes = Workspace::padded(static_cast<Bytes>(stream.threads * std::max(x[3], y[3]) * x[4]) *
                                  sizeof(float));
  for (int axis = 1; axis <= 3; ++axis)
    bytes += Workspace::padded(static_cast<Bytes>(std::max(x[axis], y[axis]) + 2) *
                               sizeof(std::int32_t)) +
             Workspace::padded(static_cast<Bytes>(2 * y[axis]) * sizeof(std::int32_t)) +
             Workspace::padded(static_cast<Bytes>(2 * y[axis]) * sizeof(double));
  return bytes;
}

}  // namespace framefold
