// A run's numbers by step: metrics.csv, metrics.jsonl and a TensorBoard event file in its folder.
#pragma once

#include <array>
#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

#include "io/event_file.h"

namespace framefold {

struct MetricColumn {
  std::string_view name;
  std::string_view tag;  // TensorBoard's
};

// A row leaves empty what was not measured at its step; training and evaluation each add their own.
enum class Column : std::uint8_t {
  epoch,
  loss,
  learning_rate,
  gradient_norm,
  clips_per_second,
  data_share,
  seconds,
  bad_samples,
  held_out_loss,
  held_out_mse,
  held_out_psnr,
  held_out_top1,
  held_out_top5,
  held_out_ssim,
  held_out_bad,
};
inline constexpr std::array metric_columns = {
    MetricColumn{"epoch", "train/epoch"},
    MetricColumn{"loss", "train/loss"},
    MetricColumn{"learning_rate", "train/learning_rate"},
    MetricColumn{"gradient_norm", "train/gradient_norm"},
    MetricColumn{"clips_per_second", "speed/clips_per_second"},
    MetricColumn{"data_share", "speed/data_share"},
    MetricColumn{"seconds", "speed/seconds"},
    MetricColumn{"bad_samples", "data/bad_samples"},
    MetricColumn{"held_out_loss", "held_out/loss"},
    MetricColumn{"held_out_mse", "held_out/mse"},
    MetricColumn{"held_out_psnr", "held_out/psnr"},
    MetricColumn{"held_out_top1", "held_out/top1"},
    MetricColumn{"held_out_top5", "held_out/top5"},
    MetricColumn{"held_out_ssim", "held_out/ssim"},
    MetricColumn{"held_out_bad", "data/held_out_bad"},
};

struct MetricRow {
  Index step = 0;  // steps done
  std::array<std::optional<double>, metric_columns.size()> values;

  std::optional<double>& operator[](Column c) { return values[static_cast<std::size_t>(c)]; }
  std::optional<double> operator[](Column c) const { return values[static_cast<std::size_t>(c)]; }
};

class Metrics {
 public:
  // A new run's. With `resumed` rows of later steps are cut from the files first.
  explicit Metrics(const std::filesystem::path& directory, std::optional<Index> resumed = {});

  void add(const MetricRow& row);  // appends to every file at once

  const std::vector<MetricRow>& rows() const { return rows_; }
  EventFile& events() { return events_; }

  // What a run's metrics.jsonl holds; a line cut short at its end is left out.
  static std::vector<MetricRow> read(const std::filesystem::path& file);

 private:
  std::filesystem::path directory_;
  std::vector<MetricRow> rows_;
  Descriptor csv_, jsonl_;
  EventFile events_;
};

}  // namespace framefold
