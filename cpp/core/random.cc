#include "random.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/empty.h>

#include <algorithm>

namespace wuerstchen {

ImageRandom::ImageRandom(uint64_t seed) : generator_(at::detail::createCPUGenerator(seed)) {}

ImageRandom::ImageRandom(const ImageRandom& other) : generator_(other.generator_.clone()), offset_(other.offset_) {}

void ImageRandom::advanceTo(int64_t offset, int64_t size, const StopToken& stop) {
  // torch fills normals in blocks of 16, so any split of a stream into draws of multiples of 16 consumes it alike. A draw of
  // another size fills its last block again, and one of fewer than 16 takes another way altogether: those are repeated as they
  // were.
  constexpr int64_t kBlock = 1 << 20;
  const int64_t most = size > 0 && size % 16 != 0 ? size : kBlock;
  while (offset_ < offset) {
    stop.check();
    normal({std::min(most, offset - offset_)}, c10::ScalarType::Float);
  }
}

void ImageRandom::fill(const at::Tensor& out) {
  out.normal_(0, 1, generator_);
  offset_ += out.numel();
}

at::Tensor ImageRandom::normal(at::IntArrayRef shape, c10::ScalarType dtype) {
  const at::Tensor noise = at::empty(shape, at::TensorOptions().dtype(c10::kFloat));
  fill(noise);
  return noise.to(dtype);
}

}  // namespace wuerstchen
