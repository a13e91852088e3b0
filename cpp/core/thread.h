// Threads that run LibTorch: what each sets for itself first, and how it is stopped.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <thread>

#include "counted.h"

namespace c10 {
struct Device;
}

namespace wuerstchen {

// Gives this thread a team of `threads` for its parallel regions and makes the team. Returns how many it has: fewer where the
// system refuses some. libgomp ends the whole process where it cannot start a thread, so the system is asked before.
int setUpThread(int threads) noexcept;

// Held while a team works: see Teams in thread.cc.
class TeamWork {
 public:
  TeamWork();
  ~TeamWork();
  TeamWork(const TeamWork&) = delete;
  TeamWork& operator=(const TeamWork&) = delete;
};

// Waits for the device's work, so that progress, timings and cancellation do not only mean its queue. Costs some 10 µs a step.
void synchronize(c10::Device device);

// A thread with a loop of its own.
//
// Rules
// 1. requestStop() never blocks. The thread ends at its next step boundary; join() waits for that.
// 2. The loop must not throw.
class Thread : Counted<Thread> {
 public:
  virtual ~Thread() = default;
  Thread(const Thread&) = delete;
  Thread& operator=(const Thread&) = delete;

  static int64_t live() noexcept { return Counted<Thread>::live(); }

  virtual void requestStop() = 0;
  void join();

 protected:
  Thread() = default;
  // Throws OUT_OF_MEMORY about threads where the system refuses one.
  void start(std::function<void()> loop);

 private:
  std::thread thread_;
};

}  // namespace wuerstchen
