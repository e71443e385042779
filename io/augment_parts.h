// The parts of io/augment.h, on clips [T, H, W, C] u8 in place, except resize.
#pragma once

#include <array>
#include <cstdint>
#include <functional>

#include "io/sampling.h"
#include "kernels/tensor.h"

namespace framefold::augment {

using Table = std::array<std::uint8_t, 256>;

// Box `box` of every frame of source to the size of clip.
void resize(View source, const Box& box, Tensor clip);
void flip(Tensor clip);

// Output pixel (x, y), from the middle, shows what stands at (xx x + xy y + x0, yx x + yy y + y0).
struct Affine {
  double xx = 1, xy = 0, x0 = 0, yx = 0, yy = 1, y0 = 0;
};
constexpr int hold = -1;  // the edges; otherwise the value of what lies outside
void warp(Tensor clip, const Affine& affine, int outside);

// As of Pillow's ImageEnhance: away from (factor > 1) or towards black, the frame's mean grey, its
// grey picture, its smoothed picture.
void brightness(Tensor clip, double factor);
void contrast(Tensor clip, double factor);
void saturation(Tensor clip, double factor);
void sharpness(Tensor clip, double factor);
void hue(Tensor clip, double turn);
void blur(Tensor clip, double sigma);
void map(Tensor clip, const Table& table);
void autocontrast(Tensor clip);  // each channel of each frame, as the next
void equalize(Tensor clip);

void rand_augment(Tensor clip, Index operations, double magnitude, double deviation, Random random);

// Calls each(frame, first value, values) for the rows of a box in all frames.
void rows_of(Tensor clip, const Box& box, const std::function<void(std::uint8_t*, Index)>& each);
void erase(Tensor clip, double low, double high, Random random);
void masks(Tensor clip, Index count, double side, Random random);
void gaussian(Tensor clip, double deviation, Random random);
void walk(Tensor clip, double deviation, Random random);
void salt(Tensor clip, double share, Random random);

}  // namespace framefold::augment
