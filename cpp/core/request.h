// One call of generate, prior or decode, and what comes back.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "error.h"
#include "guidance.h"
#include "schedule.h"
#include "spec.h"

namespace wuerstchen {

// Token ids and attention mask, both (1, text) int64 on the CPU.
struct Tokens {
  at::Tensor ids;
  at::Tensor mask;
};
// Tokens to encode, or finished embeddings (1, text, channels).
using Text = std::variant<Tokens, at::Tensor>;

struct ImageSpec {
  int64_t seed = 0;  // 0 … 2^53 − 1
  int64_t randomOffset = 0;
  // Indices into the request's texts; -1 where there is none.
  int priorText = -1;
  int priorNegativeText = -1;
  int decoderText = -1;
  int decoderNegativeText = -1;
};

// How one diffusion stage is sampled.
struct Sampling {
  std::vector<double> timesteps;  // n are n − 1 steps
  Sampler sampler = Sampler::Ddpm;
  Guidance guidance;
};

struct Request {
  int64_t gridHeight = 0;
  int64_t gridWidth = 0;
  std::vector<ImageSpec> images;
  std::vector<Text> priorTexts;
  std::vector<Text> decoderTexts;
  Sampling prior;    // without timesteps: no prior, embeddings are decoded as they are
  Sampling decoder;  // without timesteps: stop after the prior
  // Undefined tensors are not given. Shapes name the usual channels, 16 and 4; a model's programs can say others (contract.h).
  at::Tensor priorLatents;  // (images, 16, gridHeight, gridWidth) start noise of the prior; drawn where not given
  // (images, 16, gridHeight, gridWidth) in Stage B's space e. Without a prior they are decoded. With one, the prior starts from
  // them, noised to its first timestep, instead of from pure noise.
  at::Tensor embeddings;
  // (images, 1, gridHeight, gridWidth) in [0, 1]. 1: make anew, 0: keep `embeddings`.
  at::Tensor mask;
  at::Tensor decoderLatents;  // (images, 4, height, width) start noise of the decoder; drawn where not given
  at::Tensor decoderSource;   // (images, 4, height, width) VQGAN latents to start from, noised to the first timestep
  int previews = 0;           // of each image, at most; equally far apart over the prior's steps

  // Of its embeddings, which say how large an image is.
  int64_t cells() const { return gridHeight * gridWidth; }
  bool wantsPrior() const { return !prior.timesteps.empty(); }
  bool wantsDecoder() const { return !decoder.timesteps.empty(); }
  // The steps of all images. n timesteps are n − 1 steps, and Stage A's decode counts as one.
  int64_t steps() const {
    const size_t priorSteps = wantsPrior() ? prior.timesteps.size() - 1 : 0;
    const size_t decoderSteps = wantsDecoder() ? decoder.timesteps.size() : 0;
    return static_cast<int64_t>(images.size() * (priorSteps + decoderSteps));
  }
};

// Milliseconds of wall time; a batch's time counts in full for each request in it.
struct Timings {
  double queued = 0, load = 0, priorTextEncoder = 0, prior = 0, decoderTextEncoder = 0, decoder = 0, vqDecoder = 0, previewer = 0,
         total = 0;
};

// One finished image: RGB bytes, (height, width, 3) uint8 on the CPU.
using Pixels = at::Tensor;

// It has no pixels: each image was handed out when it was finished.
struct Result {
  at::Tensor embeddings;               // (images, 16, gridHeight, gridWidth) float32 on the CPU
  std::vector<int64_t> randomOffsets;  // normals each image's stream has given away
  Timings timings;
};

struct StepEvent {
  int image;
  StageId stage;
  int step;  // 1-based: how many steps are done
  int steps;
  float timestep;
  int batch;  // images that shared the run
};
struct ImageEvent {
  int image;
  Pixels pixels;
};
// A small image of what the prior has in mind after a step.
struct PreviewEvent {
  int image;
  Pixels pixels;
  int step;  // of the prior, 1-based
  int steps;
};
using Event = std::variant<StepEvent, PreviewEvent, ImageEvent>;

// Both are called on the engine's thread and must neither block nor throw.
struct Callbacks {
  std::function<void(Event)> onEvent;
  std::function<void(std::variant<Result, Failure>)> onDone;
};

// Throws INVALID_ARGUMENT for what an engine of this kind cannot run, and MODEL_MISMATCH where it lacks the stage that a tensor
// is for. TypeScript has validated what users pass; this refuses what would otherwise fail in the middle of an image.
void checkRequest(const Request& request, const EngineSpec& spec);

// Throws INVALID_ARGUMENT for NaN and infinity in the request's tensors. It computes, so it is for the engine's thread.
void checkNumbers(const Request& request);
// The same for one tensor, by the name of its option.
void checkNumbers(const at::Tensor& tensor, const char* name);

// An embedding grid, and (1, channels, height, width) latents for Stage A. Throw INVALID_ARGUMENT.
void checkGrid(int64_t height, int64_t width);
void checkLatents(const at::Tensor& latents, const EngineSpec& spec);

}  // namespace wuerstchen
