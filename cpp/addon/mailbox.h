// The one way from another thread to an environment's JavaScript thread.
//
// Rules
// 1. post() may be called from any thread while a thread of this environment lives; it never blocks and never throws.
// 2. All other methods belong to the JavaScript thread.
// 3. The environment's cleanup joins every thread before close(), so nothing posts to a dead environment (Node up to
//    25.3 aborts on that).
// 4. The process stays alive while something is awaited (hold/release), and no longer.
// 5. What a letter throws becomes an uncaught exception. A call's failure therefore goes to its promise.
#pragma once

#include <atomic>
#include <functional>

#include "napi_setup.h"

namespace wuerstchen::addon {

class Mailbox {
 public:
  using Letter = std::function<void(Napi::Env)>;

  explicit Mailbox(Napi::Env env);
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  void post(Letter letter) noexcept;
  void hold();
  void release();
  // Letters are dropped from now on. From any thread.
  void refuse() noexcept { refusing_ = true; }
  void close();

 private:
  static void deliver(napi_env env, napi_value callback, void* context, void* data);

  napi_env env_;
  napi_threadsafe_function function_ = nullptr;
  std::atomic<bool> refusing_{false};
  int held_ = 0;
};

}  // namespace wuerstchen::addon
