// The built command, typed into a shell under conditions that nobody wishes for.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>

#include "io/file.h"
#include "tests/temporary.h"

namespace framefold {
namespace {

namespace fs = std::filesystem;

class Typed : public testing::Test {
 protected:
  struct Result {
    int code = -1;
    std::string out, err;
  };
  // Runs a shell's lines in the test's directory, where `framefold` is found by its name.
  Result type(const std::string& lines) const {
    directory.write("lines", text("PATH=", fs::path(FRAMEFOLD_COMMAND).parent_path().string(),
                                  ":$PATH\n", lines, '\n'));
    const std::string line =
        text("cd ", directory.path().string(), " && bash lines > out 2> err < /dev/null");
    const int status = std::system(line.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 256, read_file(directory / "out", 1 << 24),
            read_file(directory / "err", 1 << 24)};
  }
  bool has(const std::string& path) const { return fs::exists(directory / path); }

  TemporaryDirectory directory;
};

TEST_F(Typed, NothingOfTheWorkingDirectoryIsRun) {
  const Result checked = type(R"(
touch framefold video.mp4
printf '#!/bin/sh\ntouch taken\n' > framefold-decoder
chmod +x framefold-decoder
framefold data verify video.mp4 --isolate
FRAMEFOLD_PLUGINS= framefold data verify video.mp4 --isolate)");
  EXPECT_NE(checked.code, 0);
  EXPECT_FALSE(has("taken")) << checked.err;
}

}  // namespace
}  // namespace framefold
