// Losses that compare a prediction with a target, element by element.
//
//   y = w sum l(x, t)       w from the reduction; see loss.h
//
//   mse               (x - t)^2
//   l1                |x - t|
//   huber             d^2 / 2 where d = |x - t| <= delta, else delta (d - delta / 2)
//   bce_with_logits   max(x, 0) - x t + log(1 + e^-|x|): the binary cross-entropy of sigmoid(x)
//
//   x, dx   any shape, f32, bf16 or f64
//   t       as x, or u8 of x's shape: pixels, which stand for t / 255
//   y, dy   [1], f32 (f64 where x is f64)
//
//   dx = dy w dl/dx; l1's derivative is 0 at d = 0
//
// Backward reads x and t. For mse, l1 and huber t's gradient is dgrad with x and t exchanged; for
// bce_with_logits targets are data. dx is written (=). Any size; deterministic, the same for any
// number of threads. Source of huber: Huber 1964.
#pragma once

#include "kernels/loss.h"
#include "kernels/stream.h"

namespace framefold {

struct PointwiseLoss {
  enum Kind : std::uint8_t { mse, l1, huber, bce_with_logits };

  Kind kind = mse;
  LossReduction reduction = LossReduction::mean;
  float delta = 1;  // huber's, > 0
};

void pointwise_loss_forward(const Stream& stream, PointwiseLoss loss, Tensor y, Workspace workspace,
                            View x, View t);
Bytes pointwise_loss_workspace(const TensorType& x);
void pointwise_loss_dgrad(const Stream& stream, PointwiseLoss loss, Tensor dx, View dy, View x,
                          View t);

namespace fast {
bool pointwise_loss_forward(const Stream& stream, PointwiseLoss loss, Tensor y, Workspace workspace,
                            View x, View t);
bool pointwise_loss_dgrad(const Stream& stream, PointwiseLoss loss, Tensor dx, View dy, View x,
                          View t);
}  // namespace fast

}  // namespace framefold
