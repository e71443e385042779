#include "cli/run_directory.h"

#include <png.h>
#include <sys/utsname.h>
#include <webp/encode.h>
#include <xxhash.h>
#include <zlib.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "cli/version.h"
#include "io/folder_lock.h"
#include "kernels/error.h"
#include "kernels/vendor.h"

namespace framefold {
namespace {

namespace fs = std::filesystem;

void make_directory(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error)
    fail(ErrorCode::file, "cannot create the folder ", path.string(), ": ", error.message(),
         "; check its parent, or set run.directory");
}

std::string vector_units() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) return "AVX-512";
  if (__builtin_cpu_supports("avx2")) return "AVX2";
#endif
  return "baseline";
}

// Of a process that was killed while it wrote.
bool is_partial(const fs::path& path) { return path.extension() == ".partial"; }

void remove_partial(const fs::path& folder) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored))
    if (is_partial(entry.path())) fs::remove(entry.path(), ignored);
}

// Whether the folder holds no more than a run leaves that ended before its first file.
bool untouched(const fs::path& path) {
  if (!fs::is_directory(path)) return false;
  for (const auto& entry : fs::directory_iterator(path)) {
    const fs::path name = entry.path().filename();
    if (is_partial(name)) continue;
    if ((name != "checkpoints" && name != "samples") || !entry.is_directory() ||
        !fs::is_empty(entry.path()))
      return false;
  }
  return true;
}

}  // namespace

RunDirectory RunDirectory::create(const Config& config, bool overwrite) {
  RunDirectory run(fs::path(config.run.directory) / config.run.name);
  if (config.run.name.empty() || config.run.name.find('/') != std::string::npos ||
      config.run.name == "." || config.run.name == "..")
    fail(ErrorCode::config, "run.name is \"", config.run.name,
         "\", expected a folder's name without '/'");
  if (fs::exists(run.path_) && !untouched(run.path_)) {
    const bool holds_run = fs::is_regular_file(run.config());
    if (!overwrite || !holds_run)
      fail(ErrorCode::file, run.path_.string(), " exists",
           holds_run ? text("; choose another --name, continue it with --resume ",
                            run.path_.string(), ", or replace it with --overwrite")
                     : " and holds no run; choose another --name");
    run.lock();
    for (const auto& entry : fs::directory_iterator(run.path_)) fs::remove_all(entry.path());
  } else {
    make_directory(run.path_);
    run.lock();
  }
  make_directory(run.checkpoints());
  make_directory(run.samples());
  return run;
}

void RunDirectory::remove_untouched(const fs::path& path) {
  std::error_code ignored;
  if (untouched(path)) fs::remove_all(path, ignored);
}

RunDirectory RunDirectory::open(const fs::path& path) {
  RunDirectory run(path.has_filename() ? path : path.parent_path());
  if (!fs::is_regular_file(run.config()))
    fail(ErrorCode::file, path.string(), " holds no run: there is no ", run.config().string(),
         "; expected a folder that `framefold train` made, such as runs/NAME");
  return run;
}

RunDirectory RunDirectory::resume(const fs::path& path) {
  RunDirectory run = open(path);
  run.lock();
  make_directory(run.samples());
  return run;
}

void RunDirectory::lock() {
  lock_ = lock_folder(path_, text("another process is training in ", path_.string(),
                                  "; wait for its end, or choose another --name"));
  for (const fs::path& folder : {path_, samples()}) remove_partial(folder);
}

std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  return "unknown";
}

std::string version_text() { return "framefold " FRAMEFOLD_VERSION " (" FRAMEFOLD_COMMIT ")"; }

std::string environment_json(int threads, double first_step_ms) {
  nlohmann::ordered_json json;
  json["version"] = FRAMEFOLD_VERSION;
  json["commit"] = FRAMEFOLD_COMMIT;
  json["compiler"] = text("g++ ", __VERSION__);
  utsname system{};
  ::uname(&system);
  json["system"] = text(system.sysname, ' ', system.release, ' ', system.machine);
  json["host"] = system.nodename;
  json["processor"] = processor_name();
  json["vector_units"] = vector_units();
  json["cores"] = std::thread::hardware_concurrency();
  json["threads"] = threads;
  json["first_step_ms"] = first_step_ms;
  auto& libraries = json["libraries"] = nlohmann::ordered_json::object();
  for (const auto& [name, version] : vendor_libraries({})) libraries[name] = version;
  libraries["libpng"] = ::png_get_libpng_ver(nullptr);
  libraries["zlib"] = ::zlibVersion();
  const int webp = ::WebPGetEncoderVersion();
  libraries["libwebp"] = text(webp >> 16, '.', webp >> 8 & 255, '.', webp & 255);
  libraries["xxHash"] = ::XXH_versionNumber();
  return json.dump(2) + '\n';
}

}  // namespace framefold
