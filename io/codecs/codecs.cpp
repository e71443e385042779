// The codecs: libframefold_codecs.so, opened when a run decodes files. The contract is
// io/codecs.h; nothing outside this folder includes libav.
#include "io/codecs.h"

#include <optional>

#include "io/codecs/accelerator.h"
#include "io/codecs/encoder.h"
#include "io/codecs/libav.h"
#include "io/codecs/readers.h"

namespace framefold {
namespace {

class Libav final : public Codecs {
 public:
  Libav() { keep_log(); }
  Libav(bool gpu_required, const Announce& announce) {
    keep_log();
    gpu_.emplace(gpu_required, announce);
  }
  VideoIndex scan(const std::string& path, const CodecLimits& limits) const override {
    return scan_video(path, limits);
  }
  std::unique_ptr<VideoReader> open(const std::string& path,
                                    std::shared_ptr<const VideoIndex> index,
                                    const CodecLimits& limits) const override {
    return random_access(path, std::move(index), limits, gpu());
  }
  std::unique_ptr<FrameReader> open(const std::string& path, const FrameFormat& format,
                                    const CodecLimits& limits) const override {
    return in_sequence(path, format, limits, gpu());
  }
  std::string mp4(std::span<const Picture> frames, double frames_per_second) const override {
    return mp4_of(frames, frames_per_second);
  }

 private:
  const Accelerator* gpu() const { return gpu_ ? &*gpu_ : nullptr; }

  std::optional<Accelerator> gpu_;
};

}  // namespace
}  // namespace framefold

extern "C" __attribute__((visibility("default"))) const framefold::Codecs* framefold_codecs() {
  static const framefold::Libav libav;
  return &libav;
}

extern "C" __attribute__((visibility("default"))) const framefold::Codecs* framefold_gpu_codecs(
    bool required, const framefold::Announce& announce) {
  return new framefold::Libav(required, announce);
}
