#include "thread.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <c10/core/Device.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <dlfcn.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <system_error>
#include <vector>

#include "error.h"

namespace wuerstchen {

namespace {

// at::set_num_threads() also changes the default of all threads of the process, and starts as many threads again for a pool that
// nothing here uses. It calls these functions. The first two are about this thread alone; the third keeps MKL from changing the
// size of the team at every product. A LibTorch without OpenMP has none.
void setTeamSize(int count) {
  static auto* const openMp = reinterpret_cast<void (*)(int)>(dlsym(RTLD_DEFAULT, "omp_set_num_threads"));
  static auto* const mkl = reinterpret_cast<int (*)(int)>(dlsym(RTLD_DEFAULT, "MKL_Set_Num_Threads_Local"));
  static auto* const dynamic = reinterpret_cast<void (*)(int)>(dlsym(RTLD_DEFAULT, "MKL_Set_Dynamic"));
  if (openMp == nullptr) return at::set_num_threads(count);
  openMp(count);
  if (mkl != nullptr) mkl(count);
  if (dynamic != nullptr) dynamic(0);
}

// The teams of this process. A team loses threads where a region uses fewer, and starts them again where one uses more: libgomp
// ends the process if it cannot. What a team was promised is therefore kept free for it, and while somebody asks how many threads
// there are, which takes all of them for a moment, no team works.
struct Teams {
  std::mutex mutex;
  std::condition_variable changed;
  int promised = 0;  // threads beside those that have the teams
  int running = 0;
  int asking = 0;
};

Teams& teams() {
  static auto* const forEver = new Teams;
  return *forEver;
}

struct Share {
  int count = 0;
  ~Share() {
    const std::lock_guard lock(teams().mutex);
    teams().promised -= count;
  }
};
thread_local Share share;

// Work within work: a library hands a run on to its program. Whoever asks for threads waits for the outer one, so the inner one
// must not wait for the question to end.
thread_local int depth = 0;

// exit(3) on a thread that still works (libgomp calls it where a thread is refused): nothing can be joined from here, and
// LibTorch's static objects must not be destroyed under the other threads.
struct Running {
  bool value = false;
  ~Running() {
    if (value) _exit(EXIT_FAILURE);
  }
};
thread_local Running running;

// How many of `wanted` threads the system grants now, this one included.
int granted(int wanted) {
  std::mutex mutex;
  std::condition_variable wake;
  bool done = false;
  std::vector<std::thread> probes;
  try {
    probes.reserve(static_cast<size_t>(wanted));
    while (static_cast<int>(probes.size()) + 1 < wanted) {
      probes.emplace_back([&] {
        std::unique_lock lock(mutex);
        wake.wait(lock, [&] { return done; });
      });
    }
  } catch (const std::exception&) {
    // Refused: what there is must do.
  }
  {
    const std::lock_guard lock(mutex);
    done = true;
  }
  wake.notify_all();
  for (std::thread& probe : probes) probe.join();
  return static_cast<int>(probes.size()) + 1;
}

void makeTeam(int count) {
  // A thread's first parallel region takes over LibTorch's default. This question makes that happen now, so that the count set
  // below stays.
  at::get_num_threads();
  setTeamSize(count);
  at::globalContext().setFlushDenormal(true);  // denormals cost a hundred times a normal number; OpenMP's threads inherit it
  at::parallel_for(0, count, 1, [](int64_t, int64_t) {});  // starts the team, while what was granted is still there
}

}  // namespace

int setUpThread(int threads) noexcept {
  Teams& all = teams();
  std::unique_lock lock(all.mutex);
  ++all.asking;
  all.changed.wait(lock, [&] { return all.running == 0; });
  const int count = std::max(1, granted(threads + all.promised) - all.promised);
  makeTeam(count);
  share.count = count - 1;
  all.promised += share.count;
  --all.asking;
  all.changed.notify_all();
  return count;
}

TeamWork::TeamWork() {
  if (depth++ > 0) return;
  Teams& all = teams();
  std::unique_lock lock(all.mutex);
  all.changed.wait(lock, [&] { return all.asking == 0; });
  ++all.running;
}

TeamWork::~TeamWork() {
  if (--depth > 0) return;
  Teams& all = teams();
  const std::lock_guard lock(all.mutex);
  if (--all.running == 0) all.changed.notify_all();
}

void synchronize(c10::Device device) {
  if (device.is_cpu()) return;
  c10::impl::VirtualGuardImpl(device.type()).synchronizeDevice(device.index());
}

void Thread::join() {
  if (thread_.joinable()) thread_.join();
}

void Thread::start(std::function<void()> loop) {
  try {
    thread_ = std::thread([loop = std::move(loop)] {
      running.value = true;
      loop();
      running.value = false;
    });
  } catch (const std::system_error& error) {
    throw Error(Code::OutOfMemory, std::string("Expected a thread but the system refused it: ") + error.what(), "threads");
  }
}

}  // namespace wuerstchen
