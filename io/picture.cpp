#include "io/picture.h"

#include <png.h>
#include <webp/encode.h>
#include <webp/mux.h>

#include <cmath>
#include <memory>

#include "kernels/error.h"

namespace framefold {
namespace {

void check(const Picture& picture) {
  const Shape shape{picture.height, picture.width, picture.channels};
  if (picture.width < 1 || picture.height < 1 || (picture.channels != 1 && picture.channels != 3) ||
      static_cast<Index>(picture.pixels.size()) != shape.size())
    fail(ErrorCode::argument, "a picture of height, width, channels ", shape, " with ",
         picture.pixels.size(), " bytes cannot be encoded, expected 1 or 3 channels and ",
         shape.size(), " bytes");
}

// libpng's simplified interface: its jumps on errors never leave the library.
class PngImage {
 public:
  PngImage() { image.version = PNG_IMAGE_VERSION; }
  PngImage(const PngImage&) = delete;
  PngImage& operator=(const PngImage&) = delete;
  ~PngImage() { png_image_free(&image); }
  png_image image{};
};

struct WebPDelete {
  void operator()(WebPAnimEncoder* encoder) const { WebPAnimEncoderDelete(encoder); }
  void operator()(WebPPicture* picture) const { WebPPictureFree(picture); }
  void operator()(WebPData* data) const { WebPDataClear(data); }
};

}  // namespace

Picture::Picture(Index width, Index height, Index channels, std::uint8_t value)
    : width(width),
      height(height),
      channels(channels),
      pixels(static_cast<std::size_t>(Shape{height, width, channels}.size()), value) {}

std::string encode_png(const Picture& picture) {
  check(picture);
  PngImage png;
  png.image.width = static_cast<png_uint_32>(picture.width);
  png.image.height = static_cast<png_uint_32>(picture.height);
  png.image.format = picture.channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(png.image);
  std::string bytes(size, '\0');
  if (png_image_write_to_memory(&png.image, bytes.data(), &size, 0, picture.pixels.data(), 0,
                                nullptr) == 0)
    fail(ErrorCode::argument, "libpng cannot encode a picture of ", picture.width, " x ",
         picture.height, " pixels: ", png.image.message);
  bytes.resize(size);
  return bytes;
}

Picture decode_png(std::string_view bytes, Index most) {
  PngImage png;
  const auto damaged = [&] {
    fail(ErrorCode::format, "the PNG cannot be read: ", png.image.message,
         "; it is damaged or another kind of file");
  };
  if (png_image_begin_read_from_memory(&png.image, bytes.data(), bytes.size()) == 0) damaged();
  if (Index{png.image.width} * png.image.height > most)
    fail(ErrorCode::format, "the PNG has ", png.image.width, " x ", png.image.height,
         " pixels, expected at most ", most, " in all");
  png.image.flags |= PNG_IMAGE_FLAG_16BIT_sRGB;
  const bool colour = (png.image.format & PNG_FORMAT_FLAG_COLOR) != 0;
  png.image.format = colour ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
  Picture picture(png.image.width, png.image.height, colour ? 3 : 1, 0);
  constexpr png_color black{0, 0, 0};
  if (png_image_finish_read(&png.image, &black, picture.pixels.data(), 0, nullptr) == 0) damaged();
  return picture;
}

std::string encode_webp(const std::vector<Picture>& pictures, double frames_per_second) {
  if (pictures.empty() || !(frames_per_second > 0))
    fail(ErrorCode::argument, "an animation of ", pictures.size(), " pictures at ",
         frames_per_second, " frames a second cannot be encoded; give at least one, above 0");
  const Index width = pictures.front().width, height = pictures.front().height;
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    check(pictures[i]);
    if (pictures[i].width != width || pictures[i].height != height)
      fail(ErrorCode::argument, "picture ", i, " of the animation is ", pictures[i].width, " x ",
           pictures[i].height, ", expected ", width, " x ", height, " like the first");
  }
  if (width > WEBP_MAX_DIMENSION || height > WEBP_MAX_DIMENSION)
    fail(ErrorCode::argument, "an animation of ", width, " x ", height,
         " pixels is too large for WebP, at most ", WEBP_MAX_DIMENSION, " a side");
  const auto require = [](int success, const char* what) {
    if (success == 0) fail(ErrorCode::memory, "libwebp cannot ", what, "; is memory short?");
  };

  WebPAnimEncoderOptions options;
  WebPConfig config;
  require(WebPAnimEncoderOptionsInit(&options), "start");
  require(WebPConfigInit(&config), "start");
  config.quality = 85;
  const std::unique_ptr<WebPAnimEncoder, WebPDelete> encoder(
      WebPAnimEncoderNew(static_cast<int>(width), static_cast<int>(height), &options));
  require(encoder != nullptr, "make an encoder");

  const auto time_of = [&](std::size_t frame) {  // milliseconds
    return static_cast<int>(std::lround(static_cast<double>(frame) * 1000 / frames_per_second));
  };
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    const Picture& picture = pictures[i];
    WebPPicture frame;
    require(WebPPictureInit(&frame), "start");
    const std::unique_ptr<WebPPicture, WebPDelete> owner(&frame);
    frame.use_argb = 1;
    frame.width = static_cast<int>(width);
    frame.height = static_cast<int>(height);
    require(WebPPictureAlloc(&frame), "make a frame");
    for (Index y = 0; y < height; ++y)
      for (Index x = 0; x < width; ++x) {
        const std::uint8_t* pixel = picture.at(x, y);
        const bool colour = picture.channels == 3;
        const std::uint32_t red = pixel[0], green = pixel[colour ? 1 : 0],
                            blue = pixel[colour ? 2 : 0];
        frame.argb[y * frame.argb_stride + x] = 0xFF000000U | red << 16U | green << 8U | blue;
      }
    require(WebPAnimEncoderAdd(encoder.get(), &frame, time_of(i), &config), "encode a frame");
  }
  require(WebPAnimEncoderAdd(encoder.get(), nullptr, time_of(pictures.size()), nullptr), "end");
  WebPData data;
  WebPDataInit(&data);
  const std::unique_ptr<WebPData, WebPDelete> owner(&data);
  require(WebPAnimEncoderAssemble(encoder.get(), &data), "assemble the animation");
  return {reinterpret_cast<const char*>(data.bytes), data.size};
}

}  // namespace framefold
