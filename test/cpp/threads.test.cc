// What several threads may do at the same time, done by several threads at the same time. Under ThreadSanitizer
// (scripts/checks/sanitize.mjs --thread) a race is a failure; without it the counts must still be right.
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <random>
#include <thread>

#include "check.h"
#include "models.h"
#include "test_engine.h"
#include "thread.h"
#include "worker.h"

using namespace wuerstchen;
using namespace testing;

namespace {

// As the addon's mailbox: the engine's thread posts, one other thread reads.
class Letters {
 public:
  void post(std::function<void()> letter) {
    const std::lock_guard lock(mutex_);
    letters_.push_back(std::move(letter));
    wake_.notify_one();
  }
  // Reads until `count` have been read.
  void read(int count) {
    for (int i = 0; i < count; ++i) {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return !letters_.empty(); });
      const auto letter = std::move(letters_.front());
      letters_.pop_front();
      lock.unlock();
      letter();
    }
  }

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> letters_;
};

template <typename Body>
void onThreads(int count, Body body) {
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) threads.emplace_back([=] { body(i); });
  for (std::thread& thread : threads) thread.join();
}

}  // namespace

TEST(threads, aWorkerTakesTasksFromManyThreadsUntilItIsToStop) {
  for (int round = 0; round < 20; ++round) {
    std::atomic<int> accepted{0};
    int ran = 0, dropped = 0;  // not atomic: only the worker's thread touches them
    {
      Worker worker(1);
      onThreads(4, [&, round](int thread) {
        for (int i = 0; i < 50; ++i) {
          if (worker.post({[&] { ++ran; }, [&] { ++dropped; }})) ++accepted;
          if (thread == 0 && i == round * 2) worker.requestStop();
        }
      });
      worker.requestStop();
      worker.join();
    }
    CHECK(ran + dropped == accepted.load());
  }
}

TEST(threads, anEngineIsAskedAndToldByManyThreads) {
  const models::Folder folder;
  EngineSpec spec = models::write(folder);
  spec.maxBatch = 3;
  TestEngine engine(spec);
  constexpr int kThreads = 4, kRequests = 12;
  Letters letters;
  int settled = 0, images = 0;  // only the reader touches these
  std::thread reader([&] { letters.read(kThreads * kRequests); });
  onThreads(kThreads, [&](int thread) {
    std::minstd_rand random(static_cast<unsigned>(thread) + 1);
    for (int i = 0; i < kRequests; ++i) {
      auto made = std::make_shared<int>(0);  // the engine's thread counts, the reader reads
      const auto onEvent = [made](const Event& event) { *made += std::holds_alternative<ImageEvent>(event); };
      const auto onDone = [&, made](std::variant<Result, Failure>) {
        letters.post([&, made] {
          ++settled;
          images += *made;
        });
      };
      const uint64_t id = (*engine).submit(request({static_cast<uint64_t>(i)}, 2), {onEvent, onDone});
      if (random() % 3 == 0) (*engine).cancel(id);
      const EngineStats stats = (*engine).stats();
      CHECK(stats.queued >= 0 && stats.running >= 0);
    }
  });
  reader.join();
  CHECK(settled == kThreads * kRequests && images > 0 && images <= settled);
}

TEST(threads, anEngineStopsWhileOthersStillAsk) {
  for (int round = 0; round < 6; ++round) {
    const models::Folder folder;
    std::atomic<int> settled{0}, submitted{0};
    {
      TestEngine engine(models::write(folder));
      onThreads(3, [&, round](int thread) {
        for (int i = 0; i < 10; ++i) {
          ++submitted;
          (*engine).submit(request({1}, 3), {[](const Event&) {}, [&](const auto&) { ++settled; }});
          if (thread == 0 && i == round) (*engine).requestStop();
        }
      });
      (*engine).requestStop();
      (*engine).join();
    }
    CHECK(settled == submitted);  // each exactly once, also what came too late
  }
}

// A run in a library that its program answers is work within work. Whoever asks for threads waits for the outer one.
TEST(threads, workWithinWorkDoesNotWaitForAQuestion) {
  std::thread asking;
  {
    const TeamWork outer;
    asking = std::thread([] { setUpThread(1); });
    std::this_thread::sleep_for(std::chrono::milliseconds(50));  // most probably it asks by now; it cannot end before `outer`
    const TeamWork inner;
  }
  asking.join();
}
