#include "io/codecs/decoder.h"

#include <algorithm>

#include "kernels/error.h"

namespace framefold {
namespace {

// libav's own buffers, as long as all that the decoder may hold at once keep to its cap.
int get_bounded_buffer(AVCodecContext* decoder, AVFrame* frame, int flags) {
  const int bytes = av_image_get_buffer_size(static_cast<AVPixelFormat>(frame->format),
                                             frame->width, frame->height, 64);
  const auto held = static_cast<Bytes>(std::max(decoder->refs, 2) + decoder->has_b_frames + 2);
  if (bytes < 0 || static_cast<Bytes>(bytes) * held > *static_cast<const Bytes*>(decoder->opaque)) {
    av_log(decoder, AV_LOG_ERROR, "frames of %d x %d would take more memory than is allowed",
           frame->height, frame->width);
    return AVERROR(ENOMEM);
  }
  return avcodec_default_get_buffer2(decoder, frame, flags);
}

}  // namespace

FrameDecoder::FrameDecoder(const std::string& path, const Demuxer& demuxer,
                           const CodecLimits& limits)
    : path_(path), memory_(limits.memory) {
  const AVCodecParameters& parameters = *demuxer.stream().codecpar;
  const AVCodec* codec = avcodec_find_decoder(parameters.codec_id);
  if (codec == nullptr)
    fail(ErrorCode::format, path, ": no decoder for ", avcodec_get_name(parameters.codec_id));
  decoder_.reset(avcodec_alloc_context3(codec));
  if (!decoder_ || !frame_) refuse(path, "cannot be decoded", AVERROR(ENOMEM));
  int code = avcodec_parameters_to_context(decoder_.get(), &parameters);
  if (code < 0) refuse(path, "its parameters make no sense", code);
  decoder_->thread_count = 1;  // as many files at once as there are workers
  decoder_->max_pixels = limits.pixels;
  decoder_->pkt_timebase = demuxer.stream().time_base;
  decoder_->codec_whitelist = av_strdup(allowed_decoders);
  decoder_->opaque = &memory_;
  decoder_->get_buffer2 = get_bounded_buffer;
  code = avcodec_open2(decoder_.get(), codec, nullptr);
  if (code < 0) refuse(path, text("its decoder ", codec->name, " does not start"), code);
}

bool FrameDecoder::send(AVPacket* packet, Index number) {
  if (packet != nullptr) {
    packet->pts = packet->dts = number;
    ++sent_;
  }
  code_ = avcodec_send_packet(decoder_.get(), packet);
  return code_ >= 0;
}

AVFrame* FrameDecoder::receive() {
  code_ = avcodec_receive_frame(decoder_.get(), frame_.get());
  if (code_ == AVERROR_EOF || code_ == AVERROR(EAGAIN))
    code_ = 0;
  else if (code_ >= 0)
    return frame_.get();
  return nullptr;
}

void FrameDecoder::flush() { avcodec_flush_buffers(decoder_.get()); }

void FrameDecoder::refuse_last(Index frame) const {
  if (code_ >= 0) refuse(path_, text("frame ", frame, " is damaged"), AVERROR_INVALIDDATA);
  refuse(path_, text("frame ", frame, " cannot be decoded"), code_);
}

bool FrameDecoder::damaged(const AVFrame& frame) {
  return frame.decode_error_flags != 0 || (frame.flags & AV_FRAME_FLAG_CORRUPT) != 0;
}

}  // namespace framefold
