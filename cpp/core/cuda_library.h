// The half of LibTorch that computes on GPUs.
#pragma once

#include <string>

namespace wuerstchen {

// Opens libtorch_cuda.so beside the LibTorch that runs, once in a process; it registers itself. Nothing here is linked with it: a
// binary made for one build of LibTorch fits all builds of that minor version, and a CUDA build without NVIDIA's libraries
// still computes on the CPU.
//
// Returns why there is no CUDA: empty if there is. A machine without a GPU has it too, where LibTorch is a CUDA build.
const std::string& openCudaLibrary();

}  // namespace wuerstchen
