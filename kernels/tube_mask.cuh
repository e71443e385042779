// Device code of masks: a block for each sample. Integers alone: the CPU's bits.
#pragma once

#include "kernels/device/reduce.cuh"
#include "kernels/device/votes.cuh"
#include "kernels/tube_mask.h"

namespace framefold::gpu {

struct MaskExtent {
  TubeMask::Kind kind;
  Index places, tokens, cells, masked_cells, masked;

  __device__ __forceinline__ Index cell_of(Index token) const {
    if (kind == TubeMask::tube) return token % places;
    return kind == TubeMask::random ? token : token / places;
  }
};

// keys [B, cells]: word and number of each cell.
__global__ void __launch_bounds__(voters)
    draw_masks(MaskExtent extent, Random random, std::int32_t* visible, std::int32_t* masked,
               std::uint64_t* keys, const std::int32_t* samples) {
  FRAMEFOLD_SHARED(Votes, votes);
  const Index b = blockIdx.x;
  const auto sample = static_cast<std::uint64_t>(samples ? Index{samples[b]} : b);
  const Random run = random.here();
  const Random own{run.seed, stream_of(run.stream, sample)};
  std::uint64_t* drawn = keys + b * extent.cells;
  for (Index c = threadIdx.x; c < extent.cells; c += voters) {
    const auto cell = static_cast<std::uint64_t>(c);
    drawn[c] = std::uint64_t{own.word(cell)} << 32 | cell;
  }
  __syncthreads();

  // The largest number that at most masked_cells keys are below: the first key that stays.
  std::uint64_t first_kept = 0;
  for (int bit = 63; bit >= 0; --bit) {
    if (bit < 32 && extent.cells >> bit == 0) continue;  // no cell has it
    const std::uint64_t candidate = first_kept | std::uint64_t{1} << bit;
    unsigned below = 0;
    for (Index c = threadIdx.x; c < extent.cells; c += voters) below += drawn[c] < candidate;
    if (sum_of_all<voters>(below) <= extent.masked_cells) first_kept = candidate;
  }

  Index before = 0;  // masked tokens
  for (Index first = 0; first < extent.tokens; first += voters) {
    const Index token = first + threadIdx.x;
    const bool there = token < extent.tokens;
    const bool hidden = there && drawn[extent.cell_of(token)] < first_kept;
    vote(votes, hidden);
    const Index rank = before + votes.before();
    if (hidden)
      masked[b * extent.masked + rank] = static_cast<std::int32_t>(token);
    else if (there)
      visible[b * (extent.tokens - extent.masked) + token - rank] =
          static_cast<std::int32_t>(token);
    before += votes.all();
  }
}

}  // namespace framefold::gpu
