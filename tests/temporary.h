// A directory of a test's own, removed at the end.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "kernels/error.h"

namespace framefold {

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "framefold-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) fail(ErrorCode::file, "cannot create ", name);
    path_ = name;
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  // Without waiting for the disk, which write_file does.
  void write(const std::string& name, const std::string& content) const {
    std::filesystem::create_directories((path_ / name).parent_path());
    std::ofstream file(path_ / name, std::ios::binary | std::ios::trunc);
    if (!(file << content).flush()) fail(ErrorCode::file, "cannot write ", path_ / name);
  }
  std::vector<std::string> names() const {
    std::vector<std::string> found;
    for (const auto& entry : std::filesystem::directory_iterator(path_))
      found.push_back(entry.path().filename().string());
    return found;
  }

 private:
  std::filesystem::path path_;
};

// EXPECT_ERROR(ErrorCode::format, "part of the message", statement): what every negative test asks.
#define EXPECT_ERROR(expected_code, part, statement)                                      \
  do {                                                                                    \
    try {                                                                                 \
      statement;                                                                          \
      ADD_FAILURE() << #statement << " did not throw";                                    \
    } catch (const framefold::Error& error) {                                             \
      EXPECT_EQ(static_cast<int>(error.code()), static_cast<int>(expected_code));         \
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what(); \
    }                                                                                     \
  } while (false)

}  // namespace framefold
