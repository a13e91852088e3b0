// What the engine's thread does at each turn: it chooses images that share a stage, moves them one step and hands out pixels.
#include <ATen/ops/cat.h>

#include <algorithm>

#include "contract.h"
#include "decoder.h"
#include "engine.h"
#include "finite.h"
#include "memory.h"
#include "preview.h"
#include "prior.h"
#include "thread.h"

namespace wuerstchen {

void Engine::dropCancelled() {
  const Failure cancelled{Code::Cancelled, "The call was cancelled", ""};
  for (const auto& image : images_) {
    if (image->job->stop->stopped() && !image->job->settled) settle(image->job, cancelled.copy());
  }
  while (const auto posted = takeCancelledTask()) endTask(*posted, cancelled.copy());
  std::erase_if(images_, [](const auto& image) { return image->job->settled || image->phase == Phase::Done; });
}

std::optional<Engine::Posted> Engine::takeCancelledTask() {
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(tasks_.begin(), tasks_.end(), [](const Posted& posted) { return posted.stop->stopped(); });
  if (found == tasks_.end()) return std::nullopt;
  std::optional<Posted> taken(std::move(*found));
  tasks_.erase(found);
  return taken;
}

void Engine::runNext() {
  const std::vector<Image*> turn = turns_.next(images_);
  Image& first = *turn.front();
  std::vector<Image*> batch{&first};
  const size_t most = std::min(mostInBatch_, mostInBatch(spec_, first.job->request.cells()));
  try {
    if (first.phase == Phase::Pixels) {
      runPixels(first);  // image by image, which bounds Stage A's memory and how long a cancel can take
    } else if (ready(first)) {
      for (size_t i = 1; i < turn.size() && batch.size() < most; ++i) {
        // Only an image that gets a place is prepared, because that takes memory. Texts may differ in length too.
        if (ready(*turn[i]) && canShareRun(first.trajectory, turn[i]->trajectory)) batch.push_back(turn[i]);
      }
      std::erase_if(batch, [](const Image* image) { return image->job->settled; });  // another image of the job failed to prepare
      if (!batch.empty()) runDenoising(batch);
    }
  } catch (...) {
    const Failure failure = failureNow();
    priorDenoiser_.clear();
    decoderDenoiser_.clear();
    for (const Image* image : batch) settle(image->job, failure.copy());
  }
}

bool Engine::ready(Image& image) {
  const Job& job = *image.job;
  if (job.stop->stopped() || job.settled) return false;  // since the turn began: another image's prepare takes a step's time
  try {
    prepare(image);
    return true;
  } catch (...) {
    settle(image.job, failureNow());  // this request's own texts or sizes are at fault, so the others go on
    return false;
  }
}

void Engine::prepare(Image& image) {
  Job& job = *image.job;
  if (!job.started) {
    job.started = true;
    job.result.timings.queued = job.sinceSubmit.ms();
  }
  if (image.prepared) return;
  if (!image.preview) {
    // Only the prior's draws are repeated, and all of them have the size of its latents.
    const int64_t size = embeddingChannels(spec_) * job.request.gridHeight * job.request.gridWidth;
    image.random.advanceTo(image.spec().randomOffset, size, *job.stop);
  }
  if (image.phase == Phase::Prior) {
    preparePrior(stages_, spec_, image);
  } else {
    prepareDecoder(stages_, spec_, image);
  }
  image.prepared = true;
  tick();
}

// Where memory does not suffice for a batch, it may for its halves, one after the other. The engine stays with smaller batches
// until it is idle.
void Engine::runDenoising(const std::vector<Image*>& batch) {
  try {
    return takeStep(batch);
  } catch (const std::exception&) {
    if (batch.size() == 1 || describe(std::current_exception()).code != Code::OutOfMemory) throw;
  }
  priorDenoiser_.clear();
  decoderDenoiser_.clear();
  makeRoom(spec_.device);
  // Of its own: a part that is refused memory too lowers the member.
  const size_t most = std::max<size_t>(1, batch.size() / 2);
  mostInBatch_ = most;
  for (size_t i = 0; i < batch.size(); i += most) {
    const std::vector<Image*> part(batch.begin() + static_cast<std::ptrdiff_t>(i),
                                   batch.begin() + static_cast<std::ptrdiff_t>(std::min(batch.size(), i + most)));
    try {
      runDenoising(part);
    } catch (...) {
      const Failure failure = failureNow();
      for (const Image* image : part) settle(image->job, failure.copy());
    }
  }
}

void Engine::takeStep(const std::vector<Image*>& batch) {
  const Phase phase = batch.front()->phase;
  std::vector<Trajectory*> trajectories;
  for (Image* image : batch) {
    image->trajectory.wantsEstimate = wantsPreview(*image);
    trajectories.push_back(&image->trajectory);
  }
  const bool isPrior = phase == Phase::Prior;
  const StageId stage = stageOf(phase);
  double loadMs = 0;
  Program& program = stages_.use(stage, &loadMs);
  const Stopwatch watch;
  const int rows = (isPrior ? priorDenoiser_ : decoderDenoiser_).advance(program, trajectories);
  synchronize(spec_.device);
  const double ms = watch.ms();
  stages_.record(stage, ms, rows);
  ++counters_.batchSizes[static_cast<int>(batch.size())];

  std::vector<Job*> charged;
  for (Image* image : batch) {
    Job* job = image->job.get();
    if (std::find(charged.begin(), charged.end(), job) == charged.end()) {
      charged.push_back(job);
      (isPrior ? job->result.timings.prior : job->result.timings.decoder) += ms;
      job->result.timings.load += loadMs;
    }
    try {
      afterStep(*image, static_cast<int>(batch.size()));
    } catch (...) {
      settle(image->job, failureNow());  // of this image alone: it has become NaN, or its preview could not be made
    }
  }
}

void Engine::afterStep(Image& image, int shared) {
  const Trajectory& trajectory = image.trajectory;
  if (!image.preview) {
    --image.job->stepsLeft;
    image.job->callbacks.onEvent(StepEvent{image.index, stageOf(image.phase), static_cast<int>(trajectory.next),
                                           static_cast<int>(trajectory.steps.size()),
                                           trajectory.steps[trajectory.next - 1].timestep, shared});
  }
  if (trajectory.estimate.defined()) makePreview(image);
  if (trajectory.done()) finishTrajectory(image);
}

bool Engine::wantsPreview(const Image& image) const {
  const Request& request = image.job->request;
  if (request.previews == 0 || image.phase != Phase::Prior) return false;
  const Trajectory& trajectory = image.trajectory;
  return isPreviewDue(static_cast<int64_t>(trajectory.next) + 1, static_cast<int64_t>(trajectory.steps.size()), request.previews);
}

void Engine::makePreview(Image& image) {
  Job& job = *image.job;
  const at::Tensor estimate = std::exchange(image.trajectory.estimate, {});
  expectFinite(estimate, StageId::Prior);
  if (!stages_.has(StageId::Previewer)) return startShortDecode(image, estimate);
  Program& previewer = stages_.use(StageId::Previewer, &job.result.timings.load);
  const Stopwatch watch;
  const Pixels pixels = previewPixels(previewer, estimate);
  job.result.timings.previewer += watch.ms();
  stages_.record(StageId::Previewer, watch.ms(), 1);
  const PreviewOf of = previewOf(image);
  job.callbacks.onEvent(PreviewEvent{image.index, pixels, of.step, of.steps});
}

void Engine::startShortDecode(const Image& image, const at::Tensor& estimate) {
  const auto isPending = [&image](const auto& other) {
    return other->preview && other->job == image.job && other->index == image.index;
  };
  if (std::any_of(images_.begin(), images_.end(), isPending)) return;  // one preview at a time: a second one would only be late
  // A preview is due now. It goes before all images and after earlier previews.
  const auto place = std::find_if(images_.begin(), images_.end(), [](const auto& other) { return !other->preview; });
  images_.insert(place, shortDecode(image, estimate, spec_.constants));
}

void Engine::finishTrajectory(Image& image) {
  const at::Tensor latents = image.trajectory.latents;
  expectFinite(latents, stageOf(image.phase));
  image.trajectory = {};
  image.prepared = false;
  if (image.phase == Phase::Prior) {
    image.embeddings = embeddingsFromLatents(latents, spec_.constants);
    expectFinite(image.embeddings, StageId::Prior);
    image.phase = Phase::Decoder;
    if (!image.job->request.wantsDecoder()) finishImage(image);
  } else {
    image.latents = latents;
    image.phase = Phase::Pixels;
  }
}

void Engine::runPixels(Image& image) {
  Job& job = *image.job;
  Program& vqDecoder = stages_.use(StageId::VqDecoder, &job.result.timings.load);
  const Stopwatch watch;
  const Pixels pixels = decodePixels(vqDecoder, image.latents, spec_.constants);
  job.result.timings.vqDecoder += watch.ms();
  stages_.record(StageId::VqDecoder, watch.ms(), 1);
  if (image.preview) {
    image.phase = Phase::Done;
    job.callbacks.onEvent(PreviewEvent{image.index, pixels, image.preview->step, image.preview->steps});
    return;
  }
  --job.stepsLeft;
  job.callbacks.onEvent(StepEvent{image.index, StageId::VqDecoder, 1, 1, 0, 1});
  job.callbacks.onEvent(ImageEvent{image.index, pixels});
  finishImage(image);
}

void Engine::finishImage(Image& image) {
  Job& job = *image.job;
  image.phase = Phase::Done;
  job.result.randomOffsets[image.index] = image.random.offset();
  job.embeddings[image.index] = image.embeddings;
  if (--job.unfinished > 0) return;
  job.result.embeddings = at::cat(job.embeddings).cpu();
  settle(image.job, std::nullopt);
}

}  // namespace wuerstchen
