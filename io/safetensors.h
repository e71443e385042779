// safetensors: named tensors in one file, nothing in it is ever executed.
//
//   8 bytes        n, the header's length, little-endian
//   n bytes        JSON: {"__metadata__": {text: text}, NAME: {"dtype": "F32", "shape": [2, 3],
//                  "data_offsets": [begin, end]}, ...}, padded with spaces
//   the rest       the tensors' bytes, little-endian, row-major; offsets count from here
//
// Reading trusts nothing. Error(format) names file, tensor and remedy where the file is cut short,
// the header is longer than the cap, is not strict JSON in UTF-8, repeats a name or holds more
// entries than the cap, a type is unknown, a shape has more than Shape::max_rank axes or does not
// fill its bytes, or the tensors do not cover the data exactly, without hole or overlap. Bytes are
// read on demand into the caller's memory; a file cut short meanwhile is an Error, not a signal.
//
// Writing is deterministic: the header by name, the data by falling size of type, then by name, so
// every tensor is aligned to its type. The file is written whole or not at all (io/file.h).
//
// Every file written here carries its hash in the metadata under "framefold.hash": XXH3-128, as 32
// hexadecimal digits, of the header as this writer composes it without that key and without
// padding, followed by the data. It finds damage, not malice.
//
// Source: github.com/huggingface/safetensors, README "Format"; types as of its release 0.8.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/file.h"
#include "kernels/tensor.h"

namespace framefold {

struct SafetensorsLimits {
  Bytes header = 100'000'000;     // bytes; the format's own cap
  std::size_t entries = 100'000;  // tensors, and texts of the metadata
};

struct SafetensorsEntry {
  std::string name;
  std::string_view stored;     // the type as the format names it: "F32", "I64", ...
  std::optional<DType> dtype;  // none: listed, but read() refuses it
  Shape shape;
  std::uint64_t begin = 0, end = 0;  // bytes, from the data's start
};

using SafetensorsMetadata = std::map<std::string, std::string>;

class SafetensorsFile {
 public:
  explicit SafetensorsFile(const std::filesystem::path& path, SafetensorsLimits limits = {});

  const std::vector<SafetensorsEntry>& entries() const { return entries_; }  // by name
  const SafetensorsMetadata& metadata() const { return metadata_; }
  const SafetensorsEntry* find(std::string_view name) const;  // nullptr where absent

  // Fills `out`, whose type and shape must be the stored ones.
  void read(std::string_view name, Tensor out) const;

  // Reads the whole file and throws Error(format) where it carries no hash or another one.
  void verify() const;

 private:
  InputFile file_;
  std::uint64_t data_ = 0;  // where the data section starts
  std::vector<SafetensorsEntry> entries_;
  SafetensorsMetadata metadata_;
};

struct NamedView {
  std::string name;
  View view;  // in the host's memory
};

void write_safetensors(const std::filesystem::path& path, const std::vector<NamedView>& tensors,
                       const SafetensorsMetadata& metadata = {});

}  // namespace framefold
