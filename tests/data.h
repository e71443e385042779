// Real files for tests, which live outside of the project.
#pragma once

#include <filesystem>
#include <string>

namespace framefold {

// The path of a file or folder below FRAMEFOLD_TEST_DATA, or below ../shared/data beside the
// project; empty where it is absent: then a test skips and names it.
std::filesystem::path test_data(const std::string& name);

// A file of the project's sources.
std::filesystem::path source_file(const std::string& name);

}  // namespace framefold
