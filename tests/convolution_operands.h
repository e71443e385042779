// Convolutions to filter minimally, drawn operands for them, and the plain loops in f64.
#pragma once

#include <cmath>
#include <memory>
#include <random>
#include <vector>

#include "kernels/convolution_winograd.h"

namespace framefold::test {

using winograd::Pass;

// A convolution whose coarse side follows from the fine one.
inline Convolution geometry(Index batch, const Extents& fine, const Extents& kernel,
                            const Extents& stride, const Extents& padding, Index fine_channels,
                            Index coarse_channels, const Extents& dilation = {1, 1, 1}) {
  Convolution c{.batch = batch,
                .groups = 1,
                .fine = fine,
                .kernel = kernel,
                .stride = stride,
                .padding = padding,
                .dilation = dilation,
                .fine_channels = fine_channels,
                .coarse_channels = coarse_channels};
  for (std::size_t n = 0; n < 3; ++n)
    c.coarse[n] = (fine[n] + 2 * padding[n] - dilation[n] * (kernel[n] - 1) - 1) / stride[n] + 1;
  return c;
}

struct ConvolutionCase {
  const char* name;
  Convolution c;
  bool fine_fits = true;
};

class Scratch {
 public:
  explicit Scratch(Bytes bytes) : memory_(bytes + 64, std::byte{0xff}) {}
  Workspace get() {
    void* at = memory_.data();
    std::size_t room = memory_.size();
    std::align(64, room - 64, at, room);
    return {at, room};
  }

 private:
  std::vector<std::byte> memory_;  // NaN as it comes
};

// The tensors of a convolution; one pass writes one of the first three.
template <class T>
struct Operands {
  std::vector<T> fine, coarse, weight, bias;

  std::vector<T>& written(Pass pass) {
    return pass == Pass::to_coarse ? coarse : pass == Pass::to_fine ? fine : weight;
  }
};

struct OperandTensors {
  Tensor fine, coarse, weight;
  View bias;

  template <class T>
  OperandTensors(const Convolution& c, Operands<T>& o)
      : fine{o.fine.data(), dtype_of<T>(), shape(c.batch, c.fine, c.fine_channels)},
        coarse{o.coarse.data(), dtype_of<T>(), shape(c.batch, c.coarse, c.coarse_channels)},
        weight{o.weight.data(),
               dtype_of<T>(),
               {c.kernel[0], c.kernel[1], c.kernel[2], c.fine_channels, c.coarse_channels}},
        bias{o.bias.data(), dtype_of<T>(), {static_cast<Index>(o.bias.size())}} {}

 private:
  static Shape shape(Index batch, const Extents& extents, Index channels) {
    return {batch, extents[0], extents[1], extents[2], channels};
  }
};

inline Operands<float> drawn_operands(const Convolution& c, Pass pass) {
  Operands<float> none;
  const OperandTensors tensors(c, none);
  const auto drawn = [](Index size, unsigned seed) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    std::vector<float> values(static_cast<std::size_t>(size));
    for (float& value : values) value = normal(random);
    return values;
  };
  return {drawn(tensors.fine.shape.size(), 1), drawn(tensors.coarse.shape.size(), 2),
          drawn(tensors.weight.shape.size(), 3),
          drawn(pass == Pass::to_fine ? c.fine_channels : c.coarse_channels, 4)};
}

// What a pass writes on the stream's path.
template <class T>
std::vector<T> by_the_path(const Stream& stream, const Convolution& c, Pass pass, Operands<T> o) {
  const OperandTensors t(c, o);
  if (pass == Pass::to_coarse) {
    Scratch scratch(coarse_from_fine_workspace(stream, c, dtype_of<T>()));
    coarse_from_fine(stream, c, t.coarse, scratch.get(), t.fine, t.weight, t.bias);
  } else if (pass == Pass::to_fine) {
    Scratch scratch(fine_from_coarse_workspace(stream, c, dtype_of<T>()));
    fine_from_coarse(stream, c, t.fine, scratch.get(), t.coarse, t.weight, t.bias);
  } else {
    Scratch scratch(weight_from_both_workspace(stream, c, dtype_of<T>()));
    weight_from_both(stream, c, t.weight, scratch.get(), t.fine, t.coarse);
  }
  return o.written(pass);
}

inline std::vector<double> by_plain_loops(const Convolution& c, Pass pass,
                                          const Operands<float>& o) {
  const auto wide = [](const std::vector<float>& from) {
    return std::vector<double>(from.begin(), from.end());
  };
  return by_the_path<double>({.device = {}, .threads = 1, .path = Path::reference}, c, pass,
                             {wide(o.fine), wide(o.coarse), wide(o.weight), wide(o.bias)});
}

// The root mean square of the difference beside that of what is expected.
inline double relative_error(const std::vector<float>& given, const std::vector<double>& expected) {
  double error = 0, size = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    error += std::pow(static_cast<double>(given[i]) - expected[i], 2);
    size += std::pow(expected[i], 2);
  }
  return std::sqrt(error / size);
}

}  // namespace framefold::test
