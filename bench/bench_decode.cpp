// Random clips of 16 frames at stride 4, 224 x 224, from videos opened once, on one thread.
//
//   decode/clips   one clip a read
//   decode/pass    eight clips of one pass over the file
//   floor          share of the time that decoding alone takes, what no reader can go below
//
// The videos are those below FRAMEFOLD_TEST_DATA, or ../shared/data, in videos/; without them
// there are no rows.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include "bench/bench.h"
#include "io/codecs.h"
#include "io/random.h"

namespace framefold::bench {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr Index frames = 16, stride = 4, side = 224;

class Clips {
 public:
  Clips(const std::string& path, Index count)
      : index_(std::make_shared<const VideoIndex>(codecs().scan(path, {}))),
        reader_(codecs().open(path, index_, {})),
        frames_(static_cast<std::size_t>(count), std::vector<Index>(frames)),
        pixels_(static_cast<std::size_t>(count * frames * side * side * 3)) {}

  // Reads the clips numbered from `first` on; seconds it took.
  double read(std::uint64_t first, const FrameFormat& format, const Crop& crop) {
    std::vector<ClipRequest> clips;
    const Index last = index_->size() - 1, room = std::max<Index>(1, last - (frames - 1) * stride);
    for (std::size_t clip = 0; clip < frames_.size(); ++clip) {
      const Index start = Random{1, 1}.below(first + clip, static_cast<std::uint32_t>(room));
      for (Index t = 0; t < frames; ++t)
        frames_[clip][static_cast<std::size_t>(t)] = std::min(start + t * stride, last);
      clips.push_back({frames_[clip], format, crop,
                       pixels_.data() + clip * static_cast<std::size_t>(frames) * format.bytes()});
    }
    const auto begun = Clock::now();
    reader_->read(clips);
    return std::chrono::duration<double>(Clock::now() - begun).count();
  }
  double decoded() const { return static_cast<double>(reader_->decoded()); }

 private:
  std::shared_ptr<const VideoIndex> index_;
  std::unique_ptr<VideoReader> reader_;
  std::vector<std::vector<Index>> frames_;
  std::vector<std::uint8_t> pixels_;
};

// The median over reads, and the floor's share of them: each read's floor is taken right after it.
void read_clips(benchmark::State& state, const std::string& path, Index together) {
  Clips clips(path, together);
  double whole = 0, floor = 0, decoded = 0;
  std::uint64_t clip = 0;
  const Timing timing = time([&] {
    const double before = clips.decoded(), seconds = clips.read(clip, {side, side, 3}, {});
    decoded += clips.decoded() - before;
    whole += seconds;
    floor += clips.read(clip, {8, 8, 1}, {0, 0, 8, 8});  // next to nothing to convert
    clip += static_cast<std::uint64_t>(together);
    return seconds;
  });
  report(state, {}, timing);
  state.counters["clips/s"] = static_cast<double>(clip) / whole;
  state.counters["decoded"] = decoded / static_cast<double>(clip);
  state.counters["floor"] = floor / whole;
}

const bool registered = [] {
  const char* given = std::getenv("FRAMEFOLD_TEST_DATA");
  const fs::path folder = fs::path(given != nullptr ? given : "../shared/data") / "videos";
  std::error_code none;
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder, none))
    if (entry.is_regular_file() && entry.file_size() > 100000) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  for (const fs::path& file : files)
    for (const Index together : {1, 8})
      add((together == 1 ? "decode/clips/" : "decode/pass/") + file.filename().string(),
          [file, together](benchmark::State& state) {
            read_clips(state, file.string(), together);
          });
  return !files.empty();
}();

}  // namespace
}  // namespace framefold::bench
