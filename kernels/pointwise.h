// The loops that pointwise operations share: over elements, and of sums whose value depends on
// neither threads nor paths.
#pragma once

#include <cmath>
#include <numeric>

#include "kernels/simd.h"
#include "kernels/stream.h"

namespace framefold {

// The functions that a formula is written over: the standard library's for references, simd.h's for
// vector loops.
struct StandardMath {
  template <class T>
  static T exp(T x) {
    return std::exp(x);
  }
  template <class T>
  static T log1p(T x) {
    return std::log1p(x);
  }
  template <class T>
  static T tanh(T x) {
    return std::tanh(x);
  }
  template <class T>
  static T sigmoid(T x) {
    return 1 / (1 + std::exp(-x));
  }
  template <class T>
  static T erf(T x) {
    return std::erf(x);
  }
};
#ifndef __CUDACC__  // for vectors of the CPU alone
struct VectorMath {
  FRAMEFOLD_INLINE static float exp(float x) { return simd::exp(x); }
  FRAMEFOLD_INLINE static float log1p(float x) { return simd::log(1 + x); }
  FRAMEFOLD_INLINE static float tanh(float x) { return simd::tanh(x); }
  FRAMEFOLD_INLINE static float sigmoid(float x) { return simd::sigmoid(x); }
  FRAMEFOLD_INLINE static float erf(float x) { return simd::erf(x); }
};
#endif

// Elements below which a loop is not shared among threads.
inline constexpr Index pointwise_grain = 16384;

// f(0) ... f(count - 1), vectorised: outputs may stand over inputs of the same index.
template <class F>
FRAMEFOLD_INLINE void each(Index count, F f) {
#pragma omp simd
  for (Index i = 0; i < count; ++i) f(i);
}

// f(0) + ... + f(count - 1) in double, in the order of the vectors.
template <class F>
FRAMEFOLD_INLINE double sum_of(Index count, F f) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (Index i = 0; i < count; ++i) sum += static_cast<double>(f(i));
  return sum;
}

// each() on every thread's share of [0, count).
template <class F>
void parallel_each(const Stream& stream, Index count, F f) {
  parallel_for(stream, count, pointwise_grain,
               [&](Index begin, Index end) { each(end - begin, [=](Index i) { f(begin + i); }); });
}

// loop(count, pointers...) on every thread's share of [0, count); pointers may be null.
template <class Loop, class... P>
void parallel_loop(const Stream& stream, Index count, Loop loop, P*... pointers) {
  parallel_for(stream, count, pointwise_grain, [&](Index begin, Index end) {
    loop(end - begin, (pointers ? pointers + begin : pointers)...);
  });
}

// f(chunk, first element, count) for every chunk of [0, count), the last of which may be shorter.
template <class F>
void parallel_chunks(const Stream& stream, Index count, Index chunk, F&& f) {
  parallel_for(stream, (count + chunk - 1) / chunk, 1 + (pointwise_grain - 1) / chunk,
               [&](Index first, Index last) {
                 for (Index i = first; i < last; ++i)
                   f(i, i * chunk, std::min(chunk, count - i * chunk));
               });
}

// The sum of sum(begin, end) over pieces of [0, count) that depend on count and piece alone.
template <class F>
double piecewise_sum(const Stream& stream, Index count, Index piece, Workspace workspace, F&& sum) {
  const Index pieces = (count + piece - 1) / piece;
  double* partial = workspace.take<double>(pieces);
  parallel_for(stream, pieces, 1, [&](Index first, Index last) {
    for (Index p = first; p < last; ++p)
      partial[p] = sum(p * piece, std::min(count, (p + 1) * piece));
  });
  return std::accumulate(partial, partial + pieces, 0.0);
}

inline Bytes piecewise_sum_workspace(Index count, Index piece) {
  return Workspace::padded(static_cast<Bytes>((count + piece - 1) / piece) * sizeof(double));
}

// The plain sum of f(0) ... f(count - 1), in pieces of pointwise_grain.
template <class F>
double parallel_sum(const Stream& stream, Index count, Workspace workspace, F f) {
  return piecewise_sum(stream, count, pointwise_grain, workspace, [=](Index begin, Index end) {
    double sum = 0;
    for (Index i = begin; i < end; ++i) sum += static_cast<double>(f(i));
    return sum;
  });
}

}  // namespace framefold
