#include "io/draw.h"

#include <algorithm>
#include <cmath>

#include "kernels/error.h"

namespace framefold {
namespace {

constexpr Index gap = 4;  // between frames, and around
constexpr Index most_columns = 8;
constexpr float full_error = 0.5F;

// A column a byte, the topmost dot its lowest bit; from ' ' to '~'.
constexpr std::uint8_t font[95][5] = {
    {0x00, 0x00, 0x00, 0x00, 0x00}, {0x00, 0x00, 0x5F, 0x00, 0x00}, {0x00, 0x07, 0x00, 0x07, 0x00},
    {0x14, 0x7F, 0x14, 0x7F, 0x14}, {0x24, 0x2A, 0x7F, 0x2A, 0x12}, {0x23, 0x13, 0x08, 0x64, 0x62},
    {0x36, 0x49, 0x55, 0x22, 0x50}, {0x00, 0x05, 0x03, 0x00, 0x00}, {0x00, 0x1C, 0x22, 0x41, 0x00},
    {0x00, 0x41, 0x22, 0x1C, 0x00}, {0x08, 0x2A, 0x1C, 0x2A, 0x08}, {0x08, 0x08, 0x3E, 0x08, 0x08},
    {0x00, 0x50, 0x30, 0x00, 0x00}, {0x08, 0x08, 0x08, 0x08, 0x08}, {0x00, 0x60, 0x60, 0x00, 0x00},
    {0x20, 0x10, 0x08, 0x04, 0x02}, {0x3E, 0x51, 0x49, 0x45, 0x3E}, {0x00, 0x42, 0x7F, 0x40, 0x00},
    {0x42, 0x61, 0x51, 0x49, 0x46}, {0x21, 0x41, 0x45, 0x4B, 0x31}, {0x18, 0x14, 0x12, 0x7F, 0x10},
    {0x27, 0x45, 0x45, 0x45, 0x39}, {0x3C, 0x4A, 0x49, 0x49, 0x30}, {0x01, 0x71, 0x09, 0x05, 0x03},
    {0x36, 0x49, 0x49, 0x49, 0x36}, {0x06, 0x49, 0x49, 0x29, 0x1E}, {0x00, 0x36, 0x36, 0x00, 0x00},
    {0x00, 0x56, 0x36, 0x00, 0x00}, {0x08, 0x14, 0x22, 0x41, 0x00}, {0x14, 0x14, 0x14, 0x14, 0x14},
    {0x00, 0x41, 0x22, 0x14, 0x08}, {0x02, 0x01, 0x51, 0x09, 0x06}, {0x32, 0x49, 0x79, 0x41, 0x3E},
    {0x7E, 0x11, 0x11, 0x11, 0x7E}, {0x7F, 0x49, 0x49, 0x49, 0x36}, {0x3E, 0x41, 0x41, 0x41, 0x22},
    {0x7F, 0x41, 0x41, 0x22, 0x1C}, {0x7F, 0x49, 0x49, 0x49, 0x41}, {0x7F, 0x09, 0x09, 0x09, 0x01},
    {0x3E, 0x41, 0x49, 0x49, 0x7A}, {0x7F, 0x08, 0x08, 0x08, 0x7F}, {0x00, 0x41, 0x7F, 0x41, 0x00},
    {0x20, 0x40, 0x41, 0x3F, 0x01}, {0x7F, 0x08, 0x14, 0x22, 0x41}, {0x7F, 0x40, 0x40, 0x40, 0x40},
    {0x7F, 0x02, 0x0C, 0x02, 0x7F}, {0x7F, 0x04, 0x08, 0x10, 0x7F}, {0x3E, 0x41, 0x41, 0x41, 0x3E},
    {0x7F, 0x09, 0x09, 0x09, 0x06}, {0x3E, 0x41, 0x51, 0x21, 0x5E}, {0x7F, 0x09, 0x19, 0x29, 0x46},
    {0x46, 0x49, 0x49, 0x49, 0x31}, {0x01, 0x01, 0x7F, 0x01, 0x01}, {0x3F, 0x40, 0x40, 0x40, 0x3F},
    {0x1F, 0x20, 0x40, 0x20, 0x1F}, {0x3F, 0x40, 0x38, 0x40, 0x3F}, {0x63, 0x14, 0x08, 0x14, 0x63},
    {0x07, 0x08, 0x70, 0x08, 0x07}, {0x61, 0x51, 0x49, 0x45, 0x43}, {0x00, 0x7F, 0x41, 0x41, 0x00},
    {0x02, 0x04, 0x08, 0x10, 0x20}, {0x00, 0x41, 0x41, 0x7F, 0x00}, {0x04, 0x02, 0x01, 0x02, 0x04},
    {0x40, 0x40, 0x40, 0x40, 0x40}, {0x00, 0x01, 0x02, 0x04, 0x00}, {0x20, 0x54, 0x54, 0x54, 0x78},
    {0x7F, 0x48, 0x44, 0x44, 0x38}, {0x38, 0x44, 0x44, 0x44, 0x20}, {0x38, 0x44, 0x44, 0x48, 0x7F},
    {0x38, 0x54, 0x54, 0x54, 0x18}, {0x08, 0x7E, 0x09, 0x01, 0x02}, {0x0C, 0x52, 0x52, 0x52, 0x3E},
    {0x7F, 0x08, 0x04, 0x04, 0x78}, {0x00, 0x44, 0x7D, 0x40, 0x00}, {0x20, 0x40, 0x44, 0x3D, 0x00},
    {0x7F, 0x10, 0x28, 0x44, 0x00}, {0x00, 0x41, 0x7F, 0x40, 0x00}, {0x7C, 0x04, 0x18, 0x04, 0x78},
    {0x7C, 0x08, 0x04, 0x04, 0x78}, {0x38, 0x44, 0x44, 0x44, 0x38}, {0x7C, 0x14, 0x14, 0x14, 0x08},
    {0x08, 0x14, 0x14, 0x18, 0x7C}, {0x7C, 0x08, 0x04, 0x04, 0x08}, {0x48, 0x54, 0x54, 0x54, 0x20},
    {0x04, 0x3F, 0x44, 0x40, 0x20}, {0x3C, 0x40, 0x40, 0x20, 0x7C}, {0x1C, 0x20, 0x40, 0x20, 0x1C},
    {0x3C, 0x40, 0x30, 0x40, 0x3C}, {0x44, 0x28, 0x10, 0x28, 0x44}, {0x0C, 0x50, 0x50, 0x50, 0x3C},
    {0x44, 0x64, 0x54, 0x4C, 0x44}, {0x00, 0x08, 0x36, 0x41, 0x00}, {0x00, 0x00, 0x7F, 0x00, 0x00},
    {0x00, 0x41, 0x36, 0x08, 0x00}, {0x02, 0x01, 0x02, 0x04, 0x02}};

void check_clip(View clip, std::string_view name) {
  const bool known = clip.dtype == DType::u8 || clip.dtype == DType::f32;
  if (!known || clip.shape.rank() != 4 || clip.size() == 0 ||
      (clip.shape[3] != 1 && clip.shape[3] != 3))
    fail(ErrorCode::shape, "the ", name, " to draw is ", clip.type(),
         ", expected u8 or f32 [T, H, W, C] with C 1 or 3");
}

void check_frame(View clip, Index t) {
  if (t < 0 || t >= clip.shape[0])
    fail(ErrorCode::argument, "frame ", t, " of a clip ", clip.type(), " does not exist");
}

void check_pair(View original, View other, std::string_view name) {
  check_clip(original, "original");
  check_clip(other, name);
  if (original.shape != other.shape)
    fail(ErrorCode::shape, "the original to draw is ", original.type(), ", its ", name, " ",
         other.type(), "; expected equal shapes");
}

// Element i of a clip in 0..1.
float value_of(View clip, Index i) {
  if (clip.dtype == DType::u8) return static_cast<float>(clip.as<std::uint8_t>()[i]) / 255.0F;
  const float value = clip.as<float>()[i];
  return value > 0.0F ? std::min(value, 1.0F) : 0.0F;
}

std::uint8_t byte_of(float value) {
  return static_cast<std::uint8_t>(std::lround(std::clamp(value, 0.0F, 1.0F) * 255.0F));
}

// Frame t as rows of one frame each.
std::vector<LabelledRow> panels_of(View original, View reconstruction, const Seen& seen, Index t) {
  std::vector<LabelledRow> panels{{"original", {enlarged(frame_of(original, t))}}};
  if (seen.clip.data != nullptr) panels.push_back({seen.label, {enlarged(frame_of(seen.clip, t))}});
  panels.push_back({"reconstruction", {enlarged(frame_of(reconstruction, t))}});
  panels.push_back({"error", {enlarged(error_of(original, reconstruction, t))}});
  return panels;
}

void check_all(View original, View reconstruction, const Seen& seen) {
  check_pair(original, reconstruction, "reconstruction");
  if (seen.clip.data != nullptr) check_pair(original, seen.clip, seen.label);
}

constexpr const char* error_label = "error, 0 black to 0.5 yellow";

}  // namespace

Picture frame_of(View clip, Index t) {
  check_clip(clip, "clip");
  check_frame(clip, t);
  Picture picture(clip.shape[2], clip.shape[1], clip.shape[3], 0);
  const Index size = static_cast<Index>(picture.pixels.size());
  for (Index i = 0; i < size; ++i)
    picture.pixels[static_cast<std::size_t>(i)] = byte_of(value_of(clip, t * size + i));
  return picture;
}

Picture error_of(View original, View reconstruction, Index t) {
  check_pair(original, reconstruction, "reconstruction");
  check_frame(original, t);
  const Index channels = original.shape[3];
  Picture picture(original.shape[2], original.shape[1], 3, 0);
  const Index pixels = picture.width * picture.height;
  for (Index pixel = 0; pixel < pixels; ++pixel) {
    float error = 0.0F;
    for (Index c = 0; c < channels; ++c) {
      const Index i = (t * pixels + pixel) * channels + c;
      error += std::abs(value_of(original, i) - value_of(reconstruction, i));
    }
    const Colour heat = inferno(error / static_cast<float>(channels) / full_error);
    std::copy(heat.begin(), heat.end(), picture.pixels.data() + pixel * 3);
  }
  return picture;
}

Colour inferno(float value) {
  constexpr std::uint32_t table[17] = {0x000004, 0x0b0724, 0x210c4a, 0x3c0965, 0x57106d, 0x70196e,
                                       0x89226a, 0xa32b61, 0xbb3755, 0xd14644, 0xe35932, 0xf1711e,
                                       0xf98d0a, 0xfcab0f, 0xf9ca32, 0xf2e865, 0xfcffa4};
  const float place = value > 0.0F ? std::min(value, 1.0F) * 16.0F : 0.0F;
  const int below = std::min(static_cast<int>(place), 15);
  Colour colour{};
  for (int c = 0; c < 3; ++c) {
    const auto channel = [&](int step) {
      return static_cast<float>(table[step] >> (16 - 8 * c) & 0xFFU);
    };
    const float mixed =
        std::lerp(channel(below), channel(below + 1), place - static_cast<float>(below));
    colour[static_cast<std::size_t>(c)] = static_cast<std::uint8_t>(std::lround(mixed));
  }
  return colour;
}

Picture upscale(const Picture& picture, Index factor) {
  Picture large(picture.width * factor, picture.height * factor, picture.channels, 0);
  for (Index y = 0; y < large.height; ++y)
    for (Index x = 0; x < large.width; ++x)
      std::copy_n(picture.at(x / factor, y / factor), picture.channels, large.at(x, y));
  return large;
}

Picture enlarged(const Picture& picture, Index least) {
  const Index side = std::min(picture.width, picture.height);
  return upscale(picture, (least + side - 1) / side);
}

void paste(Picture& onto, const Picture& piece, Index x, Index y) {
  if (x < 0 || y < 0 || x + piece.width > onto.width || y + piece.height > onto.height ||
      piece.channels > onto.channels)
    fail(ErrorCode::argument, "a piece of ", piece.width, " x ", piece.height, " x ",
         piece.channels, " at ", x, ", ", y, " does not fit a picture of ", onto.width, " x ",
         onto.height, " x ", onto.channels);
  for (Index row = 0; row < piece.height; ++row)
    for (Index column = 0; column < piece.width; ++column)
      for (Index c = 0; c < onto.channels; ++c)
        onto.at(x + column, y + row)[c] = piece.at(column, row)[piece.channels == 1 ? 0 : c];
}

Picture draw_text(std::string_view text, Index scale) {
  Picture dots(std::max<Index>(1, static_cast<Index>(text.size()) * 6), 8, 1, 255);
  Index left = 0;
  for (const char letter : text) {
    const bool printable = letter >= ' ' && letter <= '~';
    const auto& columns = font[(printable ? letter : '?') - ' '];
    for (Index x = 0; x < 5; ++x)
      for (Index y = 0; y < 7; ++y)
        if ((columns[x] >> y & 1) != 0) *dots.at(left + x, y) = 32;
    left += 6;
  }
  return upscale(dots, scale);
}

Picture draw_rows(const std::vector<LabelledRow>& rows) {
  Index frames_width = 0, letters = 0;
  for (const LabelledRow& row : rows) {
    Index width = 0;
    for (const Picture& frame : row.frames) width += frame.width + gap;
    frames_width = std::max(frames_width, width);
    letters = std::max(letters, static_cast<Index>(row.label.size()));
  }
  const Index scale = frames_width >= 168 ? 2 : 1;  // two dots: 14 letters fit
  const Index label_height = 8 * scale + 2;
  Index height = gap;
  for (const LabelledRow& row : rows) {
    Index tallest = 0;
    for (const Picture& frame : row.frames) tallest = std::max(tallest, frame.height);
    height += label_height + tallest + gap;
  }

  Picture sheet(gap + std::max(frames_width, 6 * scale * letters), height, 3, 255);
  Index top = gap;
  for (const LabelledRow& row : rows) {
    paste(sheet, draw_text(row.label, scale), gap, top);
    top += label_height;
    Index left = gap, tallest = 0;
    for (const Picture& frame : row.frames) {
      paste(sheet, frame, left, top);
      left += frame.width + gap;
      tallest = std::max(tallest, frame.height);
    }
    top += tallest + gap;
  }
  return sheet;
}

Picture draw_strip(View original, View reconstruction, const Seen& seen) {
  check_all(original, reconstruction, seen);
  const Index frames = original.shape[0], columns = std::min(frames, most_columns);
  std::vector<LabelledRow> rows;
  for (Index column = 0; column < columns; ++column) {
    const Index t = columns == 1 ? 0 : column * (frames - 1) / (columns - 1);
    std::vector<LabelledRow> panels = panels_of(original, reconstruction, seen, t);
    rows.resize(panels.size());
    for (std::size_t i = 0; i < panels.size(); ++i) {
      rows[i].label = std::move(panels[i].label);
      rows[i].frames.push_back(std::move(panels[i].frames.front()));
    }
  }
  rows.back().label = error_label;
  return draw_rows(rows);
}

std::vector<Picture> draw_animation(View original, View reconstruction, const Seen& seen) {
  check_all(original, reconstruction, seen);
  std::vector<Picture> pictures;
  pictures.reserve(static_cast<std::size_t>(original.shape[0]));
  for (Index t = 0; t < original.shape[0]; ++t) {
    std::vector<Picture> columns;
    Index width = 0;
    for (LabelledRow& panel : panels_of(original, reconstruction, seen, t)) {
      columns.push_back(draw_rows({std::move(panel)}));
      width += columns.back().width;
    }
    Picture all(width, columns.front().height, 3, 255);
    Index left = 0;
    for (const Picture& column : columns) {
      paste(all, column, left, 0);
      left += column.width;
    }
    pictures.push_back(std::move(all));
  }
  return pictures;
}

}  // namespace framefold
