#include "kernels/tubelet_mse.cuh"

#include "kernels/tubelet_mse.h"

namespace framefold {
namespace gpu {
namespace {

// Calls run(grid, pixels, numbers of tubelets, N) with the widest packs that x, dx and clip allow.
template <class T, class Run>
void with_tubelets(const TubeletMse& mse, const T* x, const T* dx, View clip, View index,
                   Run&& run) {
  const TubeletGrid grid(clip.shape, mse.tubelet);
  const auto* from = clip.as<std::uint8_t>();
  const std::int32_t* numbers = index ? index.as<std::int32_t>() : nullptr;
  if (aligned(x, dx) && whole_packs(grid, from, pack_of<T>))
    run(grid, from, numbers, std::integral_constant<int, pack_of<T>>{});
  else
    run(grid, from, numbers, std::integral_constant<int, 1>{});
}

double weight_of(View x) { return 1.0 / static_cast<double>(std::max<Index>(1, x.size())); }

void tubelet_mse_forward(const Stream& stream, const TubeletMse& mse, Tensor y, Tensor scales,
                         Workspace workspace, View x, View clip, View index) {
  const Index count = x.shape[0] * x.shape[1];
  auto* shares = workspace.take<float>(count);
  for_device_float(x.dtype, [&]<class T>(T) {
    if (count == 0) return;
    with_tubelets<T>(mse, x.as<T>(), nullptr, clip, index,
                     [&]<int N>(const TubeletGrid& grid, auto* pixels, auto* numbers,
                                std::integral_constant<int, N>) {
                       launch<&tubelet_mse_shares<T, N>>(
                           stream, {{blocks_of(count)}, {total_threads}}, grid, mse.normalize,
                           mse.eps, x.shape[1], shares, scales.as<float>(), x.as<T>(), pixels,
                           numbers);
                     });
  });
  launch<&finish_total<float>>(stream, {{1}, {total_threads}}, y.as<float>(), weight_of(x), count,
                               shares);
}

void tubelet_mse_dgrad(const Stream& stream, const TubeletMse& mse, Tensor dx, View dy, View x,
                       View clip, View index, View scales) {
  const Index count = x.shape[0] * x.shape[1];
  if (count == 0) return;
  for_device_float(x.dtype, [&]<class T>(T) {
    with_tubelets<T>(mse, x.as<T>(), dx.as<T>(), clip, index,
                     [&]<int N>(const TubeletGrid& grid, auto* pixels, auto* numbers,
                                std::integral_constant<int, N>) {
                       launch<&tubelet_mse_dgrad_packs<T, N>>(
                           stream, {{blocks_of(count)}, {total_threads}}, grid, x.shape[1],
                           static_cast<float>(2 * weight_of(x)), dx.as<T>(), dy.as<float>(),
                           x.as<T>(), pixels, numbers, scales.as<float>());
                     });
  });
}

const OnDevice<&framefold::tubelet_mse_forward> forward_path(tubelet_mse_forward);
const OnDevice<&framefold::tubelet_mse_dgrad> dgrad_path(tubelet_mse_dgrad);

}  // namespace
}  // namespace gpu
}  // namespace framefold
