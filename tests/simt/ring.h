// A product's skeleton without the product: sums of columns whose rows come through a ring of
// buffers, brought by bulk copies and handed over by mbarriers. No operation's kernel uses these
// yet; this one runs wherever kernels do.
//
// y    [columns] f32  = sum over rows of x[row, column]
// x    [rows, columns] f32, aligned to 16 bytes; columns a multiple of 4
#pragma once

#include "kernels/stream.h"

namespace simt {

void ring_sums(const framefold::Stream& stream, float* y, const float* x, framefold::Index rows,
               framefold::Index columns);

}  // namespace simt
