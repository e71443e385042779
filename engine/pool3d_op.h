// What the operations of max_pool3d and mean_pool3d have in common.
#pragma once

#include "engine/op.h"
#include "kernels/pool3d.h"

namespace framefold {

class Pool3dOp : public Op {
 public:
  explicit Pool3dOp(const Pool3d& pool) : pool_(pool) {}

  Types infer(const Types& in) const override { return {pool3d_type(name(), pool_, in[0])}; }

  // One comparison or addition for every position of every window, padding included.
  double forward_flops(const Types&, const Types& out) const override {
    return static_cast<double>(pool_.kernel[0] * pool_.kernel[1] * pool_.kernel[2]) *
           static_cast<double>(out[0].shape.size());
  }
  double backward_flops(const Types& in, const Types& out) const override {
    return forward_flops(in, out);
  }

 protected:
  Pool3d pool_;
};

}  // namespace framefold
