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

namespace wuerstchen {

// Token ids and attention mask, both (1, text) int64 on the CPU.
struct Tokens {
  at::Tensor ids;
  at::Tensor mask;
};
// Tokens to encode, or finished embeddings (1, text, channels).
using Text = std::variant<Tokens, at::Tensor>;

struct ImageSpec {
  uint64_t seed = 0;
  int64_t randomOffset = 0;
  // Indices into the request's texts; -1 where there is none.
  int priorText = -1;
  int priorNegativeText = -1;
  int decoderText = -1;
  int decoderNegativeText = -1;
};

struct Request {
  int64_t gridHeight = 0;
  int64_t gridWidth = 0;
  std::vector<ImageSpec> images;
  std::vector<Text> priorTexts;
  std::vector<Text> decoderTexts;
  std::vector<double> priorTimesteps;  // empty: no prior, embeddings are decoded as they are
  double priorGuidanceScale = 0;
  std::vector<double> decoderTimesteps;  // empty: stop after the prior
  double decoderGuidanceScale = 0;
  at::Tensor priorLatents;  // (images, 16, gridHeight, gridWidth), or undefined: drawn
  // (images, 16, gridHeight, gridWidth) in Stage B's space e, or undefined. Without a prior they are decoded; with one
  // it starts from them, noised to its first timestep, instead of from pure noise.
  at::Tensor embeddings;
  // (images, 1, gridHeight, gridWidth) in [0, 1], or undefined. 1: make anew, 0: keep `embeddings`.
  at::Tensor mask;
  at::Tensor decoderLatents;  // (images, 4, height, width) start noise, or undefined: drawn
  // (images, 4, height, width) VQGAN latents the decoder starts from, noised to its first timestep, or undefined.
  at::Tensor decoderSource;
  int previews = 0;  // at most that many of each image, equally far apart over the prior's steps

  bool wantsPrior() const { return !priorTimesteps.empty(); }
  bool wantsDecoder() const { return !decoderTimesteps.empty(); }
  // Of all images: n timesteps are n − 1 steps, and Stage A is one.
  int64_t steps() const {
    const size_t prior = wantsPrior() ? priorTimesteps.size() - 1 : 0;
    const size_t decoder = wantsDecoder() ? decoderTimesteps.size() : 0;
    return static_cast<int64_t>(images.size() * (prior + decoder));
  }
};

// Milliseconds of wall time; a batch's time counts in full for each request in it.
struct Timings {
  double queued = 0, load = 0, priorTextEncoder = 0, prior = 0, decoderTextEncoder = 0, decoder = 0, vqDecoder = 0, previewer = 0,
         total = 0;
};

// One finished picture: RGB bytes, (height, width, 3) uint8 on the CPU.
using Pixels = at::Tensor;

// Pictures are not in it: each was handed out when it was finished.
struct Result {
  at::Tensor embeddings;               // (images, 16, gridHeight, gridWidth) float32 on the CPU
  std::vector<int64_t> randomOffsets;  // normals each image's stream has given away
  Timings timings;
};

struct StepEvent {
  int image;
  const char* stage;
  int step;  // 1-based: how many steps are done
  int steps;
  float timestep;
  int batch;  // images that shared the run
};
struct ImageEvent {
  int image;
  Pixels pixels;
};
// What the prior has in mind after a step, as a small picture.
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

}  // namespace wuerstchen
