// Clips of moving digits made on the fly (Moving MNIST: Srivastava, Mansimov, Salakhutdinov 2015).
//
//   clip   [T, H, W, 1]  u8
//
// Each clip draws its pictures, their first places, uniform over the frame, and their directions,
// uniform over the circle; all move `speed` pixels a frame, whole inside the frame, and bounce off
// its edges like light. Places are rounded down to pixels; where pictures overlap the brighter
// pixel shows. Clip i is a pure function of (seed, i).
//
// With `directions` a clip has a class instead, up, down, left or right: all its pictures move that
// way, leave over an edge and come in at the opposite one. First places are then uniform over the
// whole frame, so that no pixel's distribution depends on the class.
//
// Pictures come from any dataset of [1, h, w, 1] with h <= H and w <= W. Held-out clips show
// held-out pictures only, where there are any.
#pragma once

#include <cstdint>

#include "io/dataset.h"

namespace framefold {

struct MovingDigits {
  Index frames = 20, height = 64, width = 64;
  Index digits = 2;
  double speed = 3.6;  // pixels a frame; Moving MNIST's 0.1 of the room that 28 leave in 64
  bool directions = false;
  Index clips = 10000;
  double held_out = 0.1;  // fraction
  std::uint64_t seed = 0;
};

Split moving_digits(const Split& pictures, const MovingDigits& options);

// Where something that starts at `start` in [0, room] and moves by `velocity` a frame stands in
// frame `frame`, bouncing at 0 and at room.
double bounce(double start, double velocity, Index frame, double room);

}  // namespace framefold
