// One update of a flat buffer of weights from its gradient, in one pass over memory.
//
//   g = scale * gradient + decay * w                scale clips or averages; decay: Adam see below
//
//   sgd      u = momentum u + g;  w -= rate * (nesterov ? g + momentum u : u)
//            (without momentum w -= rate g, and there is no u)
//   rmsprop  s = smoothing s + (1 - smoothing) g^2;  d = g / (sqrt(s) + epsilon)
//            u = momentum u + d;  w -= rate u       (without momentum w -= rate d, no u)
//   adam     m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2
//            w -= rate / (1 - beta1^step) * m / (sqrt(v / (1 - beta2^step)) + epsilon)
//            decoupled (AdamW): decay stays out of g; w *= 1 - rate decay comes first
//   average  a = decay a + (1 - decay) w
//
//   Beside the weights the same pass may multiply the gradient by another factor, average the new
//   weights and write them as bf16.
//
//   w, gradient, u, s, m, v, a   [N]  f32 or f64, all the same; all but the gradient change in
//   place step                              1 at the first update; the state starts at 0
//
// Any N. Every element stands alone: deterministic for any number of threads. The norm sums squares
// in double, in pieces of fixed size: the same for any number of threads.
// Sources: Polyak 1964 and Sutskever et al. 2013 (momentum, Nesterov); Tieleman and Hinton 2012
// (RMSProp); Kingma and Ba 2015 (Adam); Loshchilov and Hutter 2019 (AdamW); epsilon stands where
// PyTorch has it.
#pragma once

#include "kernels/stream.h"

namespace framefold {

struct Sgd {
  double rate = 0.01;
  double momentum = 0;
  bool nesterov = false;
  double decay = 0;
};

struct RmsProp {
  double rate = 0.01;
  double smoothing = 0.99;
  double epsilon = 1e-8;
  double momentum = 0;
  double decay = 0;
};

struct Adam {
  double rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double decay = 0;
  bool decoupled = false;
};

struct Beside {
  View clip;                 // [1] as w: multiplies the gradient; see clip_factor. On a device
                             // nothing changes where it is NaN
  Tensor average;            // [N] as w
  double average_decay = 0;  // of average
  Tensor narrow;             // [N] bf16
  View now;  // [3], on a device alone: what changes from step to step, read when the
             // kernel runs: rate, 1 / (1 - beta1^step), 1 / sqrt(1 - beta2^step).
             // `rate` is then a factor of that rate, and `step` means nothing
};

// u is without data where momentum is 0.
void sgd_update(const Stream& stream, const Sgd& sgd, Tensor w, Tensor u, View gradient,
                double scale, const Beside& beside = {});
void rmsprop_update(const Stream& stream, const RmsProp& rmsprop, Tensor w, Tensor s, Tensor u,
                    View gradient, double scale, const Beside& beside = {});
void adam_update(const Stream& stream, const Adam& adam, Tensor w, Tensor m, Tensor v,
                 View gradient, double scale, Index step, const Beside& beside = {});
void average_update(const Stream& stream, double decay, Tensor a, View w);

// The Euclidean norm; not finite where an element is not. The caller waits for it, so a device has
// clip_factor alone.
double norm_of(const Stream& stream, Workspace workspace, View x);
Bytes norm_workspace(Index count);

// The scale that brings a gradient of this norm down to the limit; 1 where it is below.
double clip_scale(double norm, double limit);

// factor [2] = that scale for x as a gradient, and its norm; the scale is NaN where the norm or the
// loss [1] is not finite. factor, x and loss f32 or f64 alike; the loss may be without data. On a
// device the sums of fixed pieces are f32 and meet in f64.
void clip_factor(const Stream& stream, double limit, Tensor factor, Workspace workspace, View x,
                 View loss = {});

}  // namespace framefold
