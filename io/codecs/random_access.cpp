#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "io/codecs/converter.h"
#include "io/codecs/decoder.h"
#include "io/codecs/readers.h"
#include "kernels/error.h"

namespace framefold {
namespace {

// A frame that a request wants, and where it goes.
struct Wanted {
  Index frame;
  const ClipRequest* clip;
  std::uint8_t* pixels;
  bool done = false;
};

// Packets that are decoded in one go.
struct Run {
  Index first, last;
};

class RandomAccess final : public VideoReader {
 public:
  RandomAccess(const std::string& path, std::shared_ptr<const VideoIndex> index,
               const CodecLimits& limits, const Accelerator* gpu)
      : path_(path),
        index_(std::move(index)),
        limits_(limits),
        demuxer_(path, limits, index_.get()),
        decoder_(path, demuxer_, limits, gpu),
        converter_(path, demuxer_.quarter_turns()) {
    for (std::size_t i = 0; i < index_->packets.size(); ++i)
      if (const VideoPacket& packet = index_->packets[i]; packet.key && packet.frame >= 0)
        keys_.push_back({packet.frame, static_cast<Index>(i)});
    std::ranges::sort(keys_, {}, &Key::frame);
    decoder_.show_all();
  }

  void read(std::span<const ClipRequest> clips) override;
  Index decoded() const override { return decoder_.sent(); }

 private:
  struct Key {
    Index frame, packet;
  };

  const VideoPacket& packet(Index number) const {
    return index_->packets[static_cast<std::size_t>(number)];
  }
  Index packet_of(Index frame) const {
    return index_->frames[static_cast<std::size_t>(frame)].packet;
  }
  Index start_for(Index frame) const;
  void list(std::span<const ClipRequest> clips);
  std::vector<Run> runs() const;
  void decode(const Run& run);
  void collect(Index leading);
  void deliver(AVFrame& decoded, Index frame);
  std::span<Wanted> wanted(Index frame) {
    const auto begin = std::ranges::lower_bound(wanted_, frame, {}, &Wanted::frame);
    return {begin, std::ranges::upper_bound(begin, wanted_.end(), frame, {}, &Wanted::frame)};
  }

  std::string path_;
  std::shared_ptr<const VideoIndex> index_;
  CodecLimits limits_;
  Demuxer demuxer_;
  FrameDecoder decoder_;
  Converter converter_;
  std::vector<Key> keys_;       // in display order
  std::vector<Wanted> wanted_;  // in display order
};

void RandomAccess::read(std::span<const ClipRequest> clips) {
  list(clips);
  for (const Run& run : runs()) decode(run);
  const auto missing = std::ranges::find(wanted_, false, &Wanted::done);
  if (missing != wanted_.end())
    fail(ErrorCode::format, path_, ": decoding does not show frame ", missing->frame, " of ",
         index_->size(), "; repair the file or leave it out");
}

void RandomAccess::list(std::span<const ClipRequest> clips) {
  wanted_.clear();
  for (const ClipRequest& clip : clips) {
    Converter::check(clip.format, limits_);
    std::uint8_t* pixels = clip.pixels;
    for (const Index frame : clip.frames) {
      if (frame < 0 || frame >= index_->size())
        fail(ErrorCode::argument, path_, " has ", index_->size(), " frames, frame ", frame,
             " was asked for");
      wanted_.push_back({frame, &clip, pixels});
      pixels += clip.format.bytes();
    }
  }
  std::ranges::stable_sort(wanted_, {}, &Wanted::frame);
}

// The last key packet from which the frame can be decoded, or the file's first.
Index RandomAccess::start_for(Index frame) const {
  const auto after = std::ranges::upper_bound(keys_, frame, {}, &Key::frame);
  for (auto key = after; key != keys_.begin();)
    if ((--key)->packet <= packet_of(frame)) return key->packet;
  return 0;
}

std::vector<Run> RandomAccess::runs() const {
  std::vector<Run> result;
  for (const Wanted& wanted : wanted_) {
    const Index first = start_for(wanted.frame), last = packet_of(wanted.frame);
    if (result.empty() || first > result.back().last + 1)
      result.push_back({first, last});
    else
      result.back().last = std::max(result.back().last, last);
  }
  return result;
}

void RandomAccess::decode(const Run& run) {
  demuxer_.skip_to(run.first);
  decoder_.flush();
  // What is shown before the key packet may refer to packets before it: nobody wants it.
  const Index leading = run.first > 0 ? packet(run.first).frame : 0;
  while (demuxer_.position() <= run.last) {
    const Index number = demuxer_.position();
    AVPacket* next = demuxer_.next();
    if (next == nullptr)
      fail(ErrorCode::format, path_, " ends before packet ", number,
           "; has it changed? make its index anew");
    const VideoPacket& known = packet(number);
    if (known.disposable && wanted(known.frame).empty()) continue;
    if (!decoder_.send(next, number) && known.frame >= leading) decoder_.refuse_last(known.frame);
    collect(leading);
  }
  decoder_.send(nullptr, 0);
  collect(leading);
}

// Takes the frames that the decoder has ready.
void RandomAccess::collect(Index leading) {
  for (;;) {
    AVFrame* decoded = decoder_.receive();
    if (decoded == nullptr) {
      if (!decoder_.failed()) return;
      decoder_.refuse_last(-1);
    }
    const Index number = decoded->pts;
    const Index frame = number >= 0 && number < static_cast<Index>(index_->packets.size())
                            ? packet(number).frame
                            : -1;
    if (frame < leading) continue;
    if (FrameDecoder::damaged(*decoded)) decoder_.refuse_damaged(*decoded, frame);
    deliver(*decoded, frame);
  }
}

void RandomAccess::deliver(AVFrame& decoded, Index frame) {
  const double aspect = demuxer_.pixel_aspect(&decoded);
  const Wanted* before = nullptr;
  for (Wanted& want : wanted(frame)) {
    if (before != nullptr && before->clip == want.clip)
      std::memcpy(want.pixels, before->pixels, want.clip->format.bytes());
    else
      converter_.convert(decoded, aspect, want.clip->crop, want.clip->format, want.pixels);
    want.done = true;
    before = &want;
  }
}

}  // namespace

std::unique_ptr<VideoReader> random_access(const std::string& path,
                                           std::shared_ptr<const VideoIndex> index,
                                           const CodecLimits& limits, const Accelerator* gpu) {
  return std::make_unique<RandomAccess>(path, std::move(index), limits, gpu);
}

}  // namespace framefold
