// Small tensors with their numbers written out, for values worked out by hand.
//
//   Array<> x{{2, 3}, {1, 2, 3, 4, 5, 6}};
//   Array<> y{{2, 3}};                          // full of NaN, or of 77
//   for (const Stream& stream : each_path()) { relu_forward(stream, y, x); ... y.values ... }
#pragma once

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "kernels/stream.h"

namespace framefold::test {

template <class T = float>
struct Array {
  Shape shape;
  std::vector<T> values;

  Array(const Shape& extents, std::vector<T> numbers) : shape(extents), values(std::move(numbers)) {
    EXPECT_EQ(static_cast<Index>(values.size()), shape.size());
  }
  explicit Array(const Shape& extents)
      : Array(extents, std::vector<T>(static_cast<std::size_t>(extents.size()), leftover())) {}

  operator Tensor() { return {values.data(), dtype_of<T>(), shape}; }
  operator View() const { return {values.data(), dtype_of<T>(), shape}; }

 private:
  static T leftover() {
    if constexpr (std::numeric_limits<T>::has_quiet_NaN)
      return std::numeric_limits<T>::quiet_NaN();
    else
      return T(77);
  }
};

// The reference and the fast path, alone and with two threads.
inline std::vector<Stream> each_path() {
  std::vector<Stream> streams;
  for (const Path path : {Path::reference, Path::automatic})
    for (const int threads : {1, 2})
      streams.push_back({.device = {}, .threads = threads, .path = path});
  return streams;
}

template <class T>
void expect_near(const std::vector<T>& given, const std::vector<T>& expected, double tolerance) {
  ASSERT_EQ(given.size(), expected.size());
  for (std::size_t i = 0; i < given.size(); ++i)
    EXPECT_NEAR(given[i], expected[i], tolerance) << "element " << i;
}

// The call throws an Error of that code with exactly that message.
template <class Call>
void expect_error(ErrorCode code, const std::string& message, Call&& call) {
  try {
    call();
    ADD_FAILURE() << "no error, expected: " << message;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code);
    EXPECT_EQ(error.what(), message);
  }
}

}  // namespace framefold::test
