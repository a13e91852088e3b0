// A thread that runs tasks in order: for tensor copies and for stages run by themselves.
//
// Rules
// 1. Of each accepted task either `run` or `drop` is called, once, on the worker's thread. Neither may throw. After requestStop()
//    the task under way is finished, one more is run, and the others are dropped. Whoever posts one task and stops at once then
//    gets its result, however late the thread notices it.
// 2. `onEnd` is the last that runs on the thread.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>

#include "stop.h"
#include "thread.h"

namespace wuerstchen {

class Worker final : public Thread {
 public:
  struct Task {
    std::function<void()> run;
    std::function<void()> drop;
  };

  explicit Worker(int threads, std::function<void()> onEnd = {});
  ~Worker() override;

  // False once requestStop() was called; the task is then neither run nor dropped.
  bool post(Task task);
  // For a task that takes long: stopped by requestStop().
  std::shared_ptr<const StopToken> stop() const { return stop_; }
  void requestStop() override;

 private:
  void threadMain(int threads);

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Task> tasks_;
  std::function<void()> onEnd_;
  const std::shared_ptr<StopToken> stop_ = std::make_shared<StopToken>();
  bool stopping_ = false;
  bool hasOneMore_ = true;  // to run although it is to stop
};

}  // namespace wuerstchen
