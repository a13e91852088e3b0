// Opaque handles: a JavaScript external with a type tag around a holder. A wrong or foreign value, or a disposed
// handle, throws; it is never cast.
#pragma once

#include <memory>
#include <string>

#include "environment.h"

namespace wuerstchen::addon {

// Every tag, in one place, so that no value is used twice.
template <typename Holder>
struct HandleType;

template <typename Holder>
Napi::External<Holder> wrapHandle(Napi::Env env, std::unique_ptr<Holder> holder) {
  Holder* raw = holder.release();
  auto external = Napi::External<Holder>::New(env, raw, [](Napi::Env finalizerEnv, Holder* owned) {
    owned->finalize(finalizerEnv);
    delete owned;
  });
  external.TypeTag(&HandleType<Holder>::tag);
  return external;
}

// Throws INVALID_ARGUMENT for anything that is not such a handle.
template <typename Holder>
Holder& unwrapHandle(const Napi::Value& value) {
  if (!value.IsExternal() || !value.As<Napi::External<Holder>>().CheckTypeTag(&HandleType<Holder>::tag)) {
    throw Error(Code::InvalidArgument, std::string("Expected a ") + HandleType<Holder>::name + " handle",
                HandleType<Holder>::name);
  }
  return *value.As<Napi::External<Holder>>().Data();
}

struct TensorHolder : Counted<TensorHolder> {
  at::Tensor tensor;      // undefined once disposed
  int64_t accounted = 0;  // host bytes V8 was told about

  void finalize(Napi::Env env);
};

struct StageHolder {
  std::shared_ptr<struct StageState> stage;  // null once disposed
  std::shared_ptr<Worker> worker;
  uint64_t number;  // of the worker in its environment
  void finalize(Napi::Env env);
};

struct EngineHolder {
  std::shared_ptr<Engine> engine;  // null once disposed: its environment keeps it until its thread has ended
  uint64_t number;                 // in its environment
  void finalize(Napi::Env env);
};

// Another version of this package in the same process may have other holders, so a tag names the version.
constexpr uint64_t hashOf(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}
constexpr uint64_t kVersionTag = hashOf(WUERSTCHEN_VERSION);

template <>
struct HandleType<TensorHolder> {
  static constexpr napi_type_tag tag{kVersionTag, 0xa4c2e95d70b13f01};
  static constexpr const char* name = "tensor";
};
template <>
struct HandleType<StageHolder> {
  static constexpr napi_type_tag tag{kVersionTag, 0xa4c2e95d70b13f02};
  static constexpr const char* name = "stage";
};
template <>
struct HandleType<EngineHolder> {
  static constexpr napi_type_tag tag{kVersionTag, 0xa4c2e95d70b13f03};
  static constexpr const char* name = "engine";
};

// Tells V8 about the tensor's host memory, so that garbage collection sees its weight.
Napi::Value wrapTensor(Napi::Env env, at::Tensor tensor);
// Throws DISPOSED for a disposed one.
const at::Tensor& unwrapTensor(const Napi::Value& value);

}  // namespace wuerstchen::addon
