// A file's bytes, mapped for reading.
//
// Where a file is cut short, or its device fails, while it is mapped, the system answers an access
// with SIGBUS, which would end the process. The first mapping installs a handler: zeros take the
// place of what is lost, and check() tells. A fault elsewhere goes to whoever listened before.
#pragma once

#include <cstdint>
#include <filesystem>

namespace framefold {

class Mapping {
 public:
  // Error(format) unless the file has this many bytes.
  Mapping(std::filesystem::path path, std::uint64_t bytes);
  Mapping(Mapping&& other) noexcept;
  Mapping& operator=(Mapping&&) = delete;
  ~Mapping();

  const std::uint8_t* data() const { return data_; }
  // After reading: Error(format) where the file was cut short, Error(file) where it could not be
  // read.
  void check() const;

  struct Region;  // what the handler knows of a mapping

 private:
  std::filesystem::path path_;
  std::uint64_t bytes_;
  std::uint64_t inode_ = 0;
  const std::uint8_t* data_ = nullptr;
  Region* region_ = nullptr;
};

}  // namespace framefold
