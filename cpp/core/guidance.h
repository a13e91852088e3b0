// Classifier-free guidance as diffusers computes it: a lerp from the unconditional estimate, for scales above 1.
#pragma once

#include <ATen/ops/lerp.h>

namespace wuerstchen {

inline bool isGuided(double scale) { return scale > 1.0; }

// Guidance, and the timesteps at which it works (Kynkäänniemi et al. 2024, "Applying Guidance in a Limited Interval", in the
// noise levels of this model). At others the network runs on the prompt alone, which is one row fewer.
struct Guidance {
  double scale = 0;
  double from = 0;
  double to = 1;

  bool worksAt(double timestep) const { return isGuided(scale) && from <= timestep && timestep <= to; }
};

inline at::Tensor guide(const at::Tensor& conditional, const at::Tensor& unconditional, double scale) {
  return at::lerp(unconditional, conditional, scale);
}

}  // namespace wuerstchen
