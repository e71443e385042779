#include "io/clip_files.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <numeric>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include "io/endings.h"
#include "io/file.h"
#include "io/parallel.h"
#include "io/picture.h"
#include "io/random.h"
#include "io/resample.h"
#include "kernels/error.h"

namespace framefold {
namespace {

namespace fs = std::filesystem;
using Kind = ClipFiles::Kind;

std::string_view endings_of(Kind kind) {
  return kind == Kind::videos ? video_endings : picture_endings;
}

// The files, their frames as far as they are kept, and how to get at the others.
class Library {
 public:
  Library(const ClipFiles& options, std::vector<std::string>& skipped);

  const ClipFiles& options() const { return options_; }
  Index size() const { return static_cast<Index>(files_.size()); }
  Index frames(Index file) const { return at(file).frames; }
  const std::string& path(Index file) const { return at(file).path; }
  double rate(Index file) const { return at(file).rate; }
  Bytes kept() const { return kept_; }
  // Frames first, first + stride, ... `last` at most, options().frames of them.
  void read(Index file, Index first, Index last, std::uint8_t* pixels) const;

 private:
  struct File {
    std::string path;
    Index frames = 0;
    double rate = 0;
    std::vector<Index> shown;  // the stored frame of each, where a rate is wanted
    bool keep = false;
    std::mutex decoding;
    std::unique_ptr<std::uint8_t[]> pixels;  // [frames, H, W, C] once decoded
  };

  File& at(Index file) const { return *files_[static_cast<std::size_t>(file)]; }
  void inspect(File& file) const;
  void decode(File& file) const;
  void read_video(const File& file, std::span<const Index> frames, std::uint8_t* pixels) const;

  ClipFiles options_;  // with the files' own
  std::vector<std::unique_ptr<File>> files_;
  Bytes kept_ = 0;
};

// A PNG file as a video of one frame, for who has no FFmpeg.
class Png final : public FrameReader {
 public:
  Png(const std::string& path, const ClipFiles& options) : format_(options.format) {
    try {
      picture_ = decode_png(read_file(path, Bytes{1} << 28), options.files->limits().pixels);
    } catch (const Error& error) {
      fail(error.code(), path, ": ", error.what());
    }
  }
  bool next(std::uint8_t* pixels) override {
    const bool first = !picture_.pixels.empty();
    if (first && pixels != nullptr)
      resample(
          format_,
          {picture_.pixels.data(), DType::u8, {picture_.height, picture_.width, picture_.channels}},
          pixels);
    picture_ = {};
    return first;
  }

 private:
  FrameFormat format_;
  Picture picture_;
};

std::unique_ptr<FrameReader> open_picture(const std::string& path, const ClipFiles& options) {
  if (ending_of(path) == ".png") return std::make_unique<Png>(path, options);
  return options.files->codecs().open(path, options.format, options.files->limits());
}

Library::Library(const ClipFiles& options, std::vector<std::string>& skipped) : options_(options) {
  const std::vector<std::string> paths = find_files(options.kind, options.path);
  std::vector<std::optional<Error>> errors(paths.size());
  for (const std::string& path : paths) {
    files_.push_back(std::make_unique<File>());
    files_.back()->path = path;
  }
  in_parallel(files_.size(), [&](std::size_t i) {
    try {
      inspect(*files_[i]);
    } catch (const Error& error) {
      errors[i] = error;
    } catch (const std::exception& error) {
      errors[i] = Error(ErrorCode::memory, text(paths[i], ": ", error.what()));
    }
  });
  for (const auto& error : errors) {
    if (!error) continue;
    if (!options.skip_bad || error->code() == ErrorCode::unavailable) throw Error(*error);
    skipped.emplace_back(error->what());
  }
  std::erase_if(files_, [](const auto& file) { return file->frames == 0; });
  if (files_.empty())
    fail(ErrorCode::format, "none of the ", paths.size(), " files in ", options.path,
         " can be read; the first: ", skipped.front());
  for (const auto& file : files_) {
    const Bytes bytes = static_cast<Bytes>(file->frames) * options.format.bytes();
    file->keep = kept_ + bytes <= options.cache;
    if (file->keep) kept_ += bytes;
  }
}

// Counts the frames.
void Library::inspect(File& file) const {
  if (options_.kind == Kind::pictures) {
    file.frames = 1;
    return;
  }
  const VideoFiles& files = *options_.files;
  const auto index = files.index(file.path);
  if (index->size() == 0) fail(ErrorCode::format, file.path, " holds no frame");
  file.frames = index->size();
  file.rate = index->rate;
  if (files.rate() <= 0) return;
  file.shown = frames_at_rate(*index, files.rate(), files.limits());
  file.frames = static_cast<Index>(file.shown.size());
  file.rate = files.rate();
}

void Library::read_video(const File& file, std::span<const Index> frames,
                         std::uint8_t* pixels) const {
  std::vector<Index> stored(frames.begin(), frames.end());
  if (!file.shown.empty())
    for (Index& frame : stored) frame = file.shown[static_cast<std::size_t>(frame)];
  const VideoFiles& files = *options_.files;
  files.codecs()
      .open(file.path, files.index(file.path), files.limits())
      ->read({.frames = stored, .format = options_.format, .pixels = pixels});
}

void Library::decode(File& file) const {
  const std::lock_guard lock(file.decoding);
  if (file.pixels) return;
  auto pixels = std::make_unique_for_overwrite<std::uint8_t[]>(static_cast<Bytes>(file.frames) *
                                                               options_.format.bytes());
  if (options_.kind == Kind::pictures) {
    if (!open_picture(file.path, options_)->next(pixels.get()))
      fail(ErrorCode::format, file.path, " holds no picture");
  } else {
    std::vector<Index> all(static_cast<std::size_t>(file.frames));
    std::iota(all.begin(), all.end(), 0);
    read_video(file, all, pixels.get());
  }
  file.pixels = std::move(pixels);
}

void Library::read(Index index, Index first, Index last, std::uint8_t* pixels) const {
  File& file = at(index);
  if (file.keep) decode(file);
  std::vector<Index> frames;
  for (Index t = 0; t < options_.frames; ++t)
    frames.push_back(std::min(first + t * options_.stride, last));  // the last frame is held
  if (!file.keep && options_.kind == Kind::pictures) {
    if (!open_picture(file.path, options_)->next(pixels))
      fail(ErrorCode::format, file.path, " holds no picture");
  } else if (!file.keep) {
    read_video(file, frames, pixels);
  } else {
    const Bytes bytes = options_.format.bytes();
    for (const Index frame : frames) {
      std::memcpy(pixels, &file.pixels[static_cast<Bytes>(frame) * bytes], bytes);
      pixels += bytes;
    }
  }
}

struct Window {
  Index file, first, last;  // frames that exist
  Index slack;              // how much later its clip may start
};

class Clips final : public Dataset {
 public:
  Clips(std::shared_ptr<const Library> library, std::vector<Window> windows)
      : library_(std::move(library)), windows_(std::move(windows)) {}

  Index size() const override { return static_cast<Index>(windows_.size()); }
  Shape shape() const override {
    const ClipFiles& options = library_->options();
    return {options.frames, options.format.height, options.format.width, options.format.channels};
  }
  std::string name(Index index) const override {
    const Window& window = at(index);
    const std::string& path = library_->path(window.file);
    if (library_->options().kind == Kind::pictures) return path;
    return text(path, " from frame ", window.first);
  }
  double rate(Index index) const override {
    return library_->rate(at(index).file) / static_cast<double>(library_->options().stride);
  }
  std::string description() const override {
    const ClipFiles& options = library_->options();
    if (options.kind == Kind::pictures) return text(size(), " pictures in ", options.path);
    return text(size(), " clips of ", options.frames, " frames at stride ", options.stride,
                " from ", options.path, " (", library_->size(), " videos, ", library_->kept() >> 20,
                " MiB of frames kept in memory)");
  }

  Index source(Index index) const override { return at(index).file; }
  Moment moment(Index index, Random random) const override {
    const ClipFiles& options = library_->options();
    if (options.kind == Kind::pictures) return {};
    const Index first = start_of(at(index), random);
    const Index last = std::min(first + (options.frames - 1) * options.stride, at(index).last);
    const auto video = options.files->index(library_->path(at(index).file));
    const auto time = [&](Index frame) {
      if (const double rate = options.files->rate(); rate > 0)
        return static_cast<double>(frame) / rate;
      return video->frames.at(static_cast<std::size_t>(frame)).time;
    };
    return {first, last, time(first), time(last)};
  }

 private:
  const Window& at(Index index) const { return windows_[static_cast<std::size_t>(index)]; }
  void do_read(Index index, Random random, Tensor clip) const override {
    const Window& window = at(index);
    library_->read(window.file, start_of(window, random), window.last, clip.as<std::uint8_t>());
  }
  static Index start_of(const Window& window, Random random) {
    return window.first + (window.slack > 0 ? Draws(random).below(window.slack + 1) : 0);
  }

  std::shared_ptr<const Library> library_;
  std::vector<Window> windows_;
};

// Adds the windows of frames [begin, end) of a file.
void add_windows(std::vector<Window>& windows, Index file, Index begin, Index end, Index span,
                 bool moving) {
  const Index count = std::max<Index>(1, (end - begin) / span);
  for (Index i = 0; i < count; ++i) {
    const Index first = begin + i * span;
    const Index room = std::max<Index>(0, end - first - span);
    windows.push_back({file, first, end - 1, moving ? std::min(room, span - 1) : 0});
  }
}

}  // namespace

std::vector<std::string> find_files(Kind kind, const std::string& path) {
  std::error_code error;
  const auto check = [&] {
    if (error)
      fail(ErrorCode::file, "cannot search ", path, ": ", error.message(),
           "; check data.path and who may read it");
  };
  if (!fs::is_directory(path, error)) {
    check();
    return {path};
  }
  std::vector<std::string> files;
  fs::recursive_directory_iterator entry(path, error);
  check();
  while (entry != fs::recursive_directory_iterator()) {
    const bool hidden = entry->path().filename().string().starts_with('.');
    if (hidden) entry.disable_recursion_pending();
    if (!hidden && ends_in(endings_of(kind), entry->path()) && entry->is_regular_file(error))
      files.push_back(entry->path().string());
    entry.increment(error);
    check();
  }
  std::sort(files.begin(), files.end());
  if (files.empty())
    fail(ErrorCode::file, path, " holds no ", kind == Kind::videos ? "videos" : "pictures",
         ", none of", endings_of(kind), "; give another directory");
  return files;
}

Split clip_files(const ClipFiles& given) {
  ClipFiles options = given;
  if (options.kind == Kind::pictures) options.frames = options.stride = 1;
  if (!options.files) options.files = std::make_shared<const VideoFiles>();
  if (options.frames < 1 || options.stride < 1)
    fail(ErrorCode::argument, "clips: frames ", options.frames, ", stride ", options.stride,
         "; expected at least 1");
  Split parts;
  const auto library = std::make_shared<const Library>(options, parts.skipped);
  const Index files = library->size(), span = (options.frames - 1) * options.stride + 1;
  const double fraction = options.held_out;
  const Index whole = held_out_of(files, fraction);
  const bool by_file = options.kind == Kind::pictures || whole >= 2;

  std::vector<Window> train, held_out;
  const Permutation order(files, Random{});
  std::vector<bool> held(static_cast<std::size_t>(files));
  for (Index i = 0; i < whole; ++i) held[static_cast<std::size_t>(order(i))] = by_file;
  for (Index file = 0; file < files; ++file) {
    const Index frames = library->frames(file);
    Index kept = held[static_cast<std::size_t>(file)] ? 0 : frames;
    if (!by_file && fraction > 0) {
      const Index part = std::llround(fraction * static_cast<double>(frames));
      kept = part == frames ? 0 : frames - std::max(part, span);
      if (part < frames && kept < span) kept = frames;
    }
    if (kept > 0) add_windows(train, file, 0, kept, span, true);
    if (kept < frames) add_windows(held_out, file, kept, frames, span, false);
  }
  if (fraction > 0 && held_out.empty())
    fail(ErrorCode::argument, options.path, ": nothing can be held out: there are too few files, ",
         "and none has the ", 2 * span, " frames for a held-out clip of ", options.frames,
         " frames at stride ", options.stride,
         " beside one for training; lower data.frames or data.stride, or set data.held_out to 0");
  if (!train.empty()) parts.train = std::make_shared<Clips>(library, std::move(train));
  if (!held_out.empty()) parts.held_out = std::make_shared<Clips>(library, std::move(held_out));
  return parts;
}

}  // namespace framefold
