// Optional data of tests: under FRAMEFOLD_TEST_DATA, else in ../shared/data beside the sources.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

namespace framefold {

// Empty where it is absent: the test skips, and names it.
inline std::filesystem::path test_data(const std::string& name) {
  const char* directory = std::getenv("FRAMEFOLD_TEST_DATA");
  const std::filesystem::path path =
      std::filesystem::path(directory ? directory : FRAMEFOLD_SOURCE_DIR "/../shared/data") / name;
  return std::filesystem::exists(path) ? path : std::filesystem::path();
}

}  // namespace framefold
