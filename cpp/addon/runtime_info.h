// What this LibTorch can do on this machine.
#pragma once

#include "napi_setup.h"

namespace wuerstchen::addon {

Napi::Value runtimeInfo(const Napi::CallbackInfo& info);

}  // namespace wuerstchen::addon
