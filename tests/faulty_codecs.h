// A child for io/isolated_codecs.h that does what its files are called: the tests' program itself,
// started with this option.
#pragma once

#include <string>
#include <vector>

namespace framefold::test {

constexpr const char* faulty_codecs_option = "--serve-faulty-codecs";
int serve_faulty_codecs(const std::vector<std::string>& words);
std::vector<std::string> faulty_codecs_command();

// Reads a file that hangs, in a child, until somebody kills this process.
constexpr const char* hanging_parent_option = "--wait-for-a-hanging-child";
int wait_for_hanging_child(const std::string& path);

}  // namespace framefold::test
