// Blocked products over the register tile (after Goto and van de Geijn 2008, except that A is read
// by broadcast and stays where it is):
//
//   for each chunk of B [chunk_k, chunk_n], packed into panels where several rows of tiles read it
//     on each thread's rectangle of C:
//       for depth_block of k, for block_panels of n (B's block in the second-level cache)
//         for a tile's rows of m (A's rows in the first-level cache), for panels of n: the tile
//
// A short, wide product with B stored transposed is computed as C^T = B^T A^T: B's rows are then
// read in place, and the small A is packed instead.
#include <algorithm>
#include <array>

#include "kernels/matmul.h"
#include "kernels/microkernel.h"
#include "kernels/simd.h"

namespace framefold {
namespace {

constexpr Index depth_block = 384;
constexpr Index block_floats = Index{1} << 17;  // 512 KiB of B
constexpr Index chunk_floats = Index{1} << 20;  // 4 MiB of packed B
constexpr double least_flops = 4e5;             // below that, a thread costs more than it brings

Index ceil_div(Index a, Index b) { return (a + b - 1) / b; }

struct Range {
  Index begin, end;
};

// Part `part` of `parts` of [0, count), in whole tiles.
Range share(Index count, Index tile, Index part, Index parts) {
  const Index tiles = ceil_div(count, tile);
  return {std::min(count, tiles * part / parts * tile),
          std::min(count, tiles * (part + 1) / parts * tile)};
}

// How one product of the batch is computed: a function of the shape and the threads alone.
struct Plan {
  bool by_item = false;                      // threads take whole products of the batch
  bool swapped = false;                      // as C^T
  bool packs = false;                        // B goes through panels
  bool copies = false;                       // A's rows go through a buffer
  Index grid_m = 1, grid_n = 1, grid_k = 1;  // threads over C and over K
  Index chunk_k = 0, chunk_n = 0;
  Index packed = 0, copied = 0,
        partial = 0;  // floats: B's panels, a thread's rows, sums of K's parts

  Index threads() const { return grid_m * grid_n * grid_k; }
  Index floats() const { return packed + threads() * copied + partial; }
};

// The split of `threads` over tiles whose largest part is smallest; k only where tiles run out.
void split(Plan& plan, Index threads, Index tiles_m, Index tiles_n, Index k, bool may_split_k) {
  double best = 0;
  for (Index gm = 1; gm <= threads; ++gm)
    for (Index gn = 1; gm * gn <= threads; ++gn) {
      const Index room =
          may_split_k ? std::min(threads / (gm * gn), ceil_div(k, 4 * depth_block)) : 1;
      const Index gk = tiles_m * tiles_n < 2 * threads ? std::max<Index>(1, room) : 1;
      const double part = static_cast<double>(ceil_div(tiles_m, gm) * ceil_div(tiles_n, gn)) /
                          static_cast<double>(gk);
      // Rows of tiles share B's packed panels, so among equals more parts of m.
      const double cost =
          part * (1 + 1e-3 * static_cast<double>(gn) + 1e-2 * static_cast<double>(gk));
      if (best > 0 && cost >= best) continue;
      best = cost;
      plan.grid_m = gm;
      plan.grid_n = gn;
      plan.grid_k = gk;
    }
}

Plan plan_for(const Stream& stream, const Product& p) {
  const MicroKernel& kernel = micro_kernel();
  Plan plan;
  const double flops =
      2.0 * static_cast<double>(p.m) * static_cast<double>(p.n) * static_cast<double>(p.k);
  const auto useful =
      static_cast<Index>(std::min(1.0 + flops * static_cast<double>(p.batch) / least_flops, 1e9));
  Index threads = std::min<Index>(stream.threads, useful);
  plan.by_item = threads > 1 && p.batch > 1 &&
                 (p.batch % threads == 0 || p.batch >= 4 * threads || flops < 2 * least_flops);
  if (plan.by_item) threads = 1;

  plan.swapped = p.transpose_b && p.m <= 2 * kernel.cols;
  const Index m = plan.swapped ? p.n : p.m;
  const Index n = plan.swapped ? p.m : p.n;
  const Index tiles_m = ceil_div(m, kernel.rows);
  const Index panels = panel_count(n);
  const bool b_by_rows = plan.swapped ? p.transpose_a : !p.transpose_b;
  plan.packs = !b_by_rows || (m > 4 * kernel.rows && n > 4 * kernel.cols);
  split(plan, threads, tiles_m, panels, p.k, !plan.packs && !plan.swapped);

  plan.chunk_n = n;
  plan.chunk_k = std::max<Index>(1, p.k);
  if (plan.packs && !plan.swapped) {
    plan.chunk_n = std::min(n, chunk_floats / depth_block / kernel.cols * kernel.cols);
    const Index fit = std::max(depth_block, chunk_floats / std::max<Index>(1, plan.chunk_n));
    plan.chunk_k = ceil_div(plan.chunk_k, ceil_div(plan.chunk_k, fit));
  }
  if (plan.packs) plan.packed = packed_size(plan.chunk_k, plan.chunk_n);
  const bool a_by_columns = !plan.swapped && p.transpose_a;
  const Index stride = a_by_columns ? p.m : p.k;
  plan.copies = !plan.swapped && panels / plan.grid_n >= 3 && stride % 512 == 0;
  if (plan.copies) plan.copied = kernel.rows * (depth_block + 16);
  if (plan.grid_k > 1) plan.partial = (plan.grid_k - 1) * p.m * p.n;
  return plan;
}

// One product of the batch, or its transpose: C [m, n] = A [m, k] B [k, n].
struct Operands {
  Index m, n, k;
  const float* a;
  Index a_row, a_col;
  const float* b;
  Index ldb;
  bool b_transposed;
  float* c;
  Index ldc;
  const float* bias;
  bool accumulate;
  Activation activation;
};

struct Scratch {
  float* packed;
  float* copied;
  float* partial;
};

using Rows = std::array<const float*, micro_rows_max>;

// Rows i ... of A from k on, as pointers; returns the step from one k to the next.
Index rows_of(const Operands& o, Index i, Index count, Index k, Rows& rows) {
  for (Index r = 0; r < count; ++r)
    rows[static_cast<std::size_t>(r)] = o.a + (i + r) * o.a_row + k * o.a_col;
  return o.a_col;
}

// The same through a buffer, where the stride would make the rows evict one another.
Index copy_rows(const Operands& o, Index i, Index count, Index k, Index depth, float* buffer,
                Rows& rows) {
  if (o.a_col == 1) {
    constexpr Index stride = depth_block + 16;
    for (Index r = 0; r < count; ++r) {
      const float* from = o.a + (i + r) * o.a_row + k;
      float* to = buffer + r * stride;
      std::copy(from, from + depth, to);
      rows[static_cast<std::size_t>(r)] = to;
    }
    return 1;
  }
  for (Index d = 0; d < depth; ++d) {
    const float* from = o.a + (k + d) * o.a_col + i;
    for (Index r = 0; r < count; ++r) buffer[d * count + r] = from[r];
  }
  for (Index r = 0; r < count; ++r) rows[static_cast<std::size_t>(r)] = buffer + r;
  return count;
}

// The rectangle rows x cols of C over k, with B in panels (packed, from k.begin on) or in place.
// C is added to where k.begin > 0; the activation follows once k.end is all of it.
void compute(const Operands& o, bool copies, const float* packed, Index first_col, Range rows,
             Range cols, Range k, bool accumulate, bool last, float* copied) {
  const MicroKernel& kernel = micro_kernel();
  const Index blocks = std::max<Index>(1, ceil_div(k.end - k.begin, depth_block));
  const Index step = std::max<Index>(1, ceil_div(k.end - k.begin, blocks));
  const Index wide = std::max<Index>(kernel.cols, block_floats / step / kernel.cols * kernel.cols);
  Rows a;
  for (Index block = 0; block < blocks; ++block) {
    const Index kb = std::min(k.end, k.begin + block * step);
    const Index depth = std::min(k.end, kb + step) - kb;
    const bool adds = accumulate || block > 0;
    const bool ends = last && block + 1 == blocks;
    for (Index n0 = cols.begin; n0 < cols.end; n0 += wide) {
      const Index n1 = std::min(cols.end, n0 + wide);
      for (Index i = rows.begin; i < rows.end; i += kernel.rows) {
        const Index count = std::min<Index>(kernel.rows, rows.end - i);
        const Index a_step =
            copies ? copy_rows(o, i, count, kb, depth, copied, a) : rows_of(o, i, count, kb, a);
        for (Index n = n0; n < n1; n += kernel.cols) {
          const Index width = std::min<Index>(kernel.cols, n1 - n);
          const float* b =
              packed ? packed + (n - first_col) * (k.end - k.begin) + (kb - k.begin) * kernel.cols
                     : o.b + kb * o.ldb + n;
          float* c = o.c + i * o.ldc + n;
          kernel.run(static_cast<int>(count), static_cast<int>(width),
                     {.a = a.data(),
                      .b = &b,
                      .depth = depth,
                      .a_step = a_step,
                      .b_step = packed ? kernel.cols : o.ldb,
                      .c = c,
                      .ldc = o.ldc,
                      .bias = o.bias && !adds ? o.bias + n : nullptr,
                      .accumulate = adds});
          if (ends && o.activation.kind != Activation::none)
            activate_tile(o.activation, c, o.ldc, count, width);
        }
      }
    }
  }
}

// Rows of a tile of C^T, B's packed panels being op(A)'s: each tile is finished in a buffer, then
// written across.
void compute_swapped(const Operands& o, const float* packed, Range rows) {
  const MicroKernel& kernel = micro_kernel();
  alignas(64) std::array<float, micro_rows_max * micro_cols_max> tile;
  Rows a;
  for (Index i = rows.begin; i < rows.end; i += kernel.rows) {
    const Index count = std::min<Index>(kernel.rows, rows.end - i);
    rows_of(o, i, count, 0, a);
    for (Index n = 0; n < o.n; n += kernel.cols) {
      const Index width = std::min<Index>(kernel.cols, o.n - n);
      const float* b = packed ? packed + n * o.k : o.b + n;
      kernel.run(static_cast<int>(count), static_cast<int>(width),
                 {.a = a.data(),
                  .b = &b,
                  .depth = o.k,
                  .a_step = o.a_col,
                  .b_step = packed ? kernel.cols : o.ldb,
                  .c = tile.data(),
                  .ldc = micro_cols_max});
      for (Index j = 0; j < width; ++j) {
        float* c = o.c + (n + j) * o.ldc + i;
        for (Index r = 0; r < count; ++r) {
          const float sum = tile[static_cast<std::size_t>(r * micro_cols_max + j)] +
                            (o.bias ? o.bias[i + r] : 0.0F);
          c[r] = o.accumulate ? c[r] + sum : sum;
        }
        activate_tile(o.activation, c, o.ldc, 1, count);
      }
    }
  }
}

// One product of the batch on plan.threads() threads.
void run_item(Stream stream, const Plan& plan, const Operands& o, const Scratch& scratch) {
  const MicroKernel& kernel = micro_kernel();
  const auto threads = plan.threads();
  stream.threads = static_cast<int>(threads);
  const auto pack = [&](Range k, Range n) {
    parallel_for(stream, panel_count(n.end - n.begin), 1, [&](Index first, Index last) {
      const float* b =
          o.b_transposed ? o.b + n.begin * o.ldb + k.begin : o.b + k.begin * o.ldb + n.begin;
      pack_panels(scratch.packed, b, o.ldb, o.b_transposed, k.end - k.begin, n.end - n.begin, first,
                  last);
    });
  };
  if (plan.swapped) {
    if (plan.packs) pack({0, o.k}, {0, o.n});
    parallel_for(stream, threads, 1, [&](Index first, Index last) {
      for (Index part = first; part < last; ++part)
        compute_swapped(o, plan.packs ? scratch.packed : nullptr,
                        share(o.m, kernel.rows, part, threads));
    });
    return;
  }

  const bool parts_of_k = plan.grid_k > 1;
  for (Index n0 = 0; n0 < o.n; n0 += plan.chunk_n)
    for (Index k0 = 0; k0 == 0 || k0 < o.k; k0 += plan.chunk_k) {
      const Range n{n0, std::min(o.n, n0 + plan.chunk_n)};
      const Range k{k0, std::min(o.k, k0 + plan.chunk_k)};
      if (plan.packs) pack(k, n);
      parallel_for(stream, threads, 1, [&](Index first, Index last) {
        for (Index part = first; part < last; ++part) {
          const Index part_k = part / (plan.grid_m * plan.grid_n);
          const Index part_m = part / plan.grid_n % plan.grid_m;
          const Range rows = share(o.m, kernel.rows, part_m, plan.grid_m);
          Range cols = share(n.end - n.begin, kernel.cols, part % plan.grid_n, plan.grid_n);
          cols = {n.begin + cols.begin, n.begin + cols.end};
          Operands own = o;
          Range depth = k;
          if (parts_of_k) depth = share(o.k, 1, part_k, plan.grid_k);
          if (part_k > 0) {
            own.c = scratch.partial + (part_k - 1) * o.m * o.n;
            own.ldc = o.n;
            own.bias = nullptr;
          }
          compute(own, plan.copies, plan.packs ? scratch.packed : nullptr, n.begin, rows, cols,
                  depth, part_k == 0 && (o.accumulate || k.begin > 0), k.end == o.k && !parts_of_k,
                  scratch.copied + part * plan.copied);
        }
      });
    }
  if (!parts_of_k) return;
  parallel_for(stream, o.m, 1 + 16384 / o.n, [&](Index first, Index last) {
    for (Index part = 0; part + 1 < plan.grid_k; ++part) {
      const float* from = scratch.partial + part * o.m * o.n;
      for (Index i = first; i < last; ++i)
        for (Index j = 0; j < o.n; ++j) o.c[i * o.ldc + j] += from[i * o.n + j];
    }
    activate_tile(o.activation, o.c + first * o.ldc, o.ldc, last - first, o.n);
  });
}

Operands operands_of(const Product& p, bool swapped, float* c, const float* a, const float* b,
                     const float* bias) {
  if (swapped)  // op(B)^T is stored by rows, as B is stored transposed
    return {p.n,
            p.m,
            p.k,
            b,
            p.k,
            1,
            a,
            p.transpose_a ? p.m : p.k,
            !p.transpose_a,
            c,
            p.n,
            bias,
            p.accumulate,
            p.activation};
  const Index row = p.transpose_a ? 1 : p.k;
  const Index col = p.transpose_a ? p.m : 1;
  return {p.m,           p.n, p.k, a,    row,          col,         b, p.transpose_b ? p.k : p.n,
          p.transpose_b, c,   p.n, bias, p.accumulate, p.activation};
}

void run(const Stream& stream, const Product& p, float* c, Workspace workspace, const float* a,
         const float* b, const float* bias) {
  const Plan plan = plan_for(stream, p);
  const Index parts = plan.by_item ? std::min<Index>(stream.threads, p.batch) : 1;
  float* memory = workspace.take<float>(parts * plan.floats());
  const auto items = [&](Range range, float* scratch) {
    const Scratch own{scratch, scratch + plan.packed,
                      scratch + plan.packed + plan.threads() * plan.copied};
    for (Index g = range.begin; g < range.end; ++g)
      run_item(stream, plan,
               operands_of(p, plan.swapped, c + g * p.m * p.n, a + g * p.m * p.k, b + g * p.k * p.n,
                           bias),
               own);
  };
  parallel_for(stream, parts, 1, [&](Index first, Index last) {
    for (Index part = first; part < last; ++part)
      items({p.batch * part / parts, p.batch * (part + 1) / parts}, memory + part * plan.floats());
  });
}

FRAMEFOLD_SIMD void widen(float* to, const bf16* from, Index count) {
  for (Index i = 0; i < count; ++i)
    to[i] = std::bit_cast<float>(static_cast<std::uint32_t>(from[i].bits) << 16);
}

const float* widened(const Stream& stream, Workspace& workspace, View x) {
  if (x.dtype == DType::f32 || !x) return static_cast<const float*>(x.data);
  float* copy = workspace.take<float>(x.size());
  parallel_for(stream, x.size(), 16384, [&](Index begin, Index end) {
    widen(copy + begin, x.as<bf16>() + begin, end - begin);
  });
  return copy;
}

}  // namespace

Bytes fast::product_workspace(const Stream& stream, const Product& p, DType c, DType a, DType b) {
  if (c == DType::f64) return 0;
  const Plan plan = plan_for(stream, p);
  const Index parts = plan.by_item ? std::min<Index>(stream.threads, p.batch) : 1;
  Bytes bytes = Workspace::padded(static_cast<Bytes>(parts * plan.floats()) * sizeof(float));
  const auto widened = [&](DType type, Index count) {
    if (type == DType::bf16) bytes += Workspace::padded(static_cast<Bytes>(count) * sizeof(float));
  };
  widened(a, p.batch * p.m * p.k);
  widened(b, p.batch * p.k * p.n);
  widened(c, p.batch * p.m * p.n);
  widened(c, p.n);  // the bias
  return bytes;
}

bool fast::product(const Stream& stream, const Product& p, Tensor c, Workspace workspace, View a,
                   View b, View bias) {
  if (!stream.wants(Path::native) || c.dtype == DType::f64) return false;
  if (c.size() == 0) return true;
  const float* wide_a = widened(stream, workspace, a);
  const float* wide_b = widened(stream, workspace, b);
  const float* wide_bias = widened(stream, workspace, bias);
  if (c.dtype == DType::f32) {
    run(stream, p, c.as<float>(), workspace, wide_a, wide_b, wide_bias);
    return true;
  }
  auto* wide_c = const_cast<float*>(p.accumulate ? widened(stream, workspace, c)
                                                 : workspace.take<float>(c.size()));
  run(stream, p, wide_c, workspace, wide_a, wide_b, wide_bias);
  parallel_for(stream, c.size(), 16384, [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) c.as<bf16>()[i] = bf16(wide_c[i]);
  });
  return true;
}

}  // namespace framefold
