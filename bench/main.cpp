// framefold-bench: kernels' throughput, each row beside what the machine could do in the same run.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <memory>

#include "bench/instructions.h"
#include "bench/model_rows.h"
#include "bench/reporter.h"
#include "bench/selection.h"
#include "kernels/microkernel.h"
#if defined(FRAMEFOLD_CUDA)
#include "bench/roof_cuda.h"
#endif

namespace framefold::bench {
namespace {

constexpr Roof h200{.flops = 790e12, .bytes = 4.3e12};  // measured: products in bf16, copies

struct Arguments {
  std::string model, filter, device = "cpu";
  std::vector<std::string> sets;
  Index batch = 0;
  std::string after;
  bool json = false, list = false, floor = false, instructions = false;
};

std::unique_ptr<Gpu> the_gpu() {
#if defined(FRAMEFOLD_CUDA)
  return open_gpu();
#else
  fail(ErrorCode::unavailable,
       "--device cuda: this build has no CUDA kernels; build the preset cuda");
#endif
}

void add_context() {
  const auto giga = [](double value) { return text(static_cast<int>(1e-9 * value + 0.5)); };
  if (options().gpu) {
    benchmark::AddCustomContext("device", "cuda");
    benchmark::AddCustomContext("copy_gb_per_s", giga(roof().bytes));
    benchmark::AddCustomContext("f32_gflops", giga(roof().flops));
    return;
  }
  const Roof one = measure_roof(1);
  benchmark::AddCustomContext("tile", micro_kernel().name);
  benchmark::AddCustomContext("threads", text(threads()));
  benchmark::AddCustomContext(
      "peak_gflops", giga(one.flops) + " on one thread, " + giga(roof().flops) + " on all");
  benchmark::AddCustomContext(
      "copy_gb_per_s", giga(one.bytes) + " on one thread, " + giga(roof().bytes) + " on all");
#if defined(FRAMEFOLD_CUDA)
  std::string why_none;
  const std::vector<DeviceRoof> roofs = device_roofs(why_none);
  if (roofs.empty()) benchmark::AddCustomContext("gpu", "none: " + why_none);
  for (std::size_t i = 0; i < roofs.size(); ++i)
    benchmark::AddCustomContext(
        text("gpu_", i), text(roofs[i].name, ", copy ", giga(roofs[i].copy_bytes_per_second),
                              " GB/s, f32 ", giga(roofs[i].fma_flops_per_second), " GFLOP/s"));
#endif
}

// The processor that ends slower than it began, by heat or by neighbours, makes rows incomparable.
void warn_of_throttling() {
  if (options().gpu) return;
  const double after = measure_roof(threads()).flops;
  if (after < 0.9 * roof().flops)
    std::cerr << "bench: the peak fell from " << static_cast<int>(1e-9 * roof().flops) << " to "
              << static_cast<int>(1e-9 * after)
              << " GFLOP/s while the rows ran: throttled, or not alone on the machine\n";
}

int run_command(int argc, char** argv) {
  Arguments arguments;
  CLI::App app("Times Framefold's operations and prints their share of this machine's roof");
  app.add_option("--model", arguments.model,
                 "The operations of this preset or file, at its shapes");
  app.add_option("--batch", arguments.batch, "Clips, instead of the configuration's batch")
      ->check(CLI::PositiveNumber);
  app.add_option("--set", arguments.sets, "A key of the configuration: section.key=value")
      ->needs("--model");
  app.add_option("--device", arguments.device,
                 "cuda: operations alone, on the first GPU, timed by its events")
      ->check(CLI::IsMember({"cpu", "cuda"}));
  app.add_option("--filter", arguments.filter, "Only rows that match this regular expression");
  app.add_option("--after", arguments.after, "Of those, only rows behind the one of this name");
  app.add_flag("--list", arguments.list, "Print the names of the rows that would run");
  app.add_option("--most", options().most,
                 "Seconds of the whole run; rows that would begin later say that they did not")
      ->check(CLI::PositiveNumber);
  app.add_option("--seconds", options().seconds, "Most for one row; less where the median is sure")
      ->check(CLI::PositiveNumber);
  app.add_flag("--cold", options().cold, "Overwrite the caches before every timed call");
  app.add_flag("--json", arguments.json, "Google Benchmark's schema, for its compare.py");
  app.add_flag("--floor", arguments.floor,
               "No timing: the least time of --model's operations on an H200")
      ->needs("--model");
  app.add_flag("--instructions", arguments.instructions,
               "No timing: small operations once, for callgrind (scripts/instructions)");
  app.allow_extras();  // --benchmark_...
  app.footer(
      "Examples:\n  framefold-bench --filter conv3d\n"
      "  framefold-bench --model clips-residual --batch 8\n"
      "  framefold-bench --model clips --floor");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  }

  if (arguments.instructions) {
    count_instructions();
    return 0;
  }
  if (!arguments.model.empty()) {
    const Config config = resolve(
        {.file = arguments.model, .environment = process_environment(), .sets = arguments.sets});
    const Index batch = arguments.batch > 0 ? arguments.batch : config.train.batch;
    if (arguments.floor) {
      std::cout << floor_table(arguments.model, config, batch, h200);
      return 0;
    }
    forget_rows();
    add_model_rows(arguments.model, config, batch);
  }
  const bool on_gpu = arguments.device == "cuda";
  if (on_gpu) {
    if (arguments.model.empty()) add_large_rows();
    add_bf16_rows();
    add_vendor_rows();
  }
  if (on_gpu && arguments.filter.empty())
    arguments.filter = "/(forward|backward|both|dgrad|wgrad|adamw, clipped, with bf16 weights)$";
  const std::vector<std::string> names = selected(row_names(), arguments.filter, arguments.after);
  if (arguments.list) {
    for (const std::string& name : names) std::cout << name << '\n';
    return 0;
  }
  register_rows(names);
  const std::unique_ptr<Gpu> gpu = on_gpu ? the_gpu() : nullptr;
  options().gpu = gpu.get();
  std::vector<std::string> rest = app.remaining();
  std::vector<char*> left = {argv[0]};
  for (std::string& argument : rest) left.push_back(argument.data());
  int count = static_cast<int>(left.size());
  benchmark::Initialize(&count, left.data());
  if (benchmark::ReportUnrecognizedArguments(count, left.data())) return 1;
  add_context();
  const auto shown = reporter(arguments.json);
  const bool filed = std::any_of(rest.begin(), rest.end(), [](const std::string& argument) {
    return argument.starts_with("--benchmark_out=");
  });
  const auto file = filed ? reporter(true) : nullptr;
  benchmark::RunSpecifiedBenchmarks(shown.get(), file.get());
  benchmark::Shutdown();
  warn_of_throttling();
  return 0;
}

}  // namespace
}  // namespace framefold::bench

int main(int argc, char** argv) {
  try {
    return framefold::bench::run_command(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "bench: " << error.what() << '\n';
    return 1;
  }
}
