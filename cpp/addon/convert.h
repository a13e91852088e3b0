// JavaScript objects of lib/native.ts to the core's structs and back. TypeScript has validated the objects. Reading checks only
// what would otherwise be undefined behaviour; the core checks the rest (checkRequest).
#pragma once

#include "engine.h"
#include "environment.h"
#include "image_encoder.h"

namespace wuerstchen::addon {

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
