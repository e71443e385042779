#include "io/codecs/accelerator.h"

#include <utility>

#include "io/codecs/nv12.h"
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
  // libav crops what lies on a GPU on the right and below alone, and may copy the whole surface.
  const OwnPart own{.top = static_cast<int>(frame.crop_top),
                    .left = static_cast<int>(frame.crop_left),
                    .height = frame.height - static_cast<int>(frame.crop_top + frame.crop_bottom),
                    .width = frame.width - static_cast<int>(frame.crop_left + frame.crop_right)};
  if (own.height < 1 || own.width < 1 || own.top + own.height > copied_->height ||
      own.left + own.width > copied_->width)
    refuse(path, "a frame that the GPU decoded is smaller than the video", AVERROR_INVALIDDATA);
  if (copied_->format != AV_PIX_FMT_NV12) {
    copied_->crop_right = static_cast<std::size_t>(copied_->width - own.left - own.width);
    copied_->crop_bottom = static_cast<std::size_t>(copied_->height - own.top - own.height);
    code = av_frame_apply_cropping(copied_.get(), AV_FRAME_CROP_UNALIGNED);
    if (code < 0) refuse(path, "a frame from the GPU cannot be cropped", code);
    return copied_.get();
  }
  av_frame_unref(planar_.get());
  planar_->format = AV_PIX_FMT_YUV420P;
  planar_->width = own.width;
  planar_->height = own.height;
  code = av_frame_get_buffer(planar_.get(), 0);
  if (code >= 0) code = av_frame_copy_props(planar_.get(), copied_.get());
  if (code < 0) refuse(path, "a frame cannot be copied from the GPU", code);
  planar_->crop_top = planar_->crop_bottom = planar_->crop_left = planar_->crop_right = 0;
  split({copied_->data[0], copied_->data[1], copied_->linesize[0], copied_->linesize[1]}, own,
        {planar_->data[0], planar_->data[1], planar_->data[2], planar_->linesize[0],
         planar_->linesize[1], planar_->linesize[2]});
  return planar_.get();
}

}  // namespace framefold
