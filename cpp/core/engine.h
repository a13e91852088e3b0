// The engine: one thread that owns a model's programs on one device and makes the images of all requests.
//
// Thread and lifetime rules
// 1. Programs, images and the tensors of jobs belong to the engine's thread. Other threads only append to `incoming_` and
//    `tasks_` and copy `snapshot_`, all under `mutex_`, and stop tokens.
// 2. Callbacks run on the engine's thread and must not block. Only onEvent and onProgress may throw, which fails their request or
//    the load. Every job's and task's onDone is called exactly once, also
//    when the engine stops or never finishes loading.
// 3. The thread sets its own thread count, denormal flushing and inference mode, because they belong to a thread.
// 4. requestStop() never blocks; the thread ends at its next step boundary, whatever waits, and calls `onStopped` last. A step
//    is one run of a denoising network, one decode by Stage A, one batch of texts, one task, or of a program that loads 64 MiB or
//    one weight.
//
// Policy: turns.h says which image leads a turn and which may ride along, up to `mostInBatch` (spec.h). Images join and leave at
// every step boundary, whatever their prompts, seeds, step counts and guidance. Stage A runs image by image.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>

#include "stages.h"
#include "stop.h"
#include "thread.h"
#include "turns.h"

namespace wuerstchen {

struct EngineStats {
  int64_t queued = 0;   // requests that wait for their first step
  int64_t running = 0;  // requests under way
  int64_t completed = 0;
  int64_t failed = 0;
  int64_t cancelled = 0;
  int64_t tasks = 0;                  // image tasks that wait or run
  double silentMs = 0;                // since it last finished something, while it has work
  std::optional<StageId> doing;       // the stage that it used last
  int threads = 0;                    // that it really has
  std::map<int, int64_t> batchSizes;  // denoising runs by number of images
  std::map<StageId, StageStats> stages;
};

class Engine final : public Thread, Counted<Engine> {
 public:
  static int64_t live() noexcept { return Counted<Engine>::live(); }

  struct Hooks {
    std::function<void(StageId, int done, int total)> onProgress;
    std::function<void(std::optional<Failure>)> onLoaded;
    std::function<void()> onStopped;
  };

  // Starts the thread, which checks and loads the model and then calls `onLoaded`.
  Engine(EngineSpec spec, Hooks hooks);
  ~Engine() override;

  const EngineSpec& spec() const { return spec_; }

  // `request` has passed checkRequest(). A cancelled one ends with Code::Cancelled.
  uint64_t submit(Request request, Callbacks callbacks);

  // Something short for the engine's thread, which runs one task before every step. `run` may throw. `onDone` is called exactly
  // once with its result or failure. A cancelled one ends with Code::Cancelled.
  struct Task {
    std::function<at::Tensor(Stages&)> run;
    std::function<void(std::variant<at::Tensor, Failure>)> onDone;
  };
  uint64_t post(Task task);

  // Of a request or a task; unknown ids and those of finished work do nothing.
  void cancel(uint64_t id);
  EngineStats stats() const;
  void requestStop() override;

 private:
  struct Posted {
    uint64_t id;
    Task task;
    std::shared_ptr<StopToken> stop;
  };

  void threadMain();
  void serve();
  std::function<bool(const Image&)> stageInUse() const;  // says whether an image's stage is loaded; empty where all stages are
  bool load();
  Failure failureNow() const;  // the exception being handled; where it does not say, it is about the stage in use
  bool admit();                // false: stopping
  void runTask();
  std::optional<Posted> takeCancelledTask();
  void endTask(const Posted& posted, std::variant<at::Tensor, Failure> outcome);
  void startImages(const std::shared_ptr<Job>& job);
  void dropCancelled();
  void runNext();
  bool ready(Image& image);  // prepares it; false: its job has ended
  void runDenoising(const std::vector<Image*>& batch);
  void takeStep(const std::vector<Image*>& batch);
  void afterStep(Image& image, int shared);
  void runPixels(Image& image);
  void prepare(Image& image);
  bool wantsPreview(const Image& image) const;  // after its next step
  void makePreview(Image& image);
  void startShortDecode(const Image& image, const at::Tensor& estimate);
  void finishTrajectory(Image& image);
  void finishImage(Image& image);
  void settle(const std::shared_ptr<Job>& job, std::optional<Failure> failure);
  void failAll(const Failure& failure, bool forGood);
  void publishStats();
  void tick() noexcept;  // something was finished

  const EngineSpec spec_;
  Hooks hooks_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<std::shared_ptr<Job>> incoming_;
  std::deque<Posted> tasks_;
  std::unordered_map<uint64_t, std::shared_ptr<StopToken>> live_;  // of requests and tasks
  EngineStats snapshot_;
  uint64_t nextId_ = 1;
  bool stopped_ = false;  // takes nothing any more
  bool idle_ = false;     // waits for work
  const std::shared_ptr<StopToken> stop_ = std::make_shared<StopToken>();
  std::atomic<int64_t> lastDone_{0};  // when something was finished last, in microseconds of the steady clock
  std::atomic<int> threads_{0};

  // From here on, everything belongs to the engine's thread alone.
  Stages stages_;
  Denoiser priorDenoiser_;
  Denoiser decoderDenoiser_;
  Turns turns_;
  Images images_;  // previews first, then the oldest image first
  EngineStats counters_;
  size_t mostInBatch_;  // maxBatch, or fewer after memory was refused
};

}  // namespace wuerstchen
