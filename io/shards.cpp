#include "io/shards.h"

#include <xxhash.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstring>
#include <filesystem>
#include <limits>
#include <map>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include "io/augment_parts.h"
#include "io/file.h"
#include "io/folder_lock.h"
#include "io/json.h"
#include "io/list_parts.h"
#include "io/mapping.h"
#include "io/printable.h"
#include "kernels/error.h"

namespace framefold {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr Bytes most_index = Bytes{1} << 31;
constexpr Bytes most_video = Bytes{1} << 32;
constexpr Index most = Index{1} << 31;

std::string hex(std::uint64_t value) {
  std::string digits(16, '0');
  for (std::size_t i = 16; i-- > 0; value >>= 4) digits[i] = "0123456789abcdef"[value & 15];
  return digits;
}

std::string hash_of(const void* data, Bytes bytes) { return hex(XXH3_64bits(data, bytes)); }

std::string numbered(Index shard, const char* ending) {
  const std::string digits = text(shard);
  return "shard-" + std::string(5 - std::min<std::size_t>(5, digits.size()), '0') + digits + ending;
}

// A JSON value with its own hash around it, as a file.
void write_hashed(const fs::path& path, const Json& content) {
  const std::string text = dumped(content);
  write_file(
      path, dumped(Json{{"hash", hash_of(text.data(), text.size())}, {"content", content}}) + '\n');
}

Json read_hashed(const fs::path& path) {
  const Json file = parse_json<Json>(read_file(path, most_index), path.string());
  const bool whole = file.is_object() && file.contains("content") && file.contains("hash");
  const std::string content = whole ? file["content"].dump() : "";
  if (!whole || file["hash"] != hash_of(content.data(), content.size()))
    fail(ErrorCode::format, path.string(), ": damaged; pack the videos again");
  return file["content"];
}

struct Frames {
  Index height = 0, width = 0, channels = 0;
  Bytes bytes() const { return static_cast<Bytes>(height * width * channels); }
};

struct Record {
  std::string name, hash;
  Index label = -1, frames = 0, shard = 0;
  std::uint64_t offset = 0;
  double rate = 0;  // frames a second, as stored; 0: unknown
};

Json to_json(const Record& record) {
  return {{"name", record.name},   {"label", record.label},   {"frames", record.frames},
          {"shard", record.shard}, {"offset", record.offset}, {"hash", record.hash},
          {"rate", record.rate}};
}

Record to_record(const Json& json, const std::string& place) {
  return {json.at("name").get<std::string>(),
          json.at("hash").get<std::string>(),
          integer<Index>(json.at("label"), place),
          integer<Index>(json.at("frames"), place),
          integer<Index>(json.at("shard"), place),
          integer<std::uint64_t>(json.at("offset"), place),
          json.value("rate", 0.0)};
}

// What distinguishes one packing from another.
std::string digest_of(const VideoSet& set, const Packing& options) {
  XXH3_state_t* state = XXH3_createState();
  XXH3_64bits_reset(state);
  const auto add = [&](const std::string& part) {
    XXH3_64bits_update(state, part.c_str(), part.size() + 1);
  };
  add(text(options.height, ' ', options.width, ' ', options.channels, ' ', options.stride));
  if (options.rate > 0) add(text("rate ", options.rate));
  for (const std::string& name : options.classes) add(name);
  for (Index i = 0; i < set.size(); ++i) add(text(set.name(i), ' ', set.label(i)));
  const std::uint64_t hash = XXH3_64bits_digest(state);
  XXH3_freeState(state);
  return hex(hash);
}

struct Decoded {
  std::vector<std::uint8_t> pixels;
  Index frames = 0;
  double rate = 0;
  std::optional<Error> error;
};

Decoded decode(const VideoSet& set, Index index, const Packing& options) {
  Decoded decoded;
  try {
    const auto video = set.open(index);
    decoded.frames = (video->frames() + options.stride - 1) / options.stride;
    decoded.rate = video->rate() / static_cast<double>(options.stride);
    const Shape shape{decoded.frames, options.height, options.width, options.channels};
    const Bytes bytes = static_cast<Bytes>(shape.size());
    if (bytes > most_video)
      fail(ErrorCode::memory, set.name(index), ": ", bytes >> 20,
           " MiB of frames, expected at most ", most_video >> 20,
           " a video; pack smaller frames or fewer (--stride)");
    decoded.pixels.resize(bytes);
    std::vector<Index> frames;
    for (Index i = 0; i < decoded.frames; ++i) frames.push_back(i * options.stride);
    video->read(frames,
                crop_of(video->height(), video->width(), options.height, options.width, 0, 1),
                {decoded.pixels.data(), DType::u8, shape});
  } catch (const Error& error) {
    decoded.error = error;
  } catch (const std::exception& error) {
    decoded.error = Error(ErrorCode::memory, text(set.name(index), ": ", error.what()));
  }
  return decoded;
}

// Videos decoded by threads, taken in their order; at most two a thread wait.
class Decoding {
 public:
  Decoding(const VideoSet& set, const Packing& options, Index first)
      : set_(set), options_(options), claim_(first), next_(first) {
    for (int i = 0; i < std::max(1, options.threads); ++i)
      threads_.emplace_back([this](const std::stop_token& stop) { work(stop); });
  }

  Decoded next() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return done_.contains(next_); });
    Decoded decoded = std::move(done_.extract(next_++).mapped());
    lock.unlock();
    changed_.notify_all();
    return decoded;
  }

 private:
  void work(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (changed_.wait(lock, stop, [&] {
      return claim_ < set_.size() && claim_ - next_ < 2 * std::max(1, options_.threads);
    })) {
      const Index index = claim_++;
      lock.unlock();
      Decoded decoded = decode(set_, index, options_);
      lock.lock();
      done_.emplace(index, std::move(decoded));
      changed_.notify_all();
    }
  }

  const VideoSet& set_;
  const Packing& options_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::map<Index, Decoded> done_;
  Index claim_, next_;
  std::vector<std::jthread> threads_;  // last: they end before what they use
};

// One shard being written, with what its part of the index will say.
class Shard {
 public:
  Shard(const fs::path& directory, Index number, Index first)
      : directory_(directory),
        number_(number),
        first_(first),
        file_(directory / numbered(number, ".u8")) {}

  void add(const VideoSet& set, Index video, const Decoded& decoded) {
    file_.write(decoded.pixels.data(), decoded.pixels.size());
    records_.push_back(
        to_json(Record{set.name(video), hash_of(decoded.pixels.data(), decoded.pixels.size()),
                       set.label(video), decoded.frames, number_, bytes_, decoded.rate}));
    bytes_ += decoded.pixels.size();
  }
  void leave_out(const std::string& message) { skipped_.push_back(message); }
  Bytes bytes() const { return bytes_; }

  // `last`: the set's first video that is not in it.
  Json commit(const std::string& digest, Index last) {
    file_.commit();
    Json part{{"digest", digest}, {"first", first_},    {"last", last},
              {"bytes", bytes_},  {"videos", records_}, {"skipped", skipped_}};
    write_hashed(directory_ / numbered(number_, ".json"), part);
    return part;
  }

 private:
  fs::path directory_;
  Index number_, first_;
  AtomicFile file_;
  Bytes bytes_ = 0;
  Json records_ = Json::array(), skipped_ = Json::array();
};

// The part of a shard that an earlier packing finished, null where there is none.
Json whole_part(const fs::path& directory, Index number, const std::string& digest, Index first) {
  std::error_code error;
  const fs::path path = directory / numbered(number, ".json");
  if (!fs::is_regular_file(path, error)) return nullptr;
  Json part = read_hashed(path);
  if (part.at("digest") != digest)
    fail(
        ErrorCode::argument, directory.string(),
        " holds shards of other videos or of other frames; choose another directory, or delete it");
  const auto size = fs::file_size(directory / numbered(number, ".u8"), error);
  if (error || part.at("bytes") != size || part.at("first") != first) return nullptr;
  return part;
}

// Returns the directory's lock.
Descriptor make_directory(const fs::path& directory) {
  std::error_code error;
  fs::create_directories(directory, error);
  if (error) fail(ErrorCode::file, "cannot create ", directory.string(), ": ", error.message());
  Descriptor lock =
      lock_folder(directory, text("another process is packing into ", directory.string(),
                                  "; wait for its end, or choose another directory"));
  for (const auto& entry :
       fs::directory_iterator(directory, error))  // of a packing that was killed
    if (entry.path().extension() == ".partial" &&
        entry.path().filename().string().starts_with("shard-"))
      fs::remove(entry.path(), error);
  return lock;
}

}  // namespace

Packed pack(const VideoSet& set, const Packing& options,
            const std::function<void(Index)>& progress) {
  if (options.height < 1 || options.width < 1 || options.stride < 1 || options.shard < 1 ||
      options.height > most / options.width || (options.channels != 1 && options.channels != 3))
    fail(ErrorCode::argument, "packing: frames of ", options.height, " x ", options.width, " x ",
         options.channels, ", stride ", options.stride, "; expected 1 or 3 channels, at least 1");
  const fs::path directory = options.directory;
  const Descriptor lock = make_directory(directory);
  const std::string digest = digest_of(set, options);
  Packed packed;
  if (is_packed(options.directory)) {
    const Json index = read_hashed(directory / "index.json");
    if (index.at("digest") != digest)
      fail(ErrorCode::argument, directory.string(),
           " is packed already, with other videos or other frames; choose another directory");
    const std::string place = (directory / "index.json").string();
    packed.kept = packed.shards = static_cast<Index>(index.at("shards").size());
    for (const Json& bytes : index.at("shards")) packed.bytes += integer<Bytes>(bytes, place);
    for (const Json& video : index.at("videos"))
      packed.frames += integer<Index>(video.at("frames"), place);
    packed.videos = static_cast<Index>(index.at("videos").size());
    return packed;
  }
  Json videos = Json::array(), shards = Json::array();
  const auto take = [&](const Json& part) {
    const std::string place = (directory / numbered(packed.shards, ".json")).string();
    for (const Json& video : part.at("videos")) {
      packed.frames += integer<Index>(video.at("frames"), place);
      videos.push_back(video);
    }
    for (const Json& message : part.at("skipped")) packed.skipped.push_back(message);
    shards.push_back(part.at("bytes"));
    packed.bytes += integer<Bytes>(part.at("bytes"), place);
    ++packed.shards;
  };
  Index next = 0;
  while (next < set.size()) {
    const Json part = whole_part(directory, packed.shards, digest, next);
    if (part.is_null()) break;
    take(part);
    next = integer<Index>(part.at("last"), directory.string());
    ++packed.kept;
  }
  std::optional<Decoding> decoding;
  if (next < set.size()) decoding.emplace(set, options, next);
  std::optional<Shard> shard;
  for (; next < set.size(); ++next) {
    const Decoded decoded = decoding->next();
    if (!shard) shard.emplace(directory, packed.shards, next);
    if (decoded.error) {
      if (!options.skip_bad || decoded.error->code() == ErrorCode::unavailable)
        throw Error(*decoded.error);
      shard->leave_out(decoded.error->what());
    } else {
      shard->add(set, next, decoded);
    }
    if (shard->bytes() >= options.shard || next + 1 == set.size()) {
      take(shard->commit(digest, next + 1));
      shard.reset();
    }
    if (progress) progress(next + 1);
  }
  packed.videos = static_cast<Index>(videos.size());
  if (packed.videos == 0)
    fail(ErrorCode::format, "none of the ", set.size(),
         " videos can be read; the first: ", packed.skipped.front());
  write_hashed(directory / "index.json", {{"format", 1},
                                          {"digest", digest},
                                          {"height", options.height},
                                          {"width", options.width},
                                          {"channels", options.channels},
                                          {"stride", options.stride},
                                          {"classes", options.classes},
                                          {"shards", shards},
                                          {"videos", videos}});
  std::error_code ignored;
  for (Index i = 0; i < packed.shards; ++i) fs::remove(directory / numbered(i, ".json"), ignored);
  return packed;
}

bool is_packed(const std::string& directory) {
  std::error_code error;
  return fs::is_regular_file(fs::path(directory) / "index.json", error);
}

namespace {

class StoredVideo final : public Video {
 public:
  StoredVideo(const Mapping& shard, const Record& record, const Frames& frames)
      : shard_(shard),
        pixels_(shard.data() + record.offset),
        count_(record.frames),
        rate_(record.rate),
        frames_(frames) {}
  Index frames() const override { return count_; }
  Index height() const override { return frames_.height; }
  Index width() const override { return frames_.width; }
  double rate() const override { return rate_; }
  void read(std::span<const Index> frames, const Box& box, Tensor clip) override {
    const Bytes stored = frames_.bytes();
    const Bytes size = static_cast<Bytes>(clip.size()) / frames.size();
    auto* out = clip.as<std::uint8_t>();
    if (clip.shape[3] != frames_.channels)
      fail(ErrorCode::shape, "shards: clips of ", clip.shape[3], " channels, packed were ",
           frames_.channels, "; set data.channels to that, or pack again");
    const Shape from{1, frames_.height, frames_.width, frames_.channels};
    const Shape to{1, clip.shape[1], clip.shape[2], clip.shape[3]};
    for (const Index frame : frames) {
      augment::resize({pixels_ + static_cast<Bytes>(frame) * stored, DType::u8, from}, box,
                      {out, DType::u8, to});
      out += size;
    }
    shard_.check();
  }

 private:
  const Mapping& shard_;
  const std::uint8_t* pixels_;
  Index count_;
  double rate_;
  Frames frames_;
};

class Shards final : public VideoSet {
 public:
  explicit Shards(const std::string& directory) : directory_(directory) {
    const fs::path path = fs::path(directory) / "index.json";
    const Json index = read_hashed(path);
    try {
      if (index.at("format") != 1)
        fail(ErrorCode::format, path.string(), ": format ", index.at("format").dump(),
             ", expected 1; pack again");
      frames_ = {integer<Index>(index.at("height"), path.string()),
                 integer<Index>(index.at("width"), path.string()),
                 integer<Index>(index.at("channels"), path.string())};
      Index labels = 0;
      for (const Json& video : index.at("videos")) {
        records_.push_back(to_record(video, path.string()));
        if (records_.back().label >= lists::most_labels)
          fail(ErrorCode::format, path.string(), ": a label of ", records_.back().label,
               ", expected at most ", lists::most_labels - 1);
        labels = std::max(labels, records_.back().label + 1);
      }
      classes_ = named_classes(index.at("classes").get<std::vector<std::string>>(), labels);
      for (const Json& bytes : index.at("shards")) {
        sizes_.push_back(integer<std::uint64_t>(bytes, path.string()));
        const auto number = static_cast<Index>(shards_.size());
        shards_.emplace_back(fs::path(directory) / numbered(number, ".u8"), sizes_.back());
      }
    } catch (const nlohmann::json::exception& error) {
      fail(ErrorCode::format, path.string(), ": ", error.what());
    }
    const bool fits = frames_.height > 0 && frames_.width > 0 && frames_.height < most &&
                      frames_.width <= most / frames_.height &&
                      (frames_.channels == 1 || frames_.channels == 3) && !records_.empty();
    if (!fits || !std::all_of(records_.begin(), records_.end(),
                              [&](const Record& record) { return lies_within(record); }))
      fail(ErrorCode::format, path.string(), ": videos lie outside of their shards; pack again");
    checked_ = std::make_unique<std::atomic<bool>[]>(records_.size());
  }

  Index size() const override { return static_cast<Index>(records_.size()); }
  std::string name(Index video) const override { return at(video).name; }
  Index label(Index video) const override { return at(video).label; }
  std::vector<std::string> classes() const override { return classes_; }
  std::string description() const override {
    return text("shards in ", directory_, " of ", frames_.height, " x ", frames_.width);
  }
  std::unique_ptr<Video> open(Index video) const override {
    const Record& record = at(video);
    const Mapping& shard = shards_[static_cast<std::size_t>(record.shard)];
    std::atomic<bool>& checked = checked_[static_cast<std::size_t>(video)];
    if (!checked.load(std::memory_order_relaxed)) {
      const std::string hash = hash_of(shard.data() + record.offset,
                                       static_cast<Bytes>(record.frames) * frames_.bytes());
      shard.check();
      if (hash != record.hash)
        fail(ErrorCode::format, (fs::path(directory_) / numbered(record.shard, ".u8")).string(),
             ": the frames of ", record.name, " are damaged; copy the shard again, or pack again");
      checked.store(true, std::memory_order_relaxed);
    }
    return std::make_unique<StoredVideo>(shard, record, frames_);
  }

 private:
  const Record& at(Index video) const { return records_[static_cast<std::size_t>(video)]; }
  bool lies_within(const Record& record) const {
    if (record.shard < 0 || record.shard >= static_cast<Index>(sizes_.size())) return false;
    const std::uint64_t size = sizes_[static_cast<std::size_t>(record.shard)];
    return record.frames > 0 && record.offset <= size &&
           static_cast<std::uint64_t>(record.frames) <= (size - record.offset) / frames_.bytes();
  }

  std::vector<std::string> classes_;
  std::string directory_;
  Frames frames_;
  std::vector<Record> records_;
  std::vector<std::uint64_t> sizes_;
  std::vector<Mapping> shards_;
  std::unique_ptr<std::atomic<bool>[]> checked_;
};

}  // namespace

std::shared_ptr<const VideoSet> open_shards(const std::string& directory) {
  if (!is_packed(directory))
    fail(ErrorCode::file, directory, " holds no index.json of packed videos; make it with ",
         "`framefold data pack LIST --out ", directory, "`");
  return std::make_shared<Shards>(directory);
}

}  // namespace framefold
