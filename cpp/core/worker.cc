#include "worker.h"

#include <utility>

namespace wuerstchen {

Worker::Worker(int threads, std::function<void()> onEnd) : onEnd_(std::move(onEnd)) {
  start([this, threads] { threadMain(threads); });
}

Worker::~Worker() {
  requestStop();
  join();
}

bool Worker::post(Task task) {
  const std::lock_guard lock(mutex_);
  if (stopping_) return false;
  tasks_.push_back(std::move(task));
  wake_.notify_one();
  return true;
}

void Worker::requestStop() {
  const std::lock_guard lock(mutex_);
  stopping_ = true;
  stop_->stop();
  wake_.notify_one();
}

void Worker::threadMain(int threads) {
  setUpThread(threads);
  while (true) {
    Task task;
    bool wanted = true;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || !tasks_.empty(); });
      if (tasks_.empty()) break;
      wanted = !stopping_ || std::exchange(hasOneMore_, false);
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    (wanted ? task.run : task.drop)();
  }
  if (onEnd_) onEnd_();
}

}  // namespace wuerstchen
