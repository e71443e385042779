// Neighbouring elements moved at once, at best 16 bytes, and their conversion to and from f32, in
// which every kernel computes.
#pragma once

#include "kernels/device/gpu.cuh"

#ifdef __CUDACC__
#include <cuda_bf16.h>
#endif

namespace framefold::gpu {

template <class T, int N>
struct alignas(sizeof(T) * N < 16 ? sizeof(T) * N : 16) Pack {
  T at[N];
};

// Elements of T in 16 bytes.
template <class T>
constexpr int pack_of = 16 / static_cast<int>(sizeof(T));

// Whether packs of 16 bytes may be used on all of these addresses; null ones are never read.
template <class... P>
bool aligned(const P*... pointers) {
  return ((reinterpret_cast<std::uintptr_t>(pointers) % 16 == 0) && ...);
}

template <class T>
__device__ __forceinline__ float to_f32(T x) {
  if constexpr (std::is_same_v<T, bf16>) {
#ifdef __CUDACC__
    return __uint_as_float(static_cast<unsigned>(x.bits) << 16);
#else
    return static_cast<float>(x);
#endif
  } else {
    return static_cast<float>(x);
  }
}

template <class T>
__device__ __forceinline__ T from_f32(float x) {
  if constexpr (std::is_same_v<T, bf16>) {
#ifdef __CUDACC__
    T y;
    y.bits = __bfloat16_as_ushort(__float2bfloat16_rn(x));
    return y;
#else
    return bf16(x);
#endif
  } else {
    return static_cast<T>(x);
  }
}

template <int N, class T>
__device__ __forceinline__ void load(float (&to)[N], const T* from) {
#ifndef __CUDACC__
  ::simt::expect_aligned(from, alignof(Pack<T, N>));
#endif
  const auto pack = *reinterpret_cast<const Pack<T, N>*>(from);
#pragma unroll
  for (int i = 0; i < N; ++i) to[i] = to_f32(pack.at[i]);
}

template <int N, class T>
__device__ __forceinline__ void store(T* to, const float (&from)[N]) {
#ifndef __CUDACC__
  ::simt::expect_aligned(to, alignof(Pack<T, N>));
#endif
  Pack<T, N> pack;
#pragma unroll
  for (int i = 0; i < N; ++i) pack.at[i] = from_f32<T>(from[i]);
  *reinterpret_cast<Pack<T, N>*>(to) = pack;
}

// Calls f(T{}) with the type of activations that `type` names; the device has no f64.
template <class F>
void for_device_float(DType type, F&& f) {
  switch (type) {
    case DType::f32: return f(float{});
    case DType::bf16: return f(bf16{});
    default: fail(ErrorCode::unavailable, "on CUDA tensors are f32 or bf16, not ", type);
  }
}

constexpr Index divide_up(Index a, Index b) { return (a + b - 1) / b; }

// A number of blocks as CUDA counts them.
inline unsigned blocks_of(Index count) {
  constexpr Index most = 0x7fffffff;
  if (count > most) fail(ErrorCode::shape, "a kernel of ", count, " blocks, at most ", most);
  return static_cast<unsigned>(count);
}

}  // namespace framefold::gpu
