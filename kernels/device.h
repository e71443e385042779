// How an operation finds its kernels for a device: X.cu registers its launchers, X_cpu.cpp asks.
//
//   kernels/X.cu        const OnDevice<&X_forward> forward_path(gpu::X_forward);
//   kernels/X_cpu.cpp   if (on_device(stream)) return device<&X_forward>(stream, y, x);
//
// A launcher has the signature of the function that it stands for. So nothing above the kernels
// knows which of them exist, and tests can put kernels that run on the host in their place.
#pragma once

#include <string_view>
#include <utility>

#include "kernels/error.h"
#include "kernels/stream.h"

namespace framefold {

// The name of a function as the source writes it, with its namespaces and template arguments.
template <auto function>
constexpr std::string_view function_name() {
  std::string_view name = __PRETTY_FUNCTION__;
  name.remove_prefix(name.find("function = ") + 11);
  return name.substr(0, name.find_first_of(";]"));
}

template <auto function>
struct OnDevice {
  explicit OnDevice(decltype(function) path) { launcher = path; }
  [[gnu::visibility("default")]] static inline decltype(function) launcher = nullptr;
};

inline bool on_device(const Stream& stream) { return stream.device.kind == Device::Kind::cuda; }

template <auto function, class... Arguments>
auto device(Arguments&&... arguments) {
  if (!OnDevice<function>::launcher)
    fail(ErrorCode::unavailable, function_name<function>(), ": this build has no CUDA kernel");
  return OnDevice<function>::launcher(std::forward<Arguments>(arguments)...);
}

}  // namespace framefold
