// The pictures of an IDX file (io/idx.h), such as MNIST's digits, as a dataset.
//
//   clip   [1, h, w, 1]  u8   picture i of [N, h, w]
//
// The path names a file, or a directory that holds one file with "idx3" in its name.
#pragma once

#include <filesystem>

#include "io/dataset.h"

namespace framefold {

Split idx_pictures(const std::filesystem::path& path, double held_out);

}  // namespace framefold
