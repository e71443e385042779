// Video files by path, as datasets and lists open them: who decodes, within which limits, at which
// frame rate, and the indices that are kept in memory.
//
// A file's index is asked of video_index() when it is first wanted, and kept as long as those of
// all files together have room; the ones not used for longest go first. A kept index counts for
// the size and time of change of its file. From any thread.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "io/codecs.h"
#include "io/video_index.h"

namespace framefold {

class VideoFiles {
 public:
  struct Options {
    CodecLimits limits;
    double rate = 0;  // frames a second that videos are taken at (frames_at_rate); 0: as they are
    Bytes indices = Bytes{256} << 20;        // kept in memory
    std::shared_ptr<const Codecs> codecs{};  // null: codecs()
  };

  VideoFiles() : VideoFiles(Options{}) {}
  explicit VideoFiles(Options options) : options_(std::move(options)) {}

  const CodecLimits& limits() const { return options_.limits; }
  double rate() const { return options_.rate; }
  const Codecs& codecs() const { return options_.codecs ? *options_.codecs : framefold::codecs(); }
  std::shared_ptr<const VideoIndex> index(const std::string& path) const;

  Bytes held() const;  // of indices

 private:
  struct Kept {
    std::string path;
    FileStamp file;
    std::shared_ptr<const VideoIndex> index;
    Bytes bytes = 0;
  };
  std::shared_ptr<const VideoIndex> find(const std::string& path, const FileStamp& file) const;
  void forget(std::list<Kept>::iterator kept) const;

  Options options_;
  mutable std::mutex mutex_;
  mutable std::list<Kept> kept_;  // the one used last comes first
  mutable std::unordered_map<std::string, std::list<Kept>::iterator> by_path_;
  mutable Bytes held_ = 0;
};

}  // namespace framefold
