#include "io/corrupt.h"

#include <cstring>
#include <utility>

#include "kernels/error.h"

namespace framefold {
namespace {

constexpr std::uint64_t corruption_stream = 0x636f7272757074;

class Paired final : public Dataset {
 public:
  Paired(std::shared_ptr<const Dataset> clean, const Augmentation& corruption, CorruptionDraw draw)
      : clean_(std::move(clean)), corrupter_(corruption), draw_(draw) {
    const Shape clip = clean_->shape();
    shape_ = {2 * clip[0], clip[1], clip[2], clip[3]};
  }
  Index size() const override { return clean_->size(); }
  Shape shape() const override { return shape_; }
  std::string name(Index index) const override { return clean_->name(index); }
  std::string description() const override { return clean_->description() + ", corrupted"; }
  Index label(Index index) const override { return clean_->label(index); }
  double rate(Index index) const override { return clean_->rate(index); }

 private:
  void do_read(Index index, Random random, Tensor pair) const override {
    const Shape clip = clean_->shape();
    const Tensor corrupted{pair.data, DType::u8, clip};
    const Tensor clean{pair.as<std::uint8_t>() + clip.size(), DType::u8, clip};
    clean_->read(index, random, clean);
    std::memcpy(corrupted.data, clean.data, static_cast<Bytes>(clip.size()));
    const Random own =
        draw_ == CorruptionDraw::by_index
            ? Random{0, stream_of(corruption_stream, static_cast<std::uint64_t>(index))}
            : Random{random.seed, stream_of(random.stream, corruption_stream)};
    corrupter_.apply({corrupted.data, DType::u8, clip}, own, corrupted, true);
  }

  std::shared_ptr<const Dataset> clean_;
  Augmenter corrupter_;
  CorruptionDraw draw_;
  Shape shape_;
};

}  // namespace

std::shared_ptr<const Dataset> paired(std::shared_ptr<const Dataset> clean,
                                      const Augmentation& corruption, CorruptionDraw draw) {
  return std::make_shared<Paired>(std::move(clean), corruption, draw);
}

void unpair(View pairs, Tensor corrupted, Tensor clean) {
  if (pairs.dtype != DType::u8 || pairs.shape.rank() != 5 || corrupted.type() != clean.type() ||
      pairs.size() != 2 * clean.size() || corrupted.dtype != DType::u8 ||
      pairs.shape[0] != clean.shape[0])
    fail(ErrorCode::shape, "unpair: ", pairs.type(), " to ", corrupted.type(), " and ",
         clean.type(), ", expected u8 [B, 2T, H, W, C] to two of u8 [B, T, H, W, C]");
  const Bytes clip = static_cast<Bytes>(clean.size() / clean.shape[0]);
  const auto* from = pairs.as<std::uint8_t>();
  for (Index row = 0; row < clean.shape[0]; ++row, from += 2 * clip) {
    std::memcpy(corrupted.as<std::uint8_t>() + static_cast<Bytes>(row) * clip, from, clip);
    std::memcpy(clean.as<std::uint8_t>() + static_cast<Bytes>(row) * clip, from + clip, clip);
  }
}

}  // namespace framefold
