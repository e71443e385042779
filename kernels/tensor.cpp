#include "kernels/tensor.h"

#include <algorithm>
#include <ostream>

#include "kernels/error.h"

namespace framefold {

Bytes size_of(DType type) {
  switch (type) {
    case DType::f32: return 4;
    case DType::bf16: return 2;
    case DType::u8: return 1;
    case DType::i32: return 4;
    case DType::f64: return 8;
  }
  fail(ErrorCode::argument, "unknown tensor type ", static_cast<int>(type));
}

std::string_view name_of(DType type) {
  switch (type) {
    case DType::f32: return "f32";
    case DType::bf16: return "bf16";
    case DType::u8: return "u8";
    case DType::i32: return "i32";
    case DType::f64: return "f64";
  }
  fail(ErrorCode::argument, "unknown tensor type ", static_cast<int>(type));
}

std::ostream& operator<<(std::ostream& out, DType type) { return out << name_of(type); }

Shape::Shape(std::initializer_list<Index> extents) : Shape(extents.begin(), extents.end()) {}

void Shape::push_back(Index extent) {
  if (rank_ == max_rank) fail(ErrorCode::shape, "a shape holds at most ", max_rank, " axes");
  if (extent < 0) fail(ErrorCode::shape, "axis ", rank_, " has the negative extent ", extent);
  extents_[static_cast<std::size_t>(rank_++)] = extent;
}

Index Shape::size() const {
  constexpr Index limit = Index{1} << 62;
  Index product = 1;
  for (const Index extent : *this) {
    if (extent == 0) return 0;
    if (product > limit / extent) fail(ErrorCode::shape, *this, " has more than 2^62 elements");
    product *= extent;
  }
  return product;
}

bool Shape::operator==(const Shape& other) const {
  return std::equal(begin(), end(), other.begin(), other.end());
}

std::ostream& operator<<(std::ostream& out, const Shape& shape) {
  out << '[';
  for (int axis = 0; axis < shape.rank(); ++axis) out << (axis ? ", " : "") << shape[axis];
  return out << ']';
}

Bytes TensorType::bytes() const { return static_cast<Bytes>(shape.size()) * size_of(dtype); }

std::ostream& operator<<(std::ostream& out, const TensorType& type) {
  return out << type.dtype << ' ' << type.shape;
}

void fail_dtype(DType given, DType expected) {
  fail(ErrorCode::shape, "a tensor of type ", given, " was given where ", expected,
       " was expected");
}

}  // namespace framefold
