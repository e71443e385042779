// Decoding by an NVIDIA GPU (NVDEC), where there is one and it knows the codec. Frames come back
// to memory as the CPU's decoder would give them: planes of their own.
#pragma once

#include <mutex>
#include <string>

#include "io/codecs.h"
#include "io/codecs/libav.h"

namespace framefold {

class Accelerator {
 public:
  // Announces what is missing, or throws it where hardware is required.
  Accelerator(bool required, Announce announce);

  // Before the decoder is opened; `path` is the file's, for what is said.
  void attach(AVCodecContext& decoder, const AVCodec& codec, const std::string& path) const;
  // The CPU decodes this file: announced once, or an Error where hardware is required.
  void fall_back(const std::string& why) const;

 private:
  OwnedBuffer device_;
  bool required_;
  Announce announce_;
  mutable std::mutex mutex_;
  mutable bool announced_ = false;
};

// The decoder's choice among what libav offers: the GPU's frames where they are among it.
AVPixelFormat gpu_format(const AVPixelFormat* offered);  // AV_PIX_FMT_NONE: they are not

// A frame that lies on the GPU, copied to memory.
class Download {
 public:
  AVFrame* run(const AVFrame& frame, const std::string& path);

 private:
  OwnedFrame copied_{av_frame_alloc()}, planar_{av_frame_alloc()};
};

}  // namespace framefold
