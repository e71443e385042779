// Convolutions with fewer products by minimal filtering along W alone (convolution_winograd.h has
// the filters): f32, channels in whole vectors of 16, one group, no dilation along W.
//
//   kernel  stride along W   products for those of the direct sum
//   3       1                6 for 12
//   3       2                9 for 12     (fine side: odd padding only)
//
// Four destinations of a kernel of 3 are a polynomial product by values at 0, +-p, +-q, infinity
// (p = 5/8, q = 3/2); a tile's values and what it sums are
//
//   v0    = d4 - (p^2 + q^2) d2 + p^2 q^2 d0        y0 = m0 + m1 + m2 + m3 + m4
//   v1, 2 = d4 - q^2 d2 +- p (d3 - q^2 d1)          y1 = p (m1 - m2) + q (m3 - m4)
//   v3, 4 = d4 - p^2 d2 +- q (d3 - p^2 d1)          y2 = p^2 (m1 + m2) + q^2 (m3 + m4)
//   v5    = d5 - (p^2 + q^2) d3 + p^2 q^2 d1        y3 = p^3 (m1 - m2) + q^3 (m3 - m4) + m5
//
// (two taps, for a stride of 2, likewise at 0, +-3/4, 2, infinity; its third tap is direct)
//
//   transformed weights  at z: (g0 + z g1 + z^2 g2) / product of z - z' over the other points z'
//
// T and H stay as they are, any kernel, stride and dilation: each line along W is transformed once
// and serves all their taps. So few additions go with a product that 16 channels gain.
//
// The sums for both sides do not depend on the number of threads; those for the weights (+=) do,
// as each thread has its own. Rounding: docs/decisions.md.
#pragma once

#include "kernels/convolution_winograd.h"

namespace framefold::lines {

struct Plan {
  Convolution c;
  winograd::Pass pass;
  bool fits = false;
  bool worth = false;  // takes less time than the direct sum and than filters on all axes
  winograd::Axis w;
  Index depth = 0, cols = 0;   // channels of the source and written; of weights, rows and columns
  Index numbers = 0;           // transformed weights for each tap of T and H
  Index products = 0;          // of a tile, the most of a phase
  Index frames = 0;            // of the source that one frame written sees
  Index above = 0, lines = 0;  // lines of zeros before a frame's first, and all with those behind

  Plan(const Convolution& c, winograd::Pass pass);
  bool to_fine() const { return pass == winograd::Pass::to_fine; }
  const Extents& source() const { return to_fine() ? c.coarse : c.fine; }
  const Extents& written() const { return to_fine() ? c.fine : c.coarse; }
  Index line_floats() const { return w.tiles * w.values.count * depth; }
  Index frame_floats() const { return lines * line_floats(); }

 private:
  bool faster();
};

// Of a plan that fits.
void sum(const Stream& stream, const Plan& plan, Tensor out, Workspace workspace, View source,
         View weight, View bias);
void weight_from_both(const Stream& stream, const Plan& plan, Tensor weight, Workspace workspace,
                      View fine, View coarse);
Bytes sum_workspace(const Stream& stream, const Plan& plan);
Bytes weight_workspace(const Stream& stream, const Plan& plan);

}  // namespace framefold::lines
