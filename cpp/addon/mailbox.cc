#include "mailbox.h"

#include <chrono>
#include <memory>
#include <new>
#include <thread>

#include "environment.h"

namespace wuerstchen::addon {

Mailbox::Mailbox(Napi::Env env) : env_(env) {
  const napi_value name = Napi::String::New(env, "wuerstchen");
  const napi_status status = napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, nullptr, nullptr, nullptr,
                                                             &Mailbox::deliver, &function_);
  if (status != napi_ok) throw Napi::Error::New(env);
  napi_unref_threadsafe_function(env, function_);
}

void Mailbox::post(Letter letter) noexcept {
  // A letter that is lost is a promise that never settles. Where memory for its envelope is refused, it waits for some.
  auto* envelope = new (std::nothrow) Letter;
  while (envelope == nullptr && !refusing_) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    envelope = new (std::nothrow) Letter;
  }
  if (envelope == nullptr) return;
  envelope->swap(letter);
  // Fails only when the environment is closing; nobody waits for the letter then.
  if (refusing_ || napi_call_threadsafe_function(function_, envelope, napi_tsfn_nonblocking) != napi_ok) delete envelope;
}

void Mailbox::hold() {
  if (held_++ == 0) napi_ref_threadsafe_function(env_, function_);
}

void Mailbox::release() {
  if (--held_ == 0) napi_unref_threadsafe_function(env_, function_);
}

void Mailbox::close() {
  if (function_ == nullptr) return;
  napi_release_threadsafe_function(function_, napi_tsfn_abort);
  function_ = nullptr;
}

void Mailbox::deliver(napi_env rawEnv, napi_value, void*, void* data) {
  const std::unique_ptr<Letter> letter(static_cast<Letter*>(data));
  if (rawEnv == nullptr) return;  // the environment is closing: nobody is left to read it
  const Napi::Env env(rawEnv);
  const Napi::HandleScope scope(env);
  try {
    (*letter)(env);
  } catch (...) {
    napi_fatal_exception(env, currentError(env).Value());
  }
}

}  // namespace wuerstchen::addon
