// Memory that was freed, back to the system.
#pragma once

#include <c10/core/CachingDeviceAllocator.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdlib>  // defines __GLIBC__

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace wuerstchen {

// One program's weights, counted where they are.
class WeightsOn {
 public:
  explicit WeightsOn(c10::Device device) noexcept : count_(counter(device)) { ++count_; }
  ~WeightsOn() { --count_; }
  WeightsOn(const WeightsOn&) = delete;
  WeightsOn& operator=(const WeightsOn&) = delete;

  // How many programs of this process have their weights on the device.
  static int64_t count(c10::Device device) noexcept { return counter(device); }

 private:
  // The CPU's index is -1, and no GPU's is above 127.
  static std::atomic<int64_t>& counter(c10::Device device) noexcept {
    return counts_.at(device.is_cpu() ? 0 : static_cast<size_t>(device.index()) + 1);
  }

  static inline std::array<std::atomic<int64_t>, 129> counts_{};
  std::atomic<int64_t>& count_;
};

// Whether LibTorch's memory of the device is wanted by nobody in this process. Emptying it takes the free blocks from every
// engine of the device, waits for all of them, and breaks a recording of another's kernels. LibTorch empties all GPUs at once:
// the engines of another GPU then wait once, and allocate anew.
inline bool isAbandoned(c10::Device device) noexcept { return !device.is_cpu() && WeightsOn::count(device) == 0; }

inline void giveBackMemory(c10::Device device, bool withCache) noexcept {
  try {
    if (withCache) c10::getDeviceAllocator(device.type())->emptyCache();
  } catch (...) {
    // The GPU has failed. The next call that needs it will say so.
  }
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

// To be called after weights were loaded or unloaded. For the next allocation, glibc keeps what lies between blocks that are
// still used, and LibTorch keeps all memory of a GPU that it ever had. No other process could use that memory meanwhile. A GPU's
// goes back with the last weights there.
inline void giveBackMemory(c10::Device device) noexcept { giveBackMemory(device, isAbandoned(device)); }

// To be called after memory was refused. LibTorch empties what is free before it refuses memory of its own, but not before the
// driver refuses what it needs for kernels.
inline void makeRoom(c10::Device device) noexcept { giveBackMemory(device, !device.is_cpu()); }

}  // namespace wuerstchen
