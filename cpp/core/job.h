// A request inside the engine and its images, each on its way through the stages. Only the engine's thread touches them, except
// for `stop`.
#pragma once

#include <memory>
#include <optional>

#include "counted.h"
#include "denoise.h"
#include "request.h"
#include "stages.h"
#include "stop.h"

namespace wuerstchen {

struct Job : Counted<Job> {
  explicit Job(std::shared_ptr<const StopToken> engine) : stop(std::make_shared<StopToken>(std::move(engine))) {}

  uint64_t id = 0;
  Request request;
  Callbacks callbacks;
  const std::shared_ptr<StopToken> stop;
  Stopwatch sinceSubmit;
  bool started = false;
  bool settled = false;
  int unfinished = 0;     // images
  int64_t arrived = 0;    // by the engine's clock (turns.h)
  int64_t stepsLeft = 0;  // of all images, with Stage A's
  Result result;
  // By text index, filled when an image first needs them: one row each, and undefined until then (text.h).
  Tensors priorTexts;
  Tensors decoderTexts;
  // The prior's `condition` outputs by text index, which the images of a prompt share. The decoder's belong to an image.
  std::vector<Tensors> priorConditions;
  Tensors embeddings;  // of the finished images, by index
};

// How a preview is decoded where the model has no previewer: a quarter of the usual twelve steps.
inline const Sampling kShortDecode{{1, 2.0 / 3, 1.0 / 3, 0}, Sampler::Ddpm, {}};

// The step of the prior that a preview belongs to.
struct PreviewOf {
  int step;
  int steps;
};

enum class Phase { Prior, Decoder, Pixels, Done };

inline StageId stageOf(Phase phase) {
  switch (phase) {
    case Phase::Prior: return StageId::Prior;
    case Phase::Decoder: return StageId::Decoder;
    default: return StageId::VqDecoder;
  }
}

struct Image {
  Image(std::shared_ptr<Job> ofJob, int atIndex, ImageRandom stream)
      : job(std::move(ofJob)), index(atIndex), random(std::move(stream)) {}

  std::shared_ptr<Job> job;
  int index;
  Phase phase = Phase::Prior;
  bool prepared = false;  // the phase's trajectory has its start latents and conditions
  ImageRandom random;
  Trajectory trajectory;             // of the current phase
  at::Tensor embeddings;             // (1, 16, gridHeight, gridWidth) float32, Stage B's space e
  at::Tensor latents;                // (1, 4, height, width) float32, Stage B's result
  std::optional<PreviewOf> preview;  // set where this is a preview of the job's image (preview.h)

  const ImageSpec& spec() const { return job->request.images[index]; }
  const Sampling& decoderSampling() const { return preview ? kShortDecode : job->request.decoder; }
};

}  // namespace wuerstchen
