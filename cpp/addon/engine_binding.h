// Engine handles: see `Native` in lib/native.ts for the signatures.
#pragma once

#include "napi_setup.h"

namespace wuerstchen::addon {

Napi::Value createEngine(const Napi::CallbackInfo& info);
Napi::Value submit(const Napi::CallbackInfo& info);
Napi::Value cancel(const Napi::CallbackInfo& info);
Napi::Value engineStats(const Napi::CallbackInfo& info);
Napi::Value disposeEngine(const Napi::CallbackInfo& info);

// Between two steps of the engine: a real image to embeddings or latents, and latents to pixels.
Napi::Value encodeImage(const Napi::CallbackInfo& info);
Napi::Value encodeLatents(const Napi::CallbackInfo& info);
Napi::Value decodeLatents(const Napi::CallbackInfo& info);

}  // namespace wuerstchen::addon
