#include "io/codecs/converter.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "kernels/error.h"

namespace framefold {

void Converter::check(const FrameFormat& format, const CodecLimits& limits) {
  if (format.height < 1 || format.width < 1 || (format.channels != 1 && format.channels != 3) ||
      format.height > limits.pixels / format.width)
    fail(ErrorCode::argument, "frames of ", format.height, " x ", format.width, " pixels with ",
         format.channels, " channels were asked for, expected 1 or 3 channels and at most ",
         limits.pixels, " pixels");
}

Part Converter::part(const AVFrame& frame, double pixel_aspect, const Crop& crop,
                     const FrameFormat& format) const {
  const Index height = frame.height, width = frame.width;
  const bool turned = quarter_turns_ % 2 != 0;
  if (crop.height == 0 && crop.width == 0) {
    const auto h = static_cast<double>(turned ? format.width : format.height);
    const auto w = static_cast<double>(turned ? format.height : format.width);
    const double wanted = w / (h * pixel_aspect);
    const Index part_width =
        std::clamp<Index>(std::lround(static_cast<double>(height) * wanted), 1, width);
    const Index part_height =
        std::clamp<Index>(std::lround(static_cast<double>(width) / wanted), 1, height);
    return {(height - part_height) / 2, (width - part_width) / 2, part_height, part_width};
  }
  const Index upright_height = turned ? width : height, upright_width = turned ? height : width;
  const Index bottom = upright_height - crop.top - crop.height;
  const Index right = upright_width - crop.left - crop.width;
  if (crop.height < 1 || crop.width < 1 || crop.top < 0 || crop.left < 0 || bottom < 0 || right < 0)
    fail(ErrorCode::argument, path_, ": a crop of ", crop.height, " x ", crop.width, " at ",
         crop.top, ", ", crop.left, " was asked for, the upright frame has ", upright_height, " x ",
         upright_width, " pixels");
  switch (quarter_turns_) {
    case 1: return {right, crop.top, crop.width, crop.height};
    case 2: return {bottom, right, crop.height, crop.width};
    case 3: return {crop.left, bottom, crop.width, crop.height};
    default: return {crop.top, crop.left, crop.height, crop.width};
  }
}

void Converter::convert(const AVFrame& frame, double pixel_aspect, const Crop& crop,
                        const FrameFormat& format, std::uint8_t* pixels) {
  const Part wanted = part(frame, pixel_aspect, crop, format);
  if (quarter_turns_ == 0) return resize(frame, wanted, format, pixels);
  FrameFormat stored = format;
  if (quarter_turns_ % 2 != 0) std::swap(stored.height, stored.width);
  stored_.resize(stored.bytes());
  resize(frame, wanted, stored, stored_.data());
  turn(format, pixels);
}

void Converter::turn(const FrameFormat& upright, std::uint8_t* pixels) const {
  const bool turned = quarter_turns_ % 2 != 0;
  const Index height = turned ? upright.width : upright.height;
  const Index width = turned ? upright.height : upright.width;
  // Where the upright frame's first pixel stands, and what a row and a column further are.
  const std::ptrdiff_t pixel = upright.channels, line = pixel * width;
  const std::ptrdiff_t bottom = line * (height - 1), right = pixel * (width - 1);
  struct Walk {
    std::ptrdiff_t start, row, column;
  };
  const std::array<Walk, 4> walks = {{{0, line, pixel},
                                      {bottom, pixel, -line},
                                      {bottom + right, -line, -pixel},
                                      {right, -pixel, line}}};
  const Walk walk = walks[static_cast<std::size_t>(quarter_turns_)];
  for (Index y = 0; y < upright.height; ++y) {
    const std::uint8_t* in = stored_.data() + walk.start + y * walk.row;
    for (Index x = 0; x < upright.width; ++x, in += walk.column, pixels += pixel)
      std::memcpy(pixels, in, static_cast<std::size_t>(pixel));
  }
}

void Converter::resize(const AVFrame& frame, const Part& part, const FrameFormat& format,
                       std::uint8_t* pixels) {
  if (!Resizer::takes(frame)) return scale(frame, part, format, pixels);
  constexpr std::size_t kept = 4;
  const auto found = std::ranges::find_if(
      resizers_, [&](const Resizer& resizer) { return resizer.made_for(frame, part, format); });
  if (found == resizers_.end()) {
    if (resizers_.size() == kept) resizers_.erase(resizers_.begin());
    resizers_.emplace_back(frame, part, format);
  } else {
    std::rotate(found, found + 1, resizers_.end());
  }
  resizers_.back().run(frame, pixels);
}

void Converter::scale(const AVFrame& frame, const Part& part, const FrameFormat& stored,
                      std::uint8_t* pixels) {
  const bool full_range = frame.color_range == AVCOL_RANGE_JPEG;
  const std::array<Index, 8> made_for = {part.width,       part.height,        frame.format,
                                         frame.colorspace, full_range ? 1 : 0, stored.height,
                                         stored.width,     stored.channels};
  if (!scaler_ || made_for != scaler_for_) {
    scaled_.reset(av_frame_alloc());
    if (!scaled_ || !view_) refuse(path_, "cannot be resized", AVERROR(ENOMEM));
    scaled_->width = static_cast<int>(stored.width);
    scaled_->height = static_cast<int>(stored.height);
    scaled_->format = stored.channels == 3 ? AV_PIX_FMT_RGB24 : AV_PIX_FMT_GRAY8;
    const int code = av_frame_get_buffer(scaled_.get(), 0);
    if (code < 0) refuse(path_, "cannot be resized", code);
    scaler_.reset(sws_getContext(static_cast<int>(part.width), static_cast<int>(part.height),
                                 static_cast<AVPixelFormat>(frame.format), scaled_->width,
                                 scaled_->height, static_cast<AVPixelFormat>(scaled_->format),
                                 SWS_AREA | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT | SWS_BITEXACT,
                                 nullptr, nullptr, nullptr));
    if (!scaler_) refuse(path_, "its pixels cannot be converted", AVERROR(EINVAL));
    int *from = nullptr, *to = nullptr, from_full = 0, to_full = 0, brightness = 0, contrast = 0,
        saturation = 0;
    if (sws_getColorspaceDetails(scaler_.get(), &from, &from_full, &to, &to_full, &brightness,
                                 &contrast, &saturation) >= 0)
      sws_setColorspaceDetails(scaler_.get(), sws_getCoefficients(frame.colorspace),
                               full_range ? 1 : from_full, to, to_full, brightness, contrast,
                               saturation);
    scaler_for_ = made_for;
  }
  // Even offsets: chroma stays where it was.
  const Index top = part.top / 2 * 2, left = part.left / 2 * 2;
  av_frame_unref(view_.get());
  int code = av_frame_ref(view_.get(), &frame);
  if (code < 0) refuse(path_, "cannot be cropped", code);
  view_->crop_left = static_cast<std::size_t>(left);
  view_->crop_top = static_cast<std::size_t>(top);
  view_->crop_right = static_cast<std::size_t>(frame.width - part.width - left);
  view_->crop_bottom = static_cast<std::size_t>(frame.height - part.height - top);
  code = av_frame_apply_cropping(view_.get(), AV_FRAME_CROP_UNALIGNED);
  if (code < 0) refuse(path_, "cannot be cropped", code);
  code = sws_scale(scaler_.get(), view_->data, view_->linesize, 0, view_->height, scaled_->data,
                   scaled_->linesize);
  av_frame_unref(view_.get());
  if (code < 0) refuse(path_, "its pixels cannot be converted", code);
  const auto line = static_cast<std::size_t>(stored.width * stored.channels);
  for (Index y = 0; y < stored.height; ++y, pixels += line)
    std::memcpy(pixels, scaled_->data[0] + y * scaled_->linesize[0], line);
}

}  // namespace framefold
