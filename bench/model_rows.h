// The operations of a model at the shapes that its training runs them at.
#pragma once

#include <string>

#include "bench/op_rows.h"
#include "cli/config.h"

namespace framefold::bench {

struct ModelOp {
  std::string label;  // of the first such node: "encoder.1/conv3d"
  OpRow row;
  bool backward = false;  // whether training asks for its gradients
  int count = 0;          // nodes alike
};
std::vector<ModelOp> ops_of(const Config& config, Index batch);

// Rows "NAME/LABEL/PASS"; many alike are one, and its name ends in " x COUNT".
void add_model_rows(const std::string& name, const Config& config, Index batch);

// What a GPU can't do faster: for each operation with activations in bf16 its arithmetic and bytes
// against `roof`, and the sum over a step.
std::string floor_table(const std::string& name, const Config& config, Index batch,
                        const Roof& roof);

}  // namespace framefold::bench
