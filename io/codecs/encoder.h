// Pictures as a video file; the contract is Codecs::mp4 of io/codecs.h.
#pragma once

#include <span>
#include <string>

#include "io/picture.h"

namespace framefold {

std::string mp4_of(std::span<const Picture> frames, double frames_per_second);

}  // namespace framefold
