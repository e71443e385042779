// Where the tokens of a transformer look.
#pragma once

#include <vector>

#include "kernels/tensor.h"

namespace framefold {

// How much of the tokens' attention each token gets: of qkv [1, N, 3 H d] (kernels/attention.h) for
// each head the mean over queries of the softmax, [H, N]; each head's add up to 1.
std::vector<float> attention_received(View qkv, Index heads);

}  // namespace framefold
