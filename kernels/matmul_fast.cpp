// Blocked products over the register tile (after Goto and van de Geijn 2008, except that A is read
// by broadcast and mostly stays where it is). Each thread has a rectangle of C:
//
//   for block_n columns, for block_k of k: B's block, packed, fits the second-level cache
//     for a tile's rows of A, which fit the first-level cache
//       for a tile's columns: the tile
//
// A short product with a large B stored transposed is computed as C^T = B^T A^T: B's rows are then
// read in place, and the small A is packed instead.
#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "kernels/matmul.h"
#include "kernels/microkernel.h"
#include "kernels/simd.h"

namespace framefold {
namespace {

constexpr double least_flops = 4e5;  // below that, a thread costs more than it brings
constexpr Index copied_tiles = 8;    // of A at once
constexpr Index copy_pad = 16;       // floats between copied rows, against a stride of whole pages
constexpr Index most_columns = 512;  // of a block of B
constexpr Index low_panels = 32768;  // floats of a block of B under low tiles
constexpr Index short_k = 64;        // whose tiles end sooner than memory answers
constexpr Index line = 16;           // floats of a cache line
constexpr Index page = 1024;         // floats: lines that far apart evict one another

Index ceil_div(Index a, Index b) { return (a + b - 1) / b; }

// Steps of at most `most`, all of nearly the same length.
Index even_step(Index count, Index most) {
  return std::max<Index>(1, ceil_div(count, std::max<Index>(1, ceil_div(count, most))));
}

struct Range {
  Index begin, end;
  Index size() const { return end - begin; }
};

// Part `part` of `parts` of [0, count), in whole tiles.
Range share(Index count, Index tile, Index part, Index parts) {
  const Index tiles = ceil_div(count, tile);
  return {std::min(count, tiles * part / parts * tile),
          std::min(count, tiles * (part + 1) / parts * tile)};
}

// How one product of the batch is computed: a function of the shape and the threads alone.
struct Plan {
  bool by_item = false;  // threads take whole products of the batch
  bool swapped = false;  // as C^T, which is transposed in the end
  bool packs = false;    // B goes through panels
  bool copies = false;   // A's rows go through a buffer
  bool low = false;      // in low tiles over panels: C's rows would evict one another
  bool short_m = false;  // B is read once, in place: its columns in the outer loop
  Index grid_m = 1, grid_n = 1, grid_k = 1;  // threads over C and over K
  Index block_k = 1, block_n = 1;
  Index packed = 0, copied = 0;       // floats of a thread's panels and rows
  Index partial = 0, transposed = 0;  // floats of the sums of K's later parts, and of C^T

  Index threads() const { return grid_m * grid_n * grid_k; }
  Index floats() const { return threads() * (packed + copied) + partial + transposed; }
};

struct Tile {
  Index rows, cols;
};

Tile tile_of(const Plan& plan) {
  const MicroKernel& kernel = micro_kernel();
  if (plan.low) return {kernel.low_rows, kernel.wide_cols};
  return {kernel.rows, kernel.cols};
}

double real(Index value) { return static_cast<double>(value); }

// The grid whose largest part is done first: in tiles' times for each k, its tiles, the lines of A
// that it fetches once a block of columns and those of B. K is cut only where tiles run out.
void split(Plan& plan, Index threads, Index tiles_m, Index tiles_n, Index k) {
  double best = 0;
  for (Index gm = 1; gm <= threads; ++gm)
    for (Index gn = 1; gm * gn <= threads; ++gn) {
      const bool scarce = tiles_m * tiles_n < 16 * threads;
      const Index gk = scarce ? std::clamp<Index>(k / 2048, 1, threads / (gm * gn)) : 1;
      const Index rows = ceil_div(tiles_m, gm);
      const Index cols = ceil_div(tiles_n, gn);
      const Index passes = ceil_div(cols * micro_kernel().cols, most_columns);  // over A
      const double cost = (real(rows * cols) + 0.15 * real(rows * passes) + 0.2 * real(cols)) *
                          (0.99 + 0.01 * real(gk)) / real(gk);
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
  const double flops = 2 * real(p.m) * real(p.n) * real(p.k);
  const double useful = std::min(1 + flops * real(p.batch) / least_flops, real(stream.threads));
  auto threads = static_cast<Index>(useful);
  plan.by_item = threads > 1 && p.batch > 1 &&
                 (p.batch % threads == 0 || p.batch >= 4 * threads || flops < 2 * least_flops);
  if (plan.by_item) threads = 1;

  // What is written across or packed, against packing all of B.
  plan.swapped =
      p.transpose_b && real(p.m) * (real(p.n) + real(threads * p.k)) < 0.5 * real(p.n) * real(p.k);
  const Index m = plan.swapped ? p.n : p.m;
  const Index n = plan.swapped ? p.m : p.n;
  const bool a_by_rows = plan.swapped || !p.transpose_a;
  const bool b_by_rows = plan.swapped ? p.transpose_a : !p.transpose_b;
  plan.low =
      kernel.low_rows > 0 && n % page == 0 && p.k <= short_k && m > 4 * kernel.rows * threads;
  if (plan.low)
    plan.grid_m = threads;  // half of each row apiece would use half of the cache's sets
  else
    split(plan, threads, ceil_div(m, kernel.rows), panel_count(n), p.k);

  const Index rows = ceil_div(m, plan.grid_m);
  const Index cols = ceil_div(n, plan.grid_n);
  plan.packs = !b_by_rows || (n % (a_by_rows ? page / 2 : page) == 0 && rows > 4 * kernel.rows);
  plan.short_m = !plan.packs && rows <= 4 * kernel.rows;
  plan.block_k = even_step(ceil_div(p.k, plan.grid_k), plan.short_m ? 256 : 800);
  plan.block_n = plan.low       ? low_panels / plan.block_k / kernel.wide_cols * kernel.wide_cols
                 : plan.short_m ? 1024
                                : most_columns;
  if (plan.packs)
    plan.packed = packed_size(plan.block_k, std::min(cols, plan.block_n), tile_of(plan).cols);
  const Index stride = a_by_rows ? p.k : p.m;
  const bool reused = std::min(cols, plan.block_n) >= 3 * kernel.cols;
  plan.copies = !plan.short_m && reused && (a_by_rows ? stride % page == 0 : stride > 64);
  if (plan.copies) plan.copied = copied_tiles * kernel.rows * (plan.block_k + copy_pad);
  if (plan.grid_k > 1) plan.partial = (plan.grid_k - 1) * m * n;
  if (plan.swapped) plan.transposed = m * n;
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

using Rows = std::array<const float*, micro_rows_max>;

// A thread's rows of C in tiles of nearly the same height.
struct Tiles {
  Range rows;
  Index count;

  Tiles(Range given, Index most) : rows(given), count(ceil_div(given.size(), most)) {}
  Index begin(Index tile) const { return rows.begin + rows.size() * tile / count; }
  Index height(Index tile) const { return begin(tile + 1) - begin(tile); }
};

// Copies the rows of some tiles, `most` rows of depth + copy_pad floats apiece, so that they
// neither evict one another (rows a multiple of a page apart) nor are gathered again for every
// panel.
void copy_tiles(const Operands& o, const Tiles& tiles, Range some, Index k, Index depth,
                float* buffer) {
  const Index tile_floats = micro_kernel().rows * (depth + copy_pad);
  if (o.a_col == 1) {
    for (Index tile = some.begin; tile < some.end; ++tile)
      for (Index r = 0; r < tiles.height(tile); ++r) {
        const float* from = o.a + (tiles.begin(tile) + r) * o.a_row + k;
        std::copy(from, from + depth,
                  buffer + (tile - some.begin) * tile_floats + r * (depth + copy_pad));
      }
    return;
  }
  for (Index d = 0; d < depth; ++d) {
    const float* from = o.a + (k + d) * o.a_col + tiles.begin(some.begin);
    for (Index tile = some.begin; tile < some.end; ++tile) {
      const Index height = tiles.height(tile);
      float* to = buffer + (tile - some.begin) * tile_floats + d * height;
      __builtin_prefetch(from + 16 * o.a_col);
      Index r = 0;
      for (; r + 4 <= height; r += 4) std::memcpy(to + r, from + r, 4 * sizeof(float));
      for (; r < height; ++r) to[r] = from[r];
      from += height;
    }
  }
}

// One thread's rectangle of C over k. `adds`: to what stands in C; `ends`: the activation follows.
void compute(const Plan& plan, const Operands& o, Range rows, Range cols, Range depths, bool adds,
             bool ends, float* packed, float* copied) {
  const MicroKernel& kernel = micro_kernel();
  const Tile most = tile_of(plan);
  // Rows of C or A that evict one another before a tile has done with them: fewer of them.
  const bool crowded = (o.ldc % page == 0 && o.k <= short_k && !plan.low) ||
                       (o.a_col == 1 && o.a_row % page == 0 && !plan.copies && !plan.short_m);
  const Tiles tiles(rows, crowded ? ceil_div(most.rows, 2) : most.rows);
  for (Index n0 = cols.begin; n0 < cols.end; n0 += plan.block_n) {
    const Index n1 = std::min(cols.end, n0 + plan.block_n);
    Index k = depths.begin;
    do {
      const Index depth = std::min(depths.end - k, plan.block_k);
      const bool first = k == depths.begin;
      const bool last = k + depth == depths.end;
      const float* b = o.b_transposed ? o.b + n0 * o.ldb + k : o.b + k * o.ldb + n0;
      if (plan.packs)
        pack_panels(packed, b, o.ldb, o.b_transposed, depth, n1 - n0, 0,
                    panel_count(n1 - n0, most.cols), most.cols);

      Rows a;
      Index a_step = o.a_col;
      const auto aim = [&](Index tile) {
        for (Index r = 0; r < tiles.height(tile); ++r)
          a[static_cast<std::size_t>(r)] = o.a + (tiles.begin(tile) + r) * o.a_row + k * o.a_col;
      };
      const auto aim_at_copy = [&](Index tile) {
        const float* from = copied + tile % copied_tiles * kernel.rows * (depth + copy_pad);
        a_step = o.a_col == 1 ? 1 : tiles.height(tile);
        for (Index r = 0; r < tiles.height(tile); ++r)
          a[static_cast<std::size_t>(r)] = from + r * (o.a_col == 1 ? depth + copy_pad : 1);
      };
      const Index panels = ceil_div(n1 - n0, most.cols);
      const auto run = [&](Index tile, Index n) {
        // C two panels further on comes meanwhile.
        const Index ahead = o.k <= short_k ? 2 * most.cols : 0;
        const Index wrapped = tiles.height(tile) * o.ldc - panels * most.cols;
        const float* panel = plan.packs ? packed + (n - n0) * depth : b + (n - n0);
        kernel.run(static_cast<int>(tiles.height(tile)),
                   static_cast<int>(std::min<Index>(most.cols, n1 - n)),
                   {.a = a.data(),
                    .b = &panel,
                    .depth = depth,
                    .a_step = a_step,
                    .b_step = plan.packs ? most.cols : o.ldb,
                    .c = o.c + tiles.begin(tile) * o.ldc + n,
                    .ldc = o.ldc,
                    .bias = o.bias && first ? o.bias + n : nullptr,
                    .accumulate = adds || !first,
                    .fetched = n + ahead < n1 ? ahead : ahead + wrapped});
      };
      // While a tile's panels run, the next one's rows of A come: share `panel` of them.
      const auto fetch = [&](Index tile, Index panel) {
        const Index lines = tiles.height(tile) * ceil_div(depth, line);
        const Index height = tiles.height(tile);
        for (Index i = lines * panel / panels; i < lines * (panel + 1) / panels; ++i)
          __builtin_prefetch(o.a + (tiles.begin(tile) + i % height) * o.a_row + k +
                             i / height * line);
      };
      const bool fetches =
          !plan.copies && o.a_col == 1 && kernel.rows * ceil_div(depth, line) <= 32 * panels;
      const auto finish = [&](Range done) {
        if (last && ends)
          activate_tile(o.activation, o.c + done.begin * o.ldc + n0, o.ldc, done.size(), n1 - n0);
      };

      if (plan.short_m) {
        for (Index n = n0; n < n1; n += most.cols)
          for (Index tile = 0; tile < tiles.count; ++tile) {
            aim(tile);
            run(tile, n);
          }
        finish(rows);
      } else {
        for (Index tile = 0; tile < tiles.count; ++tile) {
          if (plan.copies && tile % copied_tiles == 0)
            copy_tiles(o, tiles, {tile, std::min(tiles.count, tile + copied_tiles)}, k, depth,
                       copied);
          if (plan.copies)
            aim_at_copy(tile);
          else
            aim(tile);
          for (Index panel = 0; panel < panels; ++panel) {
            if (fetches && tile + 1 < tiles.count) fetch(tile + 1, panel);
            run(tile, n0 + panel * most.cols);
          }
          finish({tiles.begin(tile), tiles.begin(tile + 1)});
        }
      }
      k += depth;
    } while (k < depths.end);
  }
}

// C = activation(T^T + bias) or, adding, C + that.
void write_across(Stream stream, const Operands& o, const float* t) {
  parallel_for(stream, o.n, 1 + 16384 / o.m, [&](Index begin, Index end) {
    for (Index j = begin; j < end; ++j) {
      float* c = o.c + j * o.m;
      for (Index i = 0; i < o.m; ++i) {
        const float sum = t[i * o.n + j] + (o.bias ? o.bias[i] : 0.0F);
        c[i] = o.accumulate ? c[i] + sum : sum;
      }
    }
    activate_tile(o.activation, o.c + begin * o.m, o.m, end - begin, o.m);
  });
}

// One product of the batch on plan.threads() threads.
void run_item(Stream stream, const Plan& plan, const Operands& given, float* memory) {
  const Tile tile = tile_of(plan);
  const Index threads = plan.threads();
  stream.threads = static_cast<int>(threads);
  float* partial = memory + threads * (plan.packed + plan.copied);
  Operands o = given;
  if (plan.swapped) {
    o.c = partial + plan.partial;
    o.ldc = o.n;
    o.bias = nullptr;
    o.accumulate = false;
    o.activation = Activation::none;
  }
  parallel_for(stream, threads, 1, [&](Index first, Index last) {
    for (Index part = first; part < last; ++part) {
      const Index part_k = part / (plan.grid_m * plan.grid_n);
      Operands own = o;
      if (part_k > 0) {
        own.c = partial + (part_k - 1) * o.m * o.n;
        own.ldc = o.n;
        own.bias = nullptr;
      }
      float* packed = memory + part * (plan.packed + plan.copied);
      compute(plan, own, share(o.m, tile.rows, part / plan.grid_n % plan.grid_m, plan.grid_m),
              share(o.n, tile.cols, part % plan.grid_n, plan.grid_n),
              share(o.k, 1, part_k, plan.grid_k), o.accumulate && part_k == 0, plan.grid_k == 1,
              packed, packed + plan.packed);
    }
  });
  if (plan.grid_k > 1)
    parallel_for(stream, o.m, 1 + 16384 / o.n, [&](Index first, Index last) {
      for (Index part = 0; part + 1 < plan.grid_k; ++part) {
        const float* from = partial + part * o.m * o.n;
        for (Index i = first; i < last; ++i)
          for (Index j = 0; j < o.n; ++j) o.c[i * o.ldc + j] += from[i * o.n + j];
      }
      activate_tile(o.activation, o.c + first * o.ldc, o.ldc, last - first, o.n);
    });
  if (plan.swapped) write_across(stream, given, o.c);
}

// The product's operands or, swapped, those of C^T = op(B)^T op(A)^T.
Operands operands_of(const Product& p, bool swapped, float* c, const float* a, const float* b,
                     const float* bias) {
  Operands o{.m = p.m,
             .n = p.n,
             .k = p.k,
             .a = a,
             .a_row = p.transpose_a ? 1 : p.k,
             .a_col = p.transpose_a ? p.m : 1,
             .b = b,
             .ldb = p.transpose_b ? p.k : p.n,
             .b_transposed = p.transpose_b,
             .c = c,
             .ldc = p.n,
             .bias = bias,
             .accumulate = p.accumulate,
             .activation = p.activation};
  if (!swapped) return o;
  std::swap(o.m, o.n);
  o.a = b;
  o.a_row = p.transpose_b ? p.k : 1;
  o.a_col = p.transpose_b ? 1 : p.n;
  o.b = a;
  o.ldb = p.transpose_a ? p.m : p.k;
  o.b_transposed = !p.transpose_a;
  return o;
}

void run(const Stream& stream, const Product& p, float* c, Workspace workspace, const float* a,
         const float* b, const float* bias) {
  const Plan plan = plan_for(stream, p);
  const Index parts = plan.by_item ? std::min<Index>(stream.threads, p.batch) : 1;
  float* memory = workspace.take<float>(parts * plan.floats());
  parallel_for(stream, parts, 1, [&](Index first, Index last) {
    for (Index part = first; part < last; ++part)
      for (Index g = p.batch * part / parts; g < p.batch * (part + 1) / parts; ++g)
        run_item(stream, plan,
                 operands_of(p, plan.swapped, c + g * p.m * p.n, a + g * p.m * p.k,
                             b + g * p.k * p.n, bias),
                 memory + part * plan.floats());
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
  if (!stream.wants(Path::native) || c == DType::f64) return 0;
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
