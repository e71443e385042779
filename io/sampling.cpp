#include "io/sampling.h"

#include <algorithm>

#include "kernels/error.h"

namespace framefold {
namespace {

using Kind = Sampling::Kind;

constexpr Index most = Index{1} << 31;  // so that no product below overflows

void check(const Sampling& sampling) {
  if (sampling.frames < 1 || sampling.stride < 1 || sampling.step < 0 || sampling.clips < 1)
    fail(ErrorCode::argument, "sampling: frames ", sampling.frames, ", stride ", sampling.stride,
         ", step ", sampling.step, ", clips ", sampling.clips, "; expected at least 1, 1, 0 and 1");
  if (sampling.frames > most / sampling.stride || sampling.step > most ||
      sampling.clips > most / sampling.frames)
    fail(ErrorCode::argument, "sampling: ", sampling.frames, " frames at stride ", sampling.stride,
         ", step ", sampling.step, ", ", sampling.clips, " clips; expected products below 2^31");
}

// Place `i` of `count` over [0, room], both ends included; one alone in the middle.
Index spread(Index i, Index count, Index room) {
  return count == 1 ? room / 2 : i * room / (count - 1);
}

}  // namespace

Sampling::Kind sampling_kind(std::string_view name) {
  if (name == "dense") return Kind::dense;
  if (name == "segments") return Kind::segments;
  if (name == "windows") return Kind::windows;
  fail(ErrorCode::argument, "there is no sampling \"", name,
       "\"; expected dense, segments or windows");
}

Index span_of(const Sampling& sampling) {
  check(sampling);
  return (sampling.frames - 1) * sampling.stride + 1;
}

Index clips_in(const Sampling& sampling, Index frames, bool training) {
  const Index span = span_of(sampling), step = sampling.step > 0 ? sampling.step : span;
  if (frames < 1) fail(ErrorCode::argument, "sampling: a video has ", frames, " frames");
  if (sampling.kind != Kind::windows) return training ? 1 : sampling.clips;
  return frames <= span ? 1 : (frames - span + step - 1) / step + 1;
}

void pick_frames(const Sampling& sampling, Index frames, Index clip, Draws* draws,
                 std::span<Index> indices) {
  const Index clips = clips_in(sampling, frames, draws != nullptr);
  if (clip < 0 || clip >= clips || frames > most ||
      static_cast<Index>(indices.size()) != sampling.frames)
    fail(ErrorCode::argument, "sampling: clip ", clip, " of ", clips, ", ", indices.size(),
         " indices of a video of ", frames, " frames; expected ", sampling.frames, " indices");
  const Index count = sampling.frames;
  if (sampling.kind == Kind::segments) {
    for (Index i = 0; i < count; ++i) {
      Index& index = indices[static_cast<std::size_t>(i)];
      if (frames < count) {
        index = std::min(i, frames - 1);
      } else if (draws != nullptr) {
        const Index first = i * frames / count;
        index = first + draws->below((i + 1) * frames / count - first);
      } else {
        const Index middle = clips == 1 ? 1 : 0;
        index = (2 * (i * clips + clip) + middle) * frames / (2 * count * clips);
      }
    }
    return;
  }
  const Index span = span_of(sampling), room = std::max<Index>(0, frames - span);
  Index first = 0;
  if (sampling.kind == Kind::windows)
    first = std::min(clip * (sampling.step > 0 ? sampling.step : span), room);
  else
    first = draws != nullptr ? draws->below(room + 1) : spread(clip, clips, room);
  for (Index i = 0; i < count; ++i)
    indices[static_cast<std::size_t>(i)] = std::min(first + i * sampling.stride, frames - 1);
}

Box crop_of(Index h, Index w, Index height, Index width, Index crop, Index crops) {
  if (h < 1 || w < 1 || height < 1 || width < 1 || std::max({h, w, height, width}) > most ||
      crop < 0 || crop >= crops || crops > most)
    fail(ErrorCode::argument, "sampling: crop ", crop, " of ", crops, " of ", h, " x ", w,
         " pixels for ", height, " x ", width);
  Box box{0, 0, h, w};
  // The side that is too long, rounded to the nearest.
  if (w * height > h * width) {
    box.width = std::clamp<Index>((2 * h * width + height) / (2 * height), 1, w);
    box.x = spread(crop, crops, w - box.width);
  } else {
    box.height = std::clamp<Index>((2 * w * height + width) / (2 * width), 1, h);
    box.y = spread(crop, crops, h - box.height);
  }
  return box;
}

}  // namespace framefold
