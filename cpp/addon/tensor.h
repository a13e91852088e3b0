// Tensor handles: see `Native` in lib/native.ts for the signatures.
#pragma once

#include "napi_setup.h"

namespace wuerstchen::addon {

Napi::Value createTensor(const Napi::CallbackInfo& info);
Napi::Value tensorInfo(const Napi::CallbackInfo& info);
Napi::Value tensorTo(const Napi::CallbackInfo& info);
Napi::Value tensorData(const Napi::CallbackInfo& info);
Napi::Value disposeTensor(const Napi::CallbackInfo& info);
// What the image encoder sees of an image.
Napi::Value preprocessImage(const Napi::CallbackInfo& info);

}  // namespace wuerstchen::addon
