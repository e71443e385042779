// Predicted tubelets put where they belong in their clip: a picture of what a masked autoencoder
// makes of it.
//
//   y = clip / 255, but at token index[b, m]
//       x[b, m]                                     where tubelet_mse compares pixels
//       x[b, m] (sqrt(var) + eps) + mean            where it normalises: mean and var are the
//                                                   clip's own, which nobody predicted
//       1/2                                         without x: what is masked
//
//   x       [B, M, t h w C]    f32, bf16 or f64, as tubelet_mse takes it; without data: grey
//   clip    [B, T, H, W, C]    u8
//   index   [B, M]             i32, tokens in any order, checked; the last of equal ones stands
//   y       [B, T, H, W, C]    f32 (f64 where x is f64)
//
// No backward: it is for looking at. Deterministic, the same for any number of threads (one thread
// a sample). Memory-bound: the plain loops are the fast path.
#pragma once

#include "kernels/tubelet_mse.h"

namespace framefold {

void fold_tubelets(const Stream& stream, const TubeletMse& target, Tensor y, View x, View clip,
                   View index);

}  // namespace framefold
