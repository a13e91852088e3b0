// Stage handles: one exported program on a thread of its own. See `Native` in lib/native.ts for the signatures.
#pragma once

#include "napi_setup.h"

namespace wuerstchen::addon {

Napi::Value loadStage(const Napi::CallbackInfo& info);
Napi::Value runStage(const Napi::CallbackInfo& info);
Napi::Value disposeStage(const Napi::CallbackInfo& info);

}  // namespace wuerstchen::addon
