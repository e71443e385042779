#include "io/plugin.h"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <vector>

#include "kernels/error.h"

namespace framefold {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> directories() {
  std::vector<fs::path> result;
  const char* named = std::getenv("FRAMEFOLD_PLUGINS");
  if (named != nullptr && *named != 0) result.push_back(fs::absolute(named));
  Dl_info here{};
  if (dladdr(reinterpret_cast<void*>(&open_plugin), &here) == 0) here.dli_fname = "";
  std::error_code error;
  for (const fs::path file : {here.dli_fname, "/proc/self/exe"}) {
    // A program's name is the word it was called by, which may name a file of the working
    // directory.
    if (file.is_relative()) continue;
    const fs::path holder = fs::canonical(file, error).parent_path();
    if (error) continue;
    result.push_back(holder);
    result.push_back(holder.parent_path() / "lib");
    result.push_back(holder.parent_path() / "bin");
  }
  return result;
}

}  // namespace

std::string find_part(const std::string& name) {
  std::error_code error;
  for (const fs::path& directory : directories())
    if (fs::is_regular_file(directory / name, error)) return (directory / name).string();
  return {};
}

Plugin open_plugin(const std::string& library, const char* symbol) {
  std::string reason = "there is no " + library +
                       " beside the program, in ../lib from there or in "
                       "the directory that FRAMEFOLD_PLUGINS names";
  for (const fs::path& directory : directories()) {
    const fs::path file = directory / library;
    std::error_code error;
    if (!fs::exists(file, error)) continue;
    void* handle = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
    void* address = handle != nullptr ? dlsym(handle, symbol) : nullptr;
    if (address != nullptr) return {address, {}};
    reason = text(file.string(), " does not load: ", dlerror());
  }
  return {nullptr, reason};
}

}  // namespace framefold
