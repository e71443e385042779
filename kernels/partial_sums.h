// Sums over many rows, the same for a given number of threads: each thread adds its share into sums
// of its own, which then meet in the threads' order.
#pragma once

#include <algorithm>

#include "kernels/stream.h"

namespace framefold {

template <class A>
Bytes partial_sums_workspace(const Stream& stream, Index width) {
  return Workspace::padded(static_cast<Bytes>(stream.threads * width) * sizeof(A));
}

// Calls body(begin, end, sums) for a share of [0, count) and `width` zeroed sums; returns the
// total.
template <class A, class Body>
const A* partial_sums(const Stream& stream, Workspace& workspace, Index count, Index width,
                      Body&& body) {
  A* sums = workspace.take<A>(stream.threads * width);
  parallel_for(stream, stream.threads, 1, [&](Index first, Index last) {
    for (Index part = first; part < last; ++part) {
      A* own = sums + part * width;
      std::fill(own, own + width, A(0));
      body(count * part / stream.threads, count * (part + 1) / stream.threads, own);
    }
  });
  for (Index part = 1; part < stream.threads; ++part)
    for (Index c = 0; c < width; ++c) sums[c] += sums[part * width + c];
  return sums;
}

}  // namespace framefold
