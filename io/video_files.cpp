#include "io/video_files.h"

#include <utility>

namespace framefold {

std::shared_ptr<const VideoIndex> VideoFiles::index(const std::string& path) const {
  const FileStamp file = stamp_of(path);
  if (auto found = find(path, file)) return found;
  Kept made{path, file, nullptr, 0};
  made.index =
      std::make_shared<const VideoIndex>(video_index(path, options_.limits, options_.codecs.get()));
  made.bytes = sizeof(VideoIndex) + made.index->packets.size() * sizeof(VideoPacket) +
               made.index->frames.size() * sizeof(VideoFrame) + 2 * path.size();
  auto index = made.index;

  const std::lock_guard lock(mutex_);
  if (const auto other = by_path_.find(path); other != by_path_.end()) forget(other->second);
  while (!kept_.empty() && held_ + made.bytes > options_.indices) forget(std::prev(kept_.end()));
  if (made.bytes > options_.indices) return index;
  held_ += made.bytes;
  kept_.push_front(std::move(made));
  by_path_.emplace(path, kept_.begin());
  return index;
}

Bytes VideoFiles::held() const {
  const std::lock_guard lock(mutex_);
  return held_;
}

std::shared_ptr<const VideoIndex> VideoFiles::find(const std::string& path,
                                                   const FileStamp& file) const {
  const std::lock_guard lock(mutex_);
  const auto found = by_path_.find(path);
  if (found == by_path_.end() || found->second->file != file) return nullptr;
  kept_.splice(kept_.begin(), kept_, found->second);
  return found->second->index;
}

void VideoFiles::forget(std::list<Kept>::iterator kept) const {
  held_ -= kept->bytes;
  by_path_.erase(kept->path);
  kept_.erase(kept);
}

}  // namespace framefold
