#include "cli/training_run.h"

#include <time.h>
#include <unistd.h>

#include <cmath>
#include <fstream>
#include <sstream>

#include "cli/stop.h"
#include "cli/trained.h"
#include "io/printable.h"

namespace framefold {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

Index steps_of(const Config& config, Index clips) {
  const TrainConfig& train = config.train;
  if (train.epochs == 0) return train.steps;
  return train.epochs * (clips * config.data.repeats / train.batch) / train.accumulate;
}

// Where measured paths are kept. Without them a run could not go on to the same bits.
fs::path kept_paths(const RunDirectory& directory, const Config& config, bool resumed) {
  if (resumed && config.train.path == "measured" && !fs::exists(directory.paths()) &&
      !fs::is_empty(directory.checkpoints()))
    fail(ErrorCode::file, directory.paths().string(),
         " is missing, which says the paths that this run has measured; restore it, or begin a new "
         "run with task.from");
  return directory.paths();
}

}  // namespace

double process_age_ms() {
  std::ifstream file("/proc/self/stat");
  std::string stat((std::istreambuf_iterator<char>(file)), {});
  // The program's name, which may hold anything, ends at the last ')'; start time is field 22.
  std::istringstream fields(stat.substr(std::min(stat.size(), stat.rfind(')') + 1)));
  std::string skipped;
  for (int field = 3; field < 22; ++field) fields >> skipped;
  double ticks = 0;
  fields >> ticks;
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return 1e3 * static_cast<double>(now.tv_sec) + 1e-6 * static_cast<double>(now.tv_nsec) -
         1e3 * ticks / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

TrainingRun::TrainingRun(RunDirectory directory, const Config& config, bool resumed)
    : directory_(std::move(directory)),
      parts_(config, kept_paths(directory_, config, resumed)),
      config_(parts_.config) {
  if (parts_.paths && !parts_.paths->report.empty()) progress_.note(parts_.paths->report);
  for (const std::string& message : parts_.data.skipped) progress_.note("left out: " + message);
  TrainConfig& train = config_.train;
  train.steps = steps_of(config_, parts_.data.train->size());
  checkpoints_ =
      std::make_unique<Checkpoints>(directory_.checkpoints(), static_cast<int>(train.keep));

  summary_.name = config_.run.name;
  summary_.data = parts_.data.train->description();
  summary_.device = parts_.device;
  summary_.config = config_;
  summary_.plan = plan_report(config_, train.batch);
  summary_.steps = train.steps;
  summary_.config_toml = to_toml(config_, version_text());
  trainer_ = std::make_unique<Trainer>(
      *parts_.executor, *parts_.parameters, *parts_.optimizer, *parts_.source,
      TrainOptions{.seed = static_cast<std::uint64_t>(train.seed),
                   .steps = train.steps,
                   .seconds = train.seconds,
                   .accumulate = train.accumulate,
                   .evaluate_every = parts_.data.held_out ? train.evaluate_every : 0,
                   .save_every = train.save_every,
                   .max_skipped = train.max_skipped,
                   .schedule = schedule_of(train, train.steps),
                   .config = summary_.config_toml},
      checkpoints_.get());
  if (!config_.task.from.empty() && !resumed) start_from(weights_of(config_.task.from));
  if (resumed) resume(*checkpoints_);
  if (!parts_.classes.empty()) write_classes(directory_, parts_.classes);
  write_file(directory_.config(), summary_.config_toml);
  if (parts_.paths)
    write_choices(directory_.paths(), machine_of(stream_of(train)), parts_.paths->choices);
  metrics_ = std::make_unique<Metrics>(directory_.path(),
                                       resumed ? std::optional<Index>(step()) : std::nullopt);
  for (const MetricRow& row : metrics_->rows()) {
    seconds_before_ = row[Column::seconds].value_or(seconds_before_);
    bad_ = static_cast<Index>(row[Column::bad_samples].value_or(static_cast<double>(bad_)));
  }
  parts_.source->count_bad_from(bad_);
  summary_.seconds = seconds_before_;
  summary_.step = step();
  if (resumed && fs::exists(directory_.environment()))
    summary_.environment = read_file(directory_.environment(), 1 << 20);

  const PlanReport& plan = summary_.plan;
  progress_.note(text(directory_.path().string(), ": ", config_.model.name, ", ", plan.parameters,
                      " parameters, ",
                      with_prefix(plan.forward_flops + plan.backward_flops, "flop"), " a step, ",
                      with_bytes(plan.total), "; ", summary_.device));
  progress_.note(text(summary_.data, ": ", parts_.data.train->size(), " clips of ",
                      parts_.data.train->shape(), ", ",
                      parts_.data.held_out ? parts_.data.held_out->size() : 0, " held out; step ",
                      step(), " of ", train.steps));
}

void TrainingRun::start_from(const fs::path& weights) {
  std::string drawn;
  for (const std::string& name : load_initial(weights, *parts_.parameters))
    drawn += (drawn.empty() ? "; drawn anew: " : ", ") + name;
  progress_.note("first weights from " + weights.string() + drawn);
}

void TrainingRun::resume(Checkpoints& checkpoints) {
  const auto found = checkpoints.newest();
  if (!found) return progress_.note("there is no checkpoint yet: the run begins anew");
  for (const std::string& damaged : found->damaged) progress_.note("passed over: " + damaged);
  trainer_->resume(load_checkpoint(found->path, *parts_.parameters, *parts_.optimizer));
  progress_.note("resumed from " + found->path.string());
}

Json TrainingRun::run() {
  const StopSignal signals;
  start_ = Clock::now();
  ending_ = trainer_->run({.step = [this](const StepRecord& record) { after_step(record); },
                           .evaluate = [this](Index at) { return evaluate(at); },
                           .saved = {},
                           .stop = StopSignal::requested});
  progress_.clear();
  const bool evaluates = parts_.data.held_out && config_.train.evaluate_every > 0;
  if (evaluates && ending_ != Ending::interrupted && evaluated_step_ != step()) {
    parts_.optimizer->swap_average();
    try {
      evaluate(step());
    } catch (const Error& error) {
      if (error.code() != ErrorCode::interrupted) throw;
      ending_ = Ending::interrupted;
    }
    parts_.optimizer->swap_average();
  }
  summary_.seconds = seconds_before_ + seconds_since(start_);
  write_report();
  return to_json(summary_);
}

void TrainingRun::Window::add(const StepRecord& record) {
  ++steps;
  clips += record.samples;
  data += record.data_seconds;
  seconds += record.seconds();
}

void TrainingRun::after_step(const StepRecord& record) {
  const Index step = record.step + 1;
  Timing& time = summary_.timing;
  if (total_.steps == 0) {
    summary_.first_step_ms = process_age_ms();
    summary_.environment =
        environment_json(static_cast<int>(config_.train.threads), summary_.first_step_ms);
    write_file(directory_.environment(), summary_.environment);
  }
  time.data += record.data_seconds;
  time.compute += record.compute_seconds;
  time.update += record.update_seconds;
  for (Window* window : {&total_, &window_, &shown_}) window->add(record);
  summary_.step = step;
  summary_.seconds = seconds_before_ + seconds_since(start_);
  if (step % config_.train.log_every == 0 || step == config_.train.steps) {
    MetricRow row{step, {}};
    row[Column::epoch] = static_cast<double>(record.epoch);
    row[Column::loss] = record.loss;
    row[Column::learning_rate] = record.rate;
    row[Column::gradient_norm] = record.gradient_norm;
    row[Column::clips_per_second] = window_.clips_per_second();
    row[Column::data_share] = window_.data / window_.seconds;
    row[Column::seconds] = summary_.seconds;
    row[Column::bad_samples] = bad_met();
    metrics_->add(row);
    window_ = {};
  }
  if (const Index bad = parts_.source->loader().bad(); bad > bad_) {
    progress_.note(text("step ", step, ": ", bad - bad_, " bad samples, others take their place (",
                        bad, " in all): ", parts_.source->loader().last_bad()));
    bad_ = bad;
  }
  if (record.skipped)
    progress_.note(text("step ", step, " was skipped: the loss is ", record.loss,
                        ", the gradients' norm ", record.gradient_norm));
  if (const std::string refusal = trainer_->refusal(); !refusal.empty() && refusal != refusal_) {
    refusal_ = refusal;
    progress_.note("steps are launched kernel by kernel, they could not be recorded: " + refusal);
  }
  if (progress_.due()) {
    progress_.show(progress_text(record));
    shown_ = {};
  }
}

std::string TrainingRun::progress_text(const StepRecord& record) const {
  const double left = static_cast<double>(config_.train.steps - summary_.step) * total_.seconds /
                      static_cast<double>(total_.steps);
  return text("step ", summary_.step, "/", config_.train.steps, "  loss ",
              with_digits(record.loss, 5), "  ", with_rate(shown_.clips_per_second(), "clips"),
              "  data ", with_percent(shown_.data / shown_.seconds), "  ", with_time(left),
              " left");
}

double TrainingRun::bad_met() const { return static_cast<double>(parts_.source->loader().bad()); }

void TrainingRun::note_held_out_bad(const std::vector<std::string>& bad, const char* what) {
  if (std::ssize(bad) > held_out_bad_)
    progress_.note(text("step ", step(), ": ", bad.size(), " held-out clips are bad, ", what,
                        "; the last: ", bad.back()));
  held_out_bad_ = std::ssize(bad);
}

// Returns the share that is named wrongly.
double TrainingRun::evaluate_classes(Index step) {
  if (!classifier_evaluator_)
    classifier_evaluator_ = std::make_unique<ClassifierEvaluator>(
        config_, parts_.data.held_out, config_.train.evaluate_clips, parts_.classes,
        *parts_.parameters);
  summary_.classified = classifier_evaluator_->run();
  evaluated_step_ = step;
  const Classification& found = *summary_.classified;
  MetricRow row{step, {}};
  note_held_out_bad(found.bad, "left out");
  row[Column::bad_samples] = bad_met();
  row[Column::held_out_loss] = found.loss;
  row[Column::held_out_bad] = static_cast<double>(found.bad.size());
  row[Column::held_out_top1] = found.top1();
  row[Column::held_out_top5] = found.top5();
  metrics_->add(row);
  write_report();
  progress_.note(text("step ", step, ": held-out loss ", with_digits(found.loss, 5), ", top-1 ",
                      with_digits(100 * found.top1(), 1), " % of ", found.videos,
                      ", largest class ", with_digits(100 * found.largest_class(), 1), " %"));
  return 1 - found.top1();
}

double TrainingRun::evaluate(Index step) {
  if (config_.task.classifies()) return evaluate_classes(step);
  if (!evaluator_) {
    evaluator_ = std::make_unique<Evaluator>(config_, parts_.data.held_out,
                                             config_.train.evaluate_clips, *parts_.parameters);
    auto mean = load_mean_clip(directory_, parts_.data.train->shape());
    if (!mean) {
      const auto plain = plain_training(parts_.data, config_);
      mean = make_mean_clip(directory_, *plain);
      if (const auto bad = bad_clips(*plain); !bad.empty())
        progress_.note(text("the mean clip is without ", bad.size(), " that are bad"));
    }
    summary_.baselines = baselines(*parts_.data.held_out, evaluator_->clips(), *mean);
  }
  Samples samples(parts_.data.held_out->shape());
  summary_.held_out = evaluator_->run([&](const Evaluator::Sample& sample) {
    samples.add(sample.clip, sample.reconstruction, sample.seen);
  });
  summary_.caveat = evaluator_->caveat();
  evaluated_step_ = step;
  const HeldOut& found = *summary_.held_out;
  const std::vector<std::string> bad = bad_clips(*parts_.data.held_out);
  note_held_out_bad(bad, "others take their place");
  MetricRow row{step, {}};
  row[Column::bad_samples] = bad_met();
  row[Column::held_out_bad] = static_cast<double>(bad.size());
  row[Column::held_out_loss] = found.loss;
  row[Column::held_out_mse] = found.quality.mse;
  row[Column::held_out_psnr] = found.quality.psnr;
  if (std::isfinite(found.quality.ssim)) row[Column::held_out_ssim] = found.quality.ssim;
  metrics_->add(row);
  save_pictures(samples, step);
  write_report();
  progress_.note(text("step ", step, ": held-out loss ", with_digits(found.loss, 5), ", PSNR ",
                      with_digits(found.quality.psnr, 2), " dB, mean frame ",
                      with_digits(summary_.baselines->mean_frame.psnr, 2), " dB"));
  return found.loss;
}

void TrainingRun::save_pictures(const Samples& samples, Index step) {
  const std::string stem =
      text("step-", std::string(8 - std::min<std::size_t>(8, text(step).size()), '0'), step);
  const Picture strip = samples.strip();
  summary_.strip_png = encode_png(strip);
  write_file(directory_.samples() / (stem + ".png"), summary_.strip_png);
  metrics_->events().picture("held_out/samples", step,
                             {strip.width, strip.height, strip.channels, summary_.strip_png});
  const std::vector<Picture> frames = samples.animation();
  if (frames.empty()) return;
  summary_.animation_webp = encode_webp(frames, Samples::frames_per_second);
  write_file(directory_.samples() / (stem + ".webp"), summary_.animation_webp);
}

void TrainingRun::write_report() {
  Timing& time = summary_.timing;
  time.evaluation = seconds_since(start_) - time.data - time.compute - time.update;
  time.ops = op_times(*parts_.executor);
  if (total_.steps > 0) summary_.clips_per_second = total_.clips_per_second();
  write_file(directory_.results(), dumped(to_json(summary_), 2) + '\n');
  write_file(directory_.report(), report_html(summary_, metrics_->rows()));
}

std::string TrainingRun::summary() const {
  TextTable table;
  if (const auto& found = summary_.held_out) {
    table.row({"held-out PSNR", with_digits(found->quality.psnr, 2) + " dB"});
    table.row({"mean-frame baseline", with_digits(summary_.baselines->mean_frame.psnr, 2) + " dB"});
    table.row({"above the baseline",
               with_digits(found->quality.psnr - summary_.baselines->mean_frame.psnr, 2) + " dB"});
    table.row({"held-out loss", with_digits(found->loss, 5)});
  }
  if (const auto& found = summary_.classified) {
    table.row({"held-out top-1", with_digits(100 * found->top1(), 2) + " %"});
    table.row({"held-out top-5", with_digits(100 * found->top5(), 2) + " %"});
    table.row({"largest class", with_digits(100 * found->largest_class(), 2) + " %"});
    table.row({"held-out loss", with_digits(found->loss, 5)});
  }
  table.row({"steps", text(summary_.step, " of ", summary_.steps)});
  table.row({"time", with_time(summary_.seconds)});
  if (total_.steps > 0) {
    table.row({"speed", with_rate(summary_.clips_per_second, "clips")});
    table.row({"first step", with_digits(summary_.first_step_ms, 0) + " ms after start"});
  }
  table.row({"report", directory_.report().string()});
  return table.text();
}

}  // namespace framefold
