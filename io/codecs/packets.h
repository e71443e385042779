// What a packet's own headers tell of its place among the others, without decoding it.
#pragma once

#include "io/codecs/libav.h"

namespace framefold {

struct PacketTraits {
  bool shown = true;        // decoding it shows a frame
  bool key = false;         // what is shown from it on needs nothing before it
  bool disposable = false;  // nothing refers to it
  bool packed = false;      // MPEG-4: holds a picture that the next packet shows
  int layer = 0;            // HEVC: its temporal layer; lower ones never refer to it
};

PacketTraits traits_of(const AVCodecParameters& parameters, const AVPacket& packet);

}  // namespace framefold
