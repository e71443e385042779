#include "tests/simt/probes.h"

#include "kernels/device/pack.cuh"
#include "kernels/device/ptx.cuh"
#include "kernels/device/reduce.cuh"

namespace framefold::gpu {
namespace {

using simt::Probe;
using simt::probe_threads;
using Four = Pack<float, 4>;

__device__ Index global_index() {
  return static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
}

__global__ void probe_sum(float* y, const float* x) {
  const float sum = sum_of_all<probe_threads>(x[global_index()]);
  y[global_index()] = sum;
}

__global__ void probe_reverse(float* y, const float* x) {
  auto* all = dynamic_shared<float>(probe_threads);
  all[threadIdx.x] = x[global_index()];
  __syncthreads();
  y[global_index()] = all[probe_threads - 1 - threadIdx.x];
}

__global__ void probe_warp(float* y, const float* x, bool synchronise) {
  FRAMEFOLD_SHARED(float, own, [probe_threads]);
  own[threadIdx.x] = x[global_index()];
  if (synchronise) __syncwarp();
  const float other = own[threadIdx.x ^ 1U];
  if (synchronise) __syncwarp();
  own[threadIdx.x ^ 2U] = other;
  y[global_index()] = other;
}

__global__ void probe_vote(float* y, const float* x) {
  const unsigned votes = __ballot_sync(all_lanes, x[global_index()] > 0);
  y[global_index()] = static_cast<float>(votes >> (threadIdx.x % warp_size) & 1U);
}

__global__ void probe_exchange(float* y, const float* x, bool first, bool second) {
  FRAMEFOLD_SHARED(float, own, [probe_threads]);
  own[threadIdx.x] = x[global_index()];
  if (first) __syncthreads();
  const float other = own[probe_threads - 1 - threadIdx.x];
  if (second) __syncthreads();
  own[threadIdx.x] = other;
  y[global_index()] = other;
}

__global__ void probe_blocks(float* y, bool read) {
  if (!read) y[threadIdx.x] = 1;
  if (read) y[global_index()] = 1;
  if (read && blockIdx.x == 1) y[global_index()] = y[threadIdx.x];
}

__global__ void probe_past(float* y, const float* x, Probe probe) {
  FRAMEFOLD_SHARED(float, few, [8]);
  const bool last = threadIdx.x == probe_threads - 1;
  if (threadIdx.x < 8 && probe != Probe::unwritten) few[threadIdx.x] = 1;
  __syncthreads();
  if (last && probe == Probe::past_shared) few[8 + threadIdx.x - 63] = 1;
  if (last && probe == Probe::past_dynamic) dynamic_shared<float>(8)[8] = 1;
  if (last && probe == Probe::past_buffer) y[2 * probe_threads] = 1;
  if (last && probe == Probe::before_buffer) y[0] = x[-1];
  if (last && probe == Probe::unwritten) y[0] = few[0];
  float four[4] = {};
  if (last && probe == Probe::misaligned) load(four, x + 1);
  if (last && probe == Probe::misaligned) y[0] = four[0];
}

__global__ void probe_divergent(float* y, Probe probe) {
  const bool half = threadIdx.x < probe_threads / 2;
  if (probe == Probe::half_a_barrier && half) __syncthreads();
  if (probe == Probe::two_barriers) {
    if (half)
      __syncthreads();
    else
      __syncthreads();
  }
  if (probe == Probe::left_early && threadIdx.x == 5) return;
  if (probe == Probe::left_early) __syncthreads();
  float value = 1;
  if (probe == Probe::missing_lane && threadIdx.x != 7)
    value = __shfl_xor_sync(all_lanes, value, 1);
  if (probe == Probe::partial_mask) value = __shfl_xor_sync(0xffffU, value, 1);
  y[global_index()] = value;
}

// y = x, by way of copies; what `second` brings is read and then covered by zeros.
__global__ void probe_copies(float* y, float* x, Probe probe) {
  FRAMEFOLD_SHARED(Four, first, [probe_threads / 4]);
  FRAMEFOLD_SHARED(float, second, [probe_threads]);
  const unsigned i = threadIdx.x;
  float* from = x + blockIdx.x * blockDim.x;
  copy_async<4>(&second[i], &from[(i + 1) % probe_threads], true);
  commit_copies();
  const bool misaligned = probe == Probe::copy_misaligned;
  if (i < probe_threads / 4)
    copy_async<16>(&first[i + (probe == Probe::copy_past_shared ? 1 : 0)],
                   from + 4 * i + (misaligned ? 1 : 0), true);
  if (probe != Probe::copy_not_committed) commit_copies();
  if (probe == Probe::copy_source_changes) from[(i + 1) % probe_threads] += 1;
  if (probe == Probe::copy_left_behind) return;
  if (probe == Probe::copy_awaited_too_early)
    wait_copies<1>();
  else if (probe != Probe::copy_not_awaited)
    wait_copies<0>();
  if (probe != Probe::copy_without_barrier) __syncthreads();
  const float sum = first[i / 4].at[i % 4] + 0 * second[probe_threads - 1 - i];
  if (probe != Probe::copy_over_readers) __syncthreads();
  copy_async<4>(&second[i], nullptr, false);
  commit_copies();
  wait_copies<0>();
  __syncthreads();
  y[global_index()] = sum + second[i];
}

// y = 2 x, by way of two bulk copies of the block's part into one place.
__global__ void probe_bulk(float* y, const float* x, Probe probe) {
  FRAMEFOLD_SHARED(Four, both, [probe_threads / 4]);
  FRAMEFOLD_SHARED(Mbarrier, full, [1]);
  const unsigned i = threadIdx.x;
  const bool first = i == 0;
  if (first) {
    init(full[0], 1);
    if (probe != Probe::bulk_unpublished) publish_mbarriers();
  }
  if (probe != Probe::bulk_no_barrier) __syncthreads();
  if (probe == Probe::bulk_no_barrier && i == 1) wait(full[0], 1);
  if (probe == Probe::mbarrier_overwritten && i == 1) full[0] = 0;
  if (probe == Probe::mbarrier_crowded && i == 1) arrive_and_expect(full[0], 16);
  if (probe == Probe::mbarrier_crowded) __syncthreads();
  unsigned bytes = probe_threads * sizeof(float);
  const float* from = x + blockIdx.x * blockDim.x;
  const auto bring = [&] {
    unsigned expected = bytes;
    if (probe == Probe::bulk_too_many_bytes) expected += 16;
    if (probe == Probe::bulk_too_few_bytes) expected -= 16;
    arrive_and_expect(full[0], expected);
    copy_bulk(&both[0], from + (probe == Probe::bulk_misaligned ? 1 : 0),
              bytes - (probe == Probe::bulk_wrong_size ? 4 : 0), full[0]);
  };
  if (first) bring();
  if (probe == Probe::bulk_left_behind) return;
  if (probe == Probe::bulk_wrong_parity) wait(full[0], 1);
  if (probe != Probe::bulk_not_awaited && probe != Probe::bulk_wrong_parity) wait(full[0], 0);
  float sum = both[i / 4].at[i % 4];
  if (probe == Probe::bulk_unfenced) both[i / 4].at[i % 4] = 0;
  if (probe != Probe::bulk_over_readers) __syncthreads();
  if (first) bring();
  wait(full[0], probe == Probe::bulk_other_parity ? 0 : 1);
  sum += both[i / 4].at[i % 4];
  y[global_index()] = sum;
}

}  // namespace
}  // namespace framefold::gpu

namespace simt {

void run_probe(Probe probe, float* y, float* x) {
  using namespace framefold;
  using namespace framefold::gpu;
  using gpu::launch;  // not the runtime's own
  const Stream stream;
  const unsigned threads = probe_threads;
  const Grid two_blocks{{2}, {threads}};
  const Grid one_block{{1}, {threads}};
  switch (probe) {
    case Probe::sum_of_block: return launch<&probe_sum>(stream, two_blocks, y, x);
    case Probe::reverse_dynamic:
      return launch<&probe_reverse>(stream, {{2}, {threads}, threads * sizeof(float)}, y, x);
    case Probe::exchange_in_warp: return launch<&probe_warp>(stream, two_blocks, y, x, true);
    case Probe::missing_syncwarp: return launch<&probe_warp>(stream, two_blocks, y, x, false);
    case Probe::vote: return launch<&probe_vote>(stream, two_blocks, y, x);
    case Probe::missing_barrier:
      return launch<&probe_exchange>(stream, two_blocks, y, x, false, true);
    case Probe::overwritten_too_early:
      return launch<&probe_exchange>(stream, two_blocks, y, x, true, false);
    case Probe::blocks_share_a_result: return launch<&probe_blocks>(stream, two_blocks, y, false);
    case Probe::block_reads_a_neighbour: return launch<&probe_blocks>(stream, two_blocks, y, true);
    case Probe::past_shared:
    case Probe::past_dynamic:
    case Probe::past_buffer:
    case Probe::before_buffer:
    case Probe::unwritten:
    case Probe::misaligned: return launch<&probe_past>(stream, {{1}, {threads}, 32}, y, x, probe);
    case Probe::half_a_barrier:
    case Probe::two_barriers:
    case Probe::left_early:
    case Probe::missing_lane:
    case Probe::partial_mask: return launch<&probe_divergent>(stream, one_block, y, probe);
    case Probe::copies:
    case Probe::copy_not_awaited:
    case Probe::copy_awaited_too_early:
    case Probe::copy_not_committed:
    case Probe::copy_without_barrier:
    case Probe::copy_over_readers:
    case Probe::copy_source_changes:
    case Probe::copy_misaligned:
    case Probe::copy_past_shared:
    case Probe::copy_left_behind: return launch<&probe_copies>(stream, two_blocks, y, x, probe);
    case Probe::bulk:
    case Probe::bulk_not_awaited:
    case Probe::bulk_wrong_parity:
    case Probe::bulk_other_parity:
    case Probe::bulk_too_many_bytes:
    case Probe::bulk_too_few_bytes:
    case Probe::bulk_wrong_size:
    case Probe::bulk_misaligned:
    case Probe::bulk_unpublished:
    case Probe::bulk_unfenced:
    case Probe::bulk_over_readers:
    case Probe::bulk_no_barrier:
    case Probe::bulk_left_behind:
    case Probe::mbarrier_overwritten:
    case Probe::mbarrier_crowded: return launch<&probe_bulk>(stream, two_blocks, y, x, probe);
    case Probe::no_blocks: return launch<&probe_vote>(stream, {{0}, {threads}}, y, x);
  }
}

}  // namespace simt
