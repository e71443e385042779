#include "tests/faulty_codecs.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <utility>

#include "io/isolated_codecs.h"
#include "kernels/error.h"

namespace framefold::test {
namespace {

// Does what the file's name says.
void misbehave(const std::filesystem::path& path) {
  const std::string stem = path.stem().string();
  if (stem == "crash") {
    ::signal(SIGSEGV, SIG_DFL);
    ::raise(SIGSEGV);
  }
  if (stem == "abort") {
    ::signal(SIGABRT, SIG_DFL);
    ::raise(SIGABRT);
  }
  if (stem == "exit") ::_exit(7);
  while (stem == "hang") ::pause();
  if (stem == "memory") {
    std::vector<std::unique_ptr<char[]>> all;  // addresses alone
    for (;;) all.push_back(std::make_unique_for_overwrite<char[]>(std::size_t{16} << 20));
  }
  if (stem == "write") {
    const int file = ::open((path.parent_path() / "written").c_str(), O_WRONLY | O_CREAT, 0666);
    [[maybe_unused]] const auto wrote = ::write(file, "secret", 6);
  }
}

class FaultyVideo final : public VideoReader {
 public:
  FaultyVideo(std::string path, std::unique_ptr<VideoReader> reader)
      : path_(std::move(path)), reader_(std::move(reader)) {}
  void read(std::span<const ClipRequest> clips) override {
    misbehave(path_);
    reader_->read(clips);
  }
  Index decoded() const override { return reader_->decoded(); }

 private:
  std::string path_;
  std::unique_ptr<VideoReader> reader_;
};

class FaultyFrames final : public FrameReader {
 public:
  FaultyFrames(std::string path, std::unique_ptr<FrameReader> reader)
      : path_(std::move(path)), reader_(std::move(reader)) {}
  bool next(std::uint8_t* pixels) override {
    misbehave(path_);
    return reader_->next(pixels);
  }

 private:
  std::string path_;
  std::unique_ptr<FrameReader> reader_;
};

class Faulty final : public Codecs {
 public:
  VideoIndex scan(const std::string& path, const CodecLimits& limits) const override {
    if (path.find("/scan/") != std::string::npos) misbehave(path);
    return codecs().scan(path, limits);
  }
  std::unique_ptr<VideoReader> open(const std::string& path,
                                    std::shared_ptr<const VideoIndex> index,
                                    const CodecLimits& limits) const override {
    return std::make_unique<FaultyVideo>(path, codecs().open(path, std::move(index), limits));
  }
  std::unique_ptr<FrameReader> open(const std::string& path, const FrameFormat& format,
                                    const CodecLimits& limits) const override {
    return std::make_unique<FaultyFrames>(path, codecs().open(path, format, limits));
  }
};

}  // namespace

int serve_faulty_codecs(const std::vector<std::string>& words) {
  return serve_codecs(words,
                      [](Hardware, const Announce&) { return std::make_shared<const Faulty>(); });
}

std::vector<std::string> faulty_codecs_command() {
  return {std::filesystem::canonical("/proc/self/exe").string(), faulty_codecs_option};
}

int wait_for_hanging_child(const std::string& path) {
  const auto isolated = isolated_codecs({.command = faulty_codecs_command(), .seconds = 600});
  const auto index = std::make_shared<const VideoIndex>(isolated->scan(path, {}));
  const std::vector<Index> frames{0};
  std::vector<std::uint8_t> pixels(64);
  isolated->open(path, index, {})->read({frames, {8, 8, 1}, {}, pixels.data()});
  return 0;
}

}  // namespace framefold::test
