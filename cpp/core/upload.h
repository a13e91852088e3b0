// Numbers that the CPU makes, on their way to the device.
//
// A copy from ordinary memory waits until a GPU has done all that was asked of it before. A copy from pinned memory is queued
// behind that, and nobody waits. LibTorch gives such memory to nobody else before the copy has ended, also where its tensor is
// gone by then. On a CPU there is nothing to copy: the tensor itself is what the program takes.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

namespace wuerstchen {

// float32 on the CPU, to be filled and then uploaded.
inline at::Tensor emptyForUpload(at::IntArrayRef shape, c10::Device device) {
  return at::empty(shape, at::TensorOptions().dtype(c10::kFloat).pinned_memory(!device.is_cpu()));
}

inline at::Tensor upload(const at::Tensor& filled, c10::Device device) {
  return filled.to(at::TensorOptions().device(device), /*non_blocking=*/true);
}

}  // namespace wuerstchen
