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
  const std::string library = path.substr(0, path.rfind('/') + 1) + "libtorch_cuda.so";
  if (access(library.c_str(), F_OK) != 0) return "this LibTorch is a CPU build";
  // Never closed: what it has registered stays.
  if (dlopen(library.c_str(), RTLD_LAZY | RTLD_NODELETE) != nullptr) return "";
  return std::string("LibTorch's CUDA libraries cannot be loaded: ") + dlerror();
}

}  // namespace

const std::string& openCudaLibrary() {
  static const std::string reason = open();
  return reason;
}

}  // namespace wuerstchen
