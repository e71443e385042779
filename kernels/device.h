// How an operation finds its kernels for a device: X.cu registers its launchers, X_cpu.cpp asks.
//
//   kernels/X.cu        const OnDevice<&X_forward> forward_path(gpu::X_forward);
//   kernels/X_cpu.cpp   if (on_device(stream)) return device<&X_forward>(stream, y, x);
//
// A launcher has the signature of the function that it stands for. So nothing above the kernels
// knows which of them exist, and tests can put kernels that run on the host in their place.
#pragma once

#include <algorithm>
#include <string_view>
#include <type_traits>

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

// A vendor's path beside ours, where Path::vendor is wanted. It takes the same arguments: what
// computes returns whether it did (false: it does not support these operands), what counts a
// workspace returns bytes, and what asks whether there is such a path answers.
template <class R, class... A>
auto vendor_type(R (*)(A...)) -> std::conditional_t<std::is_void_v<R>, bool, R> (*)(A...);

template <auto function>
struct OnVendor {
  using Launcher = decltype(vendor_type(function));
  explicit OnVendor(Launcher path) { launcher = path; }
  [[gnu::visibility("default")]] static inline Launcher launcher = nullptr;
};

inline bool on_device(const Stream& stream) { return stream.device.kind == Device::Kind::cuda; }

template <auto function, class... Arguments>
auto device(const Stream& stream, const Arguments&... arguments) {
  using Result = decltype(OnDevice<function>::launcher(stream, arguments...));
  const auto vendor = stream.path == Path::vendor ? OnVendor<function>::launcher : nullptr;
  if constexpr (std::is_void_v<Result>) {
    if (vendor && vendor(stream, arguments...)) return;
  }
  if (!OnDevice<function>::launcher)
    fail(ErrorCode::unavailable, function_name<function>(),
         ": this build has no CUDA kernel; build with `cmake --preset cuda`, or take the device "
         "cpu");
  if constexpr (std::is_same_v<Result, Bytes>) {  // ours too: the vendor's may still decline
    if (vendor)
      return std::max(vendor(stream, arguments...),
                      OnDevice<function>::launcher(stream, arguments...));
  }
  return OnDevice<function>::launcher(stream, arguments...);
}

// Whether a vendor's path on the device supports these operands.
template <auto function, class... Arguments>
bool vendor_has(const Stream& stream, const Arguments&... arguments) {
  return OnVendor<function>::launcher && OnVendor<function>::launcher(stream, arguments...);
}

}  // namespace framefold
