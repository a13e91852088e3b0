// The export table. Signatures: `Native` in lib/native.ts.
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <dlfcn.h>
#include <torch/headeronly/version.h>

#include <string>
#include <utility>

#include "engine_binding.h"
#include "environment.h"
#include "stage.h"
#include "tensor.h"

namespace wuerstchen::addon {

namespace {

#ifdef WUERSTCHEN_WITH_CUDA
constexpr bool kBuiltWithCuda = true;
#else
constexpr bool kBuiltWithCuda = false;
#endif

Napi::Value initialize(const Napi::CallbackInfo& info) {
  Environment::of(info.Env()).setErrorClass(info[0].As<Napi::Function>());
  return info.Env().Undefined();
}

// A GPU's compute capability, as "9.0"; empty where the driver does not say. From the driver itself, since LibTorch's headers for
// it need a CUDA toolkit. LibTorch has initialised it when it counted the devices.
std::string gpuArchitecture(int device) {
  constexpr int kMajor = 75, kMinor = 76;  // CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_*
  void* const driver = dlopen("libcuda.so.1", RTLD_LAZY);
  const auto attribute =
      driver == nullptr ? nullptr : reinterpret_cast<int (*)(int*, int, int)>(dlsym(driver, "cuDeviceGetAttribute"));
  int major = 0, minor = 0;
  if (attribute == nullptr || attribute(&major, kMajor, device) != 0 || attribute(&minor, kMinor, device) != 0) return "";
  return std::to_string(major) + "." + std::to_string(minor);
}

Napi::Value runtimeInfo(const Napi::CallbackInfo& info) {
  const bool available = at::hasCUDA();
  auto cuda = Napi::Object::New(info.Env());
  cuda.Set("built", kBuiltWithCuda);
  cuda.Set("available", available);
  const int devices = available ? static_cast<int>(at::detail::getCUDAHooks().deviceCount()) : 0;
  auto architectures = Napi::Array::New(info.Env());
  for (int i = 0; i < devices; ++i) architectures.Set(static_cast<uint32_t>(i), gpuArchitecture(i));
  cuda.Set("devices", devices);
  cuda.Set("architectures", architectures);
  cuda.Set("reason", available        ? ""
                     : kBuiltWithCuda ? "LibTorch has CUDA but finds no usable device or driver"
                                      : "this LibTorch is a CPU build");
  auto o = Napi::Object::New(info.Env());
  o.Set("torchVersion", TORCH_VERSION);
  o.Set("cpuCapability", at::get_cpu_capability());
  o.Set("threads", at::get_num_threads());
  o.Set("cuda", cuda);
  return o;
}

Napi::Value shutdown(const Napi::CallbackInfo& info) {
  Environment::of(info.Env()).stopThreads();
  return info.Env().Undefined();
}

using Callback = Napi::Value (*)(const Napi::CallbackInfo&);

// Every exported function: whatever C++ throws becomes the error class TypeScript handed over.
template <Callback callback>
Napi::Value guarded(const Napi::CallbackInfo& info) {
  try {
    return callback(info);
  } catch (const Napi::Error&) {
    throw;
  } catch (...) {
    const Failure failure = describe(std::current_exception());
    throw Napi::Error(info.Env(), Environment::of(info.Env()).makeError(info.Env(), failure));
  }
}

template <Callback callback>
void add(Napi::Object& exports, const char* name) {
  exports.Set(name, Napi::Function::New<guarded<callback>>(exports.Env(), name));
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData(new Environment(env));
  add<initialize>(exports, "initialize");
  add<runtimeInfo>(exports, "runtimeInfo");
  add<createTensor>(exports, "createTensor");
  add<tensorInfo>(exports, "tensorInfo");
  add<tensorTo>(exports, "tensorTo");
  add<tensorData>(exports, "tensorData");
  add<disposeTensor>(exports, "disposeTensor");
  add<loadStage>(exports, "loadStage");
  add<runStage>(exports, "runStage");
  add<disposeStage>(exports, "disposeStage");
  add<createEngine>(exports, "createEngine");
  add<submit>(exports, "submit");
  add<cancel>(exports, "cancel");
  add<preprocessImage>(exports, "preprocessImage");
  add<encodeImage>(exports, "encodeImage");
  add<encodeLatents>(exports, "encodeLatents");
  add<decodeLatents>(exports, "decodeLatents");
  add<engineStats>(exports, "engineStats");
  add<disposeEngine>(exports, "disposeEngine");
  add<shutdown>(exports, "shutdown");
  return exports;
}

}  // namespace

}  // namespace wuerstchen::addon

static Napi::Object initAddon(Napi::Env env, Napi::Object exports) { return wuerstchen::addon::init(env, exports); }
NODE_API_MODULE(wuerstchen, initAddon)
