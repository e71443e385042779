// IDX files, as the MNIST digits come: plain or compressed by gzip, told apart by content.
//
//   2 bytes zero, 1 byte type, 1 byte rank, rank x 4 bytes extents, the elements; big-endian
//
// Only u8 elements (type 0x08) are read: digits [N, 28, 28] in 0..255, labels [N]. Error(format)
// names file and remedy for other types, a rank outside 1..8, more elements than the cap, a file
// that is cut short or longer than its shape, and damaged compression. Memory grows with what was
// read, so a small file that claims or unpacks to much takes no more than the cap.
//
// Source: yann.lecun.com/exdb/mnist, "The IDX file format".
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "kernels/tensor.h"

namespace framefold {

struct Idx {
  Shape shape;
  std::vector<std::uint8_t> data;
};

Idx read_idx(const std::filesystem::path& path, Bytes cap = Bytes{1} << 30);

}  // namespace framefold
