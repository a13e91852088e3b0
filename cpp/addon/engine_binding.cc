#include "engine_binding.h"

#include "convert.h"
#include "decoder.h"
#include "handles.h"

namespace wuerstchen::addon {

namespace {

EngineHolder& unwrapEngine(const Napi::Value& value) {
  EngineHolder& holder = unwrapHandle<EngineHolder>(value);
  if (!holder.engine) throw Error(Code::Disposed, "Expected a live pipeline but it was disposed", "pipeline");
  return holder;
}

Napi::Function readListener(const Napi::Value& value, const char* name) {
  if (value.IsFunction()) return value.As<Napi::Function>();
  throw Error(Code::InvalidArgument, std::string("Expected a function for ") + name, name);
}

// A cancelled run has no result, and that is no error.
void endCall(Napi::Env env, Environment& environment, uint64_t call, const Failure& failure) {
  if (failure.code != Code::Cancelled) return environment.fail(env, call, failure);
  environment.settle(env, call, [](Napi::Env e) { return e.Null(); });
}

Napi::Object started(Napi::Env env, uint64_t id, Napi::Value done) {
  auto o = Napi::Object::New(env);
  o.Set("id", static_cast<double>(id));
  o.Set("done", done);
  return o;
}

Napi::Value postTask(Napi::Env env, Engine& engine, std::function<at::Tensor(Stages&)> run) {
  auto& environment = Environment::of(env);
  const uint64_t call = environment.nextNumber();
  using Outcome = std::variant<at::Tensor, Failure>;
  const uint64_t id =
      engine.post({std::move(run), environment.replyTo<Outcome>([&environment, call](Napi::Env later, Outcome& outcome) {
                     if (const auto* failure = std::get_if<Failure>(&outcome)) return endCall(later, environment, call, *failure);
                     environment.settle(later, call, [&](Napi::Env e) { return wrapTensor(e, std::get<at::Tensor>(outcome)); });
                   })});
  return started(env, id, environment.beginCall(env, call));
}

}  // namespace

void EngineHolder::finalize(Napi::Env) {
  if (engine) engine->requestStop();
}

// The engine is there at once, so that loading can be stopped; `loaded` settles when it has loaded or failed.
Napi::Value createEngine(const Napi::CallbackInfo& info) {
  auto& environment = Environment::of(info.Env());
  EngineSpec spec = readEngineSpec(readObject(info[0], "spec"));
  const Napi::Function onProgress = readListener(info[1], "onProgress");
  environment.tensorWorker();  // before the engine's team has taken all threads that the system grants
  const uint64_t call = environment.nextNumber(), number = environment.nextNumber();

  Engine::Hooks hooks;
  hooks.onProgress = [&environment, call](StageId id, int done, int total) {
    environment.mailbox().post([&environment, call, id, done, total](Napi::Env env) {
      environment.tell(env, call, [&](Napi::Env e) -> std::vector<napi_value> {
        return {Napi::String::New(e, stageName(id)), Napi::Number::New(e, done), Napi::Number::New(e, total)};
      });
    });
  };
  using Loaded = std::optional<Failure>;
  hooks.onLoaded = environment.replyTo<Loaded>([&environment, call](Napi::Env env, Loaded& failure) {
    if (failure) return environment.fail(env, call, *failure);
    environment.settle(env, call, [](Napi::Env e) { return e.Undefined(); });
  });
  hooks.onStopped = environment.endOf(number);

  auto holder = std::make_unique<EngineHolder>();
  holder->engine = std::make_shared<Engine>(std::move(spec), std::move(hooks));
  holder->number = number;
  environment.keep(number, holder->engine);
  auto created = Napi::Object::New(info.Env());
  created.Set("loaded", environment.beginCall(info.Env(), call, onProgress));
  created.Set("engine", wrapHandle(info.Env(), std::move(holder)));
  return created;
}

Napi::Value submit(const Napi::CallbackInfo& info) {
  const std::shared_ptr<Engine> engine = unwrapEngine(info[0]).engine;
  Request request = readRequest(readObject(info[1], "request"));
  const Napi::Function onEvent = readListener(info[2], "onEvent");
  unwrapEngine(info[0]);  // again: reading has run JavaScript, which may have disposed of it
  checkRequest(request, engine->spec());
  auto& environment = Environment::of(info.Env());
  const uint64_t call = environment.nextNumber();

  // The id of the request, known only after it was submitted. Written before any letter is read.
  const auto id = std::make_shared<uint64_t>(0);
  Callbacks callbacks;
  callbacks.onEvent = [&environment, call, id, weak = std::weak_ptr(engine)](Event event) {
    environment.mailbox().post([&environment, call, id, weak, event = std::move(event)](Napi::Env env) {
      const bool heard =
          environment.tell(env, call, [&](Napi::Env e) -> std::vector<napi_value> { return {writeEvent(e, event)}; });
      const auto live = heard ? nullptr : weak.lock();
      if (live) live->cancel(*id);
    });
  };
  using Outcome = std::variant<Result, Failure>;
  callbacks.onDone = environment.replyTo<Outcome>([&environment, call](Napi::Env env, Outcome& outcome) {
    if (const auto* failure = std::get_if<Failure>(&outcome)) return endCall(env, environment, call, *failure);
    environment.settle(env, call, [&](Napi::Env e) { return writeResult(e, std::get<Result>(outcome)); });
  });
  *id = engine->submit(std::move(request), std::move(callbacks));
  return started(info.Env(), *id, environment.beginCall(info.Env(), call, onEvent));
}

Napi::Value cancel(const Napi::CallbackInfo& info) {
  const EngineHolder& holder = unwrapHandle<EngineHolder>(info[0]);
  if (holder.engine) holder.engine->cancel(static_cast<uint64_t>(readInteger(info[1], "id")));
  return info.Env().Undefined();
}

Napi::Value encodeImage(const Napi::CallbackInfo& info) {
  const Grid grid = readGrid(readObject(info[2], "target"));
  const at::Tensor pixels = readPixels(readObject(info[1], "pixels"));
  return postTask(info.Env(), *unwrapEngine(info[0]).engine, [pixels, grid](Stages& stages) {
    return wuerstchen::encodeImage(stages.use(StageId::ImageEncoder), pixels, grid.height, grid.width, grid.fit).cpu();
  });
}

Napi::Value encodeLatents(const Napi::CallbackInfo& info) {
  const at::Tensor pixels = readPixels(readObject(info[1], "pixels"));
  Engine& engine = *unwrapEngine(info[0]).engine;
  return postTask(info.Env(), engine, [pixels, constants = engine.spec().constants](Stages& stages) {
    return wuerstchen::encodeLatents(stages.use(StageId::VqEncoder), pixels, constants).cpu();
  });
}

Napi::Value decodeLatents(const Napi::CallbackInfo& info) {
  Engine& engine = *unwrapEngine(info[0]).engine;
  const at::Tensor latents = unwrapTensor(info[1]);
  checkLatents(latents, engine.spec());
  return postTask(info.Env(), engine,
                  [latents, device = engine.spec().device, constants = engine.spec().constants](Stages& stages) {
                    checkNumbers(latents, "latents");
                    return decodePixels(stages.use(StageId::VqDecoder), latents.to(device).to(c10::kFloat), constants);
                  });
}

Napi::Value engineStats(const Napi::CallbackInfo& info) { return writeStats(info.Env(), unwrapEngine(info[0]).engine->stats()); }

Napi::Value disposeEngine(const Napi::CallbackInfo& info) {
  EngineHolder& holder = unwrapHandle<EngineHolder>(info[0]);
  holder.engine.reset();
  return Environment::of(info.Env()).stop(info.Env(), holder.number);
}

}  // namespace wuerstchen::addon
