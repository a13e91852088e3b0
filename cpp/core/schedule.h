// The noise schedule of Würstchen's two diffusion stages (DDPMWuerstchenScheduler of diffusers 0.42.1).
//
//   ᾱ(t) = cos²(((t+s)/(1+s))·π/2) / cos²((s/(1+s))·π/2), clamped to [1e-4, 0.9999]
//   one step t → p:  α = ᾱ_t/ᾱ_p,  x ← √(1/α)·(x − (1−α)/√(1−ᾱ_t)·ε) + σ·noise·[p≠0],  σ² = (1−α)(1−ᾱ_p)/(1−ᾱ_t)
//   noising:         x = √ᾱ_t·x0 + √(1−ᾱ_t)·noise, hence the estimate x0 = (x − √(1−ᾱ_t)·ε)/√ᾱ_t
#pragma once

#include <vector>

#include "spec.h"

namespace wuerstchen {

// x = signal·x0 + noise·ε: how an image is noised to a timestep.
struct Noising {
  float signal;  // √ᾱ_t
  float noise;   // √(1−ᾱ_t)
};

// What one denoising step needs. Nothing in it depends on the image.
struct Step {
  float timestep;      // t: the network's ratio input, in [0, 1]
  float scale;         // √(1/α)
  float epsilonScale;  // (1−α)/√(1−ᾱ_t)
  float sigma;         // 0 where the step ends at t = 0
  Noising noising;     // of t
};

class NoiseSchedule {
 public:
  explicit NoiseSchedule(const SchedulerSpec& spec) : spec_(spec) {}

  float alphaCumprod(float t) const;

  Noising noising(float t) const;

  // n timesteps, strictly descending in [0, 1], make n − 1 steps. Throws INVALID_ARGUMENT about `option` for any others.
  std::vector<Step> steps(const std::vector<double>& timesteps, const char* option = "timesteps") const;

 private:
  SchedulerSpec spec_;
};

}  // namespace wuerstchen
