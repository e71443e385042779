#include "io/codecs/converter.h"
#include "io/codecs/decoder.h"
#include "io/codecs/readers.h"
#include "kernels/error.h"

namespace framefold {
namespace {

class Sequence final : public FrameReader {
 public:
  Sequence(const std::string& path, const FrameFormat& format, const CodecLimits& limits,
           const Accelerator* gpu)
      : path_(path),
        format_(format),
        limits_(limits),
        demuxer_(path, limits),
        decoder_(path, demuxer_, limits, gpu),
        converter_(path, demuxer_.quarter_turns()) {
    Converter::check(format, limits);
  }

  bool next(std::uint8_t* pixels) override {
    AVFrame* frame = decode();
    if (frame == nullptr) return false;
    if (FrameDecoder::damaged(*frame)) decoder_.refuse_damaged(*frame, frames_);
    if (++frames_ > limits_.frames)
      fail(ErrorCode::format, path_, " has more than ", limits_.frames, " frames");
    if (pixels != nullptr)
      converter_.convert(*frame, demuxer_.pixel_aspect(frame), {}, format_, pixels);
    return true;
  }

 private:
  AVFrame* decode() {
    for (;;) {
      if (AVFrame* frame = decoder_.receive()) return frame;
      if (decoder_.failed()) decoder_.refuse_last(frames_);
      if (ended_) return nullptr;
      AVPacket* packet = demuxer_.next();
      ended_ = packet == nullptr;
      if (!decoder_.send(packet, demuxer_.position() - 1)) decoder_.refuse_last(frames_);
    }
  }

  std::string path_;
  FrameFormat format_;
  CodecLimits limits_;
  Demuxer demuxer_;
  FrameDecoder decoder_;
  Converter converter_;
  bool ended_ = false;
  Index frames_ = 0;
};

}  // namespace

std::unique_ptr<FrameReader> in_sequence(const std::string& path, const FrameFormat& format,
                                         const CodecLimits& limits, const Accelerator* gpu) {
  return std::make_unique<Sequence>(path, format, limits, gpu);
}

}  // namespace framefold
