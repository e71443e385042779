#include "io/codecs/encoder.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "io/codecs/libav.h"
#include "kernels/error.h"

namespace framefold {
namespace {

constexpr int most_pixels_a_side = 16384;
constexpr int largest_term = 65535;  // of a time base, by MPEG-4

// A file in memory, as libav writes one.
struct MemoryFile {
  std::string content;
  std::size_t at = 0;
};

int write_bytes(void* opaque, std::uint8_t* data, int size) {
  auto& [content, at] = *static_cast<MemoryFile*>(opaque);
  const auto count = static_cast<std::size_t>(size);
  try {
    if (content.size() < at + count) content.resize(at + count);
  } catch (const std::bad_alloc&) {
    return AVERROR(ENOMEM);
  }
  std::memcpy(content.data() + at, data, count);
  at += count;
  return size;
}

std::int64_t seek_bytes(void* opaque, std::int64_t offset, int whence) {
  auto& [content, at] = *static_cast<MemoryFile*>(opaque);
  const auto size = static_cast<std::int64_t>(content.size());
  if (whence == AVSEEK_SIZE) return size;
  if (whence == SEEK_CUR) offset += static_cast<std::int64_t>(at);
  if (whence == SEEK_END) offset += size;
  if (offset < 0 || offset > size) return AVERROR(EINVAL);
  at = static_cast<std::size_t>(offset);
  return offset;
}

void free_writer(AVIOContext* writer) {
  av_freep(&writer->buffer);
  avio_context_free(&writer);
}
using OwnedWriter = std::unique_ptr<AVIOContext, Free<free_writer>>;
using OwnedMuxer = std::unique_ptr<AVFormatContext, Free<avformat_free_context>>;
using OwnedEncoder = std::unique_ptr<AVCodecContext, Free<avcodec_free_context>>;

[[noreturn]] void refuse_mp4(const char* what, int code) { refuse("MP4", what, code, heard()); }

class Mp4 {
 public:
  Mp4(Index height, Index width, double rate)
      : height_(static_cast<int>(height + height % 2)),
        width_(static_cast<int>(width + width % 2)) {
    listen(nullptr);
    open_encoder(rate);
    open_file();
    frame_.reset(av_frame_alloc());
    packet_.reset(av_packet_alloc());
    if (!frame_ || !packet_) refuse_mp4("cannot be made", AVERROR(ENOMEM));
    frame_->width = width_;
    frame_->height = height_;
    frame_->format = AV_PIX_FMT_YUV420P;
    frame_->color_range = AVCOL_RANGE_MPEG;
    frame_->colorspace = AVCOL_SPC_BT709;
    const int code = av_frame_get_buffer(frame_.get(), 0);
    if (code < 0) refuse_mp4("cannot be made", code);
    open_scaler();
  }

  void add(const Picture& picture) {
    pad(picture);
    int code = av_frame_make_writable(frame_.get());
    if (code < 0) refuse_mp4("cannot be made", code);
    const std::array<const std::uint8_t*, 4> from = {rgb_.data()};
    const std::array<int, 4> step = {3 * width_};
    sws_scale(scaler_.get(), from.data(), step.data(), 0, height_, frame_->data, frame_->linesize);
    frame_->pts = frames_++;
    send(frame_.get());
  }

  std::string finish() {
    send(nullptr);
    const int code = av_write_trailer(muxer_.get());
    if (code < 0) refuse_mp4("cannot be finished", code);
    avio_flush(writer_.get());
    return std::move(file_.content);
  }

 private:
  void open_encoder(double rate) {
    const AVCodec* codec = avcodec_find_encoder_by_name("libx264");
    const bool x264 = codec != nullptr;
    if (!x264) codec = avcodec_find_encoder(AV_CODEC_ID_MPEG4);
    if (codec == nullptr)
      fail(ErrorCode::unavailable,
           "this FFmpeg encodes neither H.264 (libx264) nor MPEG-4; install one that does");
    encoder_.reset(avcodec_alloc_context3(codec));
    if (!encoder_) refuse_mp4("cannot be made", AVERROR(ENOMEM));
    AVCodecContext& encoder = *encoder_;
    encoder.width = width_;
    encoder.height = height_;
    encoder.pix_fmt = AV_PIX_FMT_YUV420P;
    encoder.framerate = av_d2q(rate, largest_term);
    encoder.time_base = av_inv_q(encoder.framerate);
    encoder.sample_aspect_ratio = {1, 1};
    encoder.color_range = AVCOL_RANGE_MPEG;
    encoder.colorspace = AVCOL_SPC_BT709;
    encoder.color_primaries = AVCOL_PRI_BT709;
    encoder.color_trc = AVCOL_TRC_BT709;
    encoder.chroma_sample_location = AVCHROMA_LOC_LEFT;
    encoder.thread_count = 1;  // the same bytes on every machine
    encoder.flags |= AV_CODEC_FLAG_GLOBAL_HEADER | AV_CODEC_FLAG_BITEXACT;
    AVDictionary* options = nullptr;
    if (x264) {
      av_dict_set(&options, "crf", "16", 0);
      av_dict_set(&options, "preset", "medium", 0);
    } else {
      encoder.flags |= AV_CODEC_FLAG_QSCALE;
      encoder.global_quality = 2 * FF_QP2LAMBDA;
    }
    const int code = avcodec_open2(encoder_.get(), codec, &options);
    av_dict_free(&options);
    if (code < 0) refuse_mp4("its encoder cannot be opened", code);
  }

  // Chroma stands at the left of its two columns, between its two rows.
  void open_scaler() {
    scaler_.reset(sws_alloc_context());
    if (!scaler_) refuse_mp4("cannot be made", AVERROR(ENOMEM));
    const auto set = [&](const char* name, std::int64_t value) {
      av_opt_set_int(scaler_.get(), name, value, 0);
    };
    set("srcw", width_);
    set("srch", height_);
    set("src_format", AV_PIX_FMT_RGB24);
    set("dstw", width_);
    set("dsth", height_);
    set("dst_format", AV_PIX_FMT_YUV420P);
    set("dst_h_chr_pos", 0);
    set("dst_v_chr_pos", 128);
    set("sws_flags", SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INP | SWS_BITEXACT);
    const int code = sws_init_context(scaler_.get(), nullptr, nullptr);
    if (code < 0) refuse_mp4("cannot be made", code);
    const int* matrix = sws_getCoefficients(SWS_CS_ITU709);
    sws_setColorspaceDetails(scaler_.get(), matrix, 1, matrix, 0, 0, 1 << 16, 1 << 16);
  }

  void open_file() {
    AVFormatContext* muxer = nullptr;
    int code = avformat_alloc_output_context2(&muxer, nullptr, "mp4", nullptr);
    if (code < 0) refuse_mp4("cannot be made", code);
    muxer_.reset(muxer);
    constexpr int piece = 1 << 16;
    auto* buffer = static_cast<unsigned char*>(av_malloc(piece));
    if (buffer == nullptr) refuse_mp4("cannot be made", AVERROR(ENOMEM));
    writer_.reset(avio_alloc_context(buffer, piece, 1, &file_, nullptr, write_bytes, seek_bytes));
    if (!writer_) {
      av_free(buffer);
      refuse_mp4("cannot be made", AVERROR(ENOMEM));
    }
    muxer->pb = writer_.get();
    muxer->flags |= AVFMT_FLAG_BITEXACT | AVFMT_FLAG_CUSTOM_IO;
    AVStream* stream = avformat_new_stream(muxer, nullptr);
    if (stream == nullptr) refuse_mp4("cannot be made", AVERROR(ENOMEM));
    code = avcodec_parameters_from_context(stream->codecpar, encoder_.get());
    if (code < 0) refuse_mp4("cannot be made", code);
    stream->time_base = encoder_->time_base;
    stream->avg_frame_rate = encoder_->framerate;
    stream->sample_aspect_ratio = encoder_->sample_aspect_ratio;
    code = avformat_write_header(muxer, nullptr);
    if (code < 0) refuse_mp4("cannot be begun", code);
  }

  // Grey becomes colour; sides that are odd get their last row or column twice.
  void pad(const Picture& picture) {
    rgb_.resize(static_cast<std::size_t>(3 * width_) * static_cast<std::size_t>(height_));
    std::uint8_t* out = rgb_.data();
    for (Index y = 0; y < height_; ++y)
      for (Index x = 0; x < width_; ++x, out += 3) {
        const std::uint8_t* in =
            picture.at(std::min(x, picture.width - 1), std::min(y, picture.height - 1));
        for (Index c = 0; c < 3; ++c) out[c] = in[picture.channels == 1 ? 0 : c];
      }
  }

  void send(const AVFrame* frame) {
    int code = avcodec_send_frame(encoder_.get(), frame);
    if (code < 0) refuse_mp4("a frame cannot be encoded", code);
    const AVStream& stream = *muxer_->streams[0];
    while ((code = avcodec_receive_packet(encoder_.get(), packet_.get())) == 0) {
      packet_->duration = 1;
      av_packet_rescale_ts(packet_.get(), encoder_->time_base, stream.time_base);
      packet_->stream_index = 0;
      code = av_interleaved_write_frame(muxer_.get(), packet_.get());
      if (code < 0) refuse_mp4("a frame cannot be written", code);
    }
    if (code != AVERROR(EAGAIN) && code != AVERROR_EOF)
      refuse_mp4("a frame cannot be encoded", code);
  }

  int height_, width_;
  MemoryFile file_;
  OwnedWriter writer_;
  OwnedMuxer muxer_;  // after what it writes through
  OwnedEncoder encoder_;
  OwnedScaler scaler_;
  OwnedFrame frame_;
  OwnedPacket packet_;
  std::vector<std::uint8_t> rgb_;
  std::int64_t frames_ = 0;
};

}  // namespace

std::string mp4_of(std::span<const Picture> frames, double rate) {
  if (frames.empty() || !(rate >= 0.01 && rate <= 1000))
    fail(ErrorCode::argument, "MP4: ", frames.size(), " frames at ", rate,
         " a second, expected at least one at 0.01 to 1000");
  const Picture& first = frames.front();
  for (const Picture& frame : frames)
    if (frame.width < 1 || frame.width > most_pixels_a_side || frame.height < 1 ||
        frame.height > most_pixels_a_side || frame.width != first.width ||
        frame.height != first.height || (frame.channels != 1 && frame.channels != 3))
      fail(ErrorCode::argument, "MP4: a picture of ", frame.width, " x ", frame.height, " x ",
           frame.channels, " after one of ", first.width, " x ", first.height,
           ", expected one size of at most ", most_pixels_a_side, " a side, 1 or 3 channels");
  Mp4 file(first.height, first.width, rate);
  for (const Picture& frame : frames) file.add(frame);
  return file.finish();
}

}  // namespace framefold
