#include <algorithm>
#include <limits>

#include "io/codecs/decoder.h"
#include "io/codecs/packets.h"
#include "io/codecs/readers.h"
#include "kernels/error.h"

namespace framefold {
namespace {

constexpr std::int64_t none = AV_NOPTS_VALUE;

struct Scan {
  VideoIndex index;
  std::vector<std::int64_t> shown;  // by packet: its frame's time in the stream's units, or none
  std::vector<Index> order;         // packets that show a frame, in display order
  bool uncertain = false;           // packets alone do not tell the order
};

void read_packets(Demuxer& demuxer, const std::string& path, const CodecLimits& limits,
                  Scan& scan) {
  const AVCodecParameters& parameters = *demuxer.stream().codecpar;
  std::vector<int> layers;
  bool packed = false;
  while (const AVPacket* packet = demuxer.next()) {
    const PacketTraits traits = traits_of(parameters, *packet);
    const auto number = static_cast<Index>(scan.index.packets.size());
    scan.index.packets.push_back({.position = packet->pos,
                                  .decoded = packet->dts,
                                  .bytes = packet->size,
                                  .frame = -1,
                                  .key = traits.key,
                                  .disposable = traits.disposable});
    scan.shown.push_back(traits.shown ? packet->pts : none);
    layers.push_back(traits.layer);
    packed = packed || traits.packed;
    if (!traits.shown) continue;
    scan.order.push_back(number);
    if (packet->pts == none) scan.uncertain = true;
    if (static_cast<Index>(scan.order.size()) > limits.frames)
      fail(ErrorCode::format, path, " has more than ", limits.frames, " frames");
  }
  // HEVC: pictures that their own layer does not refer to may be referred to by a higher one.
  const int highest = layers.empty() ? 0 : *std::ranges::max_element(layers);
  for (std::size_t i = 0; i < layers.size(); ++i)
    if (packed || layers[i] < highest) scan.index.packets[i].disposable = false;
}

// What is shown before the first key packet may or may not be decoded; neither do fields that
// stand in packets of their own tell how many frames they make.
bool packets_tell(const Scan& scan, const AVCodecParameters& parameters) {
  if (scan.uncertain) return false;
  if (parameters.field_order != AV_FIELD_PROGRESSIVE && parameters.field_order != AV_FIELD_UNKNOWN)
    return false;
  const auto same_time = [&](Index a, Index b) {
    return scan.shown[static_cast<std::size_t>(a)] == scan.shown[static_cast<std::size_t>(b)];
  };
  if (std::ranges::adjacent_find(scan.order, same_time) != scan.order.end()) return false;
  return scan.order.empty() || scan.index.packets[static_cast<std::size_t>(scan.order[0])].key;
}

// The order in which decoding shows the packets.
void decode_order(const std::string& path, const CodecLimits& limits, Scan& scan) {
  Demuxer demuxer(path, limits);
  FrameDecoder decoder(path, demuxer, limits);
  scan.order.clear();
  for (bool ended = false;;) {
    while (const AVFrame* frame = decoder.receive()) scan.order.push_back(frame->pts);
    const auto shown = static_cast<Index>(scan.order.size());
    if (decoder.failed()) decoder.refuse_last(shown);
    if (ended) break;
    AVPacket* packet = demuxer.next();
    ended = packet == nullptr;
    if (!decoder.send(packet, demuxer.position() - 1)) decoder.refuse_last(shown);
  }
  const auto packets = static_cast<Index>(scan.index.packets.size());
  std::vector<bool> seen(scan.index.packets.size());
  for (const Index packet : scan.order) {
    if (packet < 0 || packet >= packets || seen[static_cast<std::size_t>(packet)])
      fail(ErrorCode::format, path, ": one packet shows several frames, which is not supported; ",
           "write the video anew with one frame a packet");
    seen[static_cast<std::size_t>(packet)] = true;
  }
}

// Times, rate and duration, from the packets' times or else from the stream's frame rate.
void measure(const Demuxer& demuxer, Scan& scan) {
  VideoIndex& index = scan.index;
  const AVStream& stream = demuxer.stream();
  const double unit = av_q2d(stream.time_base);
  const AVRational guessed =
      stream.avg_frame_rate.num > 0 ? stream.avg_frame_rate : stream.r_frame_rate;
  const double given = guessed.num > 0 && guessed.den > 0 ? av_q2d(guessed) : 25.0;
  bool usable = true;
  std::vector<std::int64_t> times;
  for (const Index packet : scan.order) {
    const std::int64_t time = scan.shown[static_cast<std::size_t>(packet)];
    usable = usable && time != none && (times.empty() || time > times.back());
    times.push_back(time);
  }
  double shortest = std::numeric_limits<double>::infinity(), longest = 0;
  for (std::size_t i = 0; i < times.size(); ++i) {
    const double time =
        usable ? static_cast<double>(times[i] - times[0]) * unit : static_cast<double>(i) / given;
    if (i > 0) {
      shortest = std::min(shortest, time - index.frames.back().time);
      longest = std::max(longest, time - index.frames.back().time);
    }
    index.frames.push_back({time, scan.order[i]});
    index.packets[static_cast<std::size_t>(scan.order[i])].frame = static_cast<std::int32_t>(i);
  }
  if (index.frames.size() < 2) return;
  const double span = index.frames.back().time;
  index.rate = static_cast<double>(index.frames.size() - 1) / span;
  index.duration = span + 1 / index.rate;
  index.variable_rate = longest >= 2 * shortest;
}

}  // namespace

VideoIndex scan_video(const std::string& path, const CodecLimits& limits) {
  Demuxer demuxer(path, limits);
  const AVCodecParameters& parameters = *demuxer.stream().codecpar;
  Scan scan;
  VideoIndex& index = scan.index;
  index.codec = avcodec_get_name(parameters.codec_id);
  index.stream = demuxer.stream().index;
  index.quarter_turns = demuxer.quarter_turns();
  const bool turned = index.quarter_turns % 2 != 0;
  index.height = turned ? parameters.width : parameters.height;
  index.width = turned ? parameters.height : parameters.width;
  const double aspect = demuxer.pixel_aspect(nullptr);
  index.pixel_aspect = turned ? 1 / aspect : aspect;
  index.delay = demuxer.delay();
  index.promised = demuxer.promised();
  keep_limits(path, index, limits);

  read_packets(demuxer, path, limits, scan);
  std::ranges::stable_sort(
      scan.order, {}, [&](Index packet) { return scan.shown[static_cast<std::size_t>(packet)]; });
  if (!packets_tell(scan, parameters)) decode_order(path, limits, scan);
  measure(demuxer, scan);
  keep_limits(path, index, limits);
  return index;
}

}  // namespace framefold
