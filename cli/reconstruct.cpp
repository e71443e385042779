// framefold reconstruct runs/NAME
#include <cmath>
#include <optional>

#include "cli/command.h"
#include "cli/print.h"
#include "cli/run_report.h"
#include "cli/samples.h"
#include "cli/trained.h"
#include "io/codecs.h"
#include "io/file.h"
#include "io/printable.h"

namespace framefold {
namespace {

namespace fs = std::filesystem;

struct Arguments {
  TrainedArguments trained;
  std::string out;
  Index clips = 8;
  bool json = false;
};

// The MP4 files of a command; where this build or its FFmpeg has no encoder they are left out, once
// said.
class Videos {
 public:
  // Whether there is one at `path` now.
  bool write(const fs::path& path, const std::vector<Picture>& frames, double rate) {
    if (left_out_) return false;
    try {
      write_file(path, codecs().mp4(frames, rate));
      return true;
    } catch (const Error& error) {
      if (error.code() != ErrorCode::unavailable) throw;
      left_out_ = true;
      ProgressLine().note(text("MP4 is left out: ", error.what()));
      return false;
    }
  }

 private:
  bool left_out_ = false;
};

// quality.csv and the plots over a clip's frames.
class Curves {
 public:
  void add(Index clip, const Evaluator::Sample& sample) {
    add_lines(clip, "reconstruction", sample.frames);
    if (!sample.fed_frames.empty()) add_lines(clip, "corrupted", sample.fed_frames);
  }
  void write(const fs::path& out, const HeldOut& found) const {
    write_file(out / "quality.csv", csv_);
    if (found.frames.size() < 2) return;
    std::vector<NamedFrames> series{{"reconstruction", found.frames}};
    if (!found.fed_frames.empty()) series.push_back({"corrupted", found.fed_frames});
    const std::vector<Chart> charts = frame_charts(series);
    write_file(out / "psnr.svg", plot_file(charts.front()));
    if (charts.size() > 1) write_file(out / "ssim.svg", plot_file(charts.back()));
  }

 private:
  void add_lines(Index clip, const std::string& what, const std::vector<FrameQuality>& frames) {
    for (std::size_t t = 0; t < frames.size(); ++t)
      csv_ += text(clip, ',', what, ',', t, ',', frames[t].mse, ',', frames[t].psnr, ',',
                   std::isfinite(frames[t].ssim) ? text(frames[t].ssim) : "", '\n');
  }

  std::string csv_ = "clip,what,frame,mse,psnr,ssim\n";
};

void run(const Arguments& arguments) {
  Trained trained(arguments.trained);
  const fs::path out =
      arguments.out.empty() ? trained.run.path() / "reconstructions" : fs::path(arguments.out);
  std::error_code error;
  fs::create_directories(out, error);
  if (error)
    fail(ErrorCode::file, "cannot create the folder ", out.string(), ": ", error.message(),
         "; choose another --out");
  Evaluator evaluator(trained.config, trained.clips, arguments.clips, *trained.parameters);
  Json json = Json::array();
  TextTable table({"clip", "PSNR (dB)", "SSIM", "MSE", "picture"});
  Videos videos;
  Curves curves;
  const HeldOut found = evaluator.run([&](const Evaluator::Sample& sample) {
    Samples one(trained.clips->shape());
    one.add(sample.clip, sample.reconstruction, sample.seen);
    const auto file = [&](const char* ending) { return out / text("clip-", sample.index, ending); };
    write_file(file(".png"), encode_png(one.strip()));
    const std::string name = trained.clips->name(sample.index);
    Json clip{{"clip", name}};
    clip.update(to_json(sample.quality));
    clip["picture"] = file(".png").string();
    if (const std::vector<Picture> frames = one.animation(); !frames.empty()) {
      const double own = trained.clips->rate(sample.index);
      const double rate = own > 0 ? own : Samples::frames_per_second;
      clip["frames"] = to_json(sample.frames);
      if (!sample.fed_frames.empty()) clip["fed_frames"] = to_json(sample.fed_frames);
      clip["frames_per_second"] = rate;
      write_file(file(".webp"), encode_webp(frames, rate));
      clip["animation"] = file(".webp").string();
      if (videos.write(file(".mp4"), frames, rate)) clip["video"] = file(".mp4").string();
    }
    json.push_back(std::move(clip));
    curves.add(sample.index, sample);
    table.row({name, with_digits(sample.quality.psnr, 2), with_digits(sample.quality.ssim, 4),
               with_digits(sample.quality.mse, 5), file(".png").string()});
  });
  if (!evaluator.caveat().empty()) ProgressLine().note(evaluator.caveat());
  trained.note_bad();
  curves.write(out, found);
  write_file(out / "quality.json", dumped(json, 2) + '\n');
  arguments.json ? print(json) : print(table.text());
}

}  // namespace

void add_reconstruct(CLI::App& app) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = subcommand(
      app, "reconstruct", "Write pictures of clips beside a run's reconstructions of them",
      "  framefold reconstruct runs/clips                  held-out clips, into the run's folder\n"
      "  framefold reconstruct runs/clips --data my.mp4 --out pictures --clips 4\n",
      arguments->json);
  arguments->trained.add_to(*command);
  command->add_option("--out", arguments->out, "Where the pictures go (RUN/reconstructions)")
      ->type_name("DIR");
  command->add_option("--clips", arguments->clips, "How many clips, from the first; 0: all")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->callback([arguments] { run(*arguments); });
}

}  // namespace framefold
