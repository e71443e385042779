#include "kernels/lstm.h"

#include <algorithm>
#include <cmath>

#include "kernels/check.h"
#include "kernels/copy.h"
#include "kernels/device.h"
#include "kernels/epilogue.h"
#include "kernels/matmul.h"

namespace framefold {
namespace {

template <class A>
A sigmoid(A x) {
  return 1 / (1 + std::exp(-x));
}

template <class T>
const T* data_of(View view) {
  return view ? view.as<T>() : nullptr;
}

// Row b, for which x Wx + bias stands in gates.
template <class T>
void forward_row(const LstmShape& s, Index b, const LstmOutputs& out, const LstmInputs& in) {
  using A = Accumulator<T>;
  const Index hidden = s.hidden;
  const Index length = lstm_length(in.lengths, b, s.steps);
  const auto* weight = in.wh.as<A>();
  const auto* peepholes = data_of<A>(in.peepholes);
  const T* h_before = in.h0 ? in.h0.as<T>() + b * hidden : nullptr;
  const T* c0 = in.c0 ? in.c0.as<T>() + b * hidden : nullptr;
  const A* c_before = nullptr;
  const auto before = [&](Index n) {
    if (c_before) return c_before[n];
    return c0 ? static_cast<A>(c0[n]) : A(0);
  };
  for (Index t = 0; t < s.steps; ++t) {
    T* h = out.h.as<T>() + s.row(b, t) * hidden;
    A* z = out.gates.as<A>() + s.row(b, t) * 4 * hidden;
    A* c = out.cells.as<A>() + s.row(b, t) * hidden;
    if (t >= length) {
      std::fill_n(h, hidden, T(0.0F));
      std::fill_n(z, 4 * hidden, A(0));
      std::fill_n(c, hidden, A(0));
      continue;
    }
    for (Index k = 0; h_before && k < hidden; ++k)
      for (Index j = 0; j < 4 * hidden; ++j)
        z[j] += static_cast<A>(h_before[k]) * weight[k * 4 * hidden + j];
    for (Index n = 0; n < hidden; ++n) {
      A& i = z[n];
      A& f = z[hidden + n];
      A& g = z[2 * hidden + n];
      A& o = z[3 * hidden + n];
      if (peepholes) i += peepholes[n] * before(n);
      if (peepholes) f += peepholes[hidden + n] * before(n);
      i = sigmoid(i);
      f = sigmoid(f);
      g = std::tanh(g);
      c[n] = f * before(n) + i * g;
      if (peepholes) o += peepholes[2 * hidden + n] * c[n];
      o = sigmoid(o);
      h[n] = T(o * std::tanh(c[n]));
    }
    h_before = h;
    c_before = c;
  }
  for (Index n = 0; n < hidden; ++n) {
    out.h_last.as<T>()[b * hidden + n] = h_before ? h_before[n] : T(0.0F);
    out.c_last.as<T>()[b * hidden + n] = T(before(n));
  }
}

// Row b; dh and dc [H] are scratch.
template <class T>
void dgates_row(const LstmShape& s, Index b, Tensor dgates, Tensor dh0, Tensor dc0,
                Accumulator<T>* dh, Accumulator<T>* dc, const LstmInputs& in,
                const LstmResults& results) {
  using A = Accumulator<T>;
  const Index hidden = s.hidden;
  const Index length = lstm_length(in.lengths, b, s.steps);
  const auto* weight = in.wh.as<A>();
  const auto* peepholes = data_of<A>(in.peepholes);
  const auto start = [&](A* to, View from) {
    for (Index n = 0; n < hidden; ++n)
      to[n] = from ? static_cast<A>(from.as<T>()[b * hidden + n]) : A(0);
  };
  start(dh, results.dh_last);
  start(dc, results.dc_last);
  for (Index t = s.steps - 1; t >= 0; --t) {
    A* dz = dgates.as<A>() + s.row(b, t) * 4 * hidden;
    if (t >= length) {
      std::fill_n(dz, 4 * hidden, A(0));
      continue;
    }
    const A* gate = results.gates.as<A>() + s.row(b, t) * 4 * hidden;
    const A* c = results.cells.as<A>() + s.row(b, t) * hidden;
    const T* dy = results.dh ? results.dh.as<T>() + s.row(b, t) * hidden : nullptr;
    for (Index n = 0; n < hidden; ++n) {
      const A i = gate[n];
      const A f = gate[hidden + n];
      const A g = gate[2 * hidden + n];
      const A o = gate[3 * hidden + n];
      A c_before = 0;
      if (t > 0)
        c_before = c[n - hidden];
      else if (in.c0)
        c_before = static_cast<A>(in.c0.as<T>()[b * hidden + n]);
      const A d = dh[n] + (dy ? static_cast<A>(dy[n]) : A(0));
      const A u = std::tanh(c[n]);
      const A dzo = d * u * o * (1 - o);
      A e = dc[n] + d * o * (1 - u * u);
      if (peepholes) e += dzo * peepholes[2 * hidden + n];
      const A dzi = e * g * i * (1 - i);
      const A dzf = e * c_before * f * (1 - f);
      dz[n] = dzi;
      dz[hidden + n] = dzf;
      dz[2 * hidden + n] = e * i * (1 - g * g);
      dz[3 * hidden + n] = dzo;
      dc[n] = e * f;
      if (peepholes) dc[n] += dzi * peepholes[n] + dzf * peepholes[hidden + n];
    }
    for (Index k = 0; k < hidden; ++k) {
      dh[k] = 0;
      for (Index j = 0; j < 4 * hidden; ++j) dh[k] += dz[j] * weight[k * 4 * hidden + j];
    }
  }
  for (Index n = 0; n < hidden; ++n) {
    if (dh0) dh0.as<T>()[b * hidden + n] = T(dh[n]);
    if (dc0) dc0.as<T>()[b * hidden + n] = T(dc[n]);
  }
}

// The state before each step, as rows beside those of dgates.
void shift(const Stream& stream, const LstmShape& s, Tensor to, View h, View h0) {
  const Index row = s.hidden * static_cast<Index>(size_of(h.dtype));
  const Index sample = s.steps * row;
  if (h0)
    copy_blocks(stream, to.data, sample, h0.data, row, row, s.batch);
  else
    zero_blocks(stream, to.data, sample, row, s.batch);
  copy_blocks(stream, static_cast<std::byte*>(to.data) + row, sample, h.data, sample, sample - row,
              s.batch);
}

// The three products over all time: of x forward, of dgates backward with a weight [inputs, 4H].
bool vendor_wanted(const Stream& stream) {
  return on_device(stream) && stream.path == Path::vendor;
}

// Bytes that the vendor's path asks for, by a function that has no launcher of ours beside it.
template <auto function, class... Arguments>
Bytes vendor_bytes(const Stream& stream, const Arguments&... arguments) {
  const auto launcher = OnVendor<function>::launcher;
  return vendor_wanted(stream) && launcher ? launcher(stream, arguments...) : 0;
}

TensorType gates_of(const TensorType& x, Index hidden) {
  return {master_of(x.dtype), {x.shape[0], x.shape[1], 4 * hidden}};
}

Product forward_product(Index rows, Index inputs, Index hidden) {
  return {.m = rows, .n = 4 * hidden, .k = inputs, .bias = true};
}
Product dgrad_product(Index rows, Index inputs, Index hidden) {
  return {.m = rows, .n = inputs, .k = 4 * hidden, .transpose_b = true};
}
Product wgrad_product(Index rows, Index inputs, Index hidden) {
  return {.m = inputs, .n = 4 * hidden, .k = rows, .transpose_a = true, .accumulate = true};
}

void expect_lengths(View lengths, Index steps) {
  if (!lengths) return;
  for (Index b = 0; b < lengths.size(); ++b)
    if (const Index given = lstm_length(lengths, b, steps); given < 0 || given > steps)
      fail(ErrorCode::argument, "lstm: lengths[", b, "] is ", given, ", expected 0 to ", steps,
           ", the steps of x");
}

}  // namespace

void lstm_forward(const Stream& stream, const LstmOutputs& out, Workspace workspace,
                  const LstmInputs& in) {
  if (vendor_wanted(stream) && vendor_has<&lstm_forward>(stream, out, workspace, in)) return;
  const LstmShape s(out.h.shape);
  if (!on_device(stream)) expect_lengths(in.lengths, s.steps);
  product(stream, forward_product(s.batch * s.steps, in.x.shape[2], s.hidden), out.gates, workspace,
          in.x, in.wx, in.bias);
  lstm_steps(stream, out, workspace, in);
}

void lstm_steps(const Stream& stream, const LstmOutputs& out, Workspace workspace,
                const LstmInputs& in) {
  if (on_device(stream)) return device<&lstm_steps>(stream, out, workspace, in);
  if (fast::lstm_forward(stream, out, workspace, in)) return;
  const LstmShape s(out.h.shape);
  for_float(in.x.dtype, [&]<class T>(T) {
    parallel_for(stream, s.batch, 1, [&](Index begin, Index end) {
      for (Index b = begin; b < end; ++b) forward_row<T>(s, b, out, in);
    });
  });
}

Bytes lstm_forward_workspace(const Stream& stream, const TensorType& x, Index hidden) {
  const DType master = master_of(x.dtype);
  const Product p = forward_product(x.shape[0] * x.shape[1], x.shape[2], hidden);
  const Bytes bytes = product_workspace(stream, p, master, x.dtype, master);
  if (on_device(stream))
    return std::max(bytes, vendor_bytes<&lstm_forward_workspace>(stream, x, hidden));
  return std::max(bytes, fast::lstm_forward_workspace(stream, x, hidden));
}

Bytes lstm_reserve(const Stream& stream, const TensorType& x, Index hidden, bool peepholes,
                   bool lengths) {
  return vendor_bytes<&lstm_reserve>(stream, x, hidden, peepholes, lengths);
}

void lstm_backward(const Stream& stream, Tensor dx, Tensor dh0, Tensor dc0,
                   const LstmGradients& gradients, Workspace workspace, const LstmInputs& in,
                   const LstmResults& results) {
  if (vendor_wanted(stream) &&
      vendor_has<&lstm_backward>(stream, dx, dh0, dc0, gradients, workspace, in, results))
    return;
  const Tensor dgates = workspace.take(gates_of(in.x.type(), results.h.shape[2]));
  lstm_dgates(stream, dgates, dh0, dc0, workspace, in, results);
  if (dx) lstm_dgrad(stream, dx, workspace, dgates, in.wx);
  if (gradients.wh) lstm_wgrad(stream, gradients, workspace, dgates, in, results);
}

Bytes lstm_backward_workspace(const Stream& stream, const TensorType& x, Index hidden) {
  const Bytes ours =
      Workspace::padded(gates_of(x, hidden).bytes()) +
      std::max({lstm_dgates_workspace(stream, x, hidden), lstm_dgrad_workspace(stream, x, hidden),
                lstm_wgrad_workspace(stream, x, hidden)});
  return std::max(ours, vendor_bytes<&lstm_backward_workspace>(stream, x, hidden));
}

void lstm_dgates(const Stream& stream, Tensor dgates, Tensor dh0, Tensor dc0, Workspace workspace,
                 const LstmInputs& in, const LstmResults& results) {
  if (on_device(stream))
    return device<&lstm_dgates>(stream, dgates, dh0, dc0, workspace, in, results);
  if (fast::lstm_dgates(stream, dgates, dh0, dc0, workspace, in, results)) return;
  const LstmShape s(results.h.shape);
  for_float(in.x.dtype, [&]<class T>(T) {
    auto* carried = workspace.take<Accumulator<T>>(2 * s.batch * s.hidden);
    parallel_for(stream, s.batch, 1, [&](Index begin, Index end) {
      for (Index b = begin; b < end; ++b) {
        auto* dh = carried + 2 * b * s.hidden;
        dgates_row<T>(s, b, dgates, dh0, dc0, dh, dh + s.hidden, in, results);
      }
    });
  });
}

Bytes lstm_dgates_workspace(const Stream& stream, const TensorType& x, Index hidden) {
  const Bytes carried =
      Workspace::padded(TensorType{master_of(x.dtype), {2, x.shape[0], hidden}}.bytes());
  if (on_device(stream)) return carried;
  return std::max(carried, fast::lstm_dgates_workspace(stream, x, hidden));
}

void lstm_dgrad(const Stream& stream, Tensor dx, Workspace workspace, View dgates, View wx) {
  const Index rows = dx.shape[0] * dx.shape[1];
  product(stream, dgrad_product(rows, dx.shape[2], dgates.shape[2] / 4), dx, workspace, dgates, wx,
          {});
}

Bytes lstm_dgrad_workspace(const Stream& stream, const TensorType& x, Index hidden) {
  const DType master = master_of(x.dtype);
  const Product p = dgrad_product(x.shape[0] * x.shape[1], x.shape[2], hidden);
  return product_workspace(stream, p, x.dtype, master, master);
}

void lstm_wgrad(const Stream& stream, const LstmGradients& gradients, Workspace workspace,
                View dgates, const LstmInputs& in, const LstmResults& results) {
  const LstmShape s(results.h.shape);
  const Index rows = s.batch * s.steps;
  product(stream, wgrad_product(rows, in.x.shape[2], s.hidden), gradients.wx, workspace, in.x,
          dgates, {});
  epilogue_backward(stream, {}, {}, gradients.bias, workspace, dgates, {});
  if (gradients.peepholes)
    lstm_peephole_wgrad(stream, gradients.peepholes, workspace, dgates, results.cells, in.c0);
  const Tensor before = workspace.take({in.x.dtype, {rows, s.hidden}});
  shift(stream, s, before, results.h, in.h0);
  product(stream, wgrad_product(rows, s.hidden, s.hidden), gradients.wh, workspace, before, dgates,
          {});
}

void lstm_peephole_wgrad(const Stream& stream, Tensor dpeepholes, Workspace workspace, View dgates,
                         View cells, View c0) {
  if (on_device(stream))
    return device<&lstm_peephole_wgrad>(stream, dpeepholes, workspace, dgates, cells, c0);
  const LstmShape s(cells.shape);
  const Index hidden = s.hidden;
  for_float(c0 ? c0.dtype : cells.dtype, [&]<class T>(T) {
    using A = Accumulator<T>;
    A* gradient = dpeepholes.as<A>();
    parallel_for(stream, hidden, 64, [&](Index begin, Index end) {
      for (Index b = 0; b < s.batch; ++b)
        for (Index t = 0; t < s.steps; ++t) {
          const A* dz = dgates.as<A>() + s.row(b, t) * 4 * hidden;
          const A* c = cells.as<A>() + s.row(b, t) * hidden;
          for (Index n = begin; n < end; ++n) {
            A before = 0;
            if (t > 0)
              before = c[n - hidden];
            else if (c0)
              before = static_cast<A>(c0.as<T>()[b * hidden + n]);
            gradient[n] += dz[n] * before;
            gradient[hidden + n] += dz[hidden + n] * before;
            gradient[2 * hidden + n] += dz[3 * hidden + n] * c[n];
          }
        }
    });
  });
}

Bytes lstm_wgrad_workspace(const Stream& stream, const TensorType& x, Index hidden) {
  const DType master = master_of(x.dtype);
  const Index rows = x.shape[0] * x.shape[1];
  const auto of = [&](Index inputs) {
    return product_workspace(stream, wgrad_product(rows, inputs, hidden), master, x.dtype, master);
  };
  return std::max({of(x.shape[2]),
                   epilogue_backward_workspace(stream, {master, {rows, 4 * hidden}}),
                   Workspace::padded(TensorType{x.dtype, {rows, hidden}}.bytes()) + of(hidden)});
}

}  // namespace framefold
