// Updates of flat buffers of as many weights as VideoMAE-S has, in bytes that must move; the memory
// is the engine's.
#include <array>
#include <vector>

#include "bench/op_rows.h"
#include "engine/memory.h"
#include "kernels/buffer.h"
#include "kernels/optimizer.h"

namespace framefold::bench {
namespace {

constexpr Index count = 24'000'000;

struct Buffers {
  std::array<Buffer, 4> memory;
  std::vector<double> space = std::vector<double>(count / 1024 + 64);
  Stream stream{.device = {}, .threads = threads()};

  Buffers() {
    for (std::size_t i = 0; i < memory.size(); ++i) {
      memory[i] = Buffer(sizeof(float) * count);
      fill(stream, at(i), 0.25F);
    }
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

// What a step with clipping does to weights that are bf16 in products: the norm, then weights, both
// moments and the bf16 copy in one pass. On a GPU too.
class ClippedAdam {
 public:
  ClippedAdam() : gpu_(options().gpu) {
    Bytes bytes = 4 * Buffer::padded(sizeof(float) * count) + Buffer::padded(2 * count) +
                  Buffer::padded(2 * sizeof(float)) + space_bytes;
    memory_ = Buffer(bytes);
    for (Index i = 0; i < 4 * count; ++i) reinterpret_cast<float*>(memory_.data())[i] = 0.25F;
    next_ = memory_.data();
    if (gpu_) {
      next_ = static_cast<std::byte*>(gpu_->allocate(bytes));
      gpu_->upload(next_, memory_.data(), bytes);
    }
    base_ = next_;
    for (Tensor& tensor : flat_) tensor = take(DType::f32, count);
    narrow_ = take(DType::bf16, count);
    factor_ = take(DType::f32, 2);
    stream_ = {.device = gpu_ ? Device::cuda(0) : Device::cpu(), .threads = threads()};
  }
  ClippedAdam(const ClippedAdam&) = delete;
  ClippedAdam& operator=(const ClippedAdam&) = delete;
  ~ClippedAdam() {
    if (gpu_) gpu_->release(base_);
  }

  void update() {
    clip_factor(stream_, 1, factor_, Workspace(next_, space_bytes), flat_[3]);
    Beside beside;
    beside.clip = {factor_.data, DType::f32, {1}};
    beside.narrow = narrow_;
    adam_update(stream_, {.decay = 0.05, .decoupled = true}, flat_[0], flat_[1], flat_[2], flat_[3],
                1, 9, beside);
  }
  // The gradient once more for its norm.
  static constexpr double bytes = (8 * sizeof(float) + 2) * static_cast<double>(count);

 private:
  static constexpr Bytes space_bytes = sizeof(double) * (count / 1024 + 64);

  Tensor take(DType type, Index elements) {
    const Tensor tensor{next_, type, {elements}};
    next_ += Buffer::padded(tensor.bytes());
    return tensor;
  }

  Gpu* gpu_;
  Buffer memory_;
  std::byte *base_, *next_;
  std::array<Tensor, 4> flat_;
  Tensor narrow_, factor_;
  Stream stream_;
};

const bool added = [] {
  add("optimizer/adamw, clipped, with bf16 weights", [](benchmark::State& state) {
    ClippedAdam adam;
    run_launches(state, {.bytes = ClippedAdam::bytes}, [&] { adam.update(); });
  });
  add_update("sgd, momentum", 5, [](Buffers& b) {
    sgd_update(b.stream, {.rate = 1e-3, .momentum = 0.9}, b.at(0), b.at(1), b.at(2), 1);
  });
  add_update("adam", 7, [](Buffers& b) {
    adam_update(b.stream, {}, b.at(0), b.at(1), b.at(2), b.at(3), 1, 9);
  });
  add_update("adam, clipped", 8, [](Buffers& b) {
    const double scale = clip_scale(norm_of(b.stream, b.workspace(), b.at(1)), 1);
    adam_update(b.stream, {}, b.at(0), b.at(2), b.at(3), b.at(1), scale, 9);
  });
  add_update("adamw", 7, [](Buffers& b) {
    adam_update(b.stream, {.decay = 0.05, .decoupled = true}, b.at(0), b.at(1), b.at(2), b.at(3), 1,
                9);
  });
  add_update("rmsprop", 5,
             [](Buffers& b) { rmsprop_update(b.stream, {}, b.at(0), b.at(1), {}, b.at(2), 1); });
  add_update("average", 3, [](Buffers& b) { average_update(b.stream, 0.99, b.at(0), b.at(1)); });
  add_update("norm", 1, [](Buffers& b) {
    benchmark::DoNotOptimize(norm_of(b.stream, b.workspace(), b.at(0)));
  });
  return true;
}();

}  // namespace
}  // namespace framefold::bench
