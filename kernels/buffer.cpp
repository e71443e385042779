#include "kernels/buffer.h"

#include <atomic>
#include <cmath>
#include <limits>
#include <ostream>

#include "kernels/device.h"
#include "kernels/simd.h"

namespace framefold {
namespace {

constexpr Index grain = 16384;

FRAMEFOLD_SIMD void add_to(float* y, const float* x, Index count) {
  for (Index i = 0; i < count; ++i) y[i] += x[i];
}

// 0 x is 0 for finite x and NaN for the others; a sum keeps the NaN.
FRAMEFOLD_SIMD bool finite(const float* x, Index count) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (Index i = 0; i < count; ++i) sum += 0.0F * x[i];
  return sum == 0.0F;
}

double at(View x, Index i) {
  switch (x.dtype) {
    case DType::f32: return static_cast<double>(x.as<float>()[i]);
    case DType::bf16: return static_cast<double>(x.as<bf16>()[i]);
    case DType::f64: return x.as<double>()[i];
    case DType::u8: return x.as<std::uint8_t>()[i];
    case DType::i32: return x.as<std::int32_t>()[i];
  }
  return 0;
}

}  // namespace

void fill(const Stream& stream, Tensor y, float value) {
  if (on_device(stream)) return device<&fill>(stream, y, value);
  float* data = y.as<float>();
  parallel_for(stream, y.size(), grain,
               [=](Index begin, Index end) { std::fill(data + begin, data + end, value); });
}

void accumulate(const Stream& stream, Tensor y, View x) {
  if (y.size() != x.size()) fail(ErrorCode::shape, "accumulate: ", x.shape, " onto ", y.shape);
  if (on_device(stream)) return device<&accumulate>(stream, y, x);
  float* to = y.as<float>();
  const float* from = x.as<float>();
  parallel_for(stream, y.size(), grain,
               [=](Index begin, Index end) { add_to(to + begin, from + begin, end - begin); });
}

void restore_where_nan(const Stream& stream, View verdict, Tensor y, View x) {
  if (y.size() != x.size()) fail(ErrorCode::shape, "restore: ", x.shape, " over ", y.shape);
  if (on_device(stream)) return device<&restore_where_nan>(stream, verdict, y, x);
  if (std::isnan(*verdict.as<float>())) std::copy_n(x.as<float>(), x.size(), y.as<float>());
}

bool all_finite(const Stream& stream, View x) {
  if (x.dtype == DType::u8 || x.dtype == DType::i32) return true;
  if (x.dtype != DType::f32) {
    const Statistics statistics = statistics_of(x);
    return statistics.nans + statistics.infinities == 0;
  }
  std::atomic<bool> all = true;
  const float* data = x.as<float>();
  parallel_for(stream, x.size(), grain, [&all, data](Index begin, Index end) {
    if (!finite(data + begin, end - begin)) all = false;
  });
  return all;
}

Statistics statistics_of(View x) {
  Statistics result{.count = x.size(),
                    .minimum = std::numeric_limits<double>::infinity(),
                    .maximum = -std::numeric_limits<double>::infinity()};
  double squares = 0;
  Index finite_values = 0;
  for (Index i = 0; i < x.size(); ++i) {
    const double value = at(x, i);
    if (std::isnan(value)) {
      ++result.nans;
    } else if (std::isinf(value)) {
      ++result.infinities;
    } else {
      const double before = value - result.mean;
      result.mean += before / static_cast<double>(++finite_values);
      squares += before * (value - result.mean);
      result.minimum = std::min(result.minimum, value);
      result.maximum = std::max(result.maximum, value);
    }
  }
  if (finite_values > 0) result.deviation = std::sqrt(squares / static_cast<double>(finite_values));
  return result;
}

std::ostream& operator<<(std::ostream& out, const Statistics& s) {
  out << s.nans << " NaN and " << s.infinities << " infinite of " << s.count;
  if (s.nans + s.infinities < s.count)
    out << ", the finite ones from " << s.minimum << " to " << s.maximum << ", mean " << s.mean
        << ", deviation " << s.deviation;
  return out;
}

}  // namespace framefold
