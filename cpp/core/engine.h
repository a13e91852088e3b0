// The engine: one thread that owns a model's programs on one device and makes the images of all requests.
//
// Thread and lifetime rules
// 1. Programs, images and the tensors of jobs belong to the engine's thread. Other threads only append to `incoming_` and
//    `tasks_`, set a job's `cancelled`, ask for `stopping_` and copy `snapshot_`, all under `mutex_`.
// 2. Callbacks run on the engine's thread and must not block or throw. Every job's and task's onDone is called exactly once, also
//    when the engine stops or never finishes loading.
// 3. The thread sets its own thread count, denormal flushing and inference mode, because they belong to a thread.
// 4. requestStop() never blocks; the thread ends at its next step boundary and calls `onStopped` last. join() may block
//    for at most one step, or one Stage A decode.
//
// Policy: turns.h says which image leads a turn and which may ride along, up to `maxBatch`. Images join and leave at every step
// boundary, whatever their prompts, seeds, step counts and guidance. Stage A runs image by image.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>

#include "stages.h"
#include "turns.h"

namespace wuerstchen {

struct EngineStats {
  int64_t queued = 0;   // requests that wait for their first step
  int64_t running = 0;  // requests under way
  int64_t completed = 0;
  int64_t failed = 0;
  int64_t cancelled = 0;
  std::map<int, int64_t> batchSizes;  // denoising runs by number of images
  std::map<StageId, StageStats> stages;
};

class Engine {
 public:
  struct Hooks {
    std::function<void(StageId, int done, int total)> onProgress;
    std::function<void(std::optional<Failure>)> onLoaded;
    std::function<void()> onStopped;
  };

  // Starts the thread, which checks and loads the model and then calls `onLoaded`.
  Engine(EngineSpec spec, Hooks hooks);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // `request` has passed checkRequest(). A cancelled one ends with Code::Cancelled.
  uint64_t submit(Request request, Callbacks callbacks);

  // Something short for the engine's thread, which runs it before the next step. `run` may throw. `onDone` is called exactly once
  // with its result or failure.
  struct Task {
    std::function<at::Tensor(Stages&)> run;
    std::function<void(std::variant<at::Tensor, Failure>)> onDone;
  };
  void post(Task task);

  void cancel(uint64_t id);
  EngineStats stats() const;
  void requestStop();
  void join();

 private:
  void threadMain();
  std::function<bool(const Image&)> stageInUse() const;  // says whether an image's stage is loaded; empty where all stages are
  bool load();
  Failure failureNow() const;  // the exception being handled; where it does not say, it is about the stage in use
  bool admit();                // false: stopping
  void runTask(Task& task);
  void startImages(const std::shared_ptr<Job>& job);
  void dropCancelled();
  void runNext();
  bool ready(Image& image);  // prepares it; false: its job has ended
  void runDenoising(const std::vector<Image*>& batch);
  void runPixels(Image& image);
  void prepare(Image& image);
  bool wantsPreview(const Image& image) const;  // after its next step
  void makePreview(Image& image);
  void startShortDecode(const Image& image, const at::Tensor& estimate);
  void finishTrajectory(Image& image);
  void finishImage(Image& image);
  void settle(const std::shared_ptr<Job>& job, std::optional<Failure> failure);
  void failAll(const Failure& failure);
  void publishStats();

  const EngineSpec spec_;
  Hooks hooks_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::shared_ptr<Job>> incoming_;
  std::deque<Task> tasks_;
  std::unordered_map<uint64_t, std::shared_ptr<Job>> live_;
  EngineStats snapshot_;
  uint64_t nextId_ = 1;
  bool stopping_ = false;
  bool stopped_ = false;

  // From here on, everything belongs to the engine's thread alone.
  Stages stages_;
  Denoiser priorDenoiser_;
  Denoiser decoderDenoiser_;
  Turns turns_;
  Images images_;  // previews first, then the oldest image first
  EngineStats counters_;

  std::thread thread_;  // last: everything above exists when it starts
};

}  // namespace wuerstchen
