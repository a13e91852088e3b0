// The engine's life: requests in and out, its thread, loading, stopping. engine_run.cc has what it does in between.
#include "engine.h"

#include <c10/core/InferenceMode.h>

#include <algorithm>

#include "contract.h"
#include "memory.h"
#include "thread.h"

namespace wuerstchen {

namespace {

Failure disposed() {
  return {Code::Disposed, "Expected a live pipeline but it was disposed while the call was under way", "pipeline"};
}

int64_t microseconds() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

Engine::Engine(EngineSpec spec, Hooks hooks)
    : spec_(std::move(spec)),
      hooks_(std::move(hooks)),
      stages_(spec_, stop_, [this] { tick(); }),
      turns_(stageInUse()),
      mostInBatch_(static_cast<size_t>(spec_.maxBatch)) {
  tick();
  start([this] { threadMain(); });  // last: everything above exists by now
}

std::function<bool(const Image&)> Engine::stageInUse() const {
  if (spec_.residency == Residency::All) return {};
  return [this](const Image& image) { return stages_.isLoaded(stageOf(image.phase)); };
}

Engine::~Engine() {
  requestStop();
  join();
}

uint64_t Engine::submit(Request request, Callbacks callbacks) {
  auto job = std::make_shared<Job>(stop_);
  job->request = std::move(request);
  job->callbacks = std::move(callbacks);
  job->unfinished = static_cast<int>(job->request.images.size());
  {
    const std::lock_guard lock(mutex_);
    job->id = nextId_++;
    if (!stopped_) {
      if (idle_) tick();  // its silence begins now
      live_.emplace(job->id, job->stop);
      incoming_.push_back(job);
      ++snapshot_.queued;
      wake_.notify_one();
      return job->id;
    }
  }
  job->callbacks.onDone(disposed());
  return job->id;
}

uint64_t Engine::post(Task task) {
  uint64_t id = 0;
  {
    const std::lock_guard lock(mutex_);
    id = nextId_++;
    if (!stopped_) {
      if (idle_) tick();
      auto stop = std::make_shared<StopToken>(stop_);
      live_.emplace(id, stop);
      tasks_.push_back({id, std::move(task), std::move(stop)});
      ++snapshot_.tasks;
      wake_.notify_one();
      return id;
    }
  }
  task.onDone(disposed());
  return id;
}

void Engine::cancel(uint64_t id) {
  const std::lock_guard lock(mutex_);
  const auto found = live_.find(id);
  if (found == live_.end()) return;
  found->second->stop();
  wake_.notify_one();
}

EngineStats Engine::stats() const {
  const std::lock_guard lock(mutex_);
  EngineStats stats = snapshot_;
  stats.silentMs = live_.empty() ? 0 : static_cast<double>(std::max<int64_t>(0, microseconds() - lastDone_)) / 1000;
  stats.doing = stages_.doing();
  stats.threads = threads_;
  return stats;
}

void Engine::tick() noexcept { lastDone_ = microseconds(); }

void Engine::requestStop() {
  const std::lock_guard lock(mutex_);
  stop_->stop();
  wake_.notify_one();
}

void Engine::threadMain() {
  threads_ = setUpThread(spec_.threads);
  if (load()) serve();
  try {
    failAll(disposed(), /*forGood=*/true);
    images_.clear();
    priorDenoiser_.clear();
    decoderDenoiser_.clear();
    stages_.unloadAll();
    giveBackMemory(spec_.device);
  } catch (...) {
    // Memory is refused even for this. What is left goes with the engine.
  }
  const auto onStopped = std::exchange(hooks_, {}).onStopped;
  if (onStopped) onStopped();
}

// An exception between two runs belongs to nobody in particular, and it is rare: memory was refused for a list. Whoever is here
// is told, and the engine goes on.
void Engine::serve() {
  const c10::InferenceMode inference;
  for (bool wanted = true; wanted;) {
    try {
      wanted = admit();
      if (!wanted) return;
      dropCancelled();
      runTask();
      if (!images_.empty()) runNext();
      publishStats();
    } catch (...) {
      const Failure failure = failureNow();
      try {
        failAll(failure, /*forGood=*/false);
      } catch (...) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));  // not even for this; the next round tries again
      }
      images_.clear();
    }
  }
}

bool Engine::load() {
  try {
    checkStages(spec_);
    stages_.loadAll([this](StageId id, int done, int total) {
      if (hooks_.onProgress) hooks_.onProgress(id, done, total);
      stop_->check();
    });
    giveBackMemory(spec_.device);  // of the weights before they were converted, and of the files' text
    publishStats();
  } catch (...) {
    const Failure failure = failureNow();
    if (hooks_.onLoaded) hooks_.onLoaded(stop_->stopped() ? disposed() : failure.copy());
    return false;
  }
  if (hooks_.onLoaded) hooks_.onLoaded(std::nullopt);
  return true;
}

Failure Engine::failureNow() const { return describe(std::current_exception(), stages_.lastUsed()); }

bool Engine::admit() {
  std::unique_lock lock(mutex_);
  if (images_.empty() && incoming_.empty() && tasks_.empty() && !stop_->stopped()) {
    lock.unlock();
    priorDenoiser_.clear();  // nothing is left to do, so nobody needs the last batch's conditions
    decoderDenoiser_.clear();
    mostInBatch_ = static_cast<size_t>(spec_.maxBatch);
    lock.lock();
    idle_ = true;
    wake_.wait(lock, [this] { return stop_->stopped() || !incoming_.empty() || !tasks_.empty(); });
    idle_ = false;
  }
  if (stop_->stopped()) return false;
  std::vector<std::shared_ptr<Job>> arrived;
  arrived.swap(incoming_);
  lock.unlock();
  for (const auto& job : arrived) startImages(job);
  return true;
}

void Engine::runTask() {
  std::unique_lock lock(mutex_);
  if (tasks_.empty()) return;
  const Posted posted = std::move(tasks_.front());
  tasks_.pop_front();
  lock.unlock();
  std::variant<at::Tensor, Failure> outcome;
  try {
    posted.stop->check();
    outcome = posted.task.run(stages_);
    synchronize(spec_.device);
  } catch (...) {
    outcome = failureNow();
  }
  endTask(posted, std::move(outcome));
  tick();
}

void Engine::endTask(const Posted& posted, std::variant<at::Tensor, Failure> outcome) {
  const auto* failure = std::get_if<Failure>(&outcome);
  if (failure != nullptr && failure->code == Code::Cancelled && stop_->stopped()) outcome = disposed();
  {
    const std::lock_guard lock(mutex_);
    live_.erase(posted.id);
    snapshot_.tasks = std::max<int64_t>(0, snapshot_.tasks - 1);
  }
  posted.task.onDone(std::move(outcome));
}

void Engine::startImages(const std::shared_ptr<Job>& job) {
  const Request& request = job->request;
  const size_t count = request.images.size();
  job->arrived = turns_.now();
  job->stepsLeft = request.steps();
  job->embeddings.resize(count);
  job->result.randomOffsets.resize(count);
  try {
    checkNumbers(request);
    for (size_t i = 0; i < count; ++i) {
      images_.push_back(
          std::make_unique<Image>(job, static_cast<int>(i), ImageRandom(static_cast<uint64_t>(request.images[i].seed))));
      images_.back()->phase = request.wantsPrior() ? Phase::Prior : Phase::Decoder;
      if (request.embeddings.defined()) {
        images_.back()->embeddings = request.embeddings.narrow(0, static_cast<int64_t>(i), 1).to(spec_.device).to(c10::kFloat);
      }
    }
  } catch (...) {
    settle(job, failureNow());
  }
}

void Engine::settle(const std::shared_ptr<Job>& job, std::optional<Failure> failure) {
  if (job->settled) return;
  job->settled = true;
  // A job's token says stopped too where its engine's does.
  if (failure && failure->code == Code::Cancelled && stop_->stopped()) failure = disposed();
  job->result.timings.total = job->sinceSubmit.ms();
  if (!failure) {
    ++counters_.completed;
  } else if (failure->code == Code::Cancelled) {
    ++counters_.cancelled;
  } else {
    ++counters_.failed;
  }
  {
    const std::lock_guard lock(mutex_);
    live_.erase(job->id);
  }
  try {
    publishStats();  // before onDone, so that whoever hears of the end and asks finds it counted
  } catch (...) {
    // Memory for the figures is refused. The next turn publishes them; this job must hear of its end.
  }
  if (failure) {
    job->callbacks.onDone(std::move(*failure));
  } else {
    job->callbacks.onDone(std::move(job->result));
  }
}

// All that is here ends with `failure`. `forGood`: nothing is taken any more.
void Engine::failAll(const Failure& failure, bool forGood) {
  std::vector<std::shared_ptr<Job>> waiting;
  std::unique_lock lock(mutex_);
  stopped_ = stopped_ || forGood;
  waiting.swap(incoming_);
  while (!tasks_.empty()) {  // one by one, because another queue would need memory
    const Posted posted = std::move(tasks_.front());
    tasks_.pop_front();
    lock.unlock();
    endTask(posted, failure.copy());
    lock.lock();
  }
  lock.unlock();
  for (const auto& job : waiting) settle(job, failure.copy());
  for (const auto& image : images_) settle(image->job, failure.copy());
  publishStats();
}

void Engine::publishStats() {
  EngineStats stats = counters_;
  stats.stages = stages_.stats();
  const Job* last = nullptr;  // the images of a job stand together, but for previews, whose job has other images too
  for (const auto& image : images_) {
    const Job* job = image->job.get();
    if (job->settled || job == last || image->preview) continue;
    last = job;
    ++(job->started ? stats.running : stats.queued);
  }
  const std::lock_guard lock(mutex_);
  stats.queued += static_cast<int64_t>(incoming_.size());
  stats.tasks = static_cast<int64_t>(tasks_.size());
  snapshot_ = std::move(stats);
}

}  // namespace wuerstchen
