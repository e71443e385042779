#include "io/codecs.h"

#include <algorithm>
#include <array>

#include "io/plugin.h"
#include "kernels/error.h"

namespace framefold {
namespace {

constexpr std::array<std::string_view, 3> hardware_names = {"off", "auto", "require"};

void* symbol_of(const char* name) {
  const Plugin plugin = open_plugin("libframefold_codecs.so", name);
  if (plugin.symbol == nullptr)
    fail(ErrorCode::unavailable, "videos and pictures other than PNG need FFmpeg's libav, but ",
         plugin.reason, "; build with FRAMEFOLD_FFMPEG=ON");
  return plugin.symbol;
}

}  // namespace

const Codecs& codecs() {
  static const auto make = reinterpret_cast<const Codecs* (*)()>(symbol_of("framefold_codecs"));
  return *make();
}

Hardware hardware_kind(std::string_view name) {
  const auto found = std::ranges::find(hardware_names, name);
  if (found == hardware_names.end())
    fail(ErrorCode::argument, "there is no hardware \"", name, "\", expected off, auto or require");
  return static_cast<Hardware>(found - hardware_names.begin());
}

std::string_view name_of(Hardware hardware) {
  return hardware_names[static_cast<std::size_t>(hardware)];
}

std::shared_ptr<const Codecs> codecs_with(Hardware hardware, const Announce& announce) {
  if (hardware == Hardware::off) return {&codecs(), [](const Codecs*) {}};
  const auto make =
      reinterpret_cast<const Codecs* (*)(bool, const Announce&)>(symbol_of("framefold_gpu_codecs"));
  return std::shared_ptr<const Codecs>(make(hardware == Hardware::require, announce));
}

}  // namespace framefold
