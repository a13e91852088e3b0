// A diffusion stage's loop body. Images whose tensors have the same sizes take their next step together, each at its own
// timestep, guidance and noise. Both networks take one ratio a row, so this equals the single runs.
#pragma once

#include <optional>
#include <vector>

#include "guidance.h"
#include "program.h"
#include "random.h"
#include "schedule.h"

namespace wuerstchen {

// Denoising only where a mask says so, as Würstchen's own sampler does it. Before every step the rest becomes the source, noised
// afresh to the step's timestep. After the last step it is the source itself.
struct Inpainting {
  at::Tensor source;  // (1, C, H, W) float32
  at::Tensor mask;    // (1, 1, H, W) float32 in [0, 1]; 1: denoise, 0: keep
};

// One image's way through one diffusion stage.
struct Trajectory {
  at::Tensor latents;  // (1, C, H, W) float32 on the engine's device
  std::vector<Step> steps;
  size_t next = 0;  // index of the next step
  Guidance guidance;
  Tensors condition;          // what the program's `condition` gave, each with one row
  Tensors negativeCondition;  // empty without guidance
  ImageRandom* random = nullptr;
  std::optional<Inpainting> inpainting;
  // (1, C, H, W) float32: the clean latents as the network saw them at the last step, where the next one needs them
  // (dpm-solver++)
  at::Tensor previousEstimate;
  bool wantsEstimate = false;  // of the next step
  at::Tensor estimate;         // (1, C, H, W) float32: the clean latents, as the last step that was asked saw them

  bool done() const { return next == steps.size(); }
  // Whether the next step runs on the negative condition too.
  bool guided() const { return !negativeCondition.empty() && guidance.worksAt(steps[next].timestep); }
};

// True if the two can share a run: same sizes of latents and conditions.
bool canShareRun(const Trajectory& a, const Trajectory& b);

class Denoiser {
 public:
  // Takes each trajectory's next step. Returns the number of rows the network ran on. Where it throws, no trajectory has changed,
  // its random stream neither.
  int advance(Program& program, const std::vector<Trajectory*>& batch);

  // Forgets the cached conditions of the last batch.
  void clear();

 private:
  // Which tensor a row was. It keeps the tensor's address from being given to another one, but not the tensor's memory.
  using Row = c10::weak_intrusive_ptr<c10::TensorImpl, c10::UndefinedTensorImpl>;

  int takeSteps(Program& program, const std::vector<Trajectory*>& batch);
  const Tensors& conditionsOf(const std::vector<Trajectory*>& batch);

  // The conditions of the last batch. They are concatenated again only when the batch has other rows.
  std::vector<Row> rows_;
  Tensors conditions_;
};

}  // namespace wuerstchen
