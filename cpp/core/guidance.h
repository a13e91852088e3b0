// Classifier-free guidance as diffusers computes it: a lerp from the unconditional estimate, for scales above 1.
#pragma once

#include <ATen/ops/lerp.h>

namespace wuerstchen {

inline bool isGuided(double scale) { return scale > 1.0; }

inline at::Tensor guide(const at::Tensor& conditional, const at::Tensor& unconditional, double scale) {
  return at::lerp(unconditional, conditional, scale);
}

}  // namespace wuerstchen
