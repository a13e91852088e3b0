#include "block_cache.h"

#include <c10/core/CPUAllocator.h>
#include <c10/core/impl/alloc_cpu.h>
#include <c10/util/Exception.h>

#include <array>
#include <new>
#include <utility>

namespace wuerstchen {

namespace {

// In front of a tensor's memory, and as large as its alignment.
struct alignas(blocks::kSmallest) Block {
  size_t size;  // of the tensor's memory, this header not included
  Block* next;  // of those that are kept in the same class

  void* memory() noexcept { return this + 1; }
  static Block* of(void* memory) noexcept { return static_cast<Block*>(memory) - 1; }
};

struct Pool {
  std::array<Block*, blocks::classOf(BlockCache::kLargestBlock) + 1> first{};
  size_t bytes = 0;
  bool active = false;
};
// No destructor: another thread_local's may free tensors later.
thread_local constinit Pool pool;

bool isCached(size_t bytes) noexcept { return pool.active && bytes <= BlockCache::kLargestBlock; }

Block* takeKept(size_t size) noexcept {
  Block*& first = pool.first[blocks::classOf(size)];
  if (first == nullptr) return nullptr;
  pool.bytes -= size;
  return std::exchange(first, first->next);
}

Block* allocateBlock(size_t size) {
  const size_t bytes = size + sizeof(Block);
  if (bytes < size) throw std::bad_alloc();
  try {
    return static_cast<Block*>(c10::alloc_cpu(bytes));
  } catch (const c10::Error&) {
    if (pool.bytes == 0) throw;
  }
  BlockCache::clear();
  return static_cast<Block*>(c10::alloc_cpu(bytes));
}

void release(void* memory) {
  if (memory == nullptr) return;
  Block* const block = Block::of(memory);
  // A block of another thread, or of a pause, has just its tensor's size.
  if (!isCached(block->size) || blocks::sizeOf(block->size) != block->size) return c10::free_cpu(block);
  // Sizes that are no longer asked for must not keep those out that are.
  if (pool.bytes + block->size > BlockCache::kMostKept) BlockCache::clear();
  pool.bytes += block->size;
  block->next = std::exchange(pool.first[blocks::classOf(block->size)], block);
}

struct Allocator final : c10::Allocator {
  c10::DataPtr allocate(size_t bytes) override {
    if (bytes == 0) return {nullptr, nullptr, &release, c10::kCPU};
    const bool cached = isCached(bytes);
    const size_t size = cached ? blocks::sizeOf(bytes) : bytes;
    Block* block = cached ? takeKept(size) : nullptr;
    if (block == nullptr) block = new (allocateBlock(size)) Block{size, nullptr};
    return {block->memory(), block->memory(), &release, c10::kCPU};
  }

  c10::DeleterFnPtr raw_deleter() const override { return &release; }

  void copy_data(void* to, const void* from, size_t bytes) const override { default_copy_data(to, from, bytes); }
};

// For the whole process and for ever: tensors that it made outlive every engine.
void install() {
  static auto* const allocator = new Allocator;
  static const bool isInstalled = (c10::SetCPUAllocator(allocator), true);
  static_cast<void>(isInstalled);
}

}  // namespace

BlockCache::BlockCache() noexcept {
#ifndef __SANITIZE_ADDRESS__  // which would not see that a kept block is used after it was freed
  install();
  pool.active = true;
#endif
}

BlockCache::~BlockCache() {
  pool.active = false;
  clear();
}

BlockCache::Off::Off() noexcept : wasActive_(std::exchange(pool.active, false)) {}

BlockCache::Off::~Off() { pool.active = wasActive_; }

void BlockCache::clear() noexcept {
  for (Block*& first : pool.first) {
    while (first != nullptr) c10::free_cpu(std::exchange(first, first->next));
  }
  pool.bytes = 0;
}

size_t BlockCache::kept() noexcept { return pool.bytes; }

}  // namespace wuerstchen
