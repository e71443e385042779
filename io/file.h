// Files, whole or not at all.
//
// AtomicFile writes to a temporary name beside its target, NAME.PID-N.partial. commit() syncs the
// file, renames it over the target and syncs the directory: whoever opens the target, also after
// a power cut, finds the older content or the new one. Until commit() the target is untouched; the
// destructor removes what was not committed. A killed process leaves its .partial file behind.
// A target that exists must be a regular file; where it is a symbolic link, the linked file is
// replaced.
//
// Every failure is Error(ErrorCode::file) with path, operation, the system's words and a remedy.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "kernels/tensor.h"

namespace framefold {

// Throws what errno says about `operation` ("write", "open", ...) on `path`.
[[noreturn]] void fail_file(std::string_view operation, const std::filesystem::path& path);

// An open file descriptor, closed at the end.
class Descriptor {
 public:
  explicit Descriptor(int number = -1) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept;
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor();
  int number() const { return number_; }

 private:
  int number_;
};

class AtomicFile {
 public:
  explicit AtomicFile(const std::filesystem::path& target);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile();

  void write(const void* data, Bytes bytes);
  void write(std::string_view content) { write(content.data(), content.size()); }
  void commit();

 private:
  std::filesystem::path target_, partial_;
  Descriptor file_;
};

// Where this user's caches stand: FRAMEFOLD_CACHE_DIR, or framefold/ below XDG_CACHE_HOME or
// ~/.cache; empty where the environment names none.
std::filesystem::path cache_directory();

void write_file(const std::filesystem::path& path, std::string_view content);

// A regular file's size and bytes for reading at any offset, several gigabytes or one.
class InputFile {
 public:
  explicit InputFile(const std::filesystem::path& path);
  const std::filesystem::path& path() const { return path_; }
  std::uint64_t size() const { return size_; }
  void read(std::uint64_t offset, void* data, Bytes bytes) const;  // all of them, or an Error

 private:
  std::filesystem::path path_;
  Descriptor file_;
  std::uint64_t size_ = 0;
};

// The whole content of a file of at most `cap` bytes; a larger one is an Error(format).
std::string read_file(const std::filesystem::path& path, Bytes cap);

}  // namespace framefold
