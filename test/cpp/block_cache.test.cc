#include "block_cache.h"

#include <ATen/ATen.h>

#include <thread>

#include "check.h"

using namespace wuerstchen;

#ifndef __SANITIZE_ADDRESS__

namespace {

at::Tensor bytes(size_t count) { return at::empty({static_cast<int64_t>(count)}, at::kByte); }

// The address of a tensor that is freed at once.
const void* addressOf(size_t count) { return bytes(count).data_ptr(); }

}  // namespace

TEST(blockCache, sizesAreAtMostAnEighthApartAndNumberedWithoutGaps) {
  size_t before = 0, number = 0;
  for (size_t size = blocks::sizeOf(1); size <= BlockCache::kLargestBlock; size = blocks::sizeOf(size + 1)) {
    CHECK(blocks::classOf(size) == number++);
    CHECK(size % 64 == 0 && blocks::sizeOf(size) == size && blocks::sizeOf(before + 1) == size);
    CHECK(size - before <= std::max<size_t>(64, size / 8));
    before = size;
  }
  CHECK(before == BlockCache::kLargestBlock);
}

TEST(blockCache, givesAThreadWhatItFreed) {
  const BlockCache cache;
  const void* const first = addressOf(10'000);
  CHECK(BlockCache::kept() == blocks::sizeOf(10'000));
  const at::Tensor again = bytes(9'999);
  CHECK(again.data_ptr() == first && BlockCache::kept() == 0);
  CHECK(reinterpret_cast<uintptr_t>(again.data_ptr()) % 64 == 0);
  CHECK(bytes(10'000).data_ptr() != first);  // is in use
}

TEST(blockCache, keepsTensorsAndTheirValuesApart) {
  const BlockCache cache;
  std::vector<at::Tensor> tensors;
  for (int64_t i = 0; i < 500; ++i) {
    tensors.push_back(at::full({1 + i * 37 % 3000}, i));
    if (i % 3 == 0) tensors.erase(tensors.begin() + i * 7 % static_cast<int64_t>(tensors.size()));
  }
  for (const at::Tensor& tensor : tensors) CHECK(at::equal(tensor, at::full_like(tensor, tensor[0].item<int64_t>())));
}

TEST(blockCache, keepsNoMoreThanItMay) {
  const BlockCache cache;
  std::vector<at::Tensor> tensors;
  for (size_t i = 0; i < 12; ++i) tensors.push_back(bytes(BlockCache::kLargestBlock));
  tensors.push_back(bytes(BlockCache::kLargestBlock + 1));
  while (!tensors.empty()) {
    tensors.pop_back();
    CHECK(BlockCache::kept() <= BlockCache::kMostKept);
  }
  CHECK(BlockCache::kept() > 0);
  BlockCache::clear();
  CHECK(BlockCache::kept() == 0);
}

TEST(blockCache, leavesOtherThreadsAlone) {
  const BlockCache cache;
  at::Tensor mine = bytes(5000), theirs;
  std::thread([&mine] {
    mine.reset();
    CHECK(BlockCache::kept() == 0);
  }).join();
  std::thread([&theirs] { theirs = bytes(5000); }).join();
  theirs.reset();  // just its own size, which is none of the cache's
  CHECK(BlockCache::kept() == 0);
}

TEST(blockCache, isOffForWeights) {
  const BlockCache cache;
  at::Tensor weight;
  {
    const BlockCache::Off off;
    weight = bytes(5000);
    addressOf(5000);
    CHECK(BlockCache::kept() == 0);
  }
  addressOf(5000);
  CHECK(BlockCache::kept() > 0);
}

TEST(blockCache, asksAgainWithoutWhatItKeepsWhereMemoryIsRefused) {
  const BlockCache cache;
  addressOf(5000);
  const auto failure = failureOf([] { bytes(size_t{1} << 60); });
  CHECK(failure && failure->code == Code::OutOfMemory);
  CHECK(BlockCache::kept() == 0);
  addressOf(5000);
  CHECK(BlockCache::kept() > 0);
}

TEST(blockCache, endsWithItsThread) {
  at::Tensor survivor;
  std::thread([&survivor] {
    const BlockCache cache;
    survivor = at::ones({1000});
    addressOf(5000);
  }).join();
  CHECK(survivor.sum().item<float>() == 1000);
  CHECK(BlockCache::kept() == 0);
}

#else

TEST(blockCache, isOffUnderAddressSanitizer) {
  const BlockCache cache;
  at::ones({1000});
  CHECK(BlockCache::kept() == 0);
}

#endif
