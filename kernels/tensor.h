// Tensors without ownership: an address, a type, a shape. Always contiguous, last axis fastest;
// channels last, as frames come from a decoder: video [B,T,H,W,C], tokens [B,N,C].
#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <string_view>
#include <type_traits>

namespace framefold {

using Index = std::int64_t;
using Bytes = std::size_t;
using Extents = std::array<Index, 3>;  // by axis T, H, W

// bfloat16: the upper half of an f32. Conversion rounds to nearest, ties to even; NaN stays NaN.
struct bf16 {
  std::uint16_t bits = 0;

  bf16() = default;
  explicit bf16(float value) {
    const auto word = std::bit_cast<std::uint32_t>(value);
    const bool nan = (word & 0x7fffffffU) > 0x7f800000U;
    bits = static_cast<std::uint16_t>(nan ? (word >> 16) | 0x40U
                                          : (word + 0x7fffU + ((word >> 16) & 1U)) >> 16);
  }
  explicit bf16(double value) : bf16(static_cast<float>(value)) {}
  explicit operator float() const {
    return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
  }
  explicit operator double() const { return static_cast<double>(static_cast<float>(*this)); }
};

// f64 exists for the reference paths' gradient checks only.
enum class DType : std::uint8_t { f32, bf16, u8, i32, f64 };

Bytes size_of(DType type);
std::string_view name_of(DType type);
std::ostream& operator<<(std::ostream& out, DType type);

template <class T>
constexpr DType dtype_of() {
  if constexpr (std::is_same_v<T, float>)
    return DType::f32;
  else if constexpr (std::is_same_v<T, bf16>)
    return DType::bf16;
  else if constexpr (std::is_same_v<T, std::uint8_t>)
    return DType::u8;
  else if constexpr (std::is_same_v<T, std::int32_t>)
    return DType::i32;
  else if constexpr (std::is_same_v<T, double>)
    return DType::f64;
  else
    static_assert(sizeof(T) == 0, "not a tensor's type");
}

// What a reference kernel sums in: double for double, float for f32 and bf16.
template <class T>
using Accumulator = std::conditional_t<std::is_same_v<T, double>, double, float>;

class Shape {
 public:
  static constexpr int max_rank = 8;

  Shape() = default;
  Shape(std::initializer_list<Index> extents);
  template <class Iterator>
  Shape(Iterator first, Iterator last) {
    for (; first != last; ++first) push_back(*first);
  }

  int rank() const { return rank_; }
  Index operator[](int axis) const {  // a negative axis counts from the end
    return extents_[static_cast<std::size_t>(axis < 0 ? axis + rank_ : axis)];
  }
  Index& operator[](int axis) {
    return extents_[static_cast<std::size_t>(axis < 0 ? axis + rank_ : axis)];
  }
  void push_back(Index extent);
  Index size() const;  // the number of elements; throws Error where it passes 2^62

  const Index* begin() const { return extents_.data(); }
  const Index* end() const { return extents_.data() + rank_; }
  bool operator==(const Shape& other) const;

 private:
  std::array<Index, max_rank> extents_{};
  int rank_ = 0;
};

std::ostream& operator<<(std::ostream& out, const Shape& shape);  // [16, 768]

struct TensorType {
  DType dtype = DType::f32;
  Shape shape;

  Bytes bytes() const;
  bool operator==(const TensorType&) const = default;
};

std::ostream& operator<<(std::ostream& out, const TensorType& type);  // f32 [16, 768]

[[noreturn]] void fail_dtype(DType given, DType expected);

// A tensor to read.
struct View {
  const void* data = nullptr;
  DType dtype = DType::f32;
  Shape shape;

  Index size() const { return shape.size(); }
  Bytes bytes() const { return TensorType{dtype, shape}.bytes(); }
  TensorType type() const { return {dtype, shape}; }
  explicit operator bool() const { return data != nullptr; }
  template <class T>
  const T* as() const {
    if (dtype != dtype_of<T>()) fail_dtype(dtype_of<T>(), dtype);
    return static_cast<const T*>(data);
  }
};

// A tensor to write.
struct Tensor {
  void* data = nullptr;
  DType dtype = DType::f32;
  Shape shape;

  Index size() const { return shape.size(); }
  Bytes bytes() const { return TensorType{dtype, shape}.bytes(); }
  TensorType type() const { return {dtype, shape}; }
  explicit operator bool() const { return data != nullptr; }
  operator View() const { return {data, dtype, shape}; }
  template <class T>
  T* as() const {
    if (dtype != dtype_of<T>()) fail_dtype(dtype_of<T>(), dtype);
    return static_cast<T*>(data);
  }
};

// Calls f(T{}) with the floating type that `type` names: the reference paths' one switch.
template <class F>
void for_float(DType type, F&& f) {
  switch (type) {
    case DType::f32: return f(float{});
    case DType::bf16: return f(bf16{});
    case DType::f64: return f(double{});
    default: fail_dtype(type, DType::f32);
  }
}

}  // namespace framefold
