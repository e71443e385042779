// Updates of flat buffers of as many weights as VideoMAE-S has, in bytes that must move.
#include <array>
#include <vector>

#include "bench/op_rows.h"
#include "kernels/optimizer.h"

namespace framefold::bench {
namespace {

constexpr Index count = 24'000'000;

struct Buffers {
  std::array<std::vector<float>, 4> memory;
  std::vector<double> space = std::vector<double>(count / 1024 + 64);
  Stream stream{.device = {}, .threads = threads()};

  Buffers() {
    for (auto& values : memory) values.assign(count, 0.25F);
  }
  Tensor at(std::size_t i) { return {memory[i].data(), DType::f32, {count}}; }
  Workspace workspace() { return {space.data(), sizeof(double) * space.size()}; }
};

void add_update(const char* name, double floats, std::function<void(Buffers&)> update) {
  add(text("optimizer/", name), [=](benchmark::State& state) {
    Buffers buffers;
    run(state, {.bytes = floats * sizeof(float) * count}, [&] { update(buffers); });
  });
}

const bool added = [] {
  add_update("sgd, momentum", 5, [](Buffers& b) {
    sgd_update(b.stream, {.rate = 1e-3, .momentum = 0.9}, b.at(0), b.at(1), b.at(2), 1);
  });
  add_update("adam", 7, [](Buffers& b) {
    adam_update(b.stream, {}, b.at(0), b.at(1), b.at(2), b.at(3), 1, 9);
  });
  add_update("average", 3, [](Buffers& b) { average_update(b.stream, 0.99, b.at(0), b.at(1)); });
  add_update("norm", 1, [](Buffers& b) {
    benchmark::DoNotOptimize(norm_of(b.stream, b.workspace(), b.at(0)));
  });
  return true;
}();

}  // namespace
}  // namespace framefold::bench
