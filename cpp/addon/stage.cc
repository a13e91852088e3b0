#include "stage.h"

#include <c10/core/InferenceMode.h>

#include "convert.h"
#include "handles.h"
#include "program.h"
#include "thread.h"

namespace wuerstchen::addon {

// The program is made, run and freed on the worker's thread (program.h, rule 1); other threads only hold the pointer.
struct StageState {
  StageState(std::string ofFile, int threads) : file(std::move(ofFile)), worker(std::make_shared<Worker>(threads)) {}
  const std::string file;
  std::shared_ptr<Worker> worker;
  std::unique_ptr<Program> program;
};

void StageHolder::finalize(Napi::Env) {
  if (!stage) return;
  // No call is under way (each keeps its state alive), so only the program is left to free, on its own thread.
  stage->worker->post([state = stage] { state->program.reset(); });
  stage->worker->requestStop();
  stage.reset();
}

Napi::Value loadStage(const Napi::CallbackInfo& info) {
  const ProgramSpec spec = readProgram(info[0].As<Napi::Object>());
  const c10::Device device = parseDevice(info[1].As<Napi::String>().Utf8Value());
  const int threads = std::max(1, info[2].As<Napi::Number>().Int32Value());
  auto& environment = Environment::of(info.Env());
  auto state = std::make_shared<StageState>(spec.file, threads);
  environment.add(state->worker);
  return environment.runOn<std::shared_ptr<StageState>>(
      info.Env(), *state->worker,
      [state, spec, device] {
        state->program = loadProgram(spec, device);
        return state;
      },
      [](Napi::Env env, std::shared_ptr<StageState>& loaded) -> Napi::Value {
        auto holder = std::make_unique<StageHolder>();
        holder->stage = loaded;
        return wrapHandle(env, std::move(holder));
      },
      spec.file);
}

Napi::Value runStage(const Napi::CallbackInfo& info) {
  const StageHolder& holder = unwrapHandle<StageHolder>(info[0]);
  if (!holder.stage) throw Error(Code::Disposed, "Expected a live stage but it was disposed", "stage");
  const std::string function = info[1].As<Napi::String>().Utf8Value();
  Tensors inputs;
  const auto array = info[2].As<Napi::Array>();
  for (uint32_t i = 0; i < array.Length(); ++i) inputs.push_back(unwrapTensor(array.Get(i)));
  return Environment::of(info.Env())
      .runOn<Tensors>(
          info.Env(), *holder.stage->worker,
          [state = holder.stage, function, inputs = std::move(inputs)] {
            const c10::InferenceMode inference;
            Tensors outputs = state->program->run(function, inputs);
            synchronize(state->program->device());  // so that whoever measures a run measures its work
            return outputs;
          },
          [](Napi::Env env, Tensors& outputs) -> Napi::Value {
            auto handles = Napi::Array::New(env, outputs.size());
            for (uint32_t i = 0; i < outputs.size(); ++i) handles.Set(i, wrapTensor(env, std::move(outputs[i])));
            return handles;
          },
          holder.stage->file);
}

Napi::Value disposeStage(const Napi::CallbackInfo& info) {
  StageHolder& holder = unwrapHandle<StageHolder>(info[0]);
  auto& environment = Environment::of(info.Env());
  if (!holder.stage) {
    const auto deferred = Napi::Promise::Deferred::New(info.Env());
    deferred.Resolve(info.Env().Undefined());
    return deferred.Promise();
  }
  const std::shared_ptr<StageState> state = std::move(holder.stage);
  const Napi::Value done = environment.runOn<bool>(
      info.Env(), *state->worker, [state] { return state->program.reset(), true; },  // after every run accepted before
      [&environment, state](Napi::Env env, bool&) -> Napi::Value {
        state->worker->join();  // it was asked to stop below and has nothing left to do
        environment.remove(state->worker);
        return env.Undefined();
      });
  state->worker->requestStop();
  return done;
}

}  // namespace wuerstchen::addon
