// One random stream per image: torch's CPU generator, drawn in diffusers' order (start latents, then one draw a step,
// the unused last one included). A seed therefore gives the reference's noise on every device, alone or in any batch.
#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include <cstdint>

namespace wuerstchen {

class ImageRandom {
 public:
  // `offset`: normals the stream has already given away elsewhere; they are drawn again and dropped.
  ImageRandom(uint64_t seed, int64_t offset);

  // Standard normals on the CPU. The draw is made in `dtype`, as diffusers does in the model's dtype.
  at::Tensor normal(at::IntArrayRef shape, c10::ScalarType dtype);

  int64_t offset() const { return offset_; }

 private:
  at::Generator generator_;
  int64_t offset_ = 0;
};

}  // namespace wuerstchen
