#include "io/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <system_error>
#include <utility>

#include "kernels/error.h"

namespace framefold {
namespace {

namespace fs = std::filesystem;

constexpr Bytes largest_piece = Bytes{1} << 30;  // Linux moves at most 2 GiB a call

std::string_view remedy(int number, bool creating) {
  switch (number) {
    case ENOSPC:
    case EDQUOT: return "free space there or choose another place";
    case EFBIG: return "raise the limit on file sizes (ulimit -f) or choose another file system";
    case EACCES:
    case EPERM: return "check who owns it and its permissions";
    case EROFS: return "choose a place that can be written";
    case ENOENT: return creating ? "create its directory first" : "check the path";
    case ENOTDIR: return "a part of the path is not a directory";
    case EISDIR: return "name a file, not a directory";
    case EMFILE:
    case ENFILE: return "raise the limit on open files (ulimit -n)";
    case ENAMETOOLONG: return "choose a shorter name";
    case EIO: return "the device reports damage: keep a copy elsewhere";
    default: return "check the path and its file system";
  }
}

void sync_directory(const fs::path& directory) {
  const Descriptor opened(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (opened.number() < 0) fail_file("open", directory);
  // EINVAL: a file system whose directories need no sync.
  if (::fsync(opened.number()) != 0 && errno != EINVAL) fail_file("sync", directory);
}

}  // namespace

void fail_file(std::string_view operation, const fs::path& path) {
  const int number = errno;
  fail(ErrorCode::file, "cannot ", operation, " ", path.string(), ": ",
       std::generic_category().message(number), "; ", remedy(number, operation == "create"));
}

Descriptor::Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  std::swap(number_, other.number_);
  return *this;
}

Descriptor::~Descriptor() {
  if (number_ >= 0) ::close(number_);
}

AtomicFile::AtomicFile(const fs::path& target) : target_(target) {
  static std::atomic<unsigned> count{0};
  std::error_code missing;
  if (fs::is_symlink(fs::symlink_status(target, missing))) {
    target_ = fs::weakly_canonical(target, missing);
    if (missing)
      fail(ErrorCode::file, "cannot follow the link ", target.string(), ": ", missing.message());
  }
  const fs::file_status status = fs::status(target_, missing);
  if (fs::exists(status) && !fs::is_regular_file(status))
    fail(ErrorCode::file, "cannot write ", target.string(),
         ": it exists and is not a regular file; name a file");
  do {
    partial_ = target_;
    partial_ += text('.', ::getpid(), '-', count++, ".partial");
    file_ = Descriptor(::open(partial_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  } while (file_.number() < 0 && errno == EEXIST);
  if (file_.number() < 0) fail_file("create", partial_);
}

AtomicFile::~AtomicFile() {
  if (!partial_.empty()) ::unlink(partial_.c_str());
}

void AtomicFile::write(const void* data, Bytes bytes) {
  const char* next = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t written = ::write(file_.number(), next, std::min(bytes, largest_piece));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail_file("write", target_);
    next += written;
    bytes -= static_cast<Bytes>(written);
  }
}

void AtomicFile::commit() {
  if (::fsync(file_.number()) != 0) fail_file("sync", target_);
  if (::rename(partial_.c_str(), target_.c_str()) != 0) fail_file("rename a file to", target_);
  partial_.clear();
  file_ = Descriptor();
  sync_directory(target_.has_parent_path() ? target_.parent_path() : fs::path("."));
}

fs::path cache_directory() {
  const auto value = [](const char* name) {
    const char* found = std::getenv(name);
    return std::string_view(found != nullptr ? found : "");
  };
  if (const auto named = value("FRAMEFOLD_CACHE_DIR"); !named.empty()) return named;
  if (const auto cache = value("XDG_CACHE_HOME"); cache.starts_with('/'))
    return fs::path(cache) / "framefold";
  if (const auto home = value("HOME"); home.starts_with('/'))
    return fs::path(home) / ".cache/framefold";
  return {};
}

void write_file(const fs::path& path, std::string_view content) {
  AtomicFile file(path);
  file.write(content);
  file.commit();
}

InputFile::InputFile(const fs::path& path)
    : path_(path), file_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
  if (file_.number() < 0) fail_file("open", path);
  struct stat status = {};
  if (::fstat(file_.number(), &status) != 0) fail_file("examine", path);
  if (!S_ISREG(status.st_mode))
    fail(ErrorCode::file, "cannot read ", path.string(), ": it is not a regular file; name a file");
  size_ = static_cast<std::uint64_t>(status.st_size);
}

void InputFile::read(std::uint64_t offset, void* data, Bytes bytes) const {
  char* next = static_cast<char*>(data);
  while (bytes > 0) {
    const ssize_t got =
        ::pread(file_.number(), next, std::min(bytes, largest_piece), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_file("read", path_);
    if (got == 0)
      fail(ErrorCode::format, path_.string(), " ends at byte ", offset, ", ", bytes,
           " more are expected there; the file was cut short, copy it again");
    next += got;
    offset += static_cast<std::uint64_t>(got);
    bytes -= static_cast<Bytes>(got);
  }
}

std::string read_file(const fs::path& path, Bytes cap) {
  const InputFile file(path);
  if (file.size() > cap)
    fail(ErrorCode::format, path.string(), " has ", file.size(), " bytes, expected at most ", cap,
         "; is it the right file?");
  std::string content(static_cast<std::size_t>(file.size()), '\0');
  file.read(0, content.data(), content.size());
  return content;
}

}  // namespace framefold
