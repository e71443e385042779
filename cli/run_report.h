// A run's report.html.
#pragma once

#include <string>
#include <vector>

#include "cli/classification.h"
#include "cli/command.h"
#include "cli/evaluation.h"
#include "cli/metrics.h"
#include "cli/plan_report.h"
#include "engine/executor.h"
#include "io/plot.h"

namespace framefold {

// Where a process's time went, in seconds.
struct OpTime {
  std::string op;
  double forward = 0, backward = 0;
};
struct Timing {
  double data = 0, compute = 0, update = 0;
  double evaluation = 0;  // with pictures, checkpoints and this report
  std::vector<OpTime> ops;
};
std::vector<OpTime> op_times(const Executor& executor);  // by falling time

struct RunSummary {
  std::string name, data, device;
  Config config;
  PlanReport plan;
  Timing timing;
  Index step = 0, steps = 0;
  double seconds = 0, clips_per_second = 0;
  double first_step_ms = 0;
  std::optional<HeldOut> held_out;
  std::optional<Baselines> baselines;
  std::optional<Classification> classified;
  std::string caveat;                     // of the pictures
  std::string strip_png, animation_webp;  // of the last evaluation; empty: none
  std::string config_toml, environment;
};

Json to_json(const RunSummary& summary);
Json to_json(const Quality& quality);
Json to_json(const std::vector<FrameQuality>& frames);  // {"psnr": [...], "ssim": [...]}
// The measures over a clip's frames: PSNR, and SSIM where frames are large enough. The series have
// their names and frames.
struct NamedFrames {
  std::string name;
  const std::vector<FrameQuality>& frames;
};
std::vector<Chart> frame_charts(const std::vector<NamedFrames>& series);
std::string report_html(const RunSummary& summary, const std::vector<MetricRow>& rows);

}  // namespace framefold
