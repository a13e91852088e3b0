// The core to JavaScript.
#include <cstring>

#include "convert.h"
#include "handles.h"

namespace wuerstchen::addon {

namespace {

Napi::Object writePixels(Napi::Env env, const Pixels& pixels) {
  Napi::ArrayBuffer buffer = Environment::of(env).newBuffer(env, pixels.nbytes());
  std::memcpy(buffer.Data(), pixels.const_data_ptr(), pixels.nbytes());
  const auto data = Napi::Uint8Array::New(env, pixels.nbytes(), buffer, 0);
  auto o = Napi::Object::New(env);
  o.Set("width", Napi::Number::New(env, static_cast<double>(pixels.size(1))));
  o.Set("height", Napi::Number::New(env, static_cast<double>(pixels.size(0))));
  o.Set("data", data);
  return o;
}

}  // namespace

Napi::Object writeEvent(Napi::Env env, const Event& event) {
  auto o = Napi::Object::New(env);
  if (const auto* step = std::get_if<StepEvent>(&event)) {
    o.Set("type", "step");
    o.Set("image", step->image);
    o.Set("stage", stageName(step->stage));
    o.Set("step", step->step);
    o.Set("steps", step->steps);
    o.Set("timestep", static_cast<double>(step->timestep));
    o.Set("batch", step->batch);
  } else if (const auto* preview = std::get_if<PreviewEvent>(&event)) {
    o.Set("type", "preview");
    o.Set("image", preview->image);
    o.Set("pixels", writePixels(env, preview->pixels));
    o.Set("step", preview->step);
    o.Set("steps", preview->steps);
  } else {
    const auto& image = std::get<ImageEvent>(event);
    o.Set("type", "image");
    o.Set("image", image.image);
    o.Set("pixels", writePixels(env, image.pixels));
  }
  return o;
}

Napi::Object writeResult(Napi::Env env, const Result& result) {
  auto o = Napi::Object::New(env);
  auto offsets = Napi::Array::New(env, result.randomOffsets.size());
  for (uint32_t i = 0; i < result.randomOffsets.size(); ++i) offsets.Set(i, static_cast<double>(result.randomOffsets[i]));
  const Timings& t = result.timings;
  auto timings = Napi::Object::New(env);
  timings.Set("queued", t.queued);
  timings.Set("load", t.load);
  timings.Set("total", t.total);
  for (const auto& [id, ms] :
       {std::pair(StageId::PriorTextEncoder, t.priorTextEncoder), std::pair(StageId::Prior, t.prior),
        std::pair(StageId::DecoderTextEncoder, t.decoderTextEncoder), std::pair(StageId::Decoder, t.decoder),
        std::pair(StageId::VqDecoder, t.vqDecoder), std::pair(StageId::Previewer, t.previewer)}) {
    timings.Set(stageName(id), ms);
  }
  o.Set("embeddings", wrapTensor(env, result.embeddings));
  o.Set("randomOffsets", offsets);
  o.Set("timings", timings);
  return o;
}

Napi::Object writeStats(Napi::Env env, const EngineStats& stats) {
  auto o = Napi::Object::New(env);
  o.Set("queued", static_cast<double>(stats.queued));
  o.Set("running", static_cast<double>(stats.running));
  o.Set("completed", static_cast<double>(stats.completed));
  o.Set("failed", static_cast<double>(stats.failed));
  o.Set("cancelled", static_cast<double>(stats.cancelled));
  o.Set("tasks", static_cast<double>(stats.tasks));
  o.Set("silentMs", stats.silentMs);
  o.Set("doing", stats.doing ? Napi::String::New(env, stageName(*stats.doing)) : env.Null());
  o.Set("threads", stats.threads);
  auto stages = Napi::Object::New(env);
  auto bytes = Napi::Object::New(env);
  for (const auto& [id, stage] : stats.stages) {
    auto entry = Napi::Object::New(env);
    entry.Set("ms", stage.ms);
    entry.Set("runs", static_cast<double>(stage.runs));
    entry.Set("rows", static_cast<double>(stage.rows));
    entry.Set("fallbacks", static_cast<double>(stage.fallbacks));
    stages.Set(stageName(id), entry);
    bytes.Set(stageName(id), static_cast<double>(stage.bytes));
  }
  auto batchSizes = Napi::Object::New(env);
  for (const auto& [size, runs] : stats.batchSizes) batchSizes.Set(std::to_string(size), static_cast<double>(runs));
  o.Set("stages", stages);
  o.Set("bytes", bytes);
  o.Set("batchSizes", batchSizes);
  return o;
}

}  // namespace wuerstchen::addon
