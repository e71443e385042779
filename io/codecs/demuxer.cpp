#include "io/codecs/demuxer.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <system_error>
#include <vector>

#include "kernels/error.h"

namespace framefold {
namespace {

constexpr Index packets_a_frame = 64;  // of all streams; more are a file that never ends
constexpr Index near = 32;             // packets that are read past rather than sought over

int open_nothing_else(AVFormatContext*, AVIOContext**, const char*, int, AVDictionary**) {
  return AVERROR(EPERM);
}

}  // namespace

Demuxer::Demuxer(const std::string& path, const CodecLimits& limits, const VideoIndex* index)
    : path_(path), limits_(limits), index_(index) {
  open();
  if (index_ == nullptr) return;
  // Packets are known again by their time of decoding.
  const auto out_of_order = [](const VideoPacket& a, const VideoPacket& b) {
    return a.decoded >= b.decoded;
  };
  seeks_ = std::ranges::adjacent_find(index_->packets, out_of_order) == index_->packets.end();
  rewinds_ = seeks_;
}

void Demuxer::open() {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path_, error))
    fail(ErrorCode::file, path_, ": ", error ? error.message() : "not a regular file");
  AVDictionary* options = nullptr;
  av_dict_set(&options, "protocol_whitelist", "file", 0);
  AVIOContext* bytes = nullptr;
  int code = avio_open2(&bytes, ("file:" + path_).c_str(), AVIO_FLAG_READ, nullptr, &options);
  av_dict_free(&options);
  if (code < 0) refuse(path_, "cannot be opened", code);
  format_.reset();
  bytes_.reset(bytes);
  // Without a name the demuxer is chosen by content alone, and none can derive other names.
  AVFormatContext* format = avformat_alloc_context();
  if (format == nullptr || !packet_) refuse(path_, "cannot be opened", AVERROR(ENOMEM));
  format->pb = bytes;
  format->io_open = open_nothing_else;
  format->format_whitelist = av_strdup(allowed_demuxers);
  format->codec_whitelist = av_strdup(allowed_decoders);
  format->protocol_whitelist = av_strdup("file");
  listen(format);
  code = avformat_open_input(&format, nullptr, nullptr, nullptr);  // frees `format` on failure
  if (code < 0 && heard().find("moov atom not found") != std::string::npos)
    refuse(path_, "its table of frames is missing, the file may be cut short", code);
  if (code < 0) refuse(path_, "is no video or picture that is known here", code, heard());
  format_.reset(format);
  if (index_ == nullptr || !complete()) {
    find_streams();
  } else {
    stream_ = index_->stream;
    AVCodecParameters& parameters = *format_->streams[stream_]->codecpar;
    const bool turned = index_->quarter_turns % 2 != 0;
    parameters.width = static_cast<int>(turned ? index_->height : index_->width);
    parameters.height = static_cast<int>(turned ? index_->width : index_->height);
    parameters.video_delay = index_->delay;
  }
  for (unsigned i = 0; i < format_->nb_streams; ++i)
    if (static_cast<int>(i) != stream_) format_->streams[i]->discard = AVDISCARD_ALL;
  pending_ = false;
  position_ = packets_ = 0;
}

bool Demuxer::complete() const {
  if ((format_->ctx_flags & AVFMTCTX_NOHEADER) != 0 ||
      index_->stream >= static_cast<int>(format_->nb_streams))
    return false;
  const AVCodecParameters& parameters = *format_->streams[index_->stream]->codecpar;
  const AVCodecDescriptor* codec = avcodec_descriptor_get(parameters.codec_id);
  const bool alone = parameters.codec_id == AV_CODEC_ID_VP8 ||
                     parameters.codec_id == AV_CODEC_ID_VP9 ||
                     (codec != nullptr && (codec->props & AV_CODEC_PROP_INTRA_ONLY) != 0);
  return parameters.codec_type == AVMEDIA_TYPE_VIDEO && parameters.width > 0 &&
         parameters.height > 0 && (alone || parameters.extradata_size > 0);
}

void Demuxer::find_streams() {
  AVFormatContext* format = format_.get();
  const std::string pixels = std::to_string(limits_.pixels);
  std::vector<AVDictionary*> of_streams(format->nb_streams, nullptr);
  for (AVDictionary*& dictionary : of_streams) {
    av_dict_set(&dictionary, "max_pixels", pixels.c_str(), 0);
    av_dict_set(&dictionary, "threads", "1", 0);
  }
  listen(format);
  const int code = avformat_find_stream_info(format, of_streams.data());
  for (AVDictionary*& dictionary : of_streams) av_dict_free(&dictionary);
  if (code < 0) refuse(path_, "its streams cannot be read", code, heard());
  stream_ = av_find_best_stream(format, AVMEDIA_TYPE_VIDEO, -1, -1, nullptr, 0);
  if (stream_ < 0) refuse(path_, "holds no video", stream_);
}

double Demuxer::pixel_aspect(AVFrame* frame) const {
  const AVRational ratio =
      av_guess_sample_aspect_ratio(format_.get(), format_->streams[stream_], frame);
  return ratio.num > 0 && ratio.den > 0 ? av_q2d(ratio) : 1.0;
}

double Demuxer::promised() const {
  if (stream().duration > 0)
    return static_cast<double>(stream().duration) * av_q2d(stream().time_base);
  const bool said = format_->duration_estimation_method == AVFMT_DURATION_FROM_STREAM;
  return said && format_->duration > 0 ? static_cast<double>(format_->duration) / AV_TIME_BASE : 0;
}

int Demuxer::delay() const { return stream().codecpar->video_delay; }

int Demuxer::quarter_turns() const {
  const std::uint8_t* matrix =
      av_stream_get_side_data(&stream(), AV_PKT_DATA_DISPLAYMATRIX, nullptr);
  if (matrix == nullptr) return 0;
  const double turn = -av_display_rotation_get(reinterpret_cast<const std::int32_t*>(matrix));
  return std::isfinite(turn) ? static_cast<int>(std::lround(turn / 90) + 4) % 4 : 0;
}

bool Demuxer::read() {
  listen(format_.get());
  do {
    av_packet_unref(packet_.get());
    if (limits_.progress != nullptr) ++*limits_.progress;
    const int code = av_read_frame(format_.get(), packet_.get());
    if (code == AVERROR_EOF && bytes_->error >= 0) return false;
    if (code < 0) refuse(path_, text("packet ", position_, " cannot be read"), code, heard());
    if (++packets_ > limits_.frames * packets_a_frame)
      fail(ErrorCode::format, path_, " has more than ", limits_.frames * packets_a_frame,
           " packets");
  } while (packet_->stream_index != stream_);
  return true;
}

AVPacket* Demuxer::next() {
  if (!pending_ && !read()) return nullptr;
  pending_ = false;
  if ((packet_->flags & AV_PKT_FLAG_CORRUPT) != 0)
    refuse(path_, text("packet ", position_, " is damaged, the file may be cut short"),
           AVERROR_INVALIDDATA, heard());
  ++position_;
  return packet_.get();
}

void Demuxer::skip_to(Index packet) {
  packets_ = 0;
  if (position_ > packet || packet - position_ > near) {
    // Where the container's own table leads too far, the file is opened anew.
    bool& works = packet > near ? seeks_ : rewinds_;
    if (works) works = seek(packet);
    if (position_ > packet) open();
  }
  while (position_ < packet)
    if (next() == nullptr)
      fail(ErrorCode::format, path_, " ends before packet ", packet,
           "; has it changed? make its index anew");
}

// Leaves next() at or before the packet; false where the container does not lead there.
bool Demuxer::seek(Index packet) {
  const std::vector<VideoPacket>& packets = index_->packets;
  position_ = packet + 1;  // nowhere
  pending_ = false;
  const std::int64_t time = packets[static_cast<std::size_t>(packet)].decoded;
  if (av_seek_frame(format_.get(), stream_, time, AVSEEK_FLAG_BACKWARD) < 0 || !read())
    return false;
  const auto found = std::ranges::lower_bound(packets, packet_->dts, {}, &VideoPacket::decoded);
  if (found == packets.end() || found->decoded != packet_->dts || found->bytes != packet_->size ||
      found - packets.begin() > packet)
    return false;
  position_ = found - packets.begin();
  pending_ = true;
  return true;
}

}  // namespace framefold
