#include "environment.h"

#include <map>
#include <mutex>
#include <thread>

#include "handles.h"
#include "open_library.h"

namespace wuerstchen::addon {

namespace {

// The environments of this process with their JavaScript threads, for its exit.
struct Registry {
  std::mutex mutex;
  std::map<Environment*, std::thread::id> environments;
};

Registry& registry() {
  static auto* const forEver = new Registry;  // exit handlers run beside static destructors
  return *forEver;
}

// exit(3) destroys what its thread has for itself before it calls any handler. That is the only moment that comes for sure before
// the destructors of LibTorch's static objects: some of those are made in the middle of a run, long after any handler of ours.
struct ThreadExit {
  bool armed = false;
  ~ThreadExit() {
    auto& [mutex, environments] = registry();
    const std::lock_guard lock(mutex);
    for (const auto& [environment, thread] : environments) {
      if (thread != std::this_thread::get_id()) continue;
      environment->mailbox().refuse();  // nobody is left to read a letter
      environment->stopThreads();
    }
  }
};
thread_local ThreadExit threadExit;

}  // namespace

Environment::Environment(Napi::Env env) : mailbox_(env) {
  arrayBuffer_ = Napi::Persistent(env.Global().Get("ArrayBuffer").As<Napi::Function>());
  threadExit.armed = true;  // makes it exist
  {
    const std::lock_guard lock(registry().mutex);
    registry().environments.emplace(this, std::this_thread::get_id());
  }
  // Hooks run in reverse order. This one is registered after the mailbox's own, so it runs before it.
  env.AddCleanupHook([this] { close(); });
}

Environment::~Environment() {
  const std::lock_guard lock(registry().mutex);
  registry().environments.erase(this);
}

Napi::Error errorOf(Napi::Env env, const Failure& failure) {
  auto error = Napi::Error::New(env, failure.message);
  error.Set("native", true);  // told from errors of callbacks by this
  error.Set("code", Napi::String::New(env, std::string(codeName(failure.code))));
  error.Set("subject", failure.subject.empty() ? env.Null() : Napi::String::New(env, failure.subject));
  return error;
}

Napi::Error currentError(Napi::Env env) {
  try {
    throw;
  } catch (const Napi::Error& error) {
    return error;
  } catch (...) {
    return errorOf(env, describe(std::current_exception()));
  }
}

Napi::Value Environment::beginCall(Napi::Env env, uint64_t call, Napi::Function onEvent) {
  const auto deferred = Napi::Promise::Deferred::New(env);
  calls_.emplace(call, Call{deferred, onEvent.IsEmpty() ? Napi::FunctionReference() : Napi::Persistent(onEvent)});
  mailbox_.hold();
  return deferred.Promise();
}

std::optional<Napi::Promise::Deferred> Environment::take(uint64_t call) {
  const auto found = calls_.find(call);
  if (found == calls_.end()) return std::nullopt;
  const Napi::Promise::Deferred deferred = found->second.deferred;
  calls_.erase(found);
  mailbox_.release();
  return deferred;
}

void Environment::settle(Napi::Env env, uint64_t call, const MakeValue& make) {
  const auto deferred = take(call);
  if (!deferred) return;
  try {
    deferred->Resolve(make(env));
  } catch (...) {
    deferred->Reject(currentError(env).Value());
  }
}

void Environment::fail(Napi::Env env, uint64_t call, const Failure& failure) {
  if (const auto deferred = take(call)) deferred->Reject(errorOf(env, failure).Value());
}

bool Environment::tell(Napi::Env env, uint64_t call, const std::function<std::vector<napi_value>(Napi::Env)>& arguments) {
  const auto found = calls_.find(call);
  if (found == calls_.end() || found->second.onEvent.IsEmpty()) return true;
  try {
    found->second.onEvent.Call(arguments(env));
    return true;
  } catch (...) {
    const Napi::Error error = currentError(env);
    if (const auto deferred = take(call)) deferred->Reject(error.Value());
    return false;
  }
}

Worker& Environment::tensorWorker() {
  if (!tensorWorker_) {
    const uint64_t number = nextNumber();
    tensorWorker_ = std::make_shared<Worker>(1, endOf(number));
    keep(number, tensorWorker_);
  }
  return *tensorWorker_;
}

std::function<void()> Environment::endOf(uint64_t number) {
  return [this, number] { mailbox_.post([this, number](Napi::Env env) { ended(env, number); }); };
}

// The thread has run its last line but one, so joining it takes no time.
void Environment::ended(Napi::Env env, uint64_t number) {
  const auto found = threads_.find(number);
  if (found == threads_.end()) return;
  const Kept kept = std::move(found->second);
  threads_.erase(found);
  kept.thread->join();
  for (const uint64_t call : kept.waiting) settle(env, call, [](Napi::Env e) { return e.Undefined(); });
}

Napi::Value Environment::stop(Napi::Env env, uint64_t number) {
  const uint64_t call = nextNumber();
  const Napi::Value promise = beginCall(env, call);
  const auto found = threads_.find(number);
  if (found == threads_.end()) {
    settle(env, call, [](Napi::Env e) { return e.Undefined(); });
  } else {
    found->second.waiting.push_back(call);
    found->second.thread->requestStop();
  }
  return promise;
}

void Environment::stopThreads() noexcept {
  for (const auto& [unused, kept] : threads_) kept.thread->requestStop();
  for (const auto& [unused, kept] : threads_) kept.thread->join();
}

Napi::ArrayBuffer Environment::newBuffer(Napi::Env env, size_t bytes) const {
  try {
    return arrayBuffer_.New({Napi::Number::New(env, static_cast<double>(bytes))}).As<Napi::ArrayBuffer>();
  } catch (const Napi::Error&) {
    throw Error(Code::OutOfMemory, c10::str("Expected ", bytes, " bytes of memory for JavaScript but V8 refused them"), "memory");
  }
}

std::vector<std::pair<const char*, int64_t>> Environment::liveObjects() const {
  return {{"engines", Engine::live()},
          {"threads", Thread::live()},
          {"programs", Program::live()},
          {"weights", OpenLibrary::weightsHeld()},
          {"requests", Counted<Job>::live()},
          {"tensors", Counted<TensorHolder>::live()},
          {"environments", Counted<Environment>::live()},
          {"calls", static_cast<int64_t>(calls_.size())}};
}

void Environment::close() {
  stopThreads();
  mailbox_.close();
  threads_.clear();
  tensorWorker_.reset();
  calls_.clear();
  arrayBuffer_.Reset();  // Node does not free it with the environment
  const std::lock_guard lock(registry().mutex);
  registry().environments.erase(this);
}

}  // namespace wuerstchen::addon
