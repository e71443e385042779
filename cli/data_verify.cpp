// framefold data verify PATH...
#include <unistd.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <set>

#include "cli/command.h"
#include "cli/exit.h"
#include "cli/print.h"
#include "io/clip_files.h"
#include "io/codecs.h"
#include "io/endings.h"
#include "io/file.h"
#include "io/isolated_codecs.h"
#include "io/listed_videos.h"
#include "io/parallel.h"

namespace framefold {
namespace {

struct Arguments {
  std::vector<std::string> paths;
  std::string format, root;  // of lists
  std::string quarantine = "quarantine.txt";
  Index least = 1;  // frames
  Index threads = 0;
  bool isolate = false;
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

// Without a format given, PATH is taken for a list by these.

bool is_cut(const std::string& message) { return message.find("cut short") != std::string::npos; }

void too_short(Finding& finding, Index least) {
  finding.verdict = Verdict::too_short;
  finding.detail = text(finding.frames, " frames, ", least, " are wanted");
}

// Indexes the file and decodes all of it. `keep`: the index is kept for later.
void examine_video(Finding& finding, const std::string& path, bool keep, Index least,
                   const VideoFiles& files) {
  const Codecs& codecs = files.codecs();
  const VideoIndex index = keep ? video_index(path, {}, &codecs) : codecs.scan(path, {});
  finding.frames = index.size();
  finding.height = index.height;
  finding.width = index.width;
  finding.rate = index.rate;
  Index decoded = 0;
  const auto reader = codecs.open(path, {8, 8, 1}, CodecLimits{});
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
    too_short(finding, least);
  } else if (index.variable_rate) {
    finding.verdict = Verdict::variable_rate;
    finding.detail = text(with_digits(index.rate, 2), " frames a second in the mean");
  } else if (odd) {
    finding.verdict = Verdict::odd_size;
    finding.detail = text(index.height, " x ", index.width, " pixels");
  } else {
    finding.verdict = Verdict::good;
  }
}

// Reads all frames: of pictures, and of arrays.
void examine_frames(Finding& finding, const VideoSet& set, Index number, Index least) {
  const auto video = set.open(number);
  finding.frames = video->frames();
  finding.height = video->height();
  finding.width = video->width();
  std::array<std::uint8_t, 64> pixels{};
  for (Index frame = 0; frame < finding.frames; ++frame)
    video->read({&frame, 1}, crop_of(finding.height, finding.width, 8, 8, 0, 1),
                {pixels.data(), DType::u8, {1, 8, 8, 1}});
  finding.verdict = Verdict::good;
  if (finding.frames < least) too_short(finding, least);
}

// A video by itself, or the entry of a list and where its set knows it.
struct Target {
  ListEntry entry;
  std::shared_ptr<const VideoSet> set;
  Index number = 0;
};

void examine(Finding& finding, const Target& target, Index least, const VideoFiles& files) {
  try {
    switch (target.entry.kind) {
      case ListEntry::Kind::video:
        examine_video(finding, target.entry.path, true, least, files);
        break;
      case ListEntry::Kind::member:
        examine_video(finding, MemberFile(target.entry, {}).path(), false, least, files);
        break;
      default: examine_frames(finding, *target.set, target.number, least);
    }
  } catch (const Error& error) {
    if (error.code() == ErrorCode::unavailable) throw;
    finding.verdict = is_cut(error.what()) ? Verdict::truncated : Verdict::unreadable;
    finding.detail = error.what();
    if (const std::string named = finding.path + ": "; finding.detail.starts_with(named))
      finding.detail.erase(0, named.size());
  } catch (const std::exception& error) {
    finding.detail = error.what();
  }
}

// Each video once. Those that a list names and that are not there are unreadable.
std::vector<Target> find_targets(const Arguments& arguments,
                                 const std::shared_ptr<const VideoFiles>& files,
                                 std::vector<Finding>& absent) {
  std::vector<Target> targets;
  std::set<std::string> known;
  const auto add = [&](const Target& target) {
    if (known.insert(target.entry.shown()).second) targets.push_back(target);
  };
  for (const std::string& path : arguments.paths) {
    if (arguments.format.empty() && !ends_in(list_endings, path)) {
      for (const std::string& found : find_files(ClipFiles::Kind::videos, path))
        add({{.path = found}, nullptr, 0});
      continue;
    }
    const VideoList list = read_list({path, arguments.format, arguments.root, true});
    const auto set = listed_videos(list, files);
    for (Index i = 0; i < set->size(); ++i)
      add({list.entries[static_cast<std::size_t>(i)], set, i});
    for (const MissingFile& file : list.missing)
      if (known.insert(file.path).second)
        absent.push_back({.path = file.path, .detail = file.message});
  }
  return targets;
}

std::vector<Finding> examine_all(const std::vector<Target>& targets, const Arguments& arguments,
                                 const VideoFiles& files) {
  std::vector<Finding> findings(targets.size());
  for (std::size_t i = 0; i < targets.size(); ++i) findings[i].path = targets[i].entry.shown();
  if (std::ranges::any_of(targets, [](const Target& target) {
        return target.entry.kind != ListEntry::Kind::array;
      }))
    files.codecs();  // fails here where there are none
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
        examine(findings[i], targets[i], arguments.least, files);
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
  std::vector<Finding> absent;
  // Before hours of decoding, not after.
  const std::filesystem::path folder =
      std::filesystem::absolute(arguments.quarantine).parent_path();
  if (::access(folder.c_str(), W_OK) != 0)
    fail(ErrorCode::file, "no file can be written in ", folder.string(),
         "; choose another --quarantine");
  VideoFiles::Options options;
  if (arguments.isolate) options.codecs = isolated_codecs();
  const auto files = std::make_shared<const VideoFiles>(std::move(options));
  const std::vector<Target> targets = find_targets(arguments, files, absent);
  std::vector<Finding> findings = examine_all(targets, arguments, *files);
  findings.insert(findings.end(), absent.begin(), absent.end());
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
    const bool usable = std::ranges::none_of(
        findings, [](const Finding& finding) { return finding.verdict <= Verdict::too_short; });
    print(lines + (usable ? "" : "; unusable ones are listed in " + arguments.quarantine) + '\n');
  }
  if (good < static_cast<Index>(findings.size())) throw CLI::RuntimeError(exit_data);
}

}  // namespace

void add_data_verify(CLI::App& data) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = subcommand(data, "verify", "Decode every video and say which are good",
                                 "  framefold data verify DIR\n"
                                 "  framefold data verify a.mp4 b.mkv --frames 64 --json\n"
                                 "  framefold data verify train.csv --list-root k400/\n",
                                 arguments->json);
  command->add_option("PATH", arguments->paths, "Videos, folders of videos, lists of videos")
      ->required();
  command->add_option("--list-format", arguments->format, "Each PATH is a list of this format")
      ->type_name("NAME");
  command->add_option("--list-root", arguments->root, "Where the paths of lists begin")
      ->type_name("DIR");
  command->add_option("--frames", arguments->least, "Fewer than these are too short")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--quarantine", arguments->quarantine, "Where the unusable ones are listed")
      ->type_name("FILE")
      ->capture_default_str();
  command->add_option("--threads", arguments->threads, "How many files at once; 0: one a core")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_flag("--isolate", arguments->isolate, "Decode in child processes, which may crash");
  command->callback([arguments] { verify(*arguments); });
}

}  // namespace framefold
