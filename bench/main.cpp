// Every report carries what its machine could do in the same run: the peak of fused multiply-adds
// and the bandwidth of a copy, on one thread and on all.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "bench/bench.h"
#include "kernels/microkernel.h"
#include "kernels/stream.h"
#if defined(FRAMEFOLD_CUDA)
#include "bench/roof_cuda.h"
#endif

namespace framefold::bench {
namespace {

double seconds_of(auto&& work) {
  double best = 1e9;
  for (int i = 0; i < 5; ++i) {
    const auto start = std::chrono::steady_clock::now();
    work();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    best = std::min(best, took.count());
  }
  return best;
}

// Full tiles on operands in the first-level cache: within a few percent of the arithmetic's peak.
double tile_gflops(int threads) {
  constexpr Index depth = 128, repeats = 4000;
  const MicroKernel& kernel = micro_kernel();
  const Stream stream{.device = {}, .threads = threads};
  const double seconds = seconds_of([&] {
    parallel_for(stream, threads, 1, [&](Index, Index) {
      std::vector<float> a(static_cast<std::size_t>(kernel.rows * depth), 1.0F);
      std::vector<float> b(static_cast<std::size_t>(kernel.cols * depth), 1.0F);
      std::vector<float> c(static_cast<std::size_t>(kernel.rows * kernel.cols));
      std::vector<const float*> rows;
      for (Index i = 0; i < kernel.rows; ++i) rows.push_back(a.data() + i * depth);
      const float* panel = b.data();
      for (Index i = 0; i < repeats; ++i)
        kernel.run(kernel.rows, kernel.cols,
                   {.a = rows.data(),
                    .b = &panel,
                    .depth = depth,
                    .b_step = kernel.cols,
                    .c = c.data(),
                    .ldc = kernel.cols});
      benchmark::DoNotOptimize(c.data());
    });
  });
  return 2.0 * threads * static_cast<double>(kernel.rows * kernel.cols * depth * repeats) /
         seconds / 1e9;
}

double copy_gigabytes(int threads) {
  constexpr std::size_t bytes = std::size_t{64} << 20;
  const Stream stream{.device = {}, .threads = threads};
  std::vector<char> from(bytes, 1), to(bytes, 2);
  const double seconds = seconds_of([&] {
    parallel_for(stream, static_cast<Index>(bytes), 1, [&](Index begin, Index end) {
      std::memcpy(to.data() + begin, from.data() + begin, static_cast<std::size_t>(end - begin));
    });
  });
  return 2e-9 * static_cast<double>(bytes) / seconds;
}

void add_device_context() {
#if defined(FRAMEFOLD_CUDA)
  std::string why_none;
  const std::vector<DeviceRoof> roofs = device_roofs(why_none);
  if (roofs.empty()) benchmark::AddCustomContext("gpu", "none: " + why_none);
  for (std::size_t i = 0; i < roofs.size(); ++i)
    benchmark::AddCustomContext(
        text("gpu_", i),
        text(roofs[i].name, ", copy ", static_cast<int>(1e-9 * roofs[i].copy_bytes_per_second),
             " GB/s, f32 ", static_cast<int>(1e-9 * roofs[i].fma_flops_per_second), " GFLOP/s"));
#endif
}

}  // namespace

int threads() {
  static const int count = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  return count;
}

}  // namespace framefold::bench

int main(int argc, char** argv) {
  using namespace framefold;
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  const auto number = [](double value) { return text(static_cast<int>(value + 0.5)); };
  const int all = bench::threads();
  benchmark::AddCustomContext("tile", micro_kernel().name);
  benchmark::AddCustomContext("threads", text(all));
  benchmark::AddCustomContext("peak_gflops", number(bench::tile_gflops(1)) + " on one thread, " +
                                                 number(bench::tile_gflops(all)) + " on all");
  benchmark::AddCustomContext("copy_gb_per_s", number(bench::copy_gigabytes(1)) +
                                                   " on one thread, " +
                                                   number(bench::copy_gigabytes(all)) + " on all");
  bench::add_device_context();
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
