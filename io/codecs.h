// Video and image files, decoded and encoded by FFmpeg's libav. The code lives in
// libframefold_codecs.so, which codecs() opens on its first call (see io/plugin.h).
//
// Files are not trusted: only regular files are read, nothing they refer to is opened, demuxers
// and decoders are those of a list; pixels, frames, duration, memory and packets have a cap. A
// packet or frame that its demuxer or decoder calls damaged is an Error of the read that needs
// it; every Error names the file.
//
// Delivered frames are upright (display rotation applied), cropped and resized (shrinking:
// by area averaging), bit for bit the same on every processor, and the same however they were
// reached: frame i of a VideoReader equals the i-th of a FrameReader.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "io/picture.h"
#include "io/video_index.h"
#include "kernels/error.h"
#include "kernels/tensor.h"

namespace framefold {

struct FrameFormat {
  Index height = 0, width = 0;
  Index channels = 3;  // 3: RGB, 1: grey

  Bytes bytes() const { return static_cast<Bytes>(height * width * channels); }
};

// A part of the upright frame in stored pixels. Without a size: as much of the middle as has the
// proportions of what is delivered, not squared pixels taken into account.
struct Crop {
  Index top = 0, left = 0, height = 0, width = 0;
};

struct CodecLimits {
  Index pixels = Index{1} << 26;  // a frame
  Index frames = Index{1} << 20;  // a file
  double seconds = 86400;         // a file
  Bytes memory = Bytes{1} << 31;  // a decoder's frames
  // Counted up with each packet that is read, for who watches; null: nobody.
  std::atomic<std::uint64_t>* progress = nullptr;
};

// Throws where a video, as far as the index is filled, passes a limit.
inline void keep_limits(const std::string& path, const VideoIndex& index,
                        const CodecLimits& limits) {
  if (index.height < 1 || index.width < 1 || index.height > limits.pixels / index.width)
    fail(ErrorCode::format, path, " has frames of ", index.height, " x ", index.width,
         " pixels, expected 1 to ", limits.pixels, " pixels");
  if (index.size() > limits.frames)
    fail(ErrorCode::format, path, " has more than ", limits.frames, " frames");
  if (!(index.duration <= limits.seconds))
    fail(ErrorCode::format, path, " lasts ", index.duration, " seconds, expected at most ",
         limits.seconds);
}

// Frames from first to last of a file.
class FrameReader {
 public:
  virtual ~FrameReader() = default;
  // Decodes the next frame into pixels [H, W, C], or only past it where pixels is null.
  // False where the file has no more.
  virtual bool next(std::uint8_t* pixels) = 0;
};

// Frames of a video in any order of clips. Several clips are read in one pass over the file: what
// they need is decoded once. Decoding begins at key packets where that saves work; frames that
// are not wanted and that nothing refers to are never decoded. One thread.
struct ClipRequest {
  std::span<const Index> frames;  // of the index; repeats and any order are allowed
  FrameFormat format;
  Crop crop;
  std::uint8_t* pixels = nullptr;  // [frames, H, W, C], written whole
};
class VideoReader {
 public:
  virtual ~VideoReader() = default;
  virtual void read(std::span<const ClipRequest> clips) = 0;
  void read(const ClipRequest& clip) { read({&clip, 1}); }
  virtual Index decoded() const = 0;  // packets decoded so far
};

class Codecs {
 public:
  virtual ~Codecs() = default;
  // Everything an index holds, from the file's packets; decodes the whole file where they do not
  // tell the order of frames. video_index() keeps what this finds.
  virtual VideoIndex scan(const std::string& path, const CodecLimits& limits) const = 0;
  virtual std::unique_ptr<VideoReader> open(const std::string& path,
                                            std::shared_ptr<const VideoIndex> index,
                                            const CodecLimits& limits) const = 0;
  virtual std::unique_ptr<FrameReader> open(const std::string& path, const FrameFormat& format,
                                            const CodecLimits& limits) const = 0;
  // An MP4 file's bytes, for any player: H.264 where libav has libx264 (constant quality 16), else
  // MPEG-4; YUV 4:2:0, BT.709, limited range, tagged so. Pictures of one size; odd sides get their
  // last row or column twice. The rate is kept up to terms of 65535. The same bytes for the same
  // libraries.
  virtual std::string mp4(std::span<const Picture>, double /*frames_per_second*/) const {
    fail(ErrorCode::unavailable, "these codecs only decode");
  }
};

const Codecs& codecs();  // Error(unavailable) where there is no such library

// Decoding by an NVIDIA GPU. `require`: what it cannot decode is Error(unavailable). `automatic`:
// the CPU does, and why is announced, in one sentence and once for these codecs. Indices are made
// by the CPU. No test has compared a GPU's frames with the CPU's; the formats' standards ask for
// the same bits.
enum class Hardware : std::uint8_t { off, automatic, require };
Hardware hardware_kind(std::string_view name);  // off, auto, require
std::string_view name_of(Hardware hardware);
using Announce = std::function<void(const std::string& why)>;  // from any thread
std::shared_ptr<const Codecs> codecs_with(Hardware hardware, const Announce& announce = {});

}  // namespace framefold
