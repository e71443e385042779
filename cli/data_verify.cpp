// framefold data verify PATH...
#include <unistd.h>

#include <algorithm>
#include <array>
#include <mutex>

#include "cli/command.h"
#include "cli/exit.h"
#include "cli/print.h"
#include "io/clip_files.h"
#include "io/codecs.h"
#include "io/file.h"
#include "io/parallel.h"

namespace framefold {
namespace {

struct Arguments {
  std::vector<std::string> paths;
  std::string quarantine = "quarantine.txt";
  Index frames = 1;
  Index threads = 0;
  bool json = false;
};

// The first that holds, in this order, is a file's verdict; the first three are unusable.
enum class Verdict : std::uint8_t {
  unreadable,
  truncated,
  too_short,
  variable_rate,
  odd_size,
  good
};
constexpr std::array<const char*, 6> verdict_names = {"unreadable",    "truncated", "too short",
                                                      "variable rate", "odd size",  "good"};

struct Finding {
  std::string path;
  Verdict verdict = Verdict::unreadable;
  std::string detail;
  Index frames = 0, height = 0, width = 0;
  double rate = 0;
};

bool is_cut(const std::string& message) { return message.find("cut short") != std::string::npos; }

// Indexes the file and decodes all of it.
void examine(Finding& finding, Index least) {
  Index decoded = 0;
  try {
    const VideoIndex index = video_index(finding.path, {});
    finding.frames = index.size();
    finding.height = index.height;
    finding.width = index.width;
    finding.rate = index.rate;
    const auto reader = codecs().open(finding.path, {8, 8, 1}, CodecLimits{});
    while (reader->next(nullptr)) ++decoded;
    const bool odd = index.height % 2 != 0 || index.width % 2 != 0;
    if (decoded < index.size()) {
      finding.verdict = Verdict::truncated;
      finding.detail = text(index.size(), " frames are announced, decoding shows ", decoded);
    } else if (index.promised > index.duration + std::max(1.0, 0.05 * index.promised)) {
      finding.verdict = Verdict::truncated;
      finding.detail = text("its header promises ", with_digits(index.promised, 1),
                            " s, its frames last ", with_digits(index.duration, 1), " s");
    } else if (index.size() < least) {
      finding.verdict = Verdict::too_short;
      finding.detail = text(index.size(), " frames, ", least, " are wanted");
    } else if (index.variable_rate) {
      finding.verdict = Verdict::variable_rate;
      finding.detail = text(with_digits(index.rate, 2), " frames a second in the mean");
    } else if (odd) {
      finding.verdict = Verdict::odd_size;
      finding.detail = text(index.height, " x ", index.width, " pixels");
    } else {
      finding.verdict = Verdict::good;
    }
  } catch (const Error& error) {
    if (error.code() == ErrorCode::unavailable) throw;
    finding.verdict = is_cut(error.what()) ? Verdict::truncated : Verdict::unreadable;
    finding.detail = error.what();
  } catch (const std::exception& error) {
    finding.detail = error.what();
  }
}

std::vector<Finding> examine_all(const std::vector<std::string>& paths,
                                 const Arguments& arguments) {
  std::vector<Finding> findings(paths.size());
  for (std::size_t i = 0; i < paths.size(); ++i) findings[i].path = paths[i];
  codecs();  // fails here where there are none
  ProgressLine progress;
  std::mutex showing;
  std::size_t done = 0, bad = 0;
  const auto show = [&](const Finding& finding) {
    const std::lock_guard lock(showing);
    ++done;
    if (finding.verdict != Verdict::good) ++bad;
    if (!progress.due()) return;
    constexpr std::size_t width = 30;
    const std::size_t full = width * done / findings.size();
    progress.show(text('[', std::string(full, '#'), std::string(width - full, '.'), "] ", done,
                       " of ", findings.size(), ", ", bad, " not good"));
  };
  in_parallel(
      findings.size(),
      [&](std::size_t i) {
        examine(findings[i], arguments.frames);
        show(findings[i]);
      },
      static_cast<std::size_t>(arguments.threads));
  progress.clear();
  return findings;
}

// What no clip should be read from, a path a line.
void write_quarantine(const std::vector<Finding>& findings, const std::string& path) {
  std::string lines;
  for (const Finding& finding : findings)
    if (finding.verdict <= Verdict::too_short) lines += finding.path + '\n';
  write_file(path, lines);
}

void verify(const Arguments& arguments) {
  std::vector<std::string> paths;
  for (const std::string& path : arguments.paths)
    for (std::string& found : find_files(ClipFiles::Kind::videos, path))
      paths.push_back(std::move(found));
  const std::vector<Finding> findings = examine_all(paths, arguments);
  write_quarantine(findings, arguments.quarantine);

  std::array<Index, verdict_names.size()> counts{};
  for (const Finding& finding : findings) ++counts[static_cast<std::size_t>(finding.verdict)];
  const Index good = counts.back();
  if (arguments.json) {
    Json files = Json::array(), totals;
    for (const Finding& finding : findings)
      files.push_back({{"path", finding.path},
                       {"verdict", verdict_names[static_cast<std::size_t>(finding.verdict)]},
                       {"detail", finding.detail},
                       {"frames", finding.frames},
                       {"height", finding.height},
                       {"width", finding.width},
                       {"rate", finding.rate}});
    for (std::size_t i = 0; i < counts.size(); ++i) totals[verdict_names[i]] = counts[i];
    print(Json{{"files", files}, {"totals", totals}, {"quarantine", arguments.quarantine}});
  } else {
    std::string lines;
    for (const Finding& finding : findings)
      lines += text(verdict_names[static_cast<std::size_t>(finding.verdict)], ": ", finding.path,
                    finding.detail.empty() ? "" : "  (" + finding.detail + ")", '\n');
    lines += text(good, " of ", findings.size(), " good");
    for (std::size_t i = 0; i + 1 < counts.size(); ++i)
      if (counts[i] > 0) lines += text(", ", counts[i], ' ', verdict_names[i]);
    print(lines + text("; unusable ones are listed in ", arguments.quarantine, '\n'));
  }
  if (good < static_cast<Index>(findings.size())) throw CLI::RuntimeError(exit_data);
}

}  // namespace

void add_data_verify(CLI::App& data) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = subcommand(data, "verify", "Decode every video and say which are good",
                                 "  framefold data verify DIR\n"
                                 "  framefold data verify a.mp4 b.mkv --frames 64 --json\n",
                                 arguments->json);
  command->add_option("PATH", arguments->paths, "Videos, or folders of videos")->required();
  command->add_option("--frames", arguments->frames, "Fewer than these are too short")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--quarantine", arguments->quarantine, "Where the unusable ones are listed")
      ->type_name("FILE")
      ->capture_default_str();
  command->add_option("--threads", arguments->threads, "How many files at once; 0: one a core")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->callback([arguments] { verify(*arguments); });
}

}  // namespace framefold
