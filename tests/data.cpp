#include "tests/data.h"

#include <cstdlib>

namespace framefold {

std::filesystem::path test_data(const std::string& name) {
  const char* directory = std::getenv("FRAMEFOLD_TEST_DATA");
  const std::filesystem::path path =
      std::filesystem::path(directory ? directory : FRAMEFOLD_SOURCE_DIR "/../shared/data") / name;
  return std::filesystem::exists(path) ? path : std::filesystem::path{};
}

std::filesystem::path source_file(const std::string& name) {
  return std::filesystem::path(FRAMEFOLD_SOURCE_DIR) / name;
}

}  // namespace framefold
