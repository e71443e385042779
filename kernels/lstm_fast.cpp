// One fork and join a step: a thread owns panels of units and does all of a step that concerns
// them, the product with the state before and the gates, while their sums are in the cache.
//
//   forward    Wh in panels [H] of one gate's columns; h[t-1] goes from step to step in a copy of
//              two turns
//   backward   Wh transposed in panels [4H] of units; likewise with the gates' gradients. A step's
//              product gives dh of the step before, so its gates follow in the same piece.
//
// The copies are transposed, a register tile's rows side by side: products read them, and the
// panels, as one run of memory each. While a tile's product runs, the gates that follow it come.
// Panels are walked to and fro: what one step read last, the next finds in the third-level cache.
#include <algorithm>
#include <array>

#include "kernels/lstm.h"
#include "kernels/microkernel.h"
#include "kernels/simd.h"
#include "kernels/transpose.h"

namespace framefold {
namespace {

constexpr Index depth_block = 1024;  // of a panel, read by every tile of rows while it is near
constexpr Index pack_block = 64;     // of a transposed panel
constexpr double least_flops = 4e5;  // of a step, below which a thread costs more than it brings
constexpr Index line = 16;           // floats of a cache line

Index ceil_div(Index a, Index b) { return (a + b - 1) / b; }

// What one direction keeps in its workspace.
struct Memory {
  Index parts;                // threads over panels
  Index packed, state, sums;  // floats: all panels; one turn's state; a thread's sums
  Index zeros, carried;       // floats

  Bytes bytes() const {
    Bytes total = 0;
    for (const Index count : {packed, 2 * state, parts * sums, zeros, carried})
      total += Workspace::padded(static_cast<Bytes>(count) * sizeof(float));
    return total;
  }
};

Memory memory_for(const Stream& stream, Index batch, Index hidden, bool backward) {
  const Index panels = panel_count(hidden);
  const Index width = micro_kernel().cols;
  const double flops = 8 * static_cast<double>(batch * hidden) * static_cast<double>(hidden);
  const auto useful = static_cast<Index>(1 + std::min(flops / least_flops, 1e6));
  return {.parts = std::min({Index{stream.threads}, panels, useful}),
          .packed = 4 * packed_size(hidden, hidden),
          .state = (backward ? 4 : 1) * batch * hidden,
          .sums = (backward ? 1 : 4) * batch * width,
          .zeros = 3 * hidden,
          .carried = backward ? batch * hidden : 0};
}

// Calls body(part) for all parts, each on a thread.
template <class Body>
void for_parts(Stream stream, Index parts, Body&& body) {
  stream.threads = static_cast<int>(parts);
  parallel_for(stream, parts, 1, [&](Index first, Index last) {
    for (Index part = first; part < last; ++part) body(part);
  });
}

// A part's panels.
struct Range {
  Index begin, end;

  Range(Index panels, Index part, Index parts)
      : begin(panels * part / parts), end(panels * (part + 1) / parts) {}
};

// Calls body(panel), every other time from the last to the first.
template <class Body>
void for_panels(Range panels, bool back, Body&& body) {
  for (Index i = panels.begin; i < panels.end; ++i)
    body(back ? panels.begin + panels.end - 1 - i : i);
}

// The batch in register tiles of nearly the same height. A state of `depth` numbers a row is kept
// tile after tile, [depth][height].
struct Tiles {
  Index rows;
  Index count = ceil_div(rows, micro_kernel().rows);

  Index begin(Index tile) const { return rows * tile / count; }
  Index height(Index tile) const { return begin(tile + 1) - begin(tile); }
};

// Numbers [first, first + count) of each row's state; a row's first stands at `from`.
void keep(float* state, const Tiles& tiles, Index depth, Index first, Index count,
          const float* from, Index row_step) {
  for (Index tile = 0; tile < tiles.count; ++tile) {
    const Index begin = tiles.begin(tile);
    const Index height = tiles.height(tile);
    transpose(count, height, state + begin * depth + first * height, height,
              from + begin * row_step, row_step);
  }
}

void prefetch(const float* from, Index count) {
  for (Index i = 0; i < count; i += line) __builtin_prefetch(from + i);
}

// One panel of `count` rows of Wh, each `depth` numbers. Rows whole pages apart are fetched ahead,
// to the second-level cache: in the first they evict one another.
void pack_turned(float* panel, const float* from, Index depth, Index count) {
  for (Index k = 0; k < depth; k += pack_block) {
    const Index block = std::min(pack_block, depth - k);
    const Index next = std::min(pack_block, depth - k - block);
    for (Index n = 0; n < count; ++n)
      for (Index i = 0; i < next; i += line)
        __builtin_prefetch(from + n * depth + k + block + i, 0, 2);
    pack_panels(panel + k * micro_kernel().cols, from + k, depth, true, block, count, 0, 1);
  }
}

// Sums [rows, kernel.cols], `ld` apart, of a state of `depth` numbers a row with a packed panel.
// Calls ahead(row) for each row before its first tile.
template <class Ahead>
void multiply(float* sums, Index ld, const Tiles& tiles, Index depth, const float* state,
              const float* panel, Ahead&& ahead) {
  const MicroKernel& kernel = micro_kernel();
  std::array<const float*, micro_rows_max> from;
  for (Index k = 0; k < depth; k += depth_block) {
    const float* b = panel + k * kernel.cols;
    for (Index tile = 0; tile < tiles.count; ++tile) {
      const Index begin = tiles.begin(tile);
      const Index height = tiles.height(tile);
      for (Index i = 0; i < height; ++i) {
        from[static_cast<std::size_t>(i)] = state + begin * depth + k * height + i;
        if (k == 0) ahead(begin + i);
      }
      kernel.run(static_cast<int>(height), kernel.cols,
                 {.a = from.data(),
                  .b = &b,
                  .depth = std::min(depth_block, depth - k),
                  .a_step = height,
                  .b_step = kernel.cols,
                  .c = sums + begin * ld,
                  .ldc = ld,
                  .accumulate = k > 0});
    }
  }
}

// Some units of one row: the first of each array belongs to the first of them, the four gates and
// the three peepholes lie `hidden` apart, the four sums `sum_step`.
struct ForwardUnits {
  Index count, hidden, sum_step;
  const float *sums, *peepholes, *c_before;
  float *gates, *c, *h;
};

// In two loops, as the second waits for the first: the processor then overlaps more of each.
FRAMEFOLD_SIMD void forward_units(const ForwardUnits& u) {
  const Index hidden = u.hidden;
  const Index sum_step = u.sum_step;
  const float* sums = u.sums;
  const float* peepholes = u.peepholes;
  const float* c_before = u.c_before;
  float* gates = u.gates;
  float* c = u.c;
  float* h = u.h;
#pragma omp simd
  for (Index n = 0; n < u.count; ++n) {
    const float before = c_before[n];
    const float i = simd::sigmoid(gates[n] + sums[n] + peepholes[n] * before);
    const float f =
        simd::sigmoid(gates[n + hidden] + sums[n + sum_step] + peepholes[n + hidden] * before);
    const float g = simd::tanh(gates[n + 2 * hidden] + sums[n + 2 * sum_step]);
    gates[n] = i;
    gates[n + hidden] = f;
    gates[n + 2 * hidden] = g;
    c[n] = f * before + i * g;
  }
#pragma omp simd
  for (Index n = 0; n < u.count; ++n) {
    const float o = simd::sigmoid(gates[n + 3 * hidden] + sums[n + 3 * sum_step] +
                                  peepholes[n + 2 * hidden] * c[n]);
    gates[n + 3 * hidden] = o;
    h[n] = o * simd::tanh(c[n]);
  }
}

struct BackwardUnits {
  Index count, hidden;
  const float *dh, *dy, *gates, *peepholes, *c_before, *c;
  float *dc, *dgates;
};

FRAMEFOLD_SIMD void backward_units(const BackwardUnits& u) {
  const Index hidden = u.hidden;
  const float* dh = u.dh;
  const float* dy = u.dy;
  const float* gates = u.gates;
  const float* peepholes = u.peepholes;
  const float* c_before = u.c_before;
  const float* c = u.c;
  float* dc = u.dc;
  float* dgates = u.dgates;
#pragma omp simd
  for (Index n = 0; n < u.count; ++n) {
    const float i = gates[n];
    const float f = gates[n + hidden];
    const float g = gates[n + 2 * hidden];
    const float o = gates[n + 3 * hidden];
    const float d = dh[n] + dy[n];
    const float v = simd::tanh(c[n]);
    const float dzo = d * v * o * (1.0F - o);
    const float e = dc[n] + d * o * (1.0F - v * v) + dzo * peepholes[n + 2 * hidden];
    const float dzi = e * g * i * (1.0F - i);
    const float dzf = e * c_before[n] * f * (1.0F - f);
    const float dzg = e * i * (1.0F - g * g);
    dc[n] = e * f + dzi * peepholes[n] + dzf * peepholes[n + hidden];
    dgates[n] = dzi;
    dgates[n + hidden] = dzf;
    dgates[n + 2 * hidden] = dzg;
    dgates[n + 3 * hidden] = dzo;
  }
}

bool supported(const Stream& stream, DType x) {
  return stream.wants(Path::native) && x == DType::f32;
}

Index longest(View lengths, const LstmShape& s) {
  Index most = 0;
  for (Index b = 0; b < s.batch; ++b) most = std::max(most, lstm_length(lengths, b, s.steps));
  return most;
}

float* zeros_of(Workspace& workspace, const Memory& memory) {
  auto* zeros = workspace.take<float>(memory.zeros);
  std::fill_n(zeros, memory.zeros, 0.0F);
  return zeros;
}

}  // namespace

bool fast::lstm_forward(const Stream& stream, const LstmOutputs& out, Workspace workspace,
                        const LstmInputs& in) {
  if (!supported(stream, in.x.dtype)) return false;
  const LstmShape s(out.h.shape);
  const Index hidden = s.hidden;
  const Memory memory = memory_for(stream, s.batch, hidden, false);
  const Index panels = panel_count(hidden);
  const Index width = micro_kernel().cols;
  const Index panel_size = hidden * width;
  const Index gate_size = panels * panel_size;
  const Index steps = longest(in.lengths, s);
  auto* packed = workspace.take<float>(memory.packed);
  auto* state = workspace.take<float>(2 * memory.state);
  auto* all_sums = workspace.take<float>(memory.parts * memory.sums);
  const float* zeros = zeros_of(workspace, memory);
  const Tiles tiles{s.batch};
  const float* peepholes = in.peepholes ? in.peepholes.as<float>() : zeros;
  const auto start = [&](View from, Index b) {
    return from ? from.as<float>() + b * hidden : zeros;
  };

  for_parts(stream, memory.parts, [&](Index part) {
    for (Index b = s.batch * part / memory.parts; b < s.batch * (part + 1) / memory.parts; ++b) {
      const Index length = lstm_length(in.lengths, b, s.steps);
      const auto clear = [&](Tensor tensor, Index row) {
        std::fill_n(tensor.as<float>() + s.row(b, length) * row, (s.steps - length) * row, 0.0F);
      };
      clear(out.h, hidden);
      clear(out.gates, 4 * hidden);
      clear(out.cells, hidden);
      if (length > 0) continue;
      std::copy(start(in.h0, b), start(in.h0, b) + hidden, out.h_last.as<float>() + b * hidden);
      std::copy(start(in.c0, b), start(in.c0, b) + hidden, out.c_last.as<float>() + b * hidden);
    }
    const Range own(panels, part, memory.parts);
    for (Index q = 0; q < 4 && (steps > 1 || in.h0); ++q)
      pack_panels(packed + q * gate_size, in.wh.as<float>() + q * hidden, 4 * hidden, false, hidden,
                  hidden, own.begin, own.end);
    const Index first = own.begin * width;
    if (in.h0)
      keep(state, tiles, hidden, first, std::min(own.end * width, hidden) - first,
           in.h0.as<float>() + first, hidden);
    std::fill_n(all_sums + part * memory.sums, memory.sums, 0.0F);
  });

  for (Index t = 0; t < steps; ++t) {
    const float* before = state + t % 2 * memory.state;
    float* after = state + (t + 1) % 2 * memory.state;
    for_parts(stream, memory.parts, [&](Index part) {
      float* sums = all_sums + part * memory.sums;
      for_panels({panels, part, memory.parts}, t % 2 != 0, [&](Index panel) {
        const Index first = panel * width;
        const Index count = std::min(width, hidden - first);
        if (t > 0 || in.h0)
          for (Index q = 0; q < 4; ++q)
            multiply(sums + q * width, 4 * width, tiles, hidden, before,
                     packed + q * gate_size + panel * panel_size, [&](Index b) {
                       const Index at = s.row(b, t) * hidden + first;
                       prefetch(out.gates.as<float>() + 4 * at - 3 * first + q * hidden, count);
                       if (q == 0) prefetch(out.cells.as<float>() + at, count);
                       if (q == 1) prefetch(out.h.as<float>() + at, count);
                       if (q == 2 && t > 0) prefetch(out.cells.as<float>() + at - hidden, count);
                     });
        for (Index b = 0; b < s.batch; ++b) {
          const Index length = lstm_length(in.lengths, b, s.steps);
          if (t >= length) continue;
          const Index at = s.row(b, t) * hidden + first;
          const ForwardUnits units{
              .count = count,
              .hidden = hidden,
              .sum_step = width,
              .sums = sums + b * 4 * width,
              .peepholes = peepholes + first,
              .c_before = t > 0 ? out.cells.as<float>() + at - hidden : start(in.c0, b) + first,
              .gates = out.gates.as<float>() + s.row(b, t) * 4 * hidden + first,
              .c = out.cells.as<float>() + at,
              .h = out.h.as<float>() + at};
          forward_units(units);
          if (t + 1 < length) continue;
          const Index last = b * hidden + first;
          std::copy(units.h, units.h + units.count, out.h_last.as<float>() + last);
          std::copy(units.c, units.c + units.count, out.c_last.as<float>() + last);
        }
        keep(after, tiles, hidden, first, count, out.h.as<float>() + t * hidden + first,
             s.steps * hidden);
      });
    });
  }
  return true;
}

bool fast::lstm_dgates(const Stream& stream, Tensor dgates, Tensor dh0, Tensor dc0,
                       Workspace workspace, const LstmInputs& in, const LstmResults& results) {
  if (!supported(stream, in.x.dtype)) return false;
  const LstmShape s(results.h.shape);
  const Index hidden = s.hidden;
  const Memory memory = memory_for(stream, s.batch, hidden, true);
  const Index panels = panel_count(hidden);
  const Index width = micro_kernel().cols;
  const Index panel_size = 4 * hidden * width;
  const Index steps = longest(in.lengths, s);
  auto* packed = workspace.take<float>(memory.packed);
  auto* state = workspace.take<float>(2 * memory.state);
  auto* all_sums = workspace.take<float>(memory.parts * memory.sums);
  const float* zeros = zeros_of(workspace, memory);
  auto* carried = workspace.take<float>(memory.carried);
  const Tiles tiles{s.batch};
  const float* peepholes = in.peepholes ? in.peepholes.as<float>() : zeros;
  const auto start = [&](View from, Index b) {
    return from ? from.as<float>() + b * hidden : zeros;
  };

  for_parts(stream, memory.parts, [&](Index part) {
    for (Index b = s.batch * part / memory.parts; b < s.batch * (part + 1) / memory.parts; ++b) {
      const Index length = lstm_length(in.lengths, b, s.steps);
      std::fill_n(dgates.as<float>() + s.row(b, length) * 4 * hidden,
                  (s.steps - length) * 4 * hidden, 0.0F);
      std::copy(start(results.dc_last, b), start(results.dc_last, b) + hidden,
                carried + b * hidden);
    }
    if (steps > 1 || dh0)
      for_panels({panels, part, memory.parts}, false, [&](Index panel) {
        pack_turned(packed + panel * panel_size, in.wh.as<float>() + panel * width * 4 * hidden,
                    4 * hidden, std::min(width, hidden - panel * width));
      });
  });

  // Step -1 is the state before the first.
  for (Index t = steps - 1; t >= (dh0 ? -1 : 0); --t) {
    const float* after = state + (t + 2) % 2 * memory.state;
    float* own = state + (t + 1) % 2 * memory.state;
    for_parts(stream, memory.parts, [&](Index part) {
      float* sums = all_sums + part * memory.sums;
      for_panels({panels, part, memory.parts}, t % 2 != 0, [&](Index panel) {
        const Index first = panel * width;
        const Index count = std::min(width, hidden - first);
        if (t + 1 < steps)
          multiply(sums, width, tiles, 4 * hidden, after, packed + panel * panel_size,
                   [&](Index b) {
                     if (t < 0) return;
                     const Index at = s.row(b, t) * hidden + first;
                     for (Index q = 0; q < 4; ++q) {
                       const Index gate_at = 4 * at - 3 * first + q * hidden;
                       prefetch(results.gates.as<float>() + gate_at, count);
                       prefetch(dgates.as<float>() + gate_at, count);
                     }
                     prefetch(results.cells.as<float>() + at, count);
                     if (t > 0) prefetch(results.cells.as<float>() + at - hidden, count);
                     if (results.dh) prefetch(results.dh.as<float>() + at, count);
                   });
        for (Index b = 0; b < s.batch; ++b) {
          const Index length = lstm_length(in.lengths, b, s.steps);
          if (t >= length) continue;
          const float* dh = t + 1 < length ? sums + b * width : start(results.dh_last, b) + first;
          if (t < 0) {
            std::copy(dh, dh + count, dh0.as<float>() + b * hidden + first);
            continue;
          }
          const Index at = s.row(b, t) * hidden + first;
          const Index gates_at = s.row(b, t) * 4 * hidden + first;
          backward_units({.count = count,
                          .hidden = hidden,
                          .dh = dh,
                          .dy = results.dh ? results.dh.as<float>() + at : zeros,
                          .gates = results.gates.as<float>() + gates_at,
                          .peepholes = peepholes + first,
                          .c_before = t > 0 ? results.cells.as<float>() + at - hidden
                                            : start(in.c0, b) + first,
                          .c = results.cells.as<float>() + at,
                          .dc = carried + b * hidden + first,
                          .dgates = dgates.as<float>() + gates_at});
        }
        if (t < 0) return;
        for (Index q = 0; q < 4; ++q)
          keep(own, tiles, 4 * hidden, q * hidden + first, count,
               dgates.as<float>() + (4 * t + q) * hidden + first, 4 * s.steps * hidden);
      });
    });
  }
  if (dc0) std::copy(carried, carried + s.batch * hidden, dc0.as<float>());
  return true;
}

Bytes fast::lstm_forward_workspace(const Stream& stream, const TensorType& x, Index hidden) {
  return supported(stream, x.dtype) ? memory_for(stream, x.shape[0], hidden, false).bytes() : 0;
}

Bytes fast::lstm_dgates_workspace(const Stream& stream, const TensorType& x, Index hidden) {
  return supported(stream, x.dtype) ? memory_for(stream, x.shape[0], hidden, true).bytes() : 0;
}

}  // namespace framefold
