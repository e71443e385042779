#include "io/codecs/decoder.h"

#include <algorithm>

#include "kernels/error.h"

namespace framefold {

// libav's own buffers, as long as all that the decoder may hold at once keep to its cap.
int FrameDecoder::get_bounded_buffer(AVCodecContext* decoder, AVFrame* frame, int flags) {
  const bool gpu = frame->format == AV_PIX_FMT_CUDA;
  const int bytes = av_image_get_buffer_size(
      gpu ? decoder->sw_pix_fmt : static_cast<AVPixelFormat>(frame->format), frame->width,
      frame->height, 64);
  const auto held = static_cast<Bytes>(std::max(decoder->refs, 2) + decoder->has_b_frames + 2);
  const Bytes most = static_cast<const Callback*>(decoder->opaque)->memory;
  if (bytes < 0 || static_cast<Bytes>(bytes) * held > most) {
    av_log(decoder, AV_LOG_ERROR, "frames of %d x %d would take more memory than is allowed",
           frame->height, frame->width);
    return AVERROR(ENOMEM);
  }
  return avcodec_default_get_buffer2(decoder, frame, flags);
}

// The GPU's frames where it takes this stream; libav asks again where that turns out not to work.
AVPixelFormat FrameDecoder::choose_format(AVCodecContext* decoder, const AVPixelFormat* offered) {
  const AVPixelFormat gpu = gpu_format(offered);
  if (gpu != AV_PIX_FMT_NONE) return gpu;
  auto& callback = *static_cast<Callback*>(decoder->opaque);
  try {
    callback.gpu->fall_back(text(callback.path, ": the GPU does not take this ",
                                 avcodec_get_name(decoder->codec_id), " stream"));
  } catch (const Error& error) {
    callback.refused = error;
    return AV_PIX_FMT_NONE;
  }
  return avcodec_default_get_format(decoder, offered);
}

FrameDecoder::FrameDecoder(const std::string& path, const Demuxer& demuxer,
                           const CodecLimits& limits, const Accelerator* gpu)
    : path_(path), callback_{limits.memory, gpu, path, {}} {
  const AVCodecParameters& parameters = *demuxer.stream().codecpar;
  const AVCodec* codec = avcodec_find_decoder(parameters.codec_id);
  if (codec == nullptr)
    fail(ErrorCode::format, path, ": no decoder for ", avcodec_get_name(parameters.codec_id));
  decoder_.reset(avcodec_alloc_context3(codec));
  if (!decoder_ || !frame_) refuse(path, "cannot be decoded", AVERROR(ENOMEM));
  listen(decoder_.get());
  int code = avcodec_parameters_to_context(decoder_.get(), &parameters);
  if (code < 0) refuse(path, "its parameters make no sense", code, heard());
  decoder_->thread_count = 1;  // as many files at once as there are workers
  decoder_->max_pixels = limits.pixels;
  decoder_->flags |= AV_CODEC_FLAG_UNALIGNED;  // else a video cropped on the left stays wider
  decoder_->pkt_timebase = demuxer.stream().time_base;
  decoder_->codec_whitelist = av_strdup(allowed_decoders);
  decoder_->opaque = &callback_;
  decoder_->get_buffer2 = get_bounded_buffer;
  if (gpu != nullptr) gpu->attach(*decoder_, *codec, path);
  if (decoder_->hw_device_ctx != nullptr) decoder_->get_format = choose_format;
  code = avcodec_open2(decoder_.get(), codec, nullptr);
  if (code < 0) refuse(path, text("its decoder ", codec->name, " does not start"), code, heard());
}

bool FrameDecoder::send(AVPacket* packet, Index number) {
  if (packet != nullptr) {
    packet->pts = packet->dts = number;
    packet_ = number;
    ++sent_;
  }
  listen(decoder_.get());
  code_ = avcodec_send_packet(decoder_.get(), packet);
  note();
  if (callback_.refused) throw Error(*callback_.refused);
  return code_ >= 0;
}

AVFrame* FrameDecoder::receive() {
  listen(decoder_.get());
  code_ = avcodec_receive_frame(decoder_.get(), frame_.get());
  note();
  if (code_ == AVERROR_EOF || code_ == AVERROR(EAGAIN))
    code_ = 0;
  else if (code_ >= 0)
    return frame_->format == AV_PIX_FMT_CUDA ? download_.run(*frame_, path_) : frame_.get();
  return nullptr;
}

void FrameDecoder::flush() {
  avcodec_flush_buffers(decoder_.get());
  said_.clear();
}

void FrameDecoder::note() {
  constexpr std::size_t most = 64;  // more than a decoder holds back
  std::string said = heard();
  if (said.empty()) return;
  if (said_.size() == most) said_.erase(said_.begin());
  said_.emplace_back(packet_, std::move(said));
}

std::string FrameDecoder::said_of(Index packet) const {
  const auto found = std::ranges::find(said_, packet, &std::pair<Index, std::string>::first);
  return found == said_.end() ? "" : found->second;
}

void FrameDecoder::refuse_last(Index frame) const {
  refuse(path_, text("frame ", frame, " cannot be decoded"), code_, said_of(packet_));
}

void FrameDecoder::refuse_damaged(const AVFrame& decoded, Index frame) const {
  refuse(path_, text("frame ", frame, " is damaged"), AVERROR_INVALIDDATA, said_of(decoded.pts));
}

bool FrameDecoder::damaged(const AVFrame& frame) {
  return frame.decode_error_flags != 0 || (frame.flags & AV_FRAME_FLAG_CORRUPT) != 0;
}

}  // namespace framefold
