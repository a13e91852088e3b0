// Memory that was freed, back to the system.
#pragma once

#include <c10/core/CachingDeviceAllocator.h>

#include <cstdlib>  // defines __GLIBC__

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace wuerstchen {

// After weights were loaded or unloaded. glibc keeps what lies between blocks that are still used, and LibTorch keeps all of a
// GPU's memory it ever had, for the next allocation; for a process that goes on without those weights that is memory nobody else
// can have.
inline void giveBackMemory(c10::Device device) noexcept {
  try {
    if (!device.is_cpu()) c10::getDeviceAllocator(device.type())->emptyCache();
  } catch (...) {
    // A GPU that has failed; whoever asks it for something hears of that.
  }
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

}  // namespace wuerstchen
