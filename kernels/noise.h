// Gaussian noise on a picture, for denoising autoencoders (Vincent et al. 2010).
//
//   y[i] = clip(x[i] + amount random.normal(i), low, high)       dx = low < y < high ? dy : 0
//
//   x, y, dy, dx   any shape, f32, bf16 or f64, all the same; amount in units of x
//
// Backward reads y. y and dx are written (=); y may be x, dx may be dy. Any size; the noise depends
// on random and i alone, not on threads; paths and devices differ by rounding.
#pragma once

#include "kernels/philox.h"
#include "kernels/stream.h"

namespace framefold {

struct Noise {
  float amount = 0.1F;
  float low = 0;
  float high = 1;
};

void noise_forward(const Stream& stream, Noise noise, Random random, Tensor y, View x);
void noise_dgrad(const Stream& stream, Noise noise, Tensor dx, View dy, View y);

namespace fast {
bool noise_forward(const Stream& stream, Noise noise, Random random, Tensor y, View x);
}

}  // namespace framefold
