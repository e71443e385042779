#include "io/file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "tests/temporary.h"

namespace framefold {
namespace {

namespace fs = std::filesystem;

// Files of at most `limit` bytes while it lives, exceeding it an error instead of a signal.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t limit) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit lower{limit, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &lower);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  void (*handler_)(int);
};

TEST(File, WritesAndReplaces) {
  const TemporaryDirectory directory;
  const fs::path path = directory / "a.bin";
  write_file(path, "first");
  EXPECT_EQ(read_file(path, 100), "first");
  write_file(path, "second, longer");
  EXPECT_EQ(read_file(path, 100), "second, longer");
  EXPECT_EQ(directory.names(), std::vector<std::string>{"a.bin"});
}

TEST(File, UntouchedUntilCommit) {
  const TemporaryDirectory directory;
  const fs::path path = directory / "a.bin";
  write_file(path, "old");
  {
    AtomicFile file(path);
    file.write("new");
    EXPECT_EQ(read_file(path, 100), "old");
    EXPECT_EQ(directory.names().size(), 2U);
  }
  EXPECT_EQ(read_file(path, 100), "old");
  EXPECT_EQ(directory.names(), std::vector<std::string>{"a.bin"});
}

TEST(File, TwoWritersOfOneNameEachWriteAWholeFile) {
  const TemporaryDirectory directory;
  const fs::path path = directory / "a.bin";
  AtomicFile first(path);
  AtomicFile second(path);
  first.write("first");
  second.write("second");
  second.commit();
  first.commit();
  EXPECT_EQ(read_file(path, 100), "first");
}

TEST(File, RelativePathAndLink) {
  const TemporaryDirectory directory;
  const fs::path before = fs::current_path();
  fs::current_path(directory.path());
  write_file("plain", "x");
  EXPECT_EQ(read_file("plain", 1), "x");
  fs::current_path(before);

  fs::create_directory(directory / "elsewhere");
  write_file(directory / "elsewhere" / "real", "old");
  fs::create_symlink("elsewhere/real", directory / "link");
  write_file(directory / "link", "new");
  EXPECT_TRUE(fs::is_symlink(directory / "link"));
  EXPECT_EQ(read_file(directory / "elsewhere" / "real", 100), "new");
}

// The limit on file sizes stands in for a disk that fills up in the middle of a write.
TEST(File, OlderFileSurvivesAFailedWrite) {
  const TemporaryDirectory directory;
  const fs::path path = directory / "a.bin";
  write_file(path, "old");
  {
    const FileSizeLimit limit(1000);
    EXPECT_ERROR(ErrorCode::file, "cannot write " + path.string() + ": File too large; raise",
                 write_file(path, std::string(5000, 'x')));
  }
  EXPECT_EQ(read_file(path, 100), "old");
  EXPECT_EQ(directory.names(), std::vector<std::string>{"a.bin"});
  write_file(path, std::string(5000, 'x'));
  EXPECT_EQ(read_file(path, 5000), std::string(5000, 'x'));
}

// A file system of 64 KiB in a mount namespace of a child's own; 77: not allowed here.
TEST(File, OlderFileSurvivesAFullDisk) {
  const TemporaryDirectory directory;
  const pid_t child = ::fork();
  if (child == 0) {
    if (::unshare(::geteuid() == 0 ? CLONE_NEWNS : CLONE_NEWNS | CLONE_NEWUSER) != 0 ||
        ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("small", directory.path().c_str(), "tmpfs", 0, "size=64k") != 0)
      ::_exit(77);
    const fs::path path = directory / "a.bin";
    try {
      write_file(path, "old");
      write_file(path, std::string(1 << 20, 'x'));
      ::_exit(1);
    } catch (const Error& error) {
      const bool told = std::string(error.what()).find("No space left on device; free space") !=
                        std::string::npos;
      const bool kept = read_file(path, 100) == "old" && directory.names().size() == 1;
      ::_exit(error.code() == ErrorCode::file && told && kept ? 0 : 2);
    } catch (...) {
      ::_exit(3);
    }
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 77) GTEST_SKIP() << "mounting a small file system is not allowed here";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(File, RefusesWhatIsNoRegularFile) {
  const TemporaryDirectory directory;
  EXPECT_ERROR(ErrorCode::file, "/dev/full: it exists and is not a regular file",
               write_file("/dev/full", "x"));
  EXPECT_ERROR(ErrorCode::file, "not a regular file", write_file(directory.path(), "x"));
  EXPECT_ERROR(ErrorCode::file, "not a regular file", read_file(directory.path(), 100));
  ASSERT_EQ(::mkfifo((directory / "pipe").c_str(), 0600), 0);
  EXPECT_ERROR(ErrorCode::file, "not a regular file", read_file(directory / "pipe", 100));
  EXPECT_ERROR(ErrorCode::file, "not a regular file", write_file(directory / "pipe", "x"));
}

TEST(File, NamesPathReasonAndRemedy) {
  const TemporaryDirectory directory;
  const fs::path missing = directory / "none" / "a.bin";
  EXPECT_ERROR(ErrorCode::file, "cannot create " + missing.string(), write_file(missing, "x"));
  EXPECT_ERROR(ErrorCode::file, "No such file or directory; check the path",
               read_file(missing, 100));
  write_file(directory / "file", "x");
  EXPECT_ERROR(ErrorCode::file, "Not a directory; a part of the path",
               write_file(directory / "file" / "a", "x"));
}

TEST(File, PermissionDenied) {
  const TemporaryDirectory directory;
  write_file(directory / "a.bin", "old");
  fs::permissions(directory.path(), fs::perms::owner_read | fs::perms::owner_exec);
  const uid_t user = ::geteuid();
  ASSERT_EQ(::seteuid(user == 0 ? 65534 : user), 0);  // permissions do not hold the superuser
  EXPECT_ERROR(ErrorCode::file, "Permission denied; check who owns it",
               write_file(directory / "a.bin", "x"));
  ASSERT_EQ(::seteuid(user), 0);
  fs::permissions(directory.path(), fs::perms::owner_all);
  EXPECT_EQ(read_file(directory / "a.bin", 100), "old");
}

TEST(File, ReadsWithACapAndWithinTheEnd) {
  const TemporaryDirectory directory;
  write_file(directory / "a.bin", "0123456789");
  EXPECT_EQ(read_file(directory / "a.bin", 10).size(), 10U);
  EXPECT_ERROR(ErrorCode::format, "has 10 bytes, expected at most 9",
               read_file(directory / "a.bin", 9));
  const InputFile file(directory / "a.bin");
  char piece[4];
  file.read(6, piece, 4);
  EXPECT_EQ(std::string(piece, 4), "6789");
  EXPECT_ERROR(ErrorCode::format, "ends at byte 10, 1 more", file.read(7, piece, 4));
}

}  // namespace
}  // namespace framefold
