// Which threads of a block say yes, in their order.
#pragma once

#include "kernels/device/gpu.cuh"

namespace framefold::gpu {

constexpr int voters = 256;  // threads of a block that votes

struct Votes {
  unsigned of_warps[voters / warp_size];  // a bit for each lane

  // Of the threads before this one, and of all.
  __device__ __forceinline__ int before() const {
    const unsigned warp = threadIdx.x / warp_size;
    int count = __popc(of_warps[warp] & ((1U << threadIdx.x % warp_size) - 1));
    for (unsigned w = 0; w < warp; ++w) count += __popc(of_warps[w]);
    return count;
  }
  __device__ __forceinline__ int all() const {
    int count = 0;
    for (const unsigned votes : of_warps) count += __popc(votes);
    return count;
  }

  // Calls body(thread) for those that said yes.
  template <class Body>
  __device__ __forceinline__ void for_each(Body&& body) const {
    for (int w = 0; w < voters / warp_size; ++w)
      for (unsigned left = of_warps[w]; left != 0; left &= left - 1)
        body(w * warp_size + __ffs(left) - 1);
  }
};

// Every thread of the block votes and may then read, until the next vote.
__device__ __forceinline__ void vote(Votes& votes, bool yes) {
  const unsigned of_warp = __ballot_sync(all_lanes, yes);
  __syncthreads();  // the last votes may still be read
  if (threadIdx.x % warp_size == 0) votes.of_warps[threadIdx.x / warp_size] = of_warp;
  __syncthreads();
}

}  // namespace framefold::gpu
