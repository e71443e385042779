// An open file and its best video stream, packet by packet in the file's order.
#pragma once

#include <string>

#include "io/codecs.h"
#include "io/codecs/libav.h"

namespace framefold {

class Demuxer {
 public:
  // With an index what it already tells is not searched for again, and skip_to() is available.
  Demuxer(const std::string& path, const CodecLimits& limits, const VideoIndex* index = nullptr);

  const AVStream& stream() const { return *format_->streams[stream_]; }
  int delay() const;
  double promised() const;  // seconds, by the header; 0: it does not say
  double pixel_aspect(AVFrame* frame) const;
  int quarter_turns() const;  // clockwise, from stored to upright

  Index position() const { return position_; }  // number of the packet that next() reads
  AVPacket* next();                             // null at the end
  void skip_to(Index packet);                   // next() is then that packet of the index

 private:
  void open();
  void find_streams();
  bool read();  // the next packet of the stream into packet_; false at the end
  bool seek(Index packet);
  bool complete() const;  // whether the header tells all that a decoder wants

  std::string path_;
  CodecLimits limits_;
  const VideoIndex* index_;
  OwnedBytestream bytes_;
  OwnedFormat format_;
  OwnedPacket packet_{av_packet_alloc()};
  bool pending_ = false;                  // packet_ holds what next() returns
  bool seeks_ = false, rewinds_ = false;  // whether seek() works, and to the first packets
  int stream_ = -1;
  Index position_ = 0, packets_ = 0;
};

}  // namespace framefold
