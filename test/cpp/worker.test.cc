#include "worker.h"

#include <ATen/Parallel.h>

#include <future>

#include "check.h"

using namespace wuerstchen;

TEST(worker, runsTasksInOrderOnOneThread) {
  std::vector<int> order;
  std::vector<std::thread::id> threads;
  Worker worker(1);
  for (int i = 0; i < 100; ++i) {
    CHECK(worker.post([&, i] {
      order.push_back(i);
      threads.push_back(std::this_thread::get_id());
    }));
  }
  worker.requestStop();
  worker.join();  // everything accepted has run
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
  CHECK(one.post([&] { oneIsUp.set_value(); }));
  oneIsUp.get_future().wait();
  CHECK(two.post([&] { count.set_value(at::get_num_threads()); }));
  CHECK(count.get_future().get() == 2);
}

TEST(worker, refusesTasksOnceItIsToStop) {
  Worker worker(1);
  worker.requestStop();
  bool ran = false;
  CHECK(!worker.post([&] { ran = true; }));
  worker.join();
  CHECK(!ran);
}
