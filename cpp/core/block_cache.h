// Memory that a thread has freed, for its next tensors.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>

namespace wuerstchen {

// While one lives, memory of tensors that its thread frees is kept for tensors that its thread makes next. A step of a network
// makes and frees the same hundreds of tensors as the step before. The system's allocator splits and joins its blocks for each,
// and takes pages from the kernel for the larger ones (docs/performance.md has the share of that).
//
// Rules
// 1. One a thread at a time, made and destroyed by that thread.
// 2. Any thread may free a block. Only one with a cache keeps it.
// 3. What is kept is bounded. Memory that is refused is asked for once more, without what this thread keeps.
class BlockCache {
 public:
  BlockCache() noexcept;
  ~BlockCache();
  BlockCache(const BlockCache&) = delete;
  BlockCache& operator=(const BlockCache&) = delete;

  // Gives what this thread keeps back to the system's allocator.
  static void clear() noexcept;

  // Bytes that this thread keeps.
  static size_t kept() noexcept;

  // While one lives, nothing is kept or rounded up: weights stay, and are not made again and again.
  class Off {
   public:
    Off() noexcept;
    ~Off();
    Off(const Off&) = delete;
    Off& operator=(const Off&) = delete;

   private:
    bool wasActive_;
  };

  static constexpr size_t kMostKept = size_t{64} << 20;
  static constexpr size_t kLargestBlock = size_t{16} << 20;  // larger ones are the kernel's to zero, which costs them little
};

namespace blocks {

constexpr size_t kSmallest = 64;  // what LibTorch aligns memory to
constexpr size_t kParts = 8;      // sizes between a power of two and the next

// Blocks come in sizes that are at most an eighth apart. The size for `bytes`, from 1 to kLargestBlock.
constexpr size_t sizeOf(size_t bytes) noexcept {
  const size_t part = std::max(kSmallest, std::bit_floor(bytes - 1) / kParts);
  return (bytes + part - 1) / part * part;
}

// The number of a size: 0 for the smallest, and no gaps.
constexpr size_t classOf(size_t size) noexcept {
  const size_t floor = std::bit_floor(size - 1);
  if (floor < kSmallest * kParts) return size / kSmallest - 1;
  const auto octave = static_cast<size_t>(std::countr_zero(floor) - std::countr_zero(kSmallest * kParts));
  return kParts + octave * kParts + (size - floor) / (floor / kParts) - 1;
}

}  // namespace blocks

}  // namespace wuerstchen
