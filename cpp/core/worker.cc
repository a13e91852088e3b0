#include "worker.h"

#include "thread.h"

namespace wuerstchen {

Worker::Worker(int threads) : thread_([this, threads] { threadMain(threads); }) {}

Worker::~Worker() {
  requestStop();
  join();
}

bool Worker::post(std::function<void()> task) {
  const std::lock_guard lock(mutex_);
  if (stopping_) return false;
  tasks_.push_back(std::move(task));
  wake_.notify_one();
  return true;
}

void Worker::requestStop() {
  const std::lock_guard lock(mutex_);
  stopping_ = true;
  wake_.notify_one();
}

void Worker::join() {
  if (thread_.joinable()) thread_.join();
}

void Worker::threadMain(int threads) {
  setUpThread(threads);
  while (true) {
    std::function<void()> task;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || !tasks_.empty(); });
      if (tasks_.empty()) return;
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    task();
  }
}

}  // namespace wuerstchen
