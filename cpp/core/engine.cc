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

}  // namespace

Engine::Engine(EngineSpec spec, Hooks hooks)
    : spec_(std::move(spec)), hooks_(std::move(hooks)), stages_(spec_), turns_(stageInUse()), thread_([this] { threadMain(); }) {}

std::function<bool(const Image&)> Engine::stageInUse() const {
  if (spec_.residency == Residency::All) return {};
  return [this](const Image& image) { return stages_.isLoaded(stageOf(image.phase)); };
}

Engine::~Engine() {
  requestStop();
  join();
}

uint64_t Engine::submit(Request request, Callbacks callbacks) {
  auto job = std::make_shared<Job>();
  job->request = std::move(request);
  job->callbacks = std::move(callbacks);
  job->unfinished = static_cast<int>(job->request.images.size());
  {
    const std::lock_guard lock(mutex_);
    job->id = nextId_++;
    if (!stopped_) {
      live_.emplace(job->id, job);
      incoming_.push_back(job);
      ++snapshot_.queued;
      wake_.notify_one();
      return job->id;
    }
  }
  job->callbacks.onDone(disposed());
  return job->id;
}

void Engine::post(Task task) {
  {
    const std::lock_guard lock(mutex_);
    if (!stopped_) {
      tasks_.push_back(std::move(task));
      wake_.notify_one();
      return;
    }
  }
  task.onDone(disposed());
}

void Engine::cancel(uint64_t id) {
  const std::lock_guard lock(mutex_);
  if (const auto job = live_.find(id); job != live_.end()) job->second->cancelled = true;
}

EngineStats Engine::stats() const {
  const std::lock_guard lock(mutex_);
  return snapshot_;
}

void Engine::requestStop() {
  const std::lock_guard lock(mutex_);
  stopping_ = true;
  wake_.notify_one();
}

void Engine::join() {
  if (thread_.joinable()) thread_.join();
}

void Engine::threadMain() {
  setUpThread(spec_.threads);
  if (load()) {
    const c10::InferenceMode inference;
    while (admit()) {
      dropCancelled();
      if (!images_.empty()) runNext();
      publishStats();
    }
  }
  failAll(disposed());
  publishStats();
  images_.clear();
  priorDenoiser_.clear();
  decoderDenoiser_.clear();
  stages_.unloadAll();
  giveBackMemory(spec_.device);
  if (hooks_.onStopped) hooks_.onStopped();
}

bool Engine::load() {
  try {
    checkStages(spec_);
    stages_.loadAll([this](StageId id, int done, int total) {
      if (hooks_.onProgress) hooks_.onProgress(id, done, total);
      const std::lock_guard lock(mutex_);
      if (stopping_) {
        throw Error(Code::Disposed, "Expected the pipeline to stay wanted while it loads but it was disposed", "pipeline");
      }
    });
    giveBackMemory(spec_.device);  // of the weights before they were converted, and of the files' text
    publishStats();
    if (hooks_.onLoaded) hooks_.onLoaded(std::nullopt);
    return true;
  } catch (...) {
    if (hooks_.onLoaded) hooks_.onLoaded(failureNow());
    return false;
  }
}

Failure Engine::failureNow() const { return describe(std::current_exception(), stages_.lastUsed()); }

bool Engine::admit() {
  std::unique_lock lock(mutex_);
  if (images_.empty() && incoming_.empty() && tasks_.empty() && !stopping_) {
    lock.unlock();
    priorDenoiser_.clear();  // nothing is left to do, so nobody needs the last batch's conditions
    decoderDenoiser_.clear();
    lock.lock();
    wake_.wait(lock, [this] { return stopping_ || !incoming_.empty() || !tasks_.empty(); });
  }
  if (stopping_) return false;
  std::deque<std::shared_ptr<Job>> arrived;
  arrived.swap(incoming_);
  std::deque<Task> tasks;
  tasks.swap(tasks_);
  lock.unlock();
  for (Task& task : tasks) runTask(task);
  for (const auto& job : arrived) startImages(job);
  return true;
}

void Engine::runTask(Task& task) {
  std::variant<at::Tensor, Failure> outcome;
  try {
    outcome = task.run(stages_);
    synchronize(spec_.device);
  } catch (...) {
    outcome = failureNow();
  }
  task.onDone(std::move(outcome));
}

void Engine::startImages(const std::shared_ptr<Job>& job) {
  const Request& request = job->request;
  const size_t count = request.images.size();
  job->arrived = turns_.now();
  job->stepsLeft = request.steps();
  job->embeddings.resize(count);
  job->result.randomOffsets.resize(count);
  try {
    for (size_t i = 0; i < count; ++i) {
      const ImageSpec& spec = request.images[i];
      images_.push_back(
          std::make_unique<Image>(job, static_cast<int>(i), ImageRandom(static_cast<uint64_t>(spec.seed), spec.randomOffset)));
      images_.back()->phase = request.wantsPrior() ? Phase::Prior : Phase::Decoder;
      if (request.embeddings.defined()) {
        images_.back()->embeddings = request.embeddings.narrow(0, static_cast<int64_t>(i), 1).to(spec_.device).to(c10::kFloat);
      }
    }
  } catch (...) {
    settle(job, describe(std::current_exception()));
  }
}

void Engine::settle(const std::shared_ptr<Job>& job, std::optional<Failure> failure) {
  if (job->settled) return;
  job->settled = true;
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
  publishStats();  // before onDone, so that whoever hears of the end and asks finds it counted
  if (failure) {
    job->callbacks.onDone(std::move(*failure));
  } else {
    job->callbacks.onDone(std::move(job->result));
  }
}

void Engine::failAll(const Failure& failure) {
  std::deque<std::shared_ptr<Job>> waiting;
  std::deque<Task> tasks;
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    waiting.swap(incoming_);
    tasks.swap(tasks_);
  }
  for (const Task& task : tasks) task.onDone(failure);
  for (const auto& job : waiting) settle(job, failure);
  for (const auto& image : images_) settle(image->job, failure);
}

void Engine::publishStats() {
  EngineStats stats = counters_;
  stats.stages = stages_.stats();
  std::vector<const Job*> seen;
  for (const auto& image : images_) {
    const Job* job = image->job.get();
    if (job->settled || std::find(seen.begin(), seen.end(), job) != seen.end()) continue;
    seen.push_back(job);
    ++(job->started ? stats.running : stats.queued);
  }
  const std::lock_guard lock(mutex_);
  stats.queued += static_cast<int64_t>(incoming_.size());
  snapshot_ = std::move(stats);
}

}  // namespace wuerstchen
