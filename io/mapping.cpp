#include "io/mapping.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <utility>

#include "io/file.h"
#include "kernels/error.h"

namespace framefold {

// Never freed, so that the handler may walk through them at any time; used again.
struct Mapping::Region {
  std::atomic<bool> used = true, lost = false;
  std::atomic<std::uintptr_t> begin = 0, end = 0;
  Region* next = nullptr;
};

namespace {

std::atomic<Mapping::Region*> regions = nullptr;
struct sigaction before = {};

void on_fault(int signal, siginfo_t* fault, void*) {
  static const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto address = reinterpret_cast<std::uintptr_t>(fault->si_addr);
  for (Mapping::Region* region = regions; region != nullptr; region = region->next) {
    if (address < region->begin || address >= region->end) continue;
    region->lost = true;
    const std::uintptr_t first = address / page * page;
    if (::mmap(reinterpret_cast<void*>(first), region->end - first, PROT_READ,
               MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED)
      return;
  }
  sigaction(signal, &before, nullptr);  // the access is tried again, under the earlier handler
}

Mapping::Region* claim() {
  static const int listening = [] {
    static_cast<void>(::sysconf(_SC_PAGESIZE));
    struct sigaction action = {};
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO;
    sigemptyset(&action.sa_mask);
    return sigaction(SIGBUS, &action, &before);
  }();
  if (listening != 0) fail_file("listen to", "SIGBUS");
  for (Mapping::Region* region = regions; region != nullptr; region = region->next)
    if (!region->used.exchange(true)) {
      region->lost = false;
      return region;
    }
  auto* region = new Mapping::Region;
  region->next = regions;
  while (!regions.compare_exchange_weak(region->next, region)) {
  }
  return region;
}

void check_size(const std::filesystem::path& path, const struct stat& status, std::uint64_t bytes) {
  if (static_cast<std::uint64_t>(status.st_size) != bytes)
    fail(ErrorCode::format, path.string(), ": ", status.st_size, " bytes, the index says ", bytes,
         "; copy it again, or pack again");
}

}  // namespace

Mapping::Mapping(std::filesystem::path path, std::uint64_t bytes)
    : path_(std::move(path)), bytes_(bytes) {
  const Descriptor file(::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status = {};
  if (file.number() < 0 || ::fstat(file.number(), &status) != 0) fail_file("open", path_);
  inode_ = status.st_ino;
  check_size(path_, status, bytes);
  if (bytes == 0) return;
  region_ = claim();
  void* data = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, file.number(), 0);
  if (data == MAP_FAILED) fail_file("map", path_);
  data_ = static_cast<const std::uint8_t*>(data);
  region_->begin = reinterpret_cast<std::uintptr_t>(data_);
  region_->end = reinterpret_cast<std::uintptr_t>(data_) + bytes;
}

Mapping::Mapping(Mapping&& other) noexcept
    : path_(std::move(other.path_)),
      bytes_(other.bytes_),
      inode_(other.inode_),
      data_(std::exchange(other.data_, nullptr)),
      region_(std::exchange(other.region_, nullptr)) {}

Mapping::~Mapping() {
  if (region_ == nullptr) return;
  region_->end = region_->begin = 0;
  region_->used = false;
  ::munmap(const_cast<std::uint8_t*>(data_), bytes_);
}

void Mapping::check() const {
  struct stat status = {};
  if (::stat(path_.c_str(), &status) == 0 && status.st_ino == inode_)
    check_size(path_, status, bytes_);
  if (region_ != nullptr && region_->lost)
    fail(ErrorCode::file, path_.string(),
         ": a part could not be read; copy it again, or pack again");
}

}  // namespace framefold
