// Made by scripts/fixtures/ssim with scikit-image 0.26.0.
#pragma once

namespace framefold::test {

struct SsimValue {
  int height, width, channels, noise;
  double ssim, psnr;
};
inline constexpr SsimValue ssim_values[] = {
    {11, 11, 1, 30, 0.909635965410, 23.220429748547},
    {16, 13, 1, 80, 0.669331851016, 14.634507798237},
    {24, 40, 3, 20, 0.962324874001, 26.668478571881},
    {33, 29, 3, 255, 0.171614510512, 7.771917590292},
    {64, 64, 1, 5, 0.991651071317, 38.020876272977},
};

}  // namespace framefold::test
