// Products through shared memory: c(g, i, j) = sum over k of a(g, i, k) b(g, j, k), where a, b and
// c are functions of their indices, so that matrices and convolutions are one kernel. f32
// throughout. A block makes 64 x 64 results, a thread 4 x 4; the tiles of the next 16 k are on
// their way while those before are multiplied. Plain: for tensor cores see the vendor path.
//
// An operand names  static/bool k_fast   whether neighbours in k are neighbours in memory
//                   static bool copied   whether its elements are f32 in global memory, which go
//                                        straight to shared memory; others through registers
//                   row(g, i), step(k)   what is worth keeping of an index
//                   at(row, step)        the element's address, or null for a zero; only indices
//                                        in range are asked for
#pragma once

#include "kernels/device/pack.cuh"
#include "kernels/device/ptx.cuh"

namespace framefold::gpu {

struct ProductExtent {
  Index batch, m, n, k;
};

constexpr int tile_side = 64;
constexpr int tile_depth = 16;
constexpr int tile_threads = 256;
constexpr int tile_loads = tile_side * tile_depth / tile_threads;  // of a thread, of each operand

using TilePack = Pack<float, 4>;

using Tile = TilePack[tile_depth][tile_side / 4 + 1];
using TileBuffer = Tile[2];

// Brings one operand's tiles to shared memory.
template <class Operand>
class TileFetch {
 public:
  __device__ __forceinline__ TileFetch(const Operand& operand, Index g, Index first, Index count)
      : operand_(operand) {
#pragma unroll
    for (int load = 0; load < tile_loads; ++load) {
      inside_[load] = first + side(load) < count;
      if (inside_[load]) row_[load] = operand.row(g, first + side(load));
    }
  }

  // Sets the tile of the k from first_k on its way; whatever is outside is zeros.
  __device__ __forceinline__ void begin(Index first_k, Index end_k, Tile& tile) {
#pragma unroll
    for (int load = 0; load < tile_loads; ++load) {
      const Index k = first_k + depth(load);
      const auto* from =
          inside_[load] && k < end_k ? operand_.at(row_[load], operand_.step(k)) : nullptr;
      if constexpr (Operand::copied)
        copy_async<sizeof(float)>(&element(tile, load), from, from != nullptr);
      else
        value_[load] = from ? to_f32(*from) : 0.0F;
    }
  }

  // What is still in registers.
  __device__ __forceinline__ void put(Tile& tile) const {
    if constexpr (!Operand::copied) {
#pragma unroll
      for (int load = 0; load < tile_loads; ++load) element(tile, load) = value_[load];
    }
  }

 private:
  __device__ __forceinline__ float& element(Tile& tile, int load) const {
    return tile[depth(load)][side(load) / 4].at[side(load) % 4];
  }
  __device__ __forceinline__ int side(int load) const {
    const int thread = static_cast<int>(threadIdx.x);
    return operand_.k_fast ? thread / tile_depth + load * (tile_threads / tile_depth)
                           : thread % tile_side;
  }
  __device__ __forceinline__ int depth(int load) const {
    const int thread = static_cast<int>(threadIdx.x);
    return operand_.k_fast ? thread % tile_depth
                           : thread / tile_side + load * (tile_threads / tile_side);
  }

  const Operand& operand_;
  decltype(std::declval<const Operand&>().row(0, 0)) row_[tile_loads];
  bool inside_[tile_loads];
  float value_[tile_loads];
};

__device__ __forceinline__ int tile_row() {  // the first of this thread's 4
  return static_cast<int>(threadIdx.x) / (tile_side / 4) * 4;
}
__device__ __forceinline__ int tile_column() {
  return static_cast<int>(threadIdx.x) % (tile_side / 4) * 4;
}

// sum += this thread's results of the k from begin_k to end_k. A barrier has passed behind the last
// read of the buffers when it returns.
template <class A, class B>
__device__ __forceinline__ void add_products(TileFetch<A> from_a, TileFetch<B> from_b,
                                             Index begin_k, Index end_k, bool useful,
                                             TileBuffer& a_tile, TileBuffer& b_tile,
                                             float (&sum)[4][4]) {
  const int ti = tile_row() / 4;
  const int tj = tile_column() / 4;
  const auto begin = [&](Index k, int buffer) {
    from_a.begin(k, end_k, a_tile[buffer]);
    from_b.begin(k, end_k, b_tile[buffer]);
    commit_copies();
  };
  const auto finish = [&](int buffer) {
    from_a.put(a_tile[buffer]);
    from_b.put(b_tile[buffer]);
    wait_copies<0>();
  };
  begin(begin_k, 0);
  finish(0);
  __syncthreads();
  int current = 0;
  for (Index k = begin_k; k < end_k; k += tile_depth) {
    const bool more = k + tile_depth < end_k;
    if (more) begin(k + tile_depth, 1 - current);
#pragma unroll
    for (int d = 0; d < tile_depth && useful; ++d) {
      const TilePack pa = a_tile[current][d][ti];
      const TilePack pb = b_tile[current][d][tj];
#pragma unroll
      for (int i = 0; i < 4; ++i)
#pragma unroll
        for (int j = 0; j < 4; ++j) sum[i][j] += pa.at[i] * pb.at[j];
    }
    if (more) finish(1 - current);
    __syncthreads();
    current = 1 - current;
  }
}

// store(part, g, i, j, sum): the sum over the k of one part.
template <class A, class B, class Store>
__global__ void __launch_bounds__(tile_threads)
    multiply_tiles(A a, B b, Store store, ProductExtent extent, Index row_tiles,
                   Index first_column_tile) {
  FRAMEFOLD_SHARED(Tile, a_tile, [2]);
  FRAMEFOLD_SHARED(Tile, b_tile, [2]);
  const Index g = blockIdx.x / row_tiles;
  const Index first_i = blockIdx.x % row_tiles * tile_side;
  const Index first_j = (first_column_tile + blockIdx.y) * tile_side;
  const Index begin_k = extent.k * blockIdx.z / gridDim.z;
  const Index end_k = extent.k * (blockIdx.z + 1) / gridDim.z;
  const bool useful = first_i + tile_row() < extent.m && first_j + tile_column() < extent.n;
  float sum[4][4] = {};
  add_products(TileFetch<A>(a, g, first_i, extent.m), TileFetch<B>(b, g, first_j, extent.n),
               begin_k, end_k, useful, a_tile, b_tile, sum);

#pragma unroll
  for (int i = 0; i < 4; ++i)
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const Index row = first_i + tile_row() + i;
      const Index column = first_j + tile_column() + j;
      if (row < extent.m && column < extent.n) store(blockIdx.z, g, row, column, sum[i][j]);
    }
}

// Keeps the sums of every part.
struct StoreParts {
  float* sums;  // [parts, batch, m, n]
  ProductExtent extent;

  __device__ __forceinline__ void operator()(unsigned part, Index g, Index i, Index j,
                                             float sum) const {
    sums[((part * extent.batch + g) * extent.m + i) * extent.n + j] = sum;
  }
};

// Adds the parts in their order.
template <class Store>
__global__ void __launch_bounds__(tile_threads)
    join_parts(Store store, ProductExtent extent, int parts, const float* sums) {
  const Index size = extent.batch * extent.m * extent.n;
  const Index at = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (at >= size) return;
  float sum = 0;
  for (int part = 0; part < parts; ++part) sum += sums[part * size + at];
  store(0U, at / (extent.m * extent.n), at / extent.n % extent.m, at % extent.n, sum);
}

// How many blocks share the sums of a product with few results and many terms, as weight gradients
// are: the same for every device.
inline int product_parts(const ProductExtent& extent) {
  constexpr Index blocks_wanted = 256;
  constexpr Index shortest = 256;  // terms of a part
  const Index tiles =
      extent.batch * divide_up(extent.m, tile_side) * divide_up(extent.n, tile_side);
  const Index most = extent.k / shortest;
  const Index wanted = tiles == 0 ? 1 : blocks_wanted / tiles;
  return static_cast<int>(std::max<Index>(1, std::min(wanted, most)));
}

inline Bytes tiled_product_workspace(const ProductExtent& extent) {
  const int parts = product_parts(extent);
  if (parts == 1) return 0;
  return Workspace::padded(static_cast<Bytes>(parts * extent.batch * extent.m * extent.n) *
                           sizeof(float));
}

template <class A, class B, class Store>
void tiled_product(const Stream& stream, A a, B b, Store store, const ProductExtent& extent,
                   Workspace workspace) {
  const Index size = extent.batch * extent.m * extent.n;
  if (size == 0) return;
  const Index row_tiles = divide_up(extent.m, tile_side);
  const Index column_tiles = divide_up(extent.n, tile_side);
  const auto parts = static_cast<unsigned>(product_parts(extent));
  const auto multiply = [&]<class To>(const To& to) {
    constexpr Index most = 65535;  // blocks along y
    for (Index first = 0; first < column_tiles; first += most)
      launch<&multiply_tiles<A, B, To>>(
          stream,
          {{blocks_of(extent.batch * row_tiles),
            static_cast<unsigned>(std::min(most, column_tiles - first)), parts},
           {tile_threads}},
          a, b, to, extent, row_tiles, first);
  };
  if (parts == 1) return multiply(store);
  auto* sums = workspace.take<float>(static_cast<Index>(parts) * size);
  multiply(StoreParts{sums, extent});
  launch<&join_parts<Store>>(stream, {{blocks_of(divide_up(size, tile_threads))}, {tile_threads}},
                             store, extent, static_cast<int>(parts), sums);
}

}  // namespace framefold::gpu
