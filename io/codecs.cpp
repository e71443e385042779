#include "io/codecs.h"

#include "io/plugin.h"
#include "kernels/error.h"

namespace framefold {

const Codecs& codecs() {
  static const Plugin plugin = open_plugin("libframefold_codecs.so", "framefold_codecs");
  if (plugin.symbol == nullptr)
    fail(ErrorCode::unavailable, "videos and pictures other than PNG need FFmpeg's libav, but ",
         plugin.reason, "; build with FRAMEFOLD_FFMPEG=ON");
  return *reinterpret_cast<const Codecs* (*)()>(plugin.symbol)();
}

}  // namespace framefold
