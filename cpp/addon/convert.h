// JavaScript objects of lib/native.ts to the core's structs and back. TypeScript has validated the objects. Reading checks only
// kinds and ranges, which would otherwise be undefined behaviour; the core checks the rest (checkRequest).
#pragma once

#include "engine.h"
#include "environment.h"
#include "image_encoder.h"

namespace wuerstchen::addon {

// Plain values. Throw INVALID_ARGUMENT about `name` for a value of another kind; an integer lies within ±2^53.
std::string readText(const Napi::Value& value, const char* name);
double readNumber(const Napi::Value& value, const char* name);
int64_t readInteger(const Napi::Value& value, const char* name);
Napi::Object readObject(const Napi::Value& value, const char* name);
Napi::Array readArray(const Napi::Value& value, const char* name);

// A view of JavaScript's memory. Valid until JavaScript runs again, also a getter: whatever else a call takes is read before.
// Takes typed arrays and DataViews over any kind of buffer; one that was detached has no bytes.
struct Bytes {
  const void* data;
  size_t size;
  napi_typedarray_type type;  // napi_uint8_array for a DataView
};
Bytes viewOf(const Napi::Value& value, const char* name);

c10::Device parseDevice(const std::string& name);  // throws DEVICE_UNAVAILABLE
ProgramSpec readProgram(const Napi::Object& object);
EngineSpec readEngineSpec(const Napi::Object& object);
Request readRequest(const Napi::Object& object);

// {width, height, data: Uint8Array RGB} → (height, width, 3) uint8.
at::Tensor readPixels(const Napi::Object& object);

struct Grid {
  int64_t height;
  int64_t width;
  Fit fit;
};
// {gridHeight, gridWidth, fit: 'cover' | 'fill'}
Grid readGrid(const Napi::Object& object);

Napi::Object writeEvent(Napi::Env env, const Event& event);
Napi::Object writeResult(Napi::Env env, const Result& result);
Napi::Object writeStats(Napi::Env env, const EngineStats& stats);

}  // namespace wuerstchen::addon
