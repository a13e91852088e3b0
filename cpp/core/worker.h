// A thread that runs tasks in order: for tensor copies and for stages run by themselves.
// Tasks run on its thread only and must not throw. All tasks that were accepted run before join() returns.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace wuerstchen {

class Worker {
 public:
  explicit Worker(int threads);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // False once requestStop() was called; the task is then dropped.
  bool post(std::function<void()> task);
  void requestStop();
  void join();

 private:
  void threadMain(int threads);

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> tasks_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace wuerstchen
