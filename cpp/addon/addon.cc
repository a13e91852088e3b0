// The export table and the addon's initialisation.
#include <unistd.h>

#include "convert.h"
#include "cuda_library.h"
#include "engine_binding.h"
#include "environment.h"
#include "runtime_info.h"
#include "stage.h"
#include "tensor.h"

namespace wuerstchen::addon {

namespace {

Napi::Value initialize(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), Environment::of(info.Env()).initialize());
}

Napi::Value liveObjects(const Napi::CallbackInfo& info) {
  auto counts = Napi::Object::New(info.Env());
  for (const auto& [name, count] : Environment::of(info.Env()).liveObjects()) counts.Set(name, static_cast<double>(count));
  return counts;
}

Napi::Value exitNow(const Napi::CallbackInfo& info) { _exit(static_cast<int>(readInteger(info[0], "code"))); }

Napi::Value shutdown(const Napi::CallbackInfo& info) {
  Environment::of(info.Env()).stopThreads();
  return info.Env().Undefined();
}

using Callback = Napi::Value (*)(const Napi::CallbackInfo&);

// Wraps every exported function: whatever C++ throws becomes an error with a code and a subject.
template <Callback callback>
Napi::Value guarded(const Napi::CallbackInfo& info) {
  try {
    return callback(info);
  } catch (const Napi::Error&) {
    throw;
  } catch (...) {
    throw currentError(info.Env());
  }
}

template <Callback callback>
void add(Napi::Object& exports, const char* name) {
  exports.Set(name, Napi::Function::New<guarded<callback>>(exports.Env(), name));
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  openCudaLibrary();  // before anything asks for a device
  env.SetInstanceData(new Environment(env));
  // Each export with its signature in `Native` of lib/native.ts. A test compares them, so each one keeps to its line.
  // clang-format off
  // initialize(): boolean
  add<initialize>(exports, "initialize");
  // runtimeInfo(): RuntimeInfo
  add<runtimeInfo>(exports, "runtimeInfo");
  // createTensor(data: NodeJS.ArrayBufferView, shape: readonly number[], dtype: Dtype): TensorHandle
  add<createTensor>(exports, "createTensor");
  // tensorInfo(tensor: TensorHandle): { shape: number[], dtype: Dtype, device: string, bytes: number }
  add<tensorInfo>(exports, "tensorInfo");
  // tensorTo(tensor: TensorHandle, device: string | null, dtype: Dtype | null): Promise<TensorHandle>
  add<tensorTo>(exports, "tensorTo");
  // tensorData(tensor: TensorHandle): Promise<ArrayBuffer>
  add<tensorData>(exports, "tensorData");
  // disposeTensor(tensor: TensorHandle): void
  add<disposeTensor>(exports, "disposeTensor");
  // loadStage(program: ProgramSpec, device: string, threads: number): Promise<StageHandle>
  add<loadStage>(exports, "loadStage");
  // runStage(stage: StageHandle, functionName: string, inputs: readonly TensorHandle[]): Promise<TensorHandle[]>
  add<runStage>(exports, "runStage");
  // disposeStage(stage: StageHandle): Promise<void>
  add<disposeStage>(exports, "disposeStage");
  // createEngine(spec: EngineSpec, onProgress: (stage: StageName, done: number, total: number) => void): { engine: EngineHandle, loaded: Promise<void> }
  add<createEngine>(exports, "createEngine");
  // submit(engine: EngineHandle, request: EngineRequest, onEvent: (event: EngineEvent) => void): { id: number, done: Promise<EngineResult | null> }
  add<submit>(exports, "submit");
  // cancel(engine: EngineHandle, id: number): void
  add<cancel>(exports, "cancel");
  // preprocessImage(pixels: NativePixels, target: GridTarget): Promise<TensorHandle>
  add<preprocessImage>(exports, "preprocessImage");
  // encodeImage(engine: EngineHandle, pixels: NativePixels, target: GridTarget): NativeTask
  add<encodeImage>(exports, "encodeImage");
  // encodeLatents(engine: EngineHandle, pixels: NativePixels): NativeTask
  add<encodeLatents>(exports, "encodeLatents");
  // decodeLatents(engine: EngineHandle, latents: TensorHandle): NativeTask
  add<decodeLatents>(exports, "decodeLatents");
  // engineStats(engine: EngineHandle): EngineStats
  add<engineStats>(exports, "engineStats");
  // disposeEngine(engine: EngineHandle): Promise<void>
  add<disposeEngine>(exports, "disposeEngine");
  // liveObjects(): Record<string, number>
  add<liveObjects>(exports, "liveObjects");
  // shutdown(): void
  add<shutdown>(exports, "shutdown");
  // exitNow(code: number): never
  add<exitNow>(exports, "exitNow");
  // clang-format on
  return exports;
}

}  // namespace

}  // namespace wuerstchen::addon

static Napi::Object initAddon(Napi::Env env, Napi::Object exports) { return wuerstchen::addon::init(env, exports); }
NODE_API_MODULE(wuerstchen, initAddon)
