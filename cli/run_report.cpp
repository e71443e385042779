#include "cli/run_report.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "cli/print.h"
#include "io/report.h"

namespace framefold {
namespace {

Series series_of(const std::vector<MetricRow>& rows, Column column, std::string name) {
  Series series{std::move(name), {}, {}};
  for (const MetricRow& row : rows)
    if (const auto value = row[column]) {
      series.x.push_back(static_cast<double>(row.step));
      series.y.push_back(*value);
    }
  series.marks = series.x.size() <= 40;
  return series;
}

Series level(const Series& like, double value, std::string name) {
  return {std::move(name), {0, like.x.back()}, {value, value}, plot_grey};
}

std::vector<Chart> charts_of(const RunSummary& run, const std::vector<MetricRow>& rows) {
  std::vector<Chart> charts;
  const bool classifies = run.config.task.classifies();
  Chart loss{.title = "Loss (" + (classifies ? "cross-entropy" : run.config.model.loss) + ")",
             .x_label = "step",
             .log_y = true};
  loss.series.push_back(series_of(rows, Column::loss, "training"));
  const Series held_out = series_of(rows, Column::held_out_loss, "held out");
  if (!held_out.x.empty()) loss.series.push_back(held_out);
  charts.push_back(loss);
  Series psnr = series_of(rows, Column::held_out_psnr, "held out");
  psnr.colour = 1;  // as in the chart of losses
  if (!psnr.x.empty()) {
    Chart chart{.title = "Reconstruction quality", .x_label = "step", .y_label = "PSNR (dB)"};
    chart.series.push_back(psnr);
    if (run.baselines)
      chart.series.push_back(level(psnr, run.baselines->mean_frame.psnr, "mean frame"));
    if (run.held_out && run.held_out->fed.clips > 0) {
      chart.series.push_back(level(psnr, run.held_out->fed.psnr, "corrupted, as fed"));
      chart.series.back().colour = 3;
    }
    charts.push_back(chart);
  }
  Series top1 = series_of(rows, Column::held_out_top1, "top-1, held out");
  top1.colour = 1;
  if (!top1.x.empty()) {
    Chart chart{.title = "Share of videos named rightly", .x_label = "step", .y_label = "share"};
    chart.series.push_back(top1);
    if (run.classified)
      chart.series.push_back(level(top1, run.classified->largest_class(), "largest class"));
    charts.push_back(chart);
  }
  if (run.config.train.schedule != "constant" || run.config.train.warmup > 0)
    charts.push_back({.title = "Learning rate",
                      .x_label = "step",
                      .series = {series_of(rows, Column::learning_rate, "learning rate")}});
  charts.push_back({.title = "Gradient norm",
                    .x_label = "step",
                    .series = {series_of(rows, Column::gradient_norm, "before clipping")},
                    .log_y = true});
  return charts;
}

std::vector<Headline> headlines_of(const RunSummary& run) {
  std::vector<Headline> numbers;
  if (run.held_out) {
    const double psnr = run.held_out->quality.psnr;
    Headline quality{"Held-out PSNR", with_digits(psnr, 2), "dB",
                     text(run.held_out->quality.clips, " clips never trained on")};
    if (run.baselines) {
      const double base = run.baselines->mean_frame.psnr;
      quality.note = text(with_digits(psnr - base, 2), " dB above the mean frame");
      numbers.push_back(quality);
      numbers.push_back(
          {"Mean-frame baseline", with_digits(base, 2), "dB", "the training data's mean clip"});
    } else {
      numbers.push_back(quality);
    }
    if (run.held_out->fed.clips > 0)
      numbers.push_back({"What it is fed", with_digits(run.held_out->fed.psnr, 2), "dB",
                         "the corrupted clips themselves"});
    numbers.push_back({"Held-out loss", with_digits(run.held_out->loss, 4), run.config.model.loss,
                       text("MSE ", with_digits(run.held_out->quality.mse, 5), ", SSIM ",
                            with_digits(run.held_out->quality.ssim, 4))});
  }
  if (const auto& found = run.classified) {
    numbers.push_back({"Held-out top-1", with_digits(100 * found->top1(), 1), "%",
                       text(found->videos, " videos never trained on, ", found->clips, " views")});
    numbers.push_back({"Held-out top-5", with_digits(100 * found->top5(), 1), "%", ""});
    numbers.push_back({"Largest class", with_digits(100 * found->largest_class(), 1), "%",
                       "what naming it always would reach"});
  }
  if (run.clips_per_second > 0)
    numbers.push_back(
        {"Speed", with_digits(run.clips_per_second, run.clips_per_second < 10 ? 1 : 0), "clips/s",
         text("first step ", with_digits(run.first_step_ms, 0), " ms after start")});
  return numbers;
}

void add_classes(Report& report, const Classification& found) {
  report.section("Held-out classes",
                 "Rows are the classes, columns what was said, in shares of the row: dark is none, "
                 "pale yellow all.");
  report.picture("image/png", encode_png(confusion_picture(found)), "Confusion matrix");
  ReportTable table{{"class", "videos", "top-1", "mostly taken for"}, {}};
  for (const ClassRow& row : class_rows(found))
    if (row.videos > 0)
      table.rows.push_back(
          {row.name, text(row.videos),
           with_percent(static_cast<double>(row.right) / static_cast<double>(row.videos)),
           row.mostly});
  report.tables({table});
}

void add_timing(Report& report, const RunSummary& run) {
  const Timing& time = run.timing;
  const double all = time.data + time.compute + time.update + time.evaluation;
  if (all <= 0) return;
  report.section("Where the time went",
                 text(with_time(all), " in this process on ", run.device,
                      ". Operations: forward and backward together, within the training steps."));
  std::vector<Bar> bars;
  const auto bar = [&](std::string label, double seconds) {
    bars.push_back({std::move(label), seconds,
                    text(with_time(seconds), ", ", with_digits(100 * seconds / all, 1), " %")});
  };
  bar("waiting for data", time.data);
  bar("forward and backward", time.compute);
  bar("update of weights", time.update);
  bar("evaluation, pictures, checkpoints", time.evaluation);
  report.bars(bars);
  double ops = 0;
  for (const OpTime& op : time.ops) ops += op.forward + op.backward;
  std::vector<std::vector<std::string>> rows;
  for (const OpTime& op : time.ops)
    rows.push_back({op.op, with_time(op.forward), with_time(op.backward),
                    with_digits(100 * (op.forward + op.backward) / ops, 1) + " %"});
  if (!rows.empty()) report.tables({{{"operation", "forward", "backward", "share"}, rows}});
}

}  // namespace

std::vector<OpTime> op_times(const Executor& executor) {
  std::map<std::string, OpTime> by_name;
  for (const StepTime& time : executor.times()) {
    const Step& step = *time.step;
    const bool op = step.kind == Step::Kind::forward || step.kind == Step::Kind::backward;
    const Graph& graph = executor.plan().graph();
    const std::string name =
        op ? std::string(graph.nodes()[static_cast<std::size_t>(step.node)].op->name())
           : "sums of gradients";
    OpTime& sum = by_name[name];
    (step.phase == Phase::forward ? sum.forward : sum.backward) += time.seconds;
  }
  std::vector<OpTime> times;
  for (auto& [name, sum] : by_name) {
    if (sum.forward + sum.backward <= 0) continue;  // not taken on a device that replays
    sum.op = name;
    times.push_back(sum);
  }
  std::stable_sort(times.begin(), times.end(), [](const OpTime& a, const OpTime& b) {
    return a.forward + a.backward > b.forward + b.backward;
  });
  return times;
}

Json to_json(const Quality& quality) {
  return {{"mse", quality.mse}, {"psnr", quality.psnr}, {"ssim", quality.ssim}};
}

Json to_json(const std::vector<FrameQuality>& frames) {
  Json json{{"psnr", Json::array()}, {"ssim", Json::array()}};
  for (const FrameQuality& frame : frames) {
    json["psnr"].push_back(frame.psnr);
    json["ssim"].push_back(frame.ssim);
  }
  return json;
}

std::vector<Chart> frame_charts(const std::vector<NamedFrames>& all) {
  Chart psnr{.title = "PSNR over the clip", .x_label = "frame", .y_label = "PSNR (dB)"};
  Chart ssim{.title = "SSIM over the clip", .x_label = "frame", .y_label = "SSIM"};
  bool seen = false;
  for (const auto& [name, frames] : all) {
    const Series empty{.name = name, .marks = frames.size() <= 40};
    Series p = empty, s = empty;
    for (std::size_t t = 0; t < frames.size(); ++t) {
      for (Series* series : {&p, &s}) series->x.push_back(static_cast<double>(t));
      p.y.push_back(frames[t].psnr);
      s.y.push_back(frames[t].ssim);
      seen = seen || std::isfinite(frames[t].ssim);
    }
    psnr.series.push_back(std::move(p));
    ssim.series.push_back(std::move(s));
  }
  if (seen) return {std::move(psnr), std::move(ssim)};
  return {std::move(psnr)};
}

Json to_json(const RunSummary& run) {
  Json json{{"run", run.name}, {"step", run.step}, {"steps", run.steps}, {"seconds", run.seconds}};
  if (run.clips_per_second > 0) {
    json["first_step_ms"] = run.first_step_ms;
    json["clips_per_second"] = run.clips_per_second;
  }
  if (run.held_out) {
    Json& json_of =
        json["held_out"] = {{"clips", run.held_out->quality.clips}, {"loss", run.held_out->loss}};
    json_of.update(to_json(run.held_out->quality));
    if (run.held_out->frames.size() > 1) json_of["frames"] = to_json(run.held_out->frames);
  }
  if (run.held_out && run.held_out->fed.clips > 0) json["fed"] = to_json(run.held_out->fed);
  if (run.classified) json["held_out"] = to_json(*run.classified);
  if (run.baselines) {
    json["baseline_mean_frame"] = to_json(run.baselines->mean_frame);
    if (run.baselines->own_mean_frame.clips > 0)
      json["baseline_own_mean_frame"] = to_json(run.baselines->own_mean_frame);
  }
  return json;
}

std::string report_html(const RunSummary& run, const std::vector<MetricRow>& rows) {
  const DataConfig& data = run.config.data;
  Report report(run.name, text(run.config.model.name,
                               run.config.task.classifies() ? " classifier, " : " autoencoder, ",
                               run.plan.parameters, " parameters · ", run.data, " · step ",
                               run.step, " of ", run.steps, " in ", with_time(run.seconds)));
  report.headlines(headlines_of(run));
  if (!run.strip_png.empty()) {
    report.section(
        "Held-out clips",
        std::string("Original, reconstruction and error: dark where they agree, pale where they "
                    "differ by half of white or more. ") +
            run.caveat);
    if (!run.animation_webp.empty())
      report.picture("image/webp", run.animation_webp, "The same in motion");
    report.picture("image/png", run.strip_png,
                   data.frames > 1 ? "Frames from first to last" : "The first held-out pictures");
  }
  if (run.classified) add_classes(report, *run.classified);
  if (run.held_out && run.held_out->frames.size() > 1) {
    report.section("Over time", "Means over the held-out clips, frame by frame.");
    report.charts(frame_charts({{"held out", run.held_out->frames}}));
  }
  report.section("Learning");
  report.charts(charts_of(run, rows));
  add_timing(report, run);
  report.section("Plan", text("Known before the first byte was taken. Batch ", run.plan.batch,
                              ", code of ", run.plan.code, " numbers a clip."));
  report.tables({{{"memory", ""}, memory_rows(run.plan)}, {flops_heading, flops_rows(run.plan)}});
  report.section("Configuration");
  report.code("config.toml", run.config_toml);
  report.code("environment.json", run.environment);
  return report.html();
}

}  // namespace framefold
