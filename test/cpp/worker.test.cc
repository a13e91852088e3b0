#include "worker.h"

#include <ATen/Parallel.h>

#include <future>
#include <vector>

#include "check.h"

using namespace wuerstchen;

namespace {

Worker::Task task(std::function<void()> run) {
  return {std::move(run), [] {}};
}

}  // namespace

TEST(worker, runsTasksInOrderOnOneThread) {
  std::vector<int> order;
  std::vector<std::thread::id> threads;
  std::promise<void> done;
  Worker worker(1);
  for (int i = 0; i < 100; ++i) {
    CHECK(worker.post(task([&, i] {
      order.push_back(i);
      threads.push_back(std::this_thread::get_id());
      if (i == 99) done.set_value();
    })));
  }
  done.get_future().wait();
  CHECK(order.size() == 100);
  for (int i = 0; i < 100; ++i) CHECK(order[i] == i && threads[i] == threads[0]);
  CHECK(threads[0] != std::this_thread::get_id());
}

// A thread's first parallel region must not take over the count that another thread set in the meantime.
TEST(worker, keepsItsOwnThreadCount) {
  Worker two(2);
  Worker one(1);
  std::promise<void> oneIsUp;
  std::promise<int> count;
  CHECK(one.post(task([&] { oneIsUp.set_value(); })));
  oneIsUp.get_future().wait();
  CHECK(two.post(task([&] { count.set_value(at::get_num_threads()); })));
  CHECK(count.get_future().get() == 2);
}

// Nor may a thread that nobody has told a count: it has LibTorch's default.
TEST(worker, leavesTheDefaultOfOtherThreadsAlone) {
  const auto defaultNow = [] { return std::async(std::launch::async, [] { return at::get_num_threads(); }).get(); };
  const int before = defaultNow();
  std::promise<void> up;
  Worker many(before + 5);
  CHECK(many.post(task([&] { up.set_value(); })));
  up.get_future().wait();
  CHECK(defaultNow() == before);
}

TEST(worker, refusesTasksOnceItIsToStop) {
  Worker worker(1);
  worker.requestStop();
  bool touched = false;
  CHECK(!worker.post({[&] { touched = true; }, [&] { touched = true; }}));
  worker.join();
  CHECK(!touched);
}

// The task under way is finished, one more is run, the others are dropped, and the end comes last.
TEST(worker, stopsWithinTwoTasks) {
  int ran = 0, dropped = 0;
  bool ended = false;
  std::promise<void> begun, goOn;
  Worker worker(1, [&] { ended = ran == 2 && dropped == 199; });
  CHECK(worker.post(task([&] {
    begun.set_value();
    goOn.get_future().wait();
    ++ran;
  })));
  for (int i = 0; i < 200; ++i) CHECK(worker.post({[&] { ++ran; }, [&] { ++dropped; }}));
  begun.get_future().wait();
  worker.requestStop();
  goOn.set_value();
  worker.join();
  CHECK(ended);
}

// Whoever posts one task and stops at once gets its result, however slow the thread is to begin.
TEST(worker, runsTheFirstTaskAlsoWhereItIsToldToStopBefore) {
  for (int i = 0; i < 200; ++i) {
    int ran = 0, dropped = 0;
    Worker worker(1);
    for (int k = 0; k < 3; ++k) CHECK(worker.post({[&] { ++ran; }, [&] { ++dropped; }}));
    worker.requestStop();
    worker.join();
    CHECK(ran >= 1 && ran + dropped == 3);
  }
}

TEST(worker, leavesNoThreadBehind) {
  const int64_t before = Thread::live();
  for (int i = 0; i < 50; ++i) Worker worker(1);
  CHECK(Thread::live() == before);
}
