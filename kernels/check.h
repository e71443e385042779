// The sentences that a wrong operand gets, written once.
#pragma once

#include <string_view>
#include <vector>

#include "kernels/error.h"
#include "kernels/tensor.h"

namespace framefold {

// layer_norm: gamma is f32 [384], expected f32 [768] to match the last axis of x
inline void expect(std::string_view op, std::string_view operand, const TensorType& given,
                   const TensorType& expected, std::string_view why) {
  if (given == expected) return;
  fail(ErrorCode::shape, op, ": ", operand, " is ", given, ", expected ", expected, " ", why);
}

constexpr bool is_float(DType type) {
  return type == DType::f32 || type == DType::bf16 || type == DType::f64;
}

inline void expect_float(std::string_view op, std::string_view operand, DType given) {
  if (is_float(given)) return;
  fail(ErrorCode::shape, op, ": ", operand, " is ", given, ", expected f32, bf16 or f64");
}

inline void expect_rank(std::string_view op, std::string_view operand, const Shape& given,
                        int at_least, std::string_view axes) {
  if (given.rank() >= at_least) return;
  fail(ErrorCode::shape, op, ": ", operand, " is ", given, ", expected ", axes);
}

// Video, and pictures as T = 1.
inline void expect_clip(std::string_view op, const TensorType& x) {
  expect_float(op, "x", x.dtype);
  if (x.shape.rank() != 5 || x.shape.size() == 0)
    fail(ErrorCode::shape, op, ": x is ", x, ", expected [B, T, H, W, C], none of them 0");
}

// 0, 2, 1
inline std::string listed(const std::vector<int>& axes) {
  std::string line;
  for (const int axis : axes) line += text(line.empty() ? "" : ", ", axis);
  return line;
}

// The axis counted from the front.
inline int expect_axis(std::string_view op, const Shape& x, int axis) {
  if (axis < -x.rank() || axis >= x.rank())
    fail(ErrorCode::argument, op, ": axis ", axis, " is none of x ", x, ", expected ", -x.rank(),
         " to ", x.rank() - 1);
  return axis < 0 ? axis + x.rank() : axis;
}

// Checks the numbers of rows [B, M] themselves, while running.
inline void expect_index(std::string_view op, View index, Index rows, std::string_view of) {
  const auto* numbers = index.as<std::int32_t>();
  for (Index i = 0; i < index.size(); ++i)
    if (numbers[i] < 0 || numbers[i] >= rows)
      fail(ErrorCode::argument, op, ": index[", i / index.shape[1], ", ", i % index.shape[1],
           "] is ", numbers[i], ", expected a row of ", of, ", 0 to ", rows - 1);
}

// The type of parameters and statistics beside activations of `type`: f64 stays, the rest is f32.
inline DType master_of(DType type) { return type == DType::f64 ? DType::f64 : DType::f32; }

}  // namespace framefold
