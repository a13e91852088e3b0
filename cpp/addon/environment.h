// Everything one Node environment (the main thread or a worker) owns. Nothing in the addon is static.
//
// Rules
// 1. Every method but mailbox().post() belongs to the environment's JavaScript thread.
// 2. Lambdas that cross threads carry a call's number, never a JavaScript reference: deferreds and callbacks stay in
//    `calls_`, where only the JavaScript thread can free them.
// 3. close() (the cleanup hook) and stopThreads() (the process's exit handler, since process.exit() runs no cleanup hooks) ask
//    every thread to stop, then join it. That takes at most one denoising step, or one Stage A decode.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <variant>

#include "engine.h"
#include "error.h"
#include "mailbox.h"
#include "napi_setup.h"
#include "worker.h"

namespace wuerstchen::addon {

class Environment {
 public:
  explicit Environment(Napi::Env env);
  static Environment& of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }

  void setErrorClass(Napi::Function errorClass) { errorClass_ = Napi::Persistent(errorClass); }
  // An error of the class that TypeScript handed over, or a plain Error before that.
  Napi::Value makeError(Napi::Env env, const Failure& failure) const;

  Mailbox& mailbox() { return mailbox_; }

  using MakeValue = std::function<Napi::Value(Napi::Env)>;
  // A promise that settle() or fail() ends; the process stays alive until then. `onEvent` may be empty.
  uint64_t beginCall(Napi::Promise::Deferred deferred, Napi::Function onEvent = {});
  Napi::FunctionReference* eventCallback(uint64_t call);
  void settle(Napi::Env env, uint64_t call, const MakeValue& make);
  void fail(Napi::Env env, uint64_t call, const Failure& failure);

  // Runs `work` on `worker` and gives its result to `make` on the JavaScript thread. Every async call that is not an engine's
  // does this. An exception of LibTorch's becomes an error about `subject`.
  template <typename Result>
  Napi::Value runOn(Napi::Env env, Worker& worker, std::function<Result()> work,
                    std::function<Napi::Value(Napi::Env, Result&)> make, std::string subject = {});

  Worker& tensorWorker();

  void add(std::shared_ptr<Engine> engine) { engines_.insert(std::move(engine)); }
  void remove(const std::shared_ptr<Engine>& engine) { engines_.erase(engine); }
  void add(std::shared_ptr<Worker> worker) { workers_.insert(std::move(worker)); }
  void remove(const std::shared_ptr<Worker>& worker) { workers_.erase(worker); }

  void stopThreads();

 private:
  struct Call {
    Napi::Promise::Deferred deferred;
    Napi::FunctionReference onEvent;
  };

  // Ends a call and gives its promise to settle, or nothing where the call has ended already.
  std::optional<Napi::Promise::Deferred> take(uint64_t call);
  void close();

  Mailbox mailbox_;
  Napi::FunctionReference errorClass_;
  std::unordered_map<uint64_t, Call> calls_;
  uint64_t nextCall_ = 1;
  std::unordered_set<std::shared_ptr<Engine>> engines_;
  std::unordered_set<std::shared_ptr<Worker>> workers_;
  std::shared_ptr<Worker> tensorWorker_;
};

template <typename Result>
Napi::Value Environment::runOn(Napi::Env env, Worker& worker, std::function<Result()> work,
                               std::function<Napi::Value(Napi::Env, Result&)> make, std::string subject) {
  const auto deferred = Napi::Promise::Deferred::New(env);
  const uint64_t call = beginCall(deferred);
  const bool accepted = worker.post([this, call, work = std::move(work), make = std::move(make), subject = std::move(subject)] {
    std::variant<std::monostate, Result, Failure> outcome;
    try {
      outcome.template emplace<1>(work());
    } catch (...) {
      outcome.template emplace<2>(describe(std::current_exception(), subject));
    }
    mailbox_.post([this, call, make, outcome = std::make_shared<decltype(outcome)>(std::move(outcome))](Napi::Env later) {
      if (const auto* failure = std::get_if<Failure>(outcome.get())) return fail(later, call, *failure);
      settle(later, call, [&](Napi::Env e) { return make(e, std::get<1>(*outcome)); });
    });
  });
  if (!accepted) fail(env, call, {Code::Disposed, "Expected a live handle but it was disposed", "handle"});
  return deferred.Promise();
}

}  // namespace wuerstchen::addon
