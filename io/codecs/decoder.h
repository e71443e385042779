// One stream's decoder, on one thread. Frames come out with the number of their packet as `pts`.
#pragma once

#include <string>

#include "io/codecs/demuxer.h"

namespace framefold {

class FrameDecoder {
 public:
  FrameDecoder(const std::string& path, const Demuxer& demuxer, const CodecLimits& limits);

  // False where libav refuses the packet. A null packet: no more follow until flush().
  bool send(AVPacket* packet, Index number);
  AVFrame* receive();  // null where it wants another packet or has no more frames
  bool failed() const { return code_ < 0; }
  void flush();
  // H.264: right behind a key packet that is no IDR picture libav would withhold what it is asked
  // to give before its queue is full, although all of that is exact.
  void show_all() { decoder_->flags |= AV_CODEC_FLAG_OUTPUT_CORRUPT; }
  Index sent() const { return sent_; }

  // Throws for the frame or packet that failed last.
  [[noreturn]] void refuse_last(Index frame) const;
  static bool damaged(const AVFrame& frame);

 private:
  std::string path_;
  OwnedDecoder decoder_;
  OwnedFrame frame_{av_frame_alloc()};
  Bytes memory_;
  Index sent_ = 0;
  int code_ = 0;
};

}  // namespace framefold
