// Digits in OpenCV's built-in fonts: libframefold_fonts.so, opened when a run draws digits.
#include <array>
#include <cstdint>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

#include "io/random.h"

extern "C" __attribute__((visibility("default"))) void framefold_draw_digit(std::uint64_t seed,
                                                                            std::uint64_t stream,
                                                                            std::uint8_t* pixels) {
  using namespace framefold;
  struct Font {
    int face, thickest;  // heavier ones close the digits' holes
  };
  static constexpr std::array<Font, 6> fonts = {{{cv::FONT_HERSHEY_SIMPLEX, 3},
                                                 {cv::FONT_HERSHEY_DUPLEX, 2},
                                                 {cv::FONT_HERSHEY_COMPLEX, 2},
                                                 {cv::FONT_HERSHEY_TRIPLEX, 1},
                                                 {cv::FONT_HERSHEY_COMPLEX_SMALL, 2},
                                                 {cv::FONT_HERSHEY_SCRIPT_SIMPLEX, 2}}};
  Draws draws({seed, stream});
  const cv::String text(1, static_cast<char>('0' + draws.below(10)));
  const auto [font, thickest] = fonts[static_cast<std::size_t>(draws.below(fonts.size()))];
  const int thickness = static_cast<int>(1 + draws.below(thickest));
  const double height = draws.uniform(15, 19);
  const cv::Size unit = cv::getTextSize(text, font, 1, 1, nullptr);
  const double scale = height / unit.height;
  const cv::Size size = cv::getTextSize(text, font, scale, thickness, nullptr);
  cv::Mat upright = cv::Mat::zeros(28, 28, CV_8UC1);
  cv::putText(upright, text, {(28 - size.width) / 2, (28 + size.height) / 2}, font, scale, {255},
              thickness, cv::LINE_AA);
  // A shear and a shift about the middle.
  const double slant = draws.uniform(-0.15, 0.3);
  const cv::Matx23d warp(1, -slant, 13.5 * slant + draws.uniform(-1.5, 1.5), 0, 1,
                         draws.uniform(-1.5, 1.5));
  cv::Mat picture(28, 28, CV_8UC1, pixels);
  cv::warpAffine(upright, picture, warp, picture.size());
}
