// A loader's batches as the training loop takes them.
//
//   clip    [B, T, H, W, C]  u8   as read, mixed and, where clips are corrupted, so changed
//   target  [B, T, H, W, C]  u8   second, where they are: the clean clips
//   labels  [B, K]           f32  last, where there are K classes: a distribution a row
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/batches.h"
#include "io/corrupt.h"
#include "io/loader.h"
#include "io/mix.h"

namespace framefold {

class LoaderSource final : public BatchSource {
 public:
  // `smoothing` of a label's weight is spread over all classes.
  LoaderSource(const std::shared_ptr<const Dataset>& dataset, const LoaderOptions& options,
               const Mixing& mixing = {}, Index classes = 0, double smoothing = 0,
               const Augmentation& corruption = {});

  void seek(Index batch) override { loader_.seek(batch); }
  Batch next(std::span<const Tensor> inputs) override;
  std::vector<std::string> names() const override { return loader_.names(batch_); }

  const Loader& loader() const { return loader_; }
  void count_bad_from(Index before) { loader_.count_bad_from(before); }

 private:
  float* label(Tensor labels) const;

  std::shared_ptr<const Dataset> dataset_;
  Loader loader_;
  std::uint64_t seed_;
  Mixing mixing_;
  Index classes_;
  double smoothing_;
  std::vector<std::uint8_t> pairs_;  // as they are read; empty where nothing is corrupted
  framefold::Batch batch_;
};

// Writes a sample's class as a distribution; Error(config) where it has none.
void write_label(const Dataset& dataset, Index sample, double smoothing, std::span<float> label);

}  // namespace framefold
