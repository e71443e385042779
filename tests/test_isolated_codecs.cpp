// Decoding in child processes: the same frames, and whatever happens to a child costs one read.
#include "io/isolated_codecs.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <thread>

#include "io/listed_videos.h"
#include "io/loader.h"
#include "kernels/error.h"
#include "tests/codecs_test.h"
#include "tests/data.h"
#include "tests/faulty_codecs.h"
#include "tests/temporary.h"

namespace framefold {
namespace {

namespace fs = std::filesystem;
using Pixels = std::vector<std::uint8_t>;

std::string grey_video(int frames) {
  std::string video = "YUV4MPEG2 W16 H8 F25:1 Ip A1:1 Cmono\n";
  for (int i = 0; i < frames; ++i)
    video += "FRAME\n" + std::string(16 * 8, static_cast<char>(40 + i));
  return video;
}

Pixels read(const Codecs& from, const std::string& path, const std::vector<Index>& frames,
            const FrameFormat& format = {8, 8, 1}) {
  const auto index = std::make_shared<const VideoIndex>(from.scan(path, {}));
  Pixels pixels(frames.size() * format.bytes());
  from.open(path, index, {})->read({frames, format, {}, pixels.data()});
  return pixels;
}

// The processes that this one has started and not taken note of.
std::vector<pid_t> children_of(pid_t parent) {
  std::vector<pid_t> found;
  for (const auto& task : fs::directory_iterator(text("/proc/", parent, "/task"))) {
    std::ifstream file(task.path() / "children");
    for (pid_t id = 0; file >> id;) found.push_back(id);
  }
  return found;
}

class IsolatedCodecs : public NeedsCodecs {
 protected:
  std::string video(const std::string& name, int frames = 5) const {
    directory_.write(name, grey_video(frames));
    return (directory_ / name).string();
  }
  static std::shared_ptr<const Codecs> faulty(double seconds = 60) {
    return isolated_codecs(
        {.command = test::faulty_codecs_command(), .seconds = seconds, .memory = Bytes{1} << 30});
  }
  const TemporaryDirectory directory_;
};

TEST_F(IsolatedCodecs, GiveTheSameFrames) {
  const auto isolated = isolated_codecs();
  std::vector<std::string> paths{video("a.y4m", 9)};
  for (const char* name : {"videos/arm_wrestling.mp4", "videos/rotated_90.mov"})
    if (const fs::path path = test_data(name); !path.empty()) paths.push_back(path.string());
  for (const std::string& path : paths) {
    const VideoIndex there = isolated->scan(path, {}), here = codecs().scan(path, {});
    EXPECT_EQ(encode_index(there, {}), encode_index(here, {}));
    const Index last = here.size() - 1;
    for (const std::vector<Index>& frames :
         {std::vector<Index>{0, last / 2, last}, std::vector<Index>{last, last}})
      EXPECT_EQ(read(*isolated, path, frames, {20, 28, 3}),
                read(codecs(), path, frames, {20, 28, 3}));
    // Several clips of one reader, which says how many packets it decoded.
    const auto index = std::make_shared<const VideoIndex>(here);
    std::vector<Pixels> pixels(4, Pixels(2 * 64));
    Index decoded[2];
    for (std::size_t i = 0; i < 2; ++i) {
      const auto reader = (i == 0 ? codecs() : *isolated).open(path, index, {});
      const std::vector<Index> a{0, 1}, b{1, 2};
      const ClipRequest clips[] = {{a, {8, 8, 1}, {}, pixels[2 * i].data()},
                                   {b, {8, 8, 1}, {0, 0, 8, 8}, pixels[2 * i + 1].data()}};
      reader->read(clips);
      decoded[i] = reader->decoded();
    }
    EXPECT_EQ(pixels[0], pixels[2]);
    EXPECT_EQ(pixels[1], pixels[3]);
    EXPECT_EQ(decoded[0], decoded[1]);
    // From first to last.
    const auto a = codecs().open(path, {8, 8, 1}, {}), b = isolated->open(path, {8, 8, 1}, {});
    Pixels one(64), other(64);
    EXPECT_TRUE(a->next(nullptr) && b->next(nullptr));
    for (bool more = true; more;) {
      more = a->next(one.data());
      EXPECT_EQ(b->next(other.data()), more);
      EXPECT_EQ(one, other);
    }
  }
}

TEST_F(IsolatedCodecs, MoreFramesThanTheUsualMemoryHolds) {
  const std::string path = video("a.y4m", 3);
  const std::vector<Index> frames{0, 1, 2};
  const FrameFormat large{2500, 3000, 3};  // 67 MiB
  const auto isolated = isolated_codecs();
  const auto index = std::make_shared<const VideoIndex>(codecs().scan(path, {}));
  const auto reader = isolated->open(path, index, {});
  Pixels pixels(3 * large.bytes()), few(3 * 64);
  for (int i = 0; i < 2; ++i) {
    reader->read({frames, large, {}, pixels.data()});
    for (std::size_t t = 0; t < 3; ++t) {
      EXPECT_EQ(pixels[t * large.bytes()], pixels[(t + 1) * large.bytes() - 1]);
      EXPECT_EQ(few[t * 64] == 0 || few[t * 64] == pixels[t * large.bytes()], true);
    }
    reader->read({frames, {8, 8, 1}, {}, few.data()});
  }
  EXPECT_EQ(few[64], pixels[large.bytes()]);
  const auto small = isolated_codecs({.shared = 1 << 20});
  EXPECT_ERROR(ErrorCode::memory, "MiB in one read", read(*small, path, frames, large));
  EXPECT_EQ(read(*small, path, {1})[0], few[64]);
}

TEST_F(IsolatedCodecs, ErrorsComeThrough) {
  const auto isolated = isolated_codecs();
  directory_.write("text.mp4", "no video");
  EXPECT_ERROR(ErrorCode::format, "text.mp4: is no video",
               isolated->scan((directory_ / "text.mp4").string(), {}));
  EXPECT_ERROR(ErrorCode::file, "none.mp4",
               isolated->open((directory_ / "none.mp4").string(), {8, 8, 1}, {}));
  EXPECT_ERROR(ErrorCode::argument, "has 5 frames, frame 5", read(*isolated, video("a.y4m"), {5}));
  EXPECT_ERROR(ErrorCode::format, "more than 4 frames",
               isolated->scan(video("a.y4m"), {.frames = 4}));
}

TEST_F(IsolatedCodecs, AFaultCostsOneRead) {
  const auto isolated = faulty();
  const std::string good = video("good.y4m");
  const auto expect = [&](const std::string& name, const std::string& message) {
    const std::string path = video(name + ".y4m");
    EXPECT_ERROR(ErrorCode::format, path + ": its decoder " + message, read(*isolated, path, {0}));
    EXPECT_EQ(read(*isolated, good, {2}), read(codecs(), good, {2})) << name;
  };
  expect("crash", "crashed (signal 11");
  expect("abort", "crashed (signal 6");
  expect("exit", "ended with status 7");
  EXPECT_ERROR(ErrorCode::format, "crashed", isolated->scan(video("scan/crash.y4m"), {}));
  const auto frames = isolated->open(video("crash.y4m"), {8, 8, 1}, {});
  Pixels pixels(64);
  EXPECT_ERROR(ErrorCode::format, "crashed", frames->next(pixels.data()));
  EXPECT_ERROR(ErrorCode::format, "has ended", frames->next(pixels.data()));
}

TEST_F(IsolatedCodecs, AHangCostsOneRead) {
  const auto isolated = faulty(3);
  const std::string path = video("hang.y4m"), good = video("good.y4m");
  EXPECT_ERROR(ErrorCode::format, "hang.y4m: its decoder did not get on for 3 seconds",
               read(*isolated, path, {0}));
  EXPECT_EQ(read(*isolated, good, {2}), read(codecs(), good, {2}));
}

TEST_F(IsolatedCodecs, SoDoesALackOfMemory) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "the address sanitizer takes all addresses";
#endif
  const auto isolated = faulty();
  const std::string path = video("memory.y4m"), good = video("good.y4m");
  EXPECT_ERROR(ErrorCode::format, "takes more memory than the 1024 MiB",
               read(*isolated, path, {0}));
  EXPECT_EQ(read(*isolated, good, {2}), read(codecs(), good, {2}));
}

TEST_F(IsolatedCodecs, MayNotWrite) {
  const auto isolated = faulty();
  EXPECT_ERROR(ErrorCode::format, "crashed (signal 25", read(*isolated, video("write.y4m"), {0}));
  EXPECT_EQ(fs::file_size(directory_ / "written"), 0U);
}

// A reader goes on with a new child when its own has died meanwhile.
TEST_F(IsolatedCodecs, ReadersOutliveTheirChildren) {
  const auto isolated = isolated_codecs();
  const std::string path = video("a.y4m");
  const auto index = std::make_shared<const VideoIndex>(codecs().scan(path, {}));
  const auto reader = isolated->open(path, index, {});
  const std::vector<Index> frames{3};
  Pixels first(64), second(64);
  reader->read({frames, {8, 8, 1}, {}, first.data()});
  for (const pid_t child : children_of(::getpid())) ::kill(child, SIGKILL);
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  reader->read({frames, {8, 8, 1}, {}, second.data()});
  EXPECT_EQ(first, second);
  EXPECT_EQ(reader->decoded(), 2);
}

TEST_F(IsolatedCodecs, BadSamplesOfALoader) {
  for (const char* name : {"a", "b", "c", "d", "crash"}) video(text("all/", name, ".y4m"));
  const auto files = std::make_shared<const VideoFiles>(VideoFiles::Options{.codecs = faulty()});
  const auto set = listed_videos(read_list({.path = (directory_ / "all").string()}), files);
  const auto clips =
      sampled_clips(set, {}, {.sampling = {.frames = 2}, .height = 8, .width = 8, .channels = 1});
  Loader loader(clips, {.batch = 5, .workers = 2, .bad = {.skip = true}});
  Pixels batch(loader.type().bytes());
  for (int step = 0; step < 3; ++step) loader.next({batch.data(), DType::u8, loader.type().shape});
  EXPECT_GE(loader.bad(), 3);
  EXPECT_NE(loader.last_bad().find("crash.y4m: its decoder crashed"), std::string::npos)
      << loader.last_bad();
  Loader strict(clips, {.batch = 5, .workers = 2});
  EXPECT_ERROR(ErrorCode::format, "crash.y4m",
               strict.next({batch.data(), DType::u8, loader.type().shape}));
}

TEST_F(IsolatedCodecs, LeaveNothingBehind) {
  const std::vector<pid_t> before = children_of(::getpid());
  {
    const auto isolated = faulty();
    const std::string path = video("a.y4m");
    read(*isolated, path, {0});
    EXPECT_ERROR(ErrorCode::format, "crashed", read(*isolated, video("crash.y4m"), {0}));
    const auto index = std::make_shared<const VideoIndex>(codecs().scan(path, {}));
    const auto one = isolated->open(path, index, {}), two = isolated->open(path, index, {});
    EXPECT_GE(children_of(::getpid()).size(), before.size() + 2);
  }
  EXPECT_EQ(children_of(::getpid()), before);
}

// The state of a process by its letter; '-': there is none.
char state_of(pid_t id) {
  std::ifstream file(text("/proc/", id, "/stat"));
  std::string stat((std::istreambuf_iterator<char>(file)), {});
  const std::size_t end = stat.rfind(')');
  return end == std::string::npos || end + 2 >= stat.size() ? '-' : stat[end + 2];
}

TEST_F(IsolatedCodecs, EndWithAParentThatIsKilled) {
  const std::string path = video("hang.y4m");
  const std::string self = fs::canonical("/proc/self/exe").string();
  const pid_t parent = ::fork();
  if (parent == 0) {
    ::execl(self.c_str(), self.c_str(), test::hanging_parent_option, path.c_str(), nullptr);
    ::_exit(120);
  }
  std::vector<pid_t> children;
  for (int i = 0; i < 400 && children.empty(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    children = children_of(parent);
  }
  ASSERT_EQ(children.size(), 1U);
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  ::kill(parent, SIGKILL);
  ::waitpid(parent, nullptr, 0);
  char state = '?';
  for (int i = 0; i < 200 && state != '-' && state != 'Z'; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    state = state_of(children[0]);
  }
  EXPECT_TRUE(state == '-' || state == 'Z') << state;  // Z: nobody has taken note of it yet
}

TEST(IsolatedCodecsAlone, SayWhatIsMissing) {
  EXPECT_ERROR(ErrorCode::unavailable, "/no/such/program",
               isolated_codecs({.command = {"/no/such/program"}}));
  EXPECT_EQ(serve_codecs({}, codecs_with), 2);
}

// There is a driver on no machine that runs these tests; with one, nothing is announced.
TEST_F(IsolatedCodecs, HardwareThatIsNotThereIsAnnouncedOnce) {
  const std::string path = video("a.y4m");
  bool there = true;
  try {
    codecs_with(Hardware::require);
  } catch (const Error& error) {
    there = false;
    EXPECT_EQ(error.code(), ErrorCode::unavailable);
    EXPECT_NE(std::string(error.what()).find("data.hardware is require, but no NVIDIA GPU"),
              std::string::npos)
        << error.what();
    EXPECT_ERROR(ErrorCode::unavailable, "no NVIDIA GPU",
                 isolated_codecs({.hardware = Hardware::require}));
  }
  if (there) GTEST_SKIP() << "there is an NVIDIA GPU";
  std::vector<std::string> said;
  const Announce announce = [&](const std::string& why) { said.push_back(why); };
  const auto automatic = codecs_with(Hardware::automatic, announce);
  EXPECT_EQ(read(*automatic, path, {2}), read(codecs(), path, {2}));
  read(*automatic, path, {2});
  ASSERT_EQ(said.size(), 1U);
  EXPECT_TRUE(said[0].starts_with("videos are decoded on the CPU: no NVIDIA GPU can be used: "))
      << said[0];
  const auto isolated = isolated_codecs({.hardware = Hardware::automatic, .announce = announce});
  EXPECT_EQ(read(*isolated, path, {2}), read(codecs(), path, {2}));
  ASSERT_EQ(said.size(), 2U);
  EXPECT_EQ(said[0], said[1]);
  EXPECT_ERROR(ErrorCode::argument, "expected off, auto or require", hardware_kind("on"));
}

}  // namespace
}  // namespace framefold
