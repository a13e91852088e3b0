#include "environment.h"

namespace wuerstchen::addon {

Environment::Environment(Napi::Env env) : mailbox_(env) {
  // Hooks run in reverse order. This one is registered after the mailbox's own, so it runs before it.
  env.AddCleanupHook([this] { close(); });
}

Napi::Value Environment::makeError(Napi::Env env, const Failure& failure) const {
  const std::string code(codeName(failure.code));
  if (errorClass_.IsEmpty()) return Napi::Error::New(env, code + ": " + failure.message).Value();
  auto options = Napi::Object::New(env);
  options.Set("subject", failure.subject.empty() ? env.Null() : Napi::String::New(env, failure.subject));
  return errorClass_.New({Napi::String::New(env, code), Napi::String::New(env, failure.message), options});
}

uint64_t Environment::beginCall(Napi::Promise::Deferred deferred, Napi::Function onEvent) {
  const uint64_t id = nextCall_++;
  calls_.emplace(id, Call{deferred, onEvent.IsEmpty() ? Napi::FunctionReference() : Napi::Persistent(onEvent)});
  mailbox_.hold();
  return id;
}

Napi::FunctionReference* Environment::eventCallback(uint64_t call) {
  const auto found = calls_.find(call);
  return found == calls_.end() || found->second.onEvent.IsEmpty() ? nullptr : &found->second.onEvent;
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
  } catch (const Napi::Error& error) {
    deferred->Reject(error.Value());
  }
}

void Environment::fail(Napi::Env env, uint64_t call, const Failure& failure) {
  if (const auto deferred = take(call)) deferred->Reject(makeError(env, failure));
}

Worker& Environment::tensorWorker() {
  if (!tensorWorker_) {
    tensorWorker_ = std::make_shared<Worker>(1);
    add(tensorWorker_);
  }
  return *tensorWorker_;
}

void Environment::stopThreads() {
  for (const auto& engine : engines_) engine->requestStop();
  for (const auto& worker : workers_) worker->requestStop();
  for (const auto& engine : engines_) engine->join();
  for (const auto& worker : workers_) worker->join();
}

void Environment::close() {
  stopThreads();
  mailbox_.close();
  calls_.clear();
}

}  // namespace wuerstchen::addon
