// Memory that was freed, back to the system.
#pragma once

#include <c10/core/CachingDeviceAllocator.h>

#include <cstdlib>  // defines __GLIBC__

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace wuerstchen {

// To be called after weights were loaded or unloaded. For the next allocation, glibc keeps what lies between blocks that are
// still used, and LibTorch keeps all memory of a GPU that it ever had. No other process could use that memory meanwhile.
inline void giveBackMemory(c10::Device device) noexcept {
  try {
    if (!device.is_cpu()) c10::getDeviceAllocator(device.type())->emptyCache();
  } catch (...) {
    // The GPU has failed. The next call that needs it will say so.
  }
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

}  // namespace wuerstchen
