// The codecs: libframefold_codecs.so, opened when a run decodes files. The contract is
// io/codecs.h; nothing outside this folder includes libav.
#include "io/codecs.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include "kernels/error.h"

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/display.h>
#include <libavutil/imgutils.h>
#include <libswscale/swscale.h>
}

namespace framefold {
namespace {

constexpr const char* demuxers =
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,mpegvideo,flv,asf,ogg,gif,h264,hevc,"
    "yuv4mpegpipe,jpeg_pipe,png_pipe,webp_pipe,bmp_pipe,tiff_pipe";
constexpr const char* decoders =
    "h264,hevc,mpeg4,msmpeg4,msmpeg4v1,msmpeg4v2,mpeg1video,mpeg2video,h263,flv,wmv1,wmv2,wmv3,"
    "vc1,vp8,vp9,libdav1d,av1,theora,mjpeg,ffv1,huffyuv,ffvhuff,prores,rawvideo,gif,png,webp,bmp,"
    "tiff";
constexpr Index packets_a_frame = 64;  // of all streams; more are a file that never ends

template <auto free>
struct Free {
  template <class T>
  void operator()(T* object) const {
    if constexpr (std::is_invocable_v<decltype(free), T**>)
      free(&object);
    else
      free(object);
  }
};
using Bytestream = std::unique_ptr<AVIOContext, Free<avio_closep>>;
using Format = std::unique_ptr<AVFormatContext, Free<avformat_close_input>>;
using Decoder = std::unique_ptr<AVCodecContext, Free<avcodec_free_context>>;
using Packet = std::unique_ptr<AVPacket, Free<av_packet_free>>;
using Frame = std::unique_ptr<AVFrame, Free<av_frame_free>>;
using Scaler = std::unique_ptr<SwsContext, Free<sws_freeContext>>;

// What libav logged last on this thread: the detail of an error. Nothing is printed.
thread_local std::array<char, 200> detail{};

void keep_detail(void* context, int level, const char* format, va_list arguments) {
  int prefix = 0;
  if (level <= AV_LOG_ERROR)
    av_log_format_line2(context, level, format, arguments, detail.data(),
                        static_cast<int>(detail.size()), &prefix);
}

// Throws what libav says of `path`: what could not be done, its code, the last thing it logged.
[[noreturn]] void refuse(const std::string& path, const std::string& what, int code) {
  std::array<char, AV_ERROR_MAX_STRING_SIZE> words{};
  av_strerror(code, words.data(), words.size());
  std::string said(detail.data());
  while (!said.empty() && (said.back() == '\n' || said.back() == ' ')) said.pop_back();
  if (!said.empty()) said = " (" + said + ")";
  fail(code == AVERROR(ENOMEM) ? ErrorCode::memory : ErrorCode::format, path, ": ", what, ": ",
       words.data(), said);
}

int open_nothing_else(AVFormatContext*, AVIOContext**, const char*, int, AVDictionary**) {
  return AVERROR(EPERM);
}

// An open file and its best video stream, packet by packet.
class Demuxer {
 public:
  Demuxer(const std::string& path, const CodecLimits& limits);
  const AVStream& stream() const { return *format_->streams[stream_]; }
  double pixel_aspect(AVFrame* frame) {
    const AVRational ratio =
        av_guess_sample_aspect_ratio(format_.get(), format_->streams[stream_], frame);
    return ratio.num > 0 && ratio.den > 0 ? av_q2d(ratio) : 1.0;
  }
  const AVPacket* next();  // null at the end

 private:
  std::string path_;
  Bytestream bytes_;
  Format format_;
  Packet packet_{av_packet_alloc()};
  int stream_ = -1;
  Index packets_ = 0, most_packets_;
};

Demuxer::Demuxer(const std::string& path, const CodecLimits& limits)
    : path_(path), most_packets_(limits.frames * packets_a_frame) {
  detail[0] = 0;
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error))
    fail(ErrorCode::file, path, ": ", error ? error.message() : "not a regular file");
  AVDictionary* options = nullptr;
  av_dict_set(&options, "protocol_whitelist", "file", 0);
  AVIOContext* bytes = nullptr;
  int code = avio_open2(&bytes, ("file:" + path).c_str(), AVIO_FLAG_READ, nullptr, &options);
  av_dict_free(&options);
  if (code < 0) refuse(path, "cannot be opened", code);
  bytes_.reset(bytes);
  // Without a name the demuxer is chosen by content alone, and none can derive other names.
  AVFormatContext* format = avformat_alloc_context();
  if (format == nullptr || !packet_) refuse(path, "cannot be opened", AVERROR(ENOMEM));
  format->pb = bytes;
  format->io_open = open_nothing_else;
  format->format_whitelist = av_strdup(demuxers);
  format->codec_whitelist = av_strdup(decoders);
  format->protocol_whitelist = av_strdup("file");
  code = avformat_open_input(&format, nullptr, nullptr, nullptr);  // frees `format` on failure
  if (code < 0) refuse(path, "is no video or picture that is known here", code);
  format_.reset(format);

  const std::string pixels = std::to_string(limits.pixels);
  std::vector<AVDictionary*> of_streams(format->nb_streams, nullptr);
  for (AVDictionary*& dictionary : of_streams) {
    av_dict_set(&dictionary, "max_pixels", pixels.c_str(), 0);
    av_dict_set(&dictionary, "threads", "1", 0);
  }
  code = avformat_find_stream_info(format, of_streams.data());
  for (AVDictionary*& dictionary : of_streams) av_dict_free(&dictionary);
  if (code < 0) refuse(path, "its streams cannot be read", code);
  stream_ = av_find_best_stream(format, AVMEDIA_TYPE_VIDEO, -1, -1, nullptr, 0);
  if (stream_ < 0) refuse(path, "holds no video", stream_);
  for (unsigned i = 0; i < format->nb_streams; ++i)
    if (static_cast<int>(i) != stream_) format->streams[i]->discard = AVDISCARD_ALL;
}

const AVPacket* Demuxer::next() {
  do {
    av_packet_unref(packet_.get());
    const int code = av_read_frame(format_.get(), packet_.get());
    if (code == AVERROR_EOF && bytes_->error >= 0) return nullptr;
    if (code < 0) refuse(path_, text("packet ", packets_, " cannot be read"), code);
    if (++packets_ > most_packets_)
      fail(ErrorCode::format, path_, " has more than ", most_packets_, " packets");
  } while (packet_->stream_index != stream_);
  if ((packet_->flags & AV_PKT_FLAG_CORRUPT) != 0)
    refuse(path_, text("packet ", packets_ - 1, " is damaged, the file may be cut short"),
           AVERROR_INVALIDDATA);
  return packet_.get();
}

// Whether decoding the packet shows a frame.
bool shows(const AVStream& stream, const AVPacket& packet) {
  if ((packet.flags & AV_PKT_FLAG_DISCARD) != 0 || packet.size == 0) return false;
  const bool vp8 = stream.codecpar->codec_id == AV_CODEC_ID_VP8;
  return !vp8 || (packet.data[0] & 0x10) != 0;  // VP8's show_frame; others hide none in packets
}

class Reader final : public FrameReader {
 public:
  Reader(const std::string& path, const FrameFormat& format, const CodecLimits& limits);
  bool next(std::uint8_t* pixels) override;

 private:
  bool decode();
  void convert(std::uint8_t* pixels);

  std::string path_;
  FrameFormat format_;
  CodecLimits limits_;
  Demuxer demuxer_;
  Decoder decoder_;
  Frame frame_{av_frame_alloc()};
  Frame scaled_{av_frame_alloc()};  // before rotation
  int quarter_turns_ = 0;           // clockwise
  Scaler scaler_;
  std::array<int, 5> scaler_for_{};  // what the scaler was made for
  Index frames_ = 0;
};

Reader::Reader(const std::string& path, const FrameFormat& format, const CodecLimits& limits)
    : path_(path), format_(format), limits_(limits), demuxer_(path, limits) {
  if (format.height < 1 || format.width < 1 || (format.channels != 1 && format.channels != 3) ||
      format.height > limits.pixels / format.width)
    fail(ErrorCode::argument, "frames of ", format.height, " x ", format.width, " pixels with ",
         format.channels, " channels were asked for, expected 1 or 3 channels and at most ",
         limits.pixels, " pixels");
  const AVCodecParameters& parameters = *demuxer_.stream().codecpar;
  const AVCodec* codec = avcodec_find_decoder(parameters.codec_id);
  if (codec == nullptr)
    fail(ErrorCode::format, path, ": no decoder for ", avcodec_get_name(parameters.codec_id));
  decoder_.reset(avcodec_alloc_context3(codec));
  if (!decoder_ || !frame_ || !scaled_) refuse(path, "cannot be decoded", AVERROR(ENOMEM));
  int code = avcodec_parameters_to_context(decoder_.get(), &parameters);
  if (code < 0) refuse(path, "its parameters make no sense", code);
  decoder_->thread_count = 1;  // as many files at once as there are workers
  decoder_->max_pixels = limits.pixels;
  decoder_->pkt_timebase = demuxer_.stream().time_base;
  decoder_->codec_whitelist = av_strdup(decoders);
  code = avcodec_open2(decoder_.get(), codec, nullptr);
  if (code < 0) refuse(path, text("its decoder ", codec->name, " does not start"), code);

  if (const std::uint8_t* matrix =
          av_stream_get_side_data(&demuxer_.stream(), AV_PKT_DATA_DISPLAYMATRIX, nullptr)) {
    const double turn = -av_display_rotation_get(reinterpret_cast<const std::int32_t*>(matrix));
    if (std::isfinite(turn)) quarter_turns_ = static_cast<int>(std::lround(turn / 90) + 4) % 4;
  }
  const bool turned = quarter_turns_ % 2 != 0;
  scaled_->width = static_cast<int>(turned ? format.height : format.width);
  scaled_->height = static_cast<int>(turned ? format.width : format.height);
  scaled_->format = format.channels == 3 ? AV_PIX_FMT_RGB24 : AV_PIX_FMT_GRAY8;
  code = av_frame_get_buffer(scaled_.get(), 0);
  if (code < 0) refuse(path, "cannot be decoded", code);
}

bool Reader::next(std::uint8_t* pixels) {
  detail[0] = 0;
  if (!decode()) return false;
  if (++frames_ > limits_.frames)
    fail(ErrorCode::format, path_, " has more than ", limits_.frames, " frames");
  if (pixels != nullptr) convert(pixels);
  return true;
}

bool Reader::decode() {
  for (;;) {
    int code = avcodec_receive_frame(decoder_.get(), frame_.get());
    if (code == AVERROR_EOF) return false;
    if (code >= 0) break;
    if (code == AVERROR(EAGAIN)) code = avcodec_send_packet(decoder_.get(), demuxer_.next());
    if (code < 0) refuse(path_, text("frame ", frames_, " cannot be decoded"), code);
  }
  if (frame_->decode_error_flags != 0 || (frame_->flags & AV_FRAME_FLAG_CORRUPT) != 0)
    refuse(path_, text("frame ", frames_, " is damaged"), AVERROR_INVALIDDATA);
  return true;
}

// Crops to the shape of the delivered frame, converts, resizes; then turns upright.
void Reader::convert(std::uint8_t* pixels) {
  const double aspect = demuxer_.pixel_aspect(frame_.get());
  const double wanted = scaled_->width / (scaled_->height * aspect);  // in the frame's pixels
  const int width =
      std::clamp(static_cast<int>(std::lround(frame_->height * wanted)), 1, frame_->width);
  const int height =
      std::clamp(static_cast<int>(std::lround(frame_->width / wanted)), 1, frame_->height);
  // Even offsets: chroma stays where it was.
  const int left = (frame_->width - width) / 4 * 2;
  const int top = (frame_->height - height) / 4 * 2;
  frame_->crop_left = static_cast<std::size_t>(left);
  frame_->crop_top = static_cast<std::size_t>(top);
  frame_->crop_right = static_cast<std::size_t>(frame_->width - width) - frame_->crop_left;
  frame_->crop_bottom = static_cast<std::size_t>(frame_->height - height) - frame_->crop_top;
  int code = av_frame_apply_cropping(frame_.get(), AV_FRAME_CROP_UNALIGNED);
  if (code < 0) refuse(path_, text("frame ", frames_ - 1, " cannot be cropped"), code);

  const bool full_range = frame_->color_range == AVCOL_RANGE_JPEG;
  const std::array<int, 5> made_for = {frame_->width, frame_->height, frame_->format,
                                       frame_->colorspace, full_range ? 1 : 0};
  if (!scaler_ || made_for != scaler_for_) {
    scaler_.reset(sws_getContext(frame_->width, frame_->height,
                                 static_cast<AVPixelFormat>(frame_->format), scaled_->width,
                                 scaled_->height, static_cast<AVPixelFormat>(scaled_->format),
                                 SWS_AREA | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT | SWS_BITEXACT,
                                 nullptr, nullptr, nullptr));
    if (!scaler_) refuse(path_, "its pixels cannot be converted", AVERROR(EINVAL));
    int *from = nullptr, *to = nullptr, from_full = 0, to_full = 0, brightness = 0, contrast = 0,
        saturation = 0;
    if (sws_getColorspaceDetails(scaler_.get(), &from, &from_full, &to, &to_full, &brightness,
                                 &contrast, &saturation) >= 0)
      sws_setColorspaceDetails(scaler_.get(), sws_getCoefficients(frame_->colorspace),
                               full_range ? 1 : from_full, to, to_full, brightness, contrast,
                               saturation);
    scaler_for_ = made_for;
  }
  code = sws_scale(scaler_.get(), frame_->data, frame_->linesize, 0, frame_->height, scaled_->data,
                   scaled_->linesize);
  if (code < 0) refuse(path_, "its pixels cannot be converted", code);

  // Where the upright frame's first pixel stands, and what a row and a column further are.
  const std::ptrdiff_t line = scaled_->linesize[0], pixel = format_.channels;
  const std::ptrdiff_t bottom = line * (scaled_->height - 1), right = pixel * (scaled_->width - 1);
  struct Walk {
    std::ptrdiff_t start, row, column;
  };
  const std::array<Walk, 4> walks = {{{0, line, pixel},
                                      {bottom, pixel, -line},
                                      {bottom + right, -line, -pixel},
                                      {right, -pixel, line}}};
  const Walk walk = walks[static_cast<std::size_t>(quarter_turns_)];
  for (Index y = 0; y < format_.height; ++y) {
    const std::uint8_t* in = scaled_->data[0] + walk.start + y * walk.row;
    for (Index x = 0; x < format_.width; ++x, in += walk.column, pixels += pixel)
      std::memcpy(pixels, in, static_cast<std::size_t>(pixel));
  }
}

class Libav final : public Codecs {
 public:
  Libav() { av_log_set_callback(keep_detail); }
  Index count_frames(const std::string& path, const CodecLimits& limits) const override {
    Demuxer demuxer(path, limits);
    Index count = 0;
    while (const AVPacket* packet = demuxer.next())
      if (shows(demuxer.stream(), *packet) && ++count > limits.frames)
        fail(ErrorCode::format, path, " has more than ", limits.frames, " frames");
    return count;
  }
  std::unique_ptr<FrameReader> open(const std::string& path, const FrameFormat& format,
                                    const CodecLimits& limits) const override {
    return std::make_unique<Reader>(path, format, limits);
  }
};

}  // namespace
}  // namespace framefold

extern "C" __attribute__((visibility("default"))) const framefold::Codecs* framefold_codecs() {
  static const framefold::Libav libav;
  return &libav;
}
