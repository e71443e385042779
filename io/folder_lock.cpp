#include "io/folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>

#include "kernels/error.h"

namespace framefold {

Descriptor lock_folder(const std::filesystem::path& folder, std::string_view refusal) {
  Descriptor lock(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (lock.number() < 0) fail_file("open", folder);
  if (::flock(lock.number(), LOCK_EX | LOCK_NB) == 0) return lock;
  if (errno != EWOULDBLOCK) fail_file("lock", folder);
  fail(ErrorCode::file, refusal);
}

}  // namespace framefold
