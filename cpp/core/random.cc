#include "random.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/randn.h>

#include <algorithm>

namespace wuerstchen {

ImageRandom::ImageRandom(uint64_t seed) : generator_(at::detail::createCPUGenerator(seed)) {}

ImageRandom::ImageRandom(const ImageRandom& other) : generator_(other.generator_.clone()), offset_(other.offset_) {}

void ImageRandom::advanceTo(int64_t offset, const StopToken& stop) {
  // torch fills normals in blocks of 16, so any split of a stream into draws of multiples of 16 consumes it alike. Every draw
  // here is such a multiple: the prior's latents have 16 channels, and the decoder's have sides that are multiples of 16.
  constexpr int64_t kBlock = 1 << 20;
  while (offset_ < offset) {
    stop.check();
    normal({std::min(kBlock, offset - offset_)}, c10::ScalarType::Float);
  }
}

at::Tensor ImageRandom::normal(at::IntArrayRef shape, c10::ScalarType dtype) {
  // LibTorch 2.11 and 2.12 draw half types in half precision, which gives other noise, and later ones as here.
  const at::Tensor noise = at::randn(shape, generator_, at::TensorOptions().dtype(c10::kFloat).device(c10::kCPU));
  offset_ += noise.numel();
  return noise.to(dtype);
}

}  // namespace wuerstchen
