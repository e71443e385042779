// H.264: ITU-T H.264 7.3.1, 7.4.1, D.2.8; HEVC: H.265 7.3.1.2, 7.4.2.2; MPEG-4: ISO 14496-2 6.2.5;
// MPEG-1 and -2: ISO 13818-2 6.2.3.
#include "io/codecs/packets.h"

#include <algorithm>
#include <cstdint>
#include <span>

namespace framefold {
namespace {

using BytesView = std::span<const std::uint8_t>;

// Calls visit(unit) for every NAL unit, which stand behind their length or behind start codes.
void for_each_unit(const AVCodecParameters& parameters, BytesView data, auto&& visit) {
  const BytesView extra(parameters.extradata, static_cast<std::size_t>(parameters.extradata_size));
  const bool hevc = parameters.codec_id == AV_CODEC_ID_HEVC;
  const std::size_t field = hevc ? 21 : 4;
  if (extra.size() > field &&
      (extra[0] == 1 || (hevc && ((extra[0] | extra[1]) != 0 || extra[2] > 1)))) {
    const std::size_t prefix = (extra[field] & 3U) + 1;
    while (data.size() > prefix) {
      std::size_t length = 0;
      for (std::size_t i = 0; i < prefix; ++i) length = length << 8 | data[i];
      data = data.subspan(prefix);
      length = std::min(length, data.size());
      if (length > 0) visit(data.first(length));
      data = data.subspan(length);
    }
    return;
  }
  constexpr std::uint8_t code[] = {0, 0, 1};
  auto start = std::search(data.begin(), data.end(), code, code + 3);
  while (start != data.end()) {
    const auto begin = start + 3;
    const auto end = std::search(begin, data.end(), code, code + 3);
    if (begin != end) visit(BytesView(begin, end));
    start = end;
  }
}

// Whether an H.264 SEI unit says that all that is shown from here on is exact.
bool recovers_at_once(BytesView unit) {
  std::size_t at = 1;
  while (at + 2 < unit.size()) {
    std::size_t type = 0, size = 0;
    for (; at < unit.size() && unit[at] == 0xff; ++at) type += 255;
    if (at < unit.size()) type += unit[at++];
    for (; at < unit.size() && unit[at] == 0xff; ++at) size += 255;
    if (at < unit.size()) size += unit[at++];
    // recovery_frame_cnt is ue(v), 0 a single one bit; exact_match_flag follows.
    if (type == 6) return at < unit.size() && (unit[at] & 0xc0) == 0xc0;
    at += size;
  }
  return false;
}

PacketTraits h264(const AVCodecParameters& parameters, BytesView data) {
  PacketTraits traits;
  bool slices = false, referred = false, partitions = false;
  for_each_unit(parameters, data, [&](BytesView unit) {
    const int type = unit[0] & 31;
    if (type == 1 || type == 5) {
      slices = true;
      referred = referred || (unit[0] & 0x60) != 0;
      traits.key = traits.key || type == 5;
    }
    partitions = partitions || (type >= 2 && type <= 4);
    if (type == 6) traits.key = traits.key || recovers_at_once(unit);
  });
  traits.disposable = slices && !referred && !partitions;
  traits.key = traits.key && slices;
  return traits;
}

PacketTraits hevc(const AVCodecParameters& parameters, BytesView data) {
  PacketTraits traits;
  bool pictures = false, referred = false;
  for_each_unit(parameters, data, [&](BytesView unit) {
    const int type = unit[0] >> 1 & 63;
    if (unit.size() < 2 || type > 31) return;
    pictures = true;
    traits.key = traits.key || (type >= 16 && type <= 21);
    traits.layer = std::max(traits.layer, (unit[1] & 7) - 1);
    referred = referred || type > 14 || type % 2 != 0;
  });
  traits.disposable = pictures && !referred;
  return traits;
}

// Visits what follows each start code 00 00 01 `code`, a picture's header; returns how many.
int for_each_picture(BytesView data, std::uint8_t code, auto&& visit) {
  const std::uint8_t start[] = {0, 0, 1, code};
  int pictures = 0;
  for (auto at = std::search(data.begin(), data.end(), start, start + 4); at != data.end();
       at = std::search(at + 4, data.end(), start, start + 4), ++pictures)
    visit(BytesView(at + 4, data.end()));
  return pictures;
}

// Nothing refers to a picture of type B.
PacketTraits mpeg4(BytesView data, PacketTraits traits) {
  bool b = true;
  const int pictures = for_each_picture(
      data, 0xb6, [&](BytesView header) { b = b && !header.empty() && header[0] >> 6 == 2; });
  traits.packed = pictures > 1;
  traits.disposable = pictures == 1 && b;
  return traits;
}

PacketTraits mpeg2(BytesView data, PacketTraits traits) {
  bool b = true;
  const int pictures = for_each_picture(
      data, 0, [&](BytesView header) { b = b && header.size() > 1 && (header[1] >> 3 & 7) == 3; });
  traits.disposable = (pictures == 1 || pictures == 2) && b;  // a frame or two fields
  return traits;
}

}  // namespace

PacketTraits traits_of(const AVCodecParameters& parameters, const AVPacket& packet) {
  const BytesView data(packet.data, static_cast<std::size_t>(std::max(0, packet.size)));
  PacketTraits traits;
  traits.key = (packet.flags & AV_PKT_FLAG_KEY) != 0;
  switch (parameters.codec_id) {
    case AV_CODEC_ID_H264: traits = h264(parameters, data); break;
    case AV_CODEC_ID_HEVC: traits = hevc(parameters, data); break;
    case AV_CODEC_ID_MPEG4: traits = mpeg4(data, traits); break;
    case AV_CODEC_ID_MPEG1VIDEO:
    case AV_CODEC_ID_MPEG2VIDEO: traits = mpeg2(data, traits); break;
    case AV_CODEC_ID_VP8: traits.shown = !data.empty() && (data[0] & 0x10) != 0; break;
    default: break;
  }
  if ((packet.flags & AV_PKT_FLAG_DISCARD) != 0 || data.empty()) traits.shown = false;
  return traits;
}

}  // namespace framefold
