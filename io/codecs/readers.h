// The three ways to go through a file; their contracts are those of io/codecs.h.
#pragma once

#include <memory>
#include <string>

#include "io/codecs.h"

namespace framefold {

class Accelerator;

VideoIndex scan_video(const std::string& path, const CodecLimits& limits);
std::unique_ptr<VideoReader> random_access(const std::string& path,
                                           std::shared_ptr<const VideoIndex> index,
                                           const CodecLimits& limits, const Accelerator* gpu);
std::unique_ptr<FrameReader> in_sequence(const std::string& path, const FrameFormat& format,
                                         const CodecLimits& limits, const Accelerator* gpu);

}  // namespace framefold
