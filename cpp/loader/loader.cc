// Opens LibTorch for the addon, and knows nothing else of it. The addon names its libraries without a folder: the system takes
// those that the process has under these names, so the addon can lie anywhere, and LibTorch can too.
#include <dlfcn.h>
#include <napi.h>

#include <cstdint>
#include <string>

namespace {

constexpr const char* kLibrary = "libtorch_cpu.so";
// What libtorch_cpu.so names without a folder. LD_LIBRARY_PATH comes before the folder that it names itself, so with another
// LibTorch there, as conda and many set-ups of LibTorch leave it, halves of two versions would meet and crash later.
constexpr const char* kBelow = "libc10.so";
constexpr const char* kVersion = "aoti_torch_abi_version";  // a byte each from the top: major, minor, patch

Napi::Value describe(Napi::Env env, void* library) {
  const auto version = reinterpret_cast<uint64_t (*)()>(dlsym(library, kVersion));
  Dl_info place{};
  if (version == nullptr || dladdr(reinterpret_cast<void*>(version), &place) == 0)
    throw Napi::Error::New(env, std::string(kLibrary) + " has no " + kVersion + ": it is older than LibTorch 2.11");
  const std::string path = place.dli_fname;
  const auto part = [number = version()](int byte) { return std::to_string((number >> (8 * byte)) & 0xFF); };
  auto libtorch = Napi::Object::New(env);
  libtorch.Set("libraries", path.substr(0, path.rfind('/')));
  libtorch.Set("version", part(7) + "." + part(6) + "." + part(5));
  return libtorch;
}

// loaded(): { libraries: string, version: string } | null
// The LibTorch that this process has already, whoever has loaded it: a process can have one only.
Napi::Value loaded(const Napi::CallbackInfo& info) {
  void* const library = dlopen(kLibrary, RTLD_LAZY | RTLD_NOLOAD);
  if (library == nullptr) return info.Env().Null();
  Napi::Value found = describe(info.Env(), library);
  dlclose(library);
  return found;
}

// open(libraries: string): { libraries: string, version: string }
// Never closed: LibTorch's threads and static objects live until the process ends.
Napi::Value open(const Napi::CallbackInfo& info) {
  const std::string folder = info[0].As<Napi::String>().Utf8Value() + "/";
  void* library = nullptr;
  for (const char* const name : {kBelow, kLibrary}) {
    library = dlopen((folder + name).c_str(), RTLD_LAZY | RTLD_NODELETE);
    if (library == nullptr) throw Napi::Error::New(info.Env(), dlerror());
  }
  return describe(info.Env(), library);
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  exports.Set("loaded", Napi::Function::New<loaded>(env, "loaded"));
  exports.Set("open", Napi::Function::New<open>(env, "open"));
  return exports;
}

}  // namespace

NODE_API_MODULE(loader, init)
