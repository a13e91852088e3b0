#include "stage.h"

#include <c10/core/InferenceMode.h>

#include "convert.h"
#include "handles.h"
#include "program.h"

namespace wuerstchen::addon {

// The program is made, run and freed on the worker's thread (program.h, rule 1); other threads only hold the pointer.
struct StageState {
  const std::string file;
  std::unique_ptr<Program> program;
};

namespace {

// The manifest's description let these inputs pass, but it knows neither a text encoder's vocabulary nor the sizes that a
// network can take. What LibTorch says of them is about the inputs.
Tensors runOf(StageState& state, const std::string& function, const Tensors& inputs) {
  const c10::InferenceMode inference;
  try {
    Tensors outputs = state.program->run(function, inputs);
    synchronize(state.program->device());  // so that whoever measures a run measures its work
    return outputs;
  } catch (const std::exception&) {
    const Failure failure = describe(std::current_exception());
    if (failure.code != Code::Internal || !state.program->device().is_cpu()) throw;
    throw Error(Code::InvalidArgument,
                "Expected inputs that " + function + " of " + state.file + " can run on but LibTorch said: " + failure.message,
                "inputs");
  }
}

}  // namespace

// No run is under way (each keeps its state alive), so only the program is left to free, on its own thread.
void StageHolder::finalize(Napi::Env) {
  if (!stage) return;
  worker->requestStop();
  stage.reset();
}

Napi::Value loadStage(const Napi::CallbackInfo& info) {
  const ProgramSpec spec = readProgram(readObject(info[0], "program"));
  const c10::Device device = parseDevice(readText(info[1], "device"));
  const int threads = static_cast<int>(std::clamp<int64_t>(readInteger(info[2], "threads"), 1, 1024));
  auto& environment = Environment::of(info.Env());
  const uint64_t number = environment.nextNumber();
  auto state = std::make_shared<StageState>(spec.file);
  auto worker = std::make_shared<Worker>(threads, [state, end = environment.endOf(number)] {
    state->program.reset();
    end();
  });
  environment.keep(number, worker);
  return environment.runOn<bool>(
      info.Env(), *worker,
      [state, spec, device, stop = worker->stop(), weak = std::weak_ptr(worker)] {
        try {
          state->program = loadProgram(spec, device, *stop);
          return true;
        } catch (...) {
          if (const auto failed = weak.lock()) failed->requestStop();  // a thread without a program has nothing to do
          throw;
        }
      },
      [state, worker, number](Napi::Env env, bool&) -> Napi::Value {
        auto holder = std::make_unique<StageHolder>();
        holder->stage = state;
        holder->worker = worker;
        holder->number = number;
        return wrapHandle(env, std::move(holder));
      },
      spec.file);
}

Napi::Value runStage(const Napi::CallbackInfo& info) {
  const std::string function = readText(info[1], "functionName");
  Tensors inputs;
  const auto array = readArray(info[2], "inputs");
  for (uint32_t i = 0; i < array.Length(); ++i) inputs.push_back(unwrapTensor(array.Get(i)));
  const StageHolder& holder = unwrapHandle<StageHolder>(info[0]);
  if (!holder.stage) throw Error(Code::Disposed, "Expected a live stage but it was disposed", "stage");
  return Environment::of(info.Env())
      .runOn<Tensors>(
          info.Env(), *holder.worker,
          [state = holder.stage, function, inputs = std::move(inputs)] { return runOf(*state, function, inputs); },
          [](Napi::Env env, Tensors& outputs) -> Napi::Value {
            auto handles = Napi::Array::New(env, outputs.size());
            for (uint32_t i = 0; i < outputs.size(); ++i) handles.Set(i, wrapTensor(env, std::move(outputs[i])));
            return handles;
          },
          holder.stage->file);
}

Napi::Value disposeStage(const Napi::CallbackInfo& info) {
  StageHolder& holder = unwrapHandle<StageHolder>(info[0]);
  holder.stage.reset();
  holder.worker.reset();  // its environment keeps it until its thread has ended
  return Environment::of(info.Env()).stop(info.Env(), holder.number);
}

}  // namespace wuerstchen::addon
