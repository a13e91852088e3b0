#include "runtime_info.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <dlfcn.h>
#include <torch/csrc/inductor/aoti_torch/c/shim.h>

#include <string>

#include "cuda_library.h"

namespace wuerstchen::addon {

namespace {

// Of the LibTorch that runs: its patch version may be another than that of the headers.
std::string torchVersion() {
  const uint64_t version = aoti_torch_abi_version();  // a byte each from the top: major, minor, patch
  const auto part = [version](int byte) { return std::to_string((version >> (8 * byte)) & 0xFF); };
  return part(7) + "." + part(6) + "." + part(5);
}

// A GPU's compute capability, as "9.0", or an empty string where the driver does not say. LibTorch's headers for it need a CUDA
// toolkit, so this asks the driver itself, which LibTorch has initialised when it counted the devices.
std::string gpuArchitecture(int device) {
  constexpr int kMajor = 75, kMinor = 76;  // CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_*
  void* const driver = dlopen("libcuda.so.1", RTLD_LAZY);
  const auto attribute =
      driver == nullptr ? nullptr : reinterpret_cast<int (*)(int*, int, int)>(dlsym(driver, "cuDeviceGetAttribute"));
  int major = 0, minor = 0;
  if (attribute == nullptr || attribute(&major, kMajor, device) != 0 || attribute(&minor, kMinor, device) != 0) return "";
  return std::to_string(major) + "." + std::to_string(minor);
}

}  // namespace

Napi::Value runtimeInfo(const Napi::CallbackInfo& info) {
  const std::string& withoutCuda = openCudaLibrary();
  const bool available = at::hasCUDA();
  auto cuda = Napi::Object::New(info.Env());
  cuda.Set("built", withoutCuda.empty());
  cuda.Set("available", available);
  const int devices = available ? static_cast<int>(at::detail::getCUDAHooks().deviceCount()) : 0;
  auto architectures = Napi::Array::New(info.Env());
  for (int i = 0; i < devices; ++i) architectures.Set(static_cast<uint32_t>(i), gpuArchitecture(i));
  cuda.Set("devices", devices);
  cuda.Set("architectures", architectures);
  const std::string reason = withoutCuda.empty() ? "LibTorch has CUDA but finds no usable device or driver" : withoutCuda;
  cuda.Set("reason", available ? "" : reason);
  auto o = Napi::Object::New(info.Env());
  o.Set("torchVersion", torchVersion());
  o.Set("cpuCapability", at::get_cpu_capability());
  // As LibTorch would use on a thread that nobody has told, whatever this thread was told.
  static const int threads = at::get_num_threads();
  o.Set("threads", threads);
  o.Set("cuda", cuda);
  return o;
}

}  // namespace wuerstchen::addon
