// Turns gradients into updates: an optimiser over a model's flat buffers, with its state, weight
// decay where a parameter wants it, clipping by the global norm and a moving average of weights.
// The formulas stand in kernels/optimizer.h. Deterministic for a given number of threads.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/parameters.h"
#include "kernels/optimizer.h"
#include "kernels/stream.h"

namespace framefold {

enum class OptimizerKind : std::uint8_t { sgd, rmsprop, adam, adamw };

OptimizerKind optimizer_kind(std::string_view name);  // Error(config) names the known ones
std::string_view name_of(OptimizerKind kind);

struct OptimizerOptions {
  OptimizerKind kind = OptimizerKind::adam;
  double momentum = 0;      // sgd, rmsprop
  bool nesterov = false;    // sgd
  double smoothing = 0.99;  // rmsprop: of the mean square
  double beta1 = 0.9;       // adam, adamw
  double beta2 = 0.999;     // adam, adamw
  double epsilon = 1e-8;    // rmsprop, adam, adamw
  double weight_decay = 0;  // adamw: of the weights; the others: added to the gradient
  double clip = 0;          // largest norm of all gradients together; 0: any
  double average = 0;       // decay of the weights' moving average; 0: none is kept
  double layer_decay = 1;   // the learning rate's factor from each layer to the one before it

  void check() const;  // Error(config) for values out of range
};

struct NamedTensor {
  std::string name;
  Tensor tensor;
};

class Optimizer {
 public:
  // `parameters` outlives the optimiser and holds gradients.
  Optimizer(Parameters& parameters, const OptimizerOptions& options, const Stream& stream);

  void clear_gradients();
  double gradient_norm() const;  // Euclidean, over all parameters; not finite if one is not

  // One update at learning rate `rate` from gradients of that norm, which clipping may scale.
  void update(double rate, double gradient_norm);
  Index updates() const { return updates_; }  // done so far: Adam's bias correction counts them
  void set_updates(Index updates) { updates_ = updates; }

  // On a device nobody reads the norm on the way, and what changes from step to step stands in
  // memory there, so that the rest can be recorded and replayed. A step is: prepare() with the
  // learning rate, before anything of it is enqueued; enqueue_update(), which changes nothing where
  // the gradients' norm or the loss is not finite; and, once that is done, settle() with whether.
  void prepare(double rate);
  void enqueue_update(View loss);
  View verdict() const;  // [2] the factor that clips, NaN where nothing was changed; the norm
  void settle(bool updated) { updates_ += updated ? 1 : 0; }

  // Exchanges the weights with their moving average, where one is kept and has begun. Call again
  // to change back. On a device the gradients are lost.
  void swap_average();

  // Everything that a resumed run needs beside the weights and updates(): tensors
  // "optimizer.STATE/PARAMETER" and "ema/PARAMETER" onto the host's memory; see Parameters.
  std::vector<NamedTensor> state() const;
  void upload() const;
  void download() const;
  static constexpr std::string_view state_prefix = "optimizer.";
  static constexpr std::string_view average_prefix = "ema/";

  const OptimizerOptions& options() const { return options_; }
  Bytes bytes() const;
  // Bytes that an optimiser of a graph's parameters holds, without holding them.
  static Bytes bytes_of(const Graph& graph, const OptimizerOptions& options);

 private:
  struct Span {  // neighbours in the flat buffer that are updated alike
    Index offset = 0;
    Index count = 0;
    bool decays = false;
    double rate = 1;  // of the learning rate
  };
  void update(const Span& span, double rate, double scale, const Beside& beside = {});

  Parameters& parameters_;
  OptimizerOptions options_;
  Stream stream_;
  std::vector<Span> spans_;
  std::vector<Mirrored> states_;  // in the order of state_names()
  Mirrored average_;
  Buffer workspace_;          // of the norm
  Buffer now_, now_on_host_;  // on a device: Beside::now
  Buffer verdict_;            // on a device
  Index updates_ = 0;
};

// The layer of each parameter, for layer_decay (Bao et al. 2022): the encoder's by their first
// number ("encoder.blocks.3.attn.proj.weight": 4), 0 before them ("encoder.patch_embed.weight");
// what follows or is not the encoder's is the last layer, which learns at the full rate.
std::vector<Index> layers_of(const std::vector<Parameters::Entry>& parameters);

// What an optimiser remembers of each parameter: "first_moment", ...
std::vector<std::string_view> state_names(const OptimizerOptions& options);

}  // namespace framefold
