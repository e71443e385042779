// A vendor's shared library, opened when its path is first wanted: hundreds of megabytes that no
// other run waits for, and that a machine may lack.
#pragma once

#include <dlfcn.h>

#include <cstdint>
#include <initializer_list>

#include "kernels/device.h"
#include "kernels/device/check.h"

namespace framefold::gpu {

class Library {
 public:
  // The first of the names that the system finds.
  explicit Library(std::initializer_list<const char*> names) {
    for (const char* name : names)
      if (handle_ == nullptr) handle_ = ::dlopen(name, RTLD_NOW | RTLD_LOCAL);
  }
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;

  explicit operator bool() const { return handle_ != nullptr; }

  template <class Function>
  void find(Function*& function, const char* name) {
    if (handle_ != nullptr) function = reinterpret_cast<Function*>(::dlsym(handle_, name));
    if (function == nullptr) handle_ = nullptr;  // another version: as good as none
  }

 private:
  void* handle_ = nullptr;  // never closed: handles and plans live as long as the process
};

// Whether packs of 16 bytes may be read from all of them, as vendors' algorithms are chosen for.
template <class... P>
bool aligned_to_16(const P*... pointers) {
  return ((reinterpret_cast<std::uintptr_t>(pointers) % 16 == 0) && ...);
}

}  // namespace framefold::gpu
