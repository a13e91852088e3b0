// The noise schedule of Würstchen's two diffusion stages (DDPMWuerstchenScheduler of diffusers 0.42.1), and the steps of three
// samplers on it, from t to p:
//
//   ᾱ(t) = cos²(((t+s)/(1+s))·π/2) / cos²((s/(1+s))·π/2), clamped to [1e-4, 0.9999]
//   noising        x = √ᾱ_t·x0 + √(1−ᾱ_t)·noise, hence the estimate x0 = (x − √(1−ᾱ_t)·ε)/√ᾱ_t
//   ddpm           α = ᾱ_t/ᾱ_p,  x ← √(1/α)·(x − (1−α)/√(1−ᾱ_t)·ε) + σ·noise·[p≠0],  σ² = (1−α)(1−ᾱ_p)/(1−ᾱ_t)
//   ddim           x ← √ᾱ_p·x0 + √(1−ᾱ_p)·ε  (Song et al. 2021, "Denoising Diffusion Implicit Models", eq. 12 with η = 0)
//   dpm-solver++   λ = ½·ln(ᾱ/(1−ᾱ)),  h = λ_p − λ_t,  r = h_previous/h,  D = (1 + 1/2r)·x0 − 1/2r·x0_previous,
//                  x ← √((1−ᾱ_p)/(1−ᾱ_t))·x − √ᾱ_p·(e^−h − 1)·D  (Lu et al. 2022, "DPM-Solver++", algorithm 2: 2M).
//                  The first step has no previous estimate. It, the last one, and one that is more than four times as long as
//                  the one before are of first order: D = x0, which is ddim.
#pragma once

#include <array>
#include <string_view>
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
  float timestep;  // t: the network's ratio input, in [0, 1]
  float scale;     // x ← scale·(x − epsilonScale·ε) + sigma·noise + previousScale·x0_previous
  float epsilonScale;
  float sigma;              // 0 where the step ends at t = 0, and for samplers that add no noise
  float previousScale = 0;  // 0 where the step does not look at the one before
  bool drawsNoise = true;   // ddpm draws at every step, also where sigma is 0
  Noising noising{};        // of t
};

enum class Sampler { Ddpm, Ddim, DpmSolver };

inline constexpr std::array<std::string_view, 3> kSamplerNames{"ddpm", "ddim", "dpm-solver++"};

// Throws INVALID_ARGUMENT about `option` for a name that no sampler has.
Sampler samplerFromName(std::string_view name, const char* option);

class NoiseSchedule {
 public:
  explicit NoiseSchedule(const SchedulerSpec& spec) : spec_(spec) {}

  float alphaCumprod(float t) const;

  Noising noising(float t) const;

  // n timesteps, strictly descending in [0, 1], make n − 1 steps. Throws INVALID_ARGUMENT about `option` for any others.
  std::vector<Step> steps(const std::vector<double>& timesteps, Sampler sampler = Sampler::Ddpm,
                          const char* option = "timesteps") const;

 private:
  Step ddpm(float t, float next) const;
  Step ddim(double t, double next) const;
  Step dpmSolver(double previous, double t, double next) const;

  SchedulerSpec spec_;
};

}  // namespace wuerstchen
