// The export table and the addon's initialisation.
#include "engine_binding.h"
#include "environment.h"
#include "runtime_info.h"
#include "stage.h"
#include "tensor.h"

namespace wuerstchen::addon {

namespace {

Napi::Value initialize(const Napi::CallbackInfo& info) {
  Environment::of(info.Env()).setErrorClass(info[0].As<Napi::Function>());
  return info.Env().Undefined();
}

Napi::Value shutdown(const Napi::CallbackInfo& info) {
  Environment::of(info.Env()).stopThreads();
  return info.Env().Undefined();
}

using Callback = Napi::Value (*)(const Napi::CallbackInfo&);

// Wraps every exported function: whatever C++ throws becomes an error of the class that TypeScript handed over.
template <Callback callback>
Napi::Value guarded(const Napi::CallbackInfo& info) {
  try {
    return callback(info);
  } catch (const Napi::Error&) {
    throw;
  } catch (...) {
    const Failure failure = describe(std::current_exception());
    throw Napi::Error(info.Env(), Environment::of(info.Env()).makeError(info.Env(), failure));
  }
}

template <Callback callback>
void add(Napi::Object& exports, const char* name) {
  exports.Set(name, Napi::Function::New<guarded<callback>>(exports.Env(), name));
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData(new Environment(env));
  // Each export with its signature in `Native` of lib/native.ts. A test compares them, so each one keeps to its line.
  // clang-format off
  // initialize(errorClass: new (code: ErrorCode, message: string, options: { subject: string | null }) => Error): void
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
  // createEngine(spec: EngineSpec, onProgress: (stage: StageName, done: number, total: number) => void): Promise<EngineHandle>
  add<createEngine>(exports, "createEngine");
  // submit(engine: EngineHandle, request: EngineRequest, onEvent: (event: EngineEvent) => void): { id: number, done: Promise<EngineResult | null> }
  add<submit>(exports, "submit");
  // cancel(engine: EngineHandle, id: number): void
  add<cancel>(exports, "cancel");
  // preprocessImage(pixels: NativePixels, target: GridTarget): Promise<TensorHandle>
  add<preprocessImage>(exports, "preprocessImage");
  // encodeImage(engine: EngineHandle, pixels: NativePixels, target: GridTarget): Promise<TensorHandle>
  add<encodeImage>(exports, "encodeImage");
  // encodeLatents(engine: EngineHandle, pixels: NativePixels): Promise<TensorHandle>
  add<encodeLatents>(exports, "encodeLatents");
  // decodeLatents(engine: EngineHandle, latents: TensorHandle): Promise<TensorHandle>
  add<decodeLatents>(exports, "decodeLatents");
  // engineStats(engine: EngineHandle): EngineStats
  add<engineStats>(exports, "engineStats");
  // disposeEngine(engine: EngineHandle): Promise<void>
  add<disposeEngine>(exports, "disposeEngine");
  // shutdown(): void
  add<shutdown>(exports, "shutdown");
  // clang-format on
  return exports;
}

}  // namespace

}  // namespace wuerstchen::addon

static Napi::Object initAddon(Napi::Env env, Napi::Object exports) { return wuerstchen::addon::init(env, exports); }
NODE_API_MODULE(wuerstchen, initAddon)
