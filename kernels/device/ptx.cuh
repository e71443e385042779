// Every PTX instruction that kernels use, one function each; on the host the tests' runtime
// executes it in its place. Asynchronous copies come in two kinds:
//
//   cp.async        4, 8 or 16 bytes by each thread, for itself: copy_async(...), commit_copies(),
//                   later wait_copies<groups left>(), then a barrier before others read.
//   cp.async.bulk   any multiple of 16 bytes by one thread; arrives at an mbarrier, which counts
//                   threads and bytes. A phase ends when all have arrived; whoever waits for its
//                   parity (0 for the first) sees what was written before. sm_90.
//
// Rules of both, which the tests' runtime checks: docs/cuda.md.
#pragma once

#include "kernels/device/gpu.cuh"

namespace framefold::gpu {

#ifdef __CUDACC__
__device__ __forceinline__ unsigned shared_address(const void* p) {
  return static_cast<unsigned>(__cvta_generic_to_shared(p));
}
#endif

// Begins to copy from global to shared memory, both aligned to `bytes`; where nothing is there,
// zeros, and `from` may be anything.
template <int bytes>
__device__ __forceinline__ void copy_async(void* to, const void* from, bool there) {
  static_assert(bytes == 4 || bytes == 8 || bytes == 16);
#ifdef __CUDACC__
  if constexpr (bytes == 16)  // past the first cache
    asm volatile("cp.async.cg.shared.global [%0], [%1], %2, %3;" ::"r"(shared_address(to)),
                 "l"(from), "n"(bytes), "r"(there ? bytes : 0)
                 : "memory");
  else
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(shared_address(to)),
                 "l"(from), "n"(bytes), "r"(there ? bytes : 0)
                 : "memory");
#else
  ::simt::copy_async(to, from, bytes, there ? bytes : 0);
#endif
}

// What this thread has begun since the last time becomes a group.
__device__ __forceinline__ void commit_copies() {
#ifdef __CUDACC__
  asm volatile("cp.async.commit_group;" ::: "memory");
#else
  ::simt::commit_copies();
#endif
}

// Waits until at most `left` of this thread's groups, the youngest, are on their way.
template <int left>
__device__ __forceinline__ void wait_copies() {
#ifdef __CUDACC__
  asm volatile("cp.async.wait_group %0;" ::"n"(left) : "memory");
#else
  ::simt::wait_copies(left);
#endif
}

#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 900

// In shared memory. One thread makes it; then publish_mbarriers() and __syncthreads.
using Mbarrier = std::uint64_t;

__device__ __forceinline__ void init(Mbarrier& barrier, unsigned arrivals) {
#ifdef __CUDACC__
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(&barrier)),
               "r"(arrivals)
               : "memory");
#else
  ::simt::mbarrier_init(&barrier, arrivals);
#endif
}

// Bulk copies see the mbarriers that this thread has made.
__device__ __forceinline__ void publish_mbarriers() {
#ifdef __CUDACC__
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
#else
  ::simt::mbarrier_init_fence();
#endif
}

// Bulk copies that follow see, and overwrite, what this thread has written or seen written.
__device__ __forceinline__ void fence_proxy_async() {
#ifdef __CUDACC__
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
#else
  ::simt::proxy_fence();
#endif
}

__device__ __forceinline__ void arrive(Mbarrier& barrier) {
#ifdef __CUDACC__
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(&barrier))
               : "memory");
#else
  ::simt::mbarrier_arrive(&barrier, 0);
#endif
}

// Arrives; the phase waits for so many bytes of copies as well.
__device__ __forceinline__ void arrive_and_expect(Mbarrier& barrier, unsigned bytes) {
#ifdef __CUDACC__
  asm volatile(
      "mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(&barrier)),
      "r"(bytes)
      : "memory");
#else
  ::simt::mbarrier_arrive(&barrier, bytes);
#endif
}

// Waits for the end of the phase of this parity; where that one is over already, not at all.
__device__ __forceinline__ void wait(Mbarrier& barrier, unsigned parity) {
#ifdef __CUDACC__
  unsigned over = 0;
  while (over == 0)
    asm volatile(
        "{\n"
        ".reg .pred p;\n"
        "mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\n"
        "selp.u32 %0, 1, 0, p;\n"
        "}"
        : "=r"(over)
        : "r"(shared_address(&barrier)), "r"(parity)
        : "memory");
#else
  ::simt::mbarrier_wait(&barrier, parity);
#endif
}

// Begins to copy from global to shared memory, addresses and bytes multiples of 16; the bytes
// arrive at the barrier.
__device__ __forceinline__ void copy_bulk(void* to, const void* from, unsigned bytes,
                                          Mbarrier& barrier) {
#ifdef __CUDACC__
  asm volatile(
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::
          "r"(shared_address(to)),
      "l"(from), "r"(bytes), "r"(shared_address(&barrier))
      : "memory");
#else
  ::simt::copy_bulk(to, from, bytes, &barrier);
#endif
}

#endif

}  // namespace framefold::gpu
