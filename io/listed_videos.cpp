#include "io/listed_videos.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "io/augment_parts.h"
#include "io/file.h"
#include "io/picture.h"
#include "io/video_index.h"
#include "kernels/error.h"

namespace framefold {
namespace {

// A part in pixels as wide as high, as a part in the pixels that are stored.
Crop stored(const Box& box, double pixel_aspect, Index width) {
  const auto across = [&](Index x) {
    return std::clamp<Index>(std::llround(static_cast<double>(x) / pixel_aspect), 0, width);
  };
  const Index left = std::min(across(box.x), width - 1);
  return {box.y, left, box.height, std::max<Index>(1, across(box.x + box.width) - left)};
}

class VideoFile final : public Video {
 public:
  VideoFile(const std::string& path, std::shared_ptr<const VideoIndex> index,
            const VideoFiles& files)
      : index_(std::move(index)),
        reader_(files.codecs().open(path, index_, files.limits())),
        rate_(files.rate()) {
    if (index_->size() == 0) fail(ErrorCode::format, path, " holds no frame");
    if (rate_ > 0) shown_ = frames_at_rate(*index_, rate_, files.limits());
  }
  Index frames() const override {
    return rate_ > 0 ? static_cast<Index>(shown_.size()) : index_->size();
  }
  double rate() const override { return rate_ > 0 ? rate_ : index_->rate; }
  Index height() const override { return index_->height; }
  Index width() const override {
    const double width = static_cast<double>(index_->width) * index_->pixel_aspect;
    return std::max<Index>(1, std::llround(width));
  }
  double time(Index frame) const override {
    if (rate_ > 0) return static_cast<double>(frame) / rate_;
    return index_->frames[static_cast<std::size_t>(frame)].time;
  }
  void read(std::span<const Index> frames, const Box& box, Tensor clip) override {
    std::vector<Index> stored_frames(frames.begin(), frames.end());
    if (rate_ > 0)
      for (Index& frame : stored_frames) frame = shown_[static_cast<std::size_t>(frame)];
    reader_->read({stored_frames,
                   {clip.shape[1], clip.shape[2], clip.shape[3]},
                   stored(box, index_->pixel_aspect, index_->width),
                   clip.as<std::uint8_t>()});
  }

 private:
  std::shared_ptr<const VideoIndex> index_;
  std::unique_ptr<VideoReader> reader_;
  double rate_;
  std::vector<Index> shown_;  // where a rate was asked for
};

// Without an index kept anywhere.
std::unique_ptr<Video> open_alone(const std::string& path, const VideoFiles& files) {
  auto index = std::make_shared<const VideoIndex>(files.codecs().scan(path, files.limits()));
  return std::make_unique<VideoFile>(path, std::move(index), files);
}

class Pictures final : public Video {
 public:
  Pictures(std::vector<std::string> paths, std::shared_ptr<const VideoFiles> files)
      : paths_(std::move(paths)),
        files_(std::move(files)),
        first_(open_alone(paths_.front(), *files_)) {}
  Index frames() const override { return static_cast<Index>(paths_.size()); }
  Index height() const override { return first_->height(); }
  Index width() const override { return first_->width(); }
  void read(std::span<const Index> frames, const Box& box, Tensor clip) override {
    const Shape one{1, clip.shape[1], clip.shape[2], clip.shape[3]};
    auto* out = clip.as<std::uint8_t>();
    for (const Index frame : frames) {
      const auto picture = open_alone(paths_[static_cast<std::size_t>(frame)], *files_);
      const Box whole = crop_of(picture->height(), picture->width(), height(), width(), 0, 1);
      const auto across = [&](Index x) { return x * whole.width / width(); };
      const auto down = [&](Index y) { return y * whole.height / height(); };
      const Box part{whole.y + down(box.y), whole.x + across(box.x),
                     std::max<Index>(1, down(box.height)), std::max<Index>(1, across(box.width))};
      const Index only = 0;
      picture->read({&only, 1}, part, {out, DType::u8, one});
      out += one.size();
    }
  }

 private:
  std::vector<std::string> paths_;
  std::shared_ptr<const VideoFiles> files_;
  std::unique_ptr<Video> first_;
};

class Member final : public Video {
 public:
  Member(const ListEntry& entry, const VideoFiles& files)
      : file_(entry, files.limits()), video_(open_alone(file_.path(), files)) {}
  Index frames() const override { return video_->frames(); }
  Index height() const override { return video_->height(); }
  Index width() const override { return video_->width(); }
  double time(Index frame) const override { return video_->time(frame); }
  double rate() const override { return video_->rate(); }
  void read(std::span<const Index> frames, const Box& box, Tensor clip) override {
    video_->read(frames, box, clip);
  }

 private:
  MemberFile file_;
  std::unique_ptr<Video> video_;
};

class Array final : public Video {
 public:
  Array(const ListEntry& entry, const Shape& frame) : entry_(entry), frame_(frame) {}
  Index frames() const override { return entry_.frames; }
  Index height() const override { return frame_[0]; }
  Index width() const override { return frame_[1]; }
  void read(std::span<const Index> frames, const Box& box, Tensor clip) override {
    const InputFile file(entry_.path);
    const Shape from{1, frame_[0], frame_[1], 1}, to{1, clip.shape[1], clip.shape[2], 1};
    std::vector<std::uint8_t> in(static_cast<std::size_t>(from.size()));
    std::vector<std::uint8_t> grey(static_cast<std::size_t>(to.size()));
    auto* out = clip.as<std::uint8_t>();
    for (const Index frame : frames) {
      file.read(entry_.offset + static_cast<std::uint64_t>(frame) * entry_.bytes, in.data(),
                in.size());
      augment::resize({in.data(), DType::u8, from}, box, {grey.data(), DType::u8, to});
      for (const std::uint8_t value : grey) out = std::fill_n(out, clip.shape[3], value);
    }
  }

 private:
  ListEntry entry_;
  Shape frame_;
};

class Listed final : public VideoSet {
 public:
  Listed(VideoList list, std::shared_ptr<const VideoFiles> files)
      : list_(std::move(list)), files_(std::move(files)) {
    const auto timeless = [](const ListEntry& entry) {
      return entry.kind == ListEntry::Kind::pictures || entry.kind == ListEntry::Kind::array;
    };
    if (files_->rate() > 0 && std::ranges::any_of(list_.entries, timeless))
      fail(ErrorCode::config, "data.fps is ", files_->rate(), ", but the frames of ", list_.path,
           " (", name_of(list_.format), ") have no times; set it to 0");
  }
  Index size() const override { return static_cast<Index>(list_.entries.size()); }
  std::string name(Index video) const override { return at(video).shown(); }
  Index label(Index video) const override { return at(video).label; }
  std::vector<std::string> classes() const override {
    return named_classes(list_.classes, list_.labels());
  }
  std::string description() const override {
    return text(list_.path, " (", name_of(list_.format),
                list_.labels() > 0 ? text(", ", list_.labels(), " classes") : "", ")");
  }
  std::unique_ptr<Video> open(Index video) const override {
    const ListEntry& entry = at(video);
    switch (entry.kind) {
      case ListEntry::Kind::video:
        return std::make_unique<VideoFile>(entry.path, files_->index(entry.path), *files_);
      case ListEntry::Kind::pictures: return std::make_unique<Pictures>(pictures_of(entry), files_);
      case ListEntry::Kind::member: return open_member(entry);
      case ListEntry::Kind::array: break;
    }
    return std::make_unique<Array>(entry, list_.frame);
  }

 private:
  const ListEntry& at(Index video) const { return list_.entries[static_cast<std::size_t>(video)]; }
  std::unique_ptr<Video> open_member(const ListEntry& entry) const {
    try {
      return std::make_unique<Member>(entry, *files_);
    } catch (const Error& error) {
      fail(error.code(), entry.name, ": ", error.what());
    }
  }

  VideoList list_;
  std::shared_ptr<const VideoFiles> files_;
};

}  // namespace

MemberFile::MemberFile(const ListEntry& entry, const CodecLimits& limits)
    : file_(::memfd_create("framefold", MFD_CLOEXEC)) {
  if (file_.number() < 0) fail_file("hold in memory", entry.name);
  if (entry.bytes > limits.memory)
    fail(ErrorCode::format, entry.name, ": ", entry.bytes >> 20, " MiB, expected at most ",
         limits.memory >> 20, "; unpack the archive");
  std::string bytes(entry.bytes, '\0');
  InputFile(entry.path).read(entry.offset, bytes.data(), bytes.size());
  for (std::size_t done = 0; done < bytes.size();) {
    const auto wrote = ::write(file_.number(), bytes.data() + done, bytes.size() - done);
    if (wrote <= 0) fail_file("hold in memory", entry.name);
    done += static_cast<std::size_t>(wrote);
  }
}

std::string MemberFile::path() const { return text("/proc/", ::getpid(), "/fd/", file_.number()); }

std::shared_ptr<const VideoSet> listed_videos(VideoList list,
                                              std::shared_ptr<const VideoFiles> files) {
  if (!files) files = std::make_shared<const VideoFiles>();
  return std::make_shared<Listed>(std::move(list), std::move(files));
}

}  // namespace framefold
