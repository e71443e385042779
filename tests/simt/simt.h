// CUDA's names for a compiler that is not nvcc: what a kernel source may use, executed on the host
// thread by thread by the runtime below. Masks are full warps; memory exchanged inside a warp needs
// __syncwarp.
#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)

struct uint3 {
  unsigned x = 0, y = 0, z = 0;
};
struct dim3 {
  unsigned x = 1, y = 1, z = 1;
};

extern uint3 threadIdx;
extern uint3 blockIdx;
extern dim3 blockDim;
extern dim3 gridDim;

namespace simt {

// Runs body once for every thread of the grid. Throws Error where the kernel breaks a rule.
void run_grid(std::string_view kernel, dim3 grid, dim3 block, std::size_t dynamic_bytes,
              const std::function<void()>& body);

// The same as a queue's work, when its turn comes; without a queue at once.
void launch(void* queue, std::string_view kernel, dim3 grid, dim3 block, std::size_t dynamic_bytes,
            std::function<void()> body);

// The kernels that launches name in the source, whether or not any has run.
struct Known {
  explicit Known(std::string_view kernel);
};
template <auto kernel, std::string_view (*name)()>
inline const Known known{name()};

// Shared memory of the running block. A piece is found again by its key.
void* static_shared(const void* key, std::string_view name, std::size_t bytes, std::size_t align);
void* dynamic_shared(std::size_t bytes);

void expect_aligned(const void* p, std::size_t bytes);

// Waits until all threads of the block arrive from the same line.
void barrier(const char* file, int line);

// Waits until all lanes of the warp arrive in the same operation at the same line; the last one
// runs resolve over their arguments.
void collective(std::string_view operation, int line, unsigned mask, void* argument,
                void (*resolve)(void* const* lanes));

// Asynchronous copies, as kernels/device/ptx.cuh describes them.
void copy_async(void* to, const void* from, unsigned bytes, unsigned valid);
void commit_copies();
void wait_copies(int left);
void mbarrier_init(std::uint64_t* barrier, unsigned arrivals);
void mbarrier_init_fence();
void proxy_fence();
void mbarrier_arrive(std::uint64_t* barrier, unsigned expected_bytes);
void mbarrier_wait(std::uint64_t* barrier, unsigned parity);
void copy_bulk(void* to, const void* from, unsigned bytes, std::uint64_t* barrier);

template <class T>
struct Shuffle {
  T value, result;
  int source;
};

template <class T>
T shuffle(std::string_view operation, int line, unsigned mask, T value, int source) {
  Shuffle<T> argument{value, value, source};
  collective(operation, line, mask, &argument, [](void* const* lanes) {
    for (int lane = 0; lane < 32; ++lane) {
      auto* to = static_cast<Shuffle<T>*>(lanes[lane]);
      to->result = static_cast<Shuffle<T>*>(lanes[to->source])->value;
    }
  });
  return argument.result;
}

int lane();

}  // namespace simt

inline int __popc(unsigned bits) { return std::popcount(bits); }
inline int __ffs(unsigned bits) { return bits == 0 ? 0 : std::countr_zero(bits) + 1; }

inline void __syncthreads(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  simt::barrier(file, line);
}

inline void __syncwarp(unsigned mask = 0xffffffffU, int line = __builtin_LINE()) {
  simt::collective("__syncwarp", line, mask, nullptr, nullptr);
}

template <class T>
T __shfl_sync(unsigned mask, T value, int source, int line = __builtin_LINE()) {
  return simt::shuffle("__shfl_sync", line, mask, value, source & 31);
}

template <class T>
T __shfl_xor_sync(unsigned mask, T value, int bits, int line = __builtin_LINE()) {
  return simt::shuffle("__shfl_xor_sync", line, mask, value, (simt::lane() ^ bits) & 31);
}

template <class T>
T __shfl_down_sync(unsigned mask, T value, int by, int line = __builtin_LINE()) {
  const int source = simt::lane() + by;
  return simt::shuffle("__shfl_down_sync", line, mask, value, source < 32 ? source : simt::lane());
}

inline unsigned __ballot_sync(unsigned mask, int predicate, int line = __builtin_LINE()) {
  simt::Shuffle<unsigned> argument{predicate != 0 ? 1U << simt::lane() : 0U, 0U, 0};
  simt::collective("__ballot_sync", line, mask, &argument, [](void* const* lanes) {
    unsigned votes = 0;
    for (int lane = 0; lane < 32; ++lane)
      votes |= static_cast<simt::Shuffle<unsigned>*>(lanes[lane])->value;
    for (int lane = 0; lane < 32; ++lane)
      static_cast<simt::Shuffle<unsigned>*>(lanes[lane])->result = votes;
  });
  return argument.result;
}
