// One stream's decoder, on one thread. Frames come out with the number of their packet as `pts`.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "io/codecs/accelerator.h"
#include "io/codecs/demuxer.h"
#include "kernels/error.h"

namespace framefold {

class FrameDecoder {
 public:
  FrameDecoder(const std::string& path, const Demuxer& demuxer, const CodecLimits& limits,
               const Accelerator* gpu = nullptr);

  // False where libav refuses the packet. A null packet: no more follow until flush().
  bool send(AVPacket* packet, Index number);
  AVFrame* receive();  // null where it wants another packet or has no more frames
  bool failed() const { return code_ < 0; }
  void flush();
  // H.264: right behind a key packet that is no IDR picture libav would withhold what it is asked
  // to give before its queue is full, although all of that is exact.
  void show_all() { decoder_->flags |= AV_CODEC_FLAG_OUTPUT_CORRUPT; }
  Index sent() const { return sent_; }

  // Throws for the packet that failed last, for a frame that damaged() is true of; `frame` is its
  // number in the video. With what libav logged while it decoded that packet, and nothing else.
  [[noreturn]] void refuse_last(Index frame) const;
  [[noreturn]] void refuse_damaged(const AVFrame& decoded, Index frame) const;
  static bool damaged(const AVFrame& frame);

 private:
  // What libav's callbacks need.
  struct Callback {
    Bytes memory;
    const Accelerator* gpu;
    std::string path;
    std::optional<Error> refused;  // where hardware is required
  };
  static int get_bounded_buffer(AVCodecContext* decoder, AVFrame* frame, int flags);
  static AVPixelFormat choose_format(AVCodecContext* decoder, const AVPixelFormat* offered);
  void note();
  std::string said_of(Index packet) const;

  std::string path_;
  Callback callback_;
  OwnedDecoder decoder_;
  OwnedFrame frame_{av_frame_alloc()};
  Download download_;
  Index sent_ = 0, packet_ = 0;
  std::vector<std::pair<Index, std::string>> said_;  // by packet: the first error logged
  int code_ = 0;
};

}  // namespace framefold
