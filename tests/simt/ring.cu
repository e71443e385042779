#include "tests/simt/ring.h"

#include "kernels/device/pack.cuh"
#include "kernels/device/ptx.cuh"

namespace framefold::gpu {
namespace {

using Four = Pack<float, 4>;

constexpr int ring_columns = 128;  // of a block, a thread each; one more warp brings the rows

__global__ void __launch_bounds__(ring_columns + warp_size)
    probe_ring(float* y, const float* x, Index rows, Index columns) {
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 900
  constexpr int ring_stages = 3;
  constexpr int ring_rows = 2;  // of a stage, a copy each
  FRAMEFOLD_SHARED(Four, stages, [ring_stages][ring_rows][ring_columns / 4]);
  FRAMEFOLD_SHARED(Mbarrier, full, [ring_stages]);
  FRAMEFOLD_SHARED(Mbarrier, empty, [ring_stages]);
  if (threadIdx.x == 0) {
    for (int s = 0; s < ring_stages; ++s) {
      init(full[s], 1);
      init(empty[s], ring_columns);
    }
    publish_mbarriers();
  }
  __syncthreads();
  const Index first = static_cast<Index>(blockIdx.x) * ring_columns;
  const Index left = columns - first;
  const auto bytes =
      static_cast<unsigned>(sizeof(float) * (left < ring_columns ? left : ring_columns));
  const Index steps = divide_up(rows, ring_rows);
  const auto rows_of = [=](Index step) {
    const Index there = rows - step * ring_rows;
    return static_cast<unsigned>(there < ring_rows ? there : ring_rows);
  };
  if (threadIdx.x == ring_columns) {
    for (Index step = 0; step < steps; ++step) {
      const auto s = static_cast<int>(step % ring_stages);
      const auto round = static_cast<unsigned>(step / ring_stages);
      if (round > 0) wait(empty[s], (round - 1) % 2);
      arrive_and_expect(full[s], rows_of(step) * bytes);
      for (unsigned r = 0; r < rows_of(step); ++r)
        copy_bulk(&stages[s][r], x + (step * ring_rows + r) * columns + first, bytes, full[s]);
    }
  }
  if (threadIdx.x < ring_columns) {
    const int column = static_cast<int>(threadIdx.x);
    float sum = 0;
    for (Index step = 0; step < steps; ++step) {
      const auto s = static_cast<int>(step % ring_stages);
      wait(full[s], static_cast<unsigned>(step / ring_stages) % 2);
      for (unsigned r = 0; r < rows_of(step) && column < left; ++r)
        sum += stages[s][r][column / 4].at[column % 4];
      arrive(empty[s]);
    }
    if (column < left) y[first + column] = sum;
  }
#endif
}

void ring_sums(const Stream& stream, float* y, const float* x, Index rows, Index columns) {
  launch<&probe_ring>(stream,
                      {{blocks_of(divide_up(columns, ring_columns))}, {ring_columns + warp_size}},
                      y, x, rows, columns);
}

const OnDevice<&simt::ring_sums> path(ring_sums);

}  // namespace
}  // namespace framefold::gpu
