// Ten thousand clips: neither memory nor open files grow.
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "io/clip_files.h"
#include "io/isolated_codecs.h"
#include "io/listed_videos.h"
#include "io/loader.h"
#include "tests/codecs_test.h"
#include "tests/temporary.h"

namespace framefold {
namespace {

namespace fs = std::filesystem;

Bytes resident() {
  std::ifstream file("/proc/self/statm");
  Bytes pages = 0;
  file >> pages >> pages;
  return pages * static_cast<Bytes>(::sysconf(_SC_PAGESIZE));
}

Index open_files() {
  return std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator());
}

class FlatMemory : public NeedsCodecs {
 protected:
  static constexpr Index videos = 50;
  static constexpr int workers = 2;

  // Videos of 7 frames of 16 x 8 pixels.
  void SetUp() override {
    NeedsCodecs::SetUp();
    for (Index i = 0; i < videos; ++i) {
      std::string video = "YUV4MPEG2 W16 H8 F25:1 Ip A1:1 C420jpeg\n";
      for (int frame = 0; frame < 7; ++frame) video += "FRAME\n" + std::string(16 * 8 * 3 / 2, 'x');
      directory_.write(text("all/", i, ".y4m"), video);
    }
  }

  // Reads that many clips; what grew after the first tenth of them.
  void read(const std::shared_ptr<const Dataset>& clips, Index count) const {
    Loader loader(clips, {.batch = 25, .workers = workers, .seed = 1});
    std::vector<std::uint8_t> batch(loader.type().bytes());
    const auto next = [&] { loader.next({batch.data(), DType::u8, loader.type().shape}); };
    Index done = 0;
    for (; done < count / 10; done += 25) next();
    [[maybe_unused]] const Bytes before = resident();
    Index most_files = 0;
    for (; done < count; done += 25) {
      next();
      most_files = std::max(most_files, open_files());
    }
    // A worker has its file, its folder's listing here has one.
    EXPECT_LE(most_files, files_before_ + 2 * workers + 2);
#if !defined(__SANITIZE_ADDRESS__)  // which keeps what was freed
    EXPECT_LE(resident(), before + (Bytes{2} << 20));
#endif
  }

  const TemporaryDirectory directory_;
  const Index files_before_ = open_files();
};

TEST_F(FlatMemory, OfAList) {
  const auto set = listed_videos(read_list({.path = (directory_ / "all").string()}));
  read(sampled_clips(set, {}, {.sampling = {.frames = 2}, .height = 8, .width = 8}), 10000);
}

TEST_F(FlatMemory, OfFilesThatAreNotKept) {
  const Split parts = clip_files({.path = (directory_ / "all").string(),
                                  .frames = 2,
                                  .format = {8, 8, 3},
                                  .held_out = 0,
                                  .cache = 0});
  read(parts.train, 10000);
}

// As many children as workers, each with a socket and its memory.
TEST_F(FlatMemory, OfChildProcesses) {
  const auto files =
      std::make_shared<const VideoFiles>(VideoFiles::Options{.codecs = isolated_codecs()});
  const auto set = listed_videos(read_list({.path = (directory_ / "all").string()}), files);
  read(sampled_clips(set, {}, {.sampling = {.frames = 2}, .height = 8, .width = 8}), 1000);
}

}  // namespace
}  // namespace framefold
