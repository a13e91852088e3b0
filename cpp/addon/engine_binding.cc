#include "engine_binding.h"

#include "convert.h"
#include "decoder.h"
#include "handles.h"

namespace wuerstchen::addon {

struct EngineState {
  EngineSpec spec;
  std::shared_ptr<Engine> engine;
  std::vector<uint64_t> disposals;  // calls that wait for the thread's end; the JavaScript thread's alone
  bool disposed = false;
  bool stopped = false;
};

namespace {

std::shared_ptr<EngineState>& unwrapEngine(const Napi::Value& value) {
  EngineHolder& holder = unwrapHandle<EngineHolder>(value);
  if (holder.engine->disposed) throw Error(Code::Disposed, "Expected a live pipeline but it was disposed", "pipeline");
  return holder.engine;
}

// The thread has run its last line but one, so joining it takes no time. After that nothing of the engine is left.
void onStopped(Napi::Env env, Environment& environment, const std::shared_ptr<EngineState>& state) {
  state->engine->join();
  environment.remove(state->engine);
  state->stopped = true;
  for (const uint64_t call : state->disposals) environment.settle(env, call, [](Napi::Env e) { return e.Undefined(); });
  state->disposals.clear();
}

void onLoaded(Napi::Env env, Environment& environment, const std::shared_ptr<EngineState>& state, uint64_t call,
              const std::optional<Failure>& failure) {
  if (failure) return environment.fail(env, call, *failure);
  environment.settle(env, call, [&](Napi::Env e) -> Napi::Value {
    auto holder = std::make_unique<EngineHolder>();
    holder->engine = state;
    return wrapHandle(e, std::move(holder));
  });
}

// A cancelled run has no result, and that is no error.
void onDone(Napi::Env env, Environment& environment, uint64_t call, const std::variant<Result, Failure>& outcome) {
  const auto* failure = std::get_if<Failure>(&outcome);
  if (failure == nullptr) {
    environment.settle(env, call, [&](Napi::Env e) { return writeResult(e, std::get<Result>(outcome)); });
  } else if (failure->code == Code::Cancelled) {
    environment.settle(env, call, [](Napi::Env e) { return e.Null(); });
  } else {
    environment.fail(env, call, *failure);
  }
}

Napi::Value postTask(Napi::Env env, EngineState& state, std::function<at::Tensor(Stages&)> run) {
  auto& environment = Environment::of(env);
  const auto deferred = Napi::Promise::Deferred::New(env);
  const uint64_t call = environment.beginCall(deferred);
  state.engine->post({std::move(run), [&environment, call](std::variant<at::Tensor, Failure> outcome) {
                        environment.mailbox().post([&environment, call, outcome = std::move(outcome)](Napi::Env later) {
                          if (const auto* failure = std::get_if<Failure>(&outcome))
                            return environment.fail(later, call, *failure);
                          environment.settle(later, call,
                                             [&](Napi::Env e) { return wrapTensor(e, std::get<at::Tensor>(outcome)); });
                        });
                      }});
  return deferred.Promise();
}

}  // namespace

void EngineHolder::finalize(Napi::Env) { engine->engine->requestStop(); }

Napi::Value createEngine(const Napi::CallbackInfo& info) {
  auto& environment = Environment::of(info.Env());
  auto state = std::make_shared<EngineState>();
  state->spec = readEngineSpec(info[0].As<Napi::Object>());
  const auto deferred = Napi::Promise::Deferred::New(info.Env());
  const uint64_t call = environment.beginCall(deferred, info[1].As<Napi::Function>());

  Engine::Hooks hooks;
  hooks.onProgress = [&environment, call](StageId id, int done, int total) {
    environment.mailbox().post([&environment, call, id, done, total](Napi::Env env) {
      if (auto* callback = environment.eventCallback(call)) {
        callback->Call({Napi::String::New(env, stageName(id)), Napi::Number::New(env, done), Napi::Number::New(env, total)});
      }
    });
  };
  hooks.onLoaded = [&environment, state, call](std::optional<Failure> failure) {
    environment.mailbox().post([&environment, state, call, failure = std::move(failure)](Napi::Env env) {
      onLoaded(env, environment, state, call, failure);
    });
  };
  hooks.onStopped = [&environment, state] {
    environment.mailbox().post([&environment, state](Napi::Env env) { onStopped(env, environment, state); });
  };
  state->engine = std::make_shared<Engine>(state->spec, std::move(hooks));
  environment.add(state->engine);
  return deferred.Promise();
}

Napi::Value submit(const Napi::CallbackInfo& info) {
  const std::shared_ptr<EngineState>& state = unwrapEngine(info[0]);
  Request request = readRequest(info[1].As<Napi::Object>());
  checkRequest(request, state->spec);
  auto& environment = Environment::of(info.Env());
  const auto deferred = Napi::Promise::Deferred::New(info.Env());
  const uint64_t call = environment.beginCall(deferred, info[2].As<Napi::Function>());

  Callbacks callbacks;
  callbacks.onEvent = [&environment, call](Event event) {
    environment.mailbox().post([&environment, call, event = std::move(event)](Napi::Env env) {
      if (auto* callback = environment.eventCallback(call)) callback->Call({writeEvent(env, event)});
    });
  };
  callbacks.onDone = [&environment, call](std::variant<Result, Failure> outcome) {
    environment.mailbox().post(
        [&environment, call, outcome = std::move(outcome)](Napi::Env env) { onDone(env, environment, call, outcome); });
  };
  const uint64_t id = state->engine->submit(std::move(request), std::move(callbacks));
  auto submitted = Napi::Object::New(info.Env());
  submitted.Set("id", static_cast<double>(id));
  submitted.Set("done", deferred.Promise());
  return submitted;
}

Napi::Value cancel(const Napi::CallbackInfo& info) {
  const EngineHolder& holder = unwrapHandle<EngineHolder>(info[0]);
  if (!holder.engine->disposed) holder.engine->engine->cancel(static_cast<uint64_t>(info[1].As<Napi::Number>().Int64Value()));
  return info.Env().Undefined();
}

Napi::Value encodeImage(const Napi::CallbackInfo& info) {
  EngineState& state = *unwrapEngine(info[0]);
  return postTask(
      info.Env(), state,
      [pixels = readPixels(info[1].As<Napi::Object>()), grid = readGrid(info[2].As<Napi::Object>())](Stages& stages) {
        return wuerstchen::encodeImage(stages.use(StageId::ImageEncoder), pixels, grid.height, grid.width, grid.fit).cpu();
      });
}

Napi::Value encodeLatents(const Napi::CallbackInfo& info) {
  EngineState& state = *unwrapEngine(info[0]);
  return postTask(info.Env(), state,
                  [pixels = readPixels(info[1].As<Napi::Object>()), constants = state.spec.constants](Stages& stages) {
                    return wuerstchen::encodeLatents(stages.use(StageId::VqEncoder), pixels, constants).cpu();
                  });
}

Napi::Value decodeLatents(const Napi::CallbackInfo& info) {
  EngineState& state = *unwrapEngine(info[0]);
  const at::Tensor latents = unwrapTensor(info[1]);
  checkLatents(latents, state.spec);
  return postTask(info.Env(), state, [latents, device = state.spec.device, constants = state.spec.constants](Stages& stages) {
    return decodePixels(stages.use(StageId::VqDecoder), latents.to(device).to(c10::kFloat), constants);
  });
}

Napi::Value engineStats(const Napi::CallbackInfo& info) { return writeStats(info.Env(), unwrapEngine(info[0])->engine->stats()); }

Napi::Value disposeEngine(const Napi::CallbackInfo& info) {
  const EngineHolder& holder = unwrapHandle<EngineHolder>(info[0]);
  EngineState& state = *holder.engine;
  const auto deferred = Napi::Promise::Deferred::New(info.Env());
  if (state.stopped) {
    deferred.Resolve(info.Env().Undefined());
    return deferred.Promise();
  }
  state.disposed = true;
  state.disposals.push_back(Environment::of(info.Env()).beginCall(deferred));
  state.engine->requestStop();
  return deferred.Promise();
}

}  // namespace wuerstchen::addon
