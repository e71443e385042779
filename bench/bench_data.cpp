// One clip of 16 frames at stride 4, 112 x 112: decoded from a video, and read from its shard. One
// thread; random windows. Without FRAMEFOLD_TEST_DATA's videos there is nothing to time.
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <vector>

#include "bench/bench.h"
#include "io/listed_videos.h"
#include "io/shards.h"

namespace framefold::bench {
namespace {

namespace fs = std::filesystem;

std::shared_ptr<const VideoSet> decoded_set() {
  const char* folder = std::getenv("FRAMEFOLD_TEST_DATA");
  if (folder == nullptr || !fs::is_directory(fs::path(folder) / "videos")) return nullptr;
  // Nothing is written beside the videos.
  ::setenv("FRAMEFOLD_CACHE_DIR", (fs::temp_directory_path() / "framefold-bench-index").c_str(), 0);
  VideoList list = read_list({.path = (fs::path(folder) / "videos").string()});
  std::erase_if(list.entries, [](const ListEntry& entry) {
    return fs::path(entry.path).filename() != "arm_wrestling.mp4";
  });
  return listed_videos(std::move(list));
}

void read_clips(benchmark::State& state, const std::shared_ptr<const VideoSet>& set) {
  const auto clips = sampled_clips(set, {}, {.sampling = {.frames = 16, .stride = 4}});
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(clips->shape().size()));
  std::uint64_t stream = 0;
  run(state, {.bytes = static_cast<double>(pixels.size())}, [&] {
    clips->read(0, {1, stream++}, {pixels.data(), DType::u8, clips->shape()});
  });
}

void decode(benchmark::State& state) {
  const auto set = decoded_set();
  if (!set) return state.SkipWithError("FRAMEFOLD_TEST_DATA names no folder with videos/");
  read_clips(state, set);
}

void shards(benchmark::State& state) {
  const auto set = decoded_set();
  if (!set) return state.SkipWithError("FRAMEFOLD_TEST_DATA names no folder with videos/");
  const fs::path folder =
      fs::temp_directory_path() / ("framefold-bench-" + std::to_string(::getpid()));
  pack(*set, {.directory = folder.string(), .height = 112, .width = 112});
  read_clips(state, open_shards(folder.string()));
  fs::remove_all(folder);
}

const bool added = [] {
  add("data/decode", decode);
  add("data/shards", shards);
  return true;
}();

}  // namespace
}  // namespace framefold::bench
