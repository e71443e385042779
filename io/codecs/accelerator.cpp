#include "io/codecs/accelerator.h"

#include <utility>

#include "kernels/error.h"

namespace framefold {
namespace {

// Those whose standard says which bits a decoder gives: no two need differ. That of JPEG and of
// the older MPEG lets decoders round as they like.
bool is_exact(AVCodecID codec) {
  return codec == AV_CODEC_ID_H264 || codec == AV_CODEC_ID_HEVC || codec == AV_CODEC_ID_VP8 ||
         codec == AV_CODEC_ID_VP9 || codec == AV_CODEC_ID_AV1;
}

}  // namespace

Accelerator::Accelerator(bool required, Announce announce)
    : required_(required), announce_(std::move(announce)) {
  AVBufferRef* device = nullptr;
  listen(nullptr);
  const int code = av_hwdevice_ctx_create(&device, AV_HWDEVICE_TYPE_CUDA, nullptr, nullptr, 0);
  device_.reset(device);
  if (code < 0)
    fall_back(text("no NVIDIA GPU can be used: ", heard().empty() ? words_of(code) : heard()));
}

void Accelerator::attach(AVCodecContext& decoder, const AVCodec& codec,
                         const std::string& path) const {
  if (!device_) return;
  for (int i = 0; is_exact(codec.id); ++i) {
    const AVCodecHWConfig* config = avcodec_get_hw_config(&codec, i);
    if (config == nullptr) break;
    if (config->device_type != AV_HWDEVICE_TYPE_CUDA ||
        (config->methods & AV_CODEC_HW_CONFIG_METHOD_HW_DEVICE_CTX) == 0)
      continue;
    decoder.hw_device_ctx = av_buffer_ref(device_.get());
    if (decoder.hw_device_ctx == nullptr) refuse(path, "cannot be decoded", AVERROR(ENOMEM));
    return;
  }
  fall_back(text(path, ": the GPU decodes no ", codec.name, " to the same bits"));
}

void Accelerator::fall_back(const std::string& why) const {
  if (required_)
    fail(ErrorCode::unavailable, "data.hardware is require, but ", why,
         "; set it to auto or off to decode on the CPU");
  const std::lock_guard lock(mutex_);
  if (!std::exchange(announced_, true) && announce_)
    announce_("videos are decoded on the CPU: " + why);
}

AVPixelFormat gpu_format(const AVPixelFormat* offered) {
  while (*offered != AV_PIX_FMT_NONE && *offered != AV_PIX_FMT_CUDA) ++offered;
  return *offered;
}

AVFrame* Download::run(const AVFrame& frame, const std::string& path) {
  if (!copied_ || !planar_) refuse(path, "cannot be copied from the GPU", AVERROR(ENOMEM));
  av_frame_unref(copied_.get());
  int code = av_hwframe_transfer_data(copied_.get(), &frame, 0);
  if (code >= 0) code = av_frame_copy_props(copied_.get(), &frame);
  if (code < 0) refuse(path, "a frame cannot be copied from the GPU", code);
  if (copied_->format != AV_PIX_FMT_NV12) return copied_.get();
  av_frame_unref(planar_.get());
  planar_->format = AV_PIX_FMT_YUV420P;
  planar_->width = copied_->width;
  planar_->height = copied_->height;
  code = av_frame_get_buffer(planar_.get(), 0);
  if (code >= 0) code = av_frame_copy_props(planar_.get(), copied_.get());
  if (code < 0) refuse(path, "a frame cannot be copied from the GPU", code);
  const int height = (copied_->height + 1) / 2, width = (copied_->width + 1) / 2;
  av_image_copy_plane(planar_->data[0], planar_->linesize[0], copied_->data[0],
                      copied_->linesize[0], copied_->width, copied_->height);
  for (std::ptrdiff_t y = 0; y < height; ++y) {
    const std::uint8_t* both = copied_->data[1] + y * copied_->linesize[1];
    std::uint8_t* u = planar_->data[1] + y * planar_->linesize[1];
    std::uint8_t* v = planar_->data[2] + y * planar_->linesize[2];
    for (int x = 0; x < width; ++x) {
      u[x] = both[2 * x];
      v[x] = both[2 * x + 1];
    }
  }
  return planar_.get();
}

}  // namespace framefold
