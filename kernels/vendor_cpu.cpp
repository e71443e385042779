#include "kernels/vendor.h"

#include "kernels/device.h"

#ifdef FRAMEFOLD_ONEDNN
#include <dnnl.h>
#endif

namespace framefold {

std::vector<std::pair<std::string, std::string>> vendor_libraries(const Stream& stream) {
  if (on_device(stream)) {
    const auto launcher = OnVendor<&vendor_libraries>::launcher;
    if (launcher) return launcher(stream);
    return {};
  }
#ifdef FRAMEFOLD_ONEDNN
  const dnnl_version_t* dnnl = dnnl_version();
  return {{"oneDNN", text(dnnl->major, '.', dnnl->minor, '.', dnnl->patch)}};
#else
  return {};
#endif
}

}  // namespace framefold
