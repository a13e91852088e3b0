// Everything one Node environment (the main thread or a worker) owns.
//
// Rules
// 1. Every method but mailbox().post() belongs to the environment's JavaScript thread.
// 2. Lambdas that cross threads carry numbers of calls and threads, never a JavaScript reference: deferreds and callbacks stay in
//    `calls_`, where only the JavaScript thread can free them. Threads stay in `threads_` until they have ended, so that none is
//    ever freed by itself.
// 3. close() (the cleanup hook) and stopThreads() (the process's exit) ask every thread to stop, then join it. That takes at most
//    one step (engine.h, rule 4), whatever waits.
// 4. process.exit() runs no cleanup hooks, and a host can end the process without the JavaScript exit event. The last resort is
//    exit(3) itself, which then stops the threads of its environment: static destructors would otherwise run while they work.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>
#include <variant>
#include <vector>

#include "engine.h"
#include "error.h"
#include "mailbox.h"
#include "napi_setup.h"
#include "worker.h"

namespace wuerstchen::addon {

class Environment : Counted<Environment> {
 public:
  explicit Environment(Napi::Env env);
  ~Environment();
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;
  static Environment& of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }

  // True the first time.
  bool initialize() { return !std::exchange(initialized_, true); }

  Mailbox& mailbox() { return mailbox_; }

  // A number that no call and no thread of this environment has had.
  uint64_t nextNumber() { return nextNumber_++; }

  using MakeValue = std::function<Napi::Value(Napi::Env)>;
  // A promise that settle() or fail() ends; the process stays alive until then. `call` is a number that nextNumber() gave: what
  // can fail is begun with it before the promise exists. `onEvent` may be empty.
  Napi::Value beginCall(Napi::Env env, uint64_t call, Napi::Function onEvent = {});
  void settle(Napi::Env env, uint64_t call, const MakeValue& make);
  void fail(Napi::Env env, uint64_t call, const Failure& failure);
  // Gives an event of a call to its listener. A listener that throws ends the call with what it has thrown; false then.
  bool tell(Napi::Env env, uint64_t call, const std::function<std::vector<napi_value>(Napi::Env)>& arguments);

  // The way of an outcome to the JavaScript thread, made before the work begins: when it has ended, memory may be refused.
  // `read` is called there. What this returns must be called once, from any thread, and does not throw.
  template <typename Outcome>
  std::function<void(Outcome)> replyTo(std::function<void(Napi::Env, Outcome&)> read);

  // Runs `work` on `worker` and gives its result to `make` on the JavaScript thread. Every async call that is not an engine's
  // does this. An exception of LibTorch's becomes an error about `subject`.
  template <typename Result>
  Napi::Value runOn(Napi::Env env, Worker& worker, std::function<Result()> work,
                    std::function<Napi::Value(Napi::Env, Result&)> make, std::string subject = {});

  Worker& tensorWorker();

  // Keeps a thread under its number until ended() is told of its end.
  void keep(uint64_t number, std::shared_ptr<Thread> thread) { threads_[number].thread = std::move(thread); }
  // What a thread calls last: it posts its end.
  std::function<void()> endOf(uint64_t number);
  // Asks a thread to stop. The promise resolves when it has ended.
  Napi::Value stop(Napi::Env env, uint64_t number);

  void stopThreads() noexcept;

  // A buffer that V8 may refuse. Napi::ArrayBuffer::New would end the process then; this throws OUT_OF_MEMORY.
  Napi::ArrayBuffer newBuffer(Napi::Env env, size_t bytes) const;

  std::vector<std::pair<const char*, int64_t>> liveObjects() const;

 private:
  struct Call {
    Napi::Promise::Deferred deferred;
    Napi::FunctionReference onEvent;
  };
  struct Kept {
    std::shared_ptr<Thread> thread;
    std::vector<uint64_t> waiting;  // calls that wait for its end
  };

  // Ends a call and gives its promise to settle, or nothing where the call has ended already.
  std::optional<Napi::Promise::Deferred> take(uint64_t call);
  void ended(Napi::Env env, uint64_t number);
  void close();

  Mailbox mailbox_;
  Napi::FunctionReference arrayBuffer_;
  bool initialized_ = false;
  std::unordered_map<uint64_t, Call> calls_;
  std::unordered_map<uint64_t, Kept> threads_;
  uint64_t nextNumber_ = 1;
  std::shared_ptr<Worker> tensorWorker_;
};

// An error with `code` and `subject`. TypeScript makes its own class of it (lib/load/own-errors.ts).
Napi::Error errorOf(Napi::Env env, const Failure& failure);
// The exception that is being handled, for JavaScript.
Napi::Error currentError(Napi::Env env);

template <typename Outcome>
std::function<void(Outcome)> Environment::replyTo(std::function<void(Napi::Env, Outcome&)> read) {
  struct Reply {
    std::optional<Outcome> outcome;
    Mailbox::Letter letter;
  };
  const auto reply = std::make_shared<Reply>();
  // The letter keeps what it reads: once it was posted, nothing else does.
  reply->letter = [reply, read = std::move(read)](Napi::Env env) { read(env, *reply->outcome); };
  return [this, reply](Outcome outcome) {
    reply->outcome.emplace(std::move(outcome));
    mailbox_.post(std::exchange(reply->letter, nullptr));
  };
}

template <typename Result>
Napi::Value Environment::runOn(Napi::Env env, Worker& worker, std::function<Result()> work,
                               std::function<Napi::Value(Napi::Env, Result&)> make, std::string subject) {
  const uint64_t call = nextNumber();
  using Outcome = std::variant<std::monostate, Result, Failure>;
  const std::function<void(Outcome)> finish =
      replyTo<Outcome>([this, call, make = std::move(make)](Napi::Env later, Outcome& outcome) {
        if (const auto* failure = std::get_if<Failure>(&outcome)) return fail(later, call, *failure);
        settle(later, call, [&](Napi::Env e) { return make(e, std::get<1>(outcome)); });
      });
  const Failure gone{Code::Disposed, "Expected a live stage but it was disposed while the call waited", "stage"};
  const bool accepted = worker.post({[finish, work = std::move(work), subject = std::move(subject)] {
                                       Outcome outcome;
                                       try {
                                         outcome.template emplace<1>(work());
                                       } catch (...) {
                                         outcome.template emplace<2>(describe(std::current_exception(), subject));
                                       }
                                       finish(std::move(outcome));
                                     },
                                     [finish, gone] { finish(Outcome(gone.copy())); }});
  const Napi::Value promise = beginCall(env, call);
  if (!accepted) finish(Outcome(gone));
  return promise;
}

}  // namespace wuerstchen::addon
