// One random stream per image: torch's CPU generator, drawn in diffusers' order (start latents, then one draw a step,
// the unused last one included). A seed therefore gives the reference's noise on every device, alone or in any batch.
#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include <cstdint>

#include "stop.h"

namespace wuerstchen {

class ImageRandom {
 public:
  explicit ImageRandom(uint64_t seed);
  // A stream of its own that goes on where `other` stands.
  ImageRandom(const ImageRandom& other);
  ImageRandom(ImageRandom&&) = default;
  ImageRandom& operator=(ImageRandom&&) = default;

  // Drops normals until `offset` have been given away: those that were drawn elsewhere, `size` at a time. Throws Code::Cancelled
  // once `stop` is stopped.
  void advanceTo(int64_t offset, int64_t size, const StopToken& stop);

  // Fills a contiguous float32 tensor on the CPU with standard normals.
  void fill(const at::Tensor& out);

  // Standard normals on the CPU, drawn in float32 and then rounded. LibTorch's own draws in half types are the same numbers, but
  // not in 2.11, and in no version where a size is no multiple of 16.
  at::Tensor normal(at::IntArrayRef shape, c10::ScalarType dtype);

  int64_t offset() const { return offset_; }

 private:
  at::Generator generator_;
  int64_t offset_ = 0;
};

}  // namespace wuerstchen
