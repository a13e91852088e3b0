#include "cuda_library.h"

#include <dlfcn.h>
#include <torch/csrc/inductor/aoti_torch/c/shim.h>
#include <unistd.h>

namespace wuerstchen {

namespace {

std::string open() {
  Dl_info libtorch{};
  if (dladdr(reinterpret_cast<void*>(&aoti_torch_abi_version), &libtorch) == 0) return "LibTorch's folder is not known";
  const std::string path = libtorch.dli_fname;
  const std::string folder = path.substr(0, path.rfind('/') + 1);
  if (access((folder + "libtorch_cuda.so").c_str(), F_OK) != 0) return "this LibTorch is a CPU build";
  // The first is a part of the second, which names it without a folder: another LibTorch's could be taken (cpp/loader).
  for (const char* const name : {"libc10_cuda.so", "libtorch_cuda.so"}) {
    // Never closed: what it has registered stays.
    if (dlopen((folder + name).c_str(), RTLD_LAZY | RTLD_NODELETE) == nullptr)
      return std::string("LibTorch's CUDA libraries cannot be loaded: ") + dlerror();
  }
  return "";
}

}  // namespace

const std::string& openCudaLibrary() {
  static const std::string reason = open();
  return reason;
}

}  // namespace wuerstchen
