// Never black: NaN and infinity spread over a whole image, which then comes out as one colour.
#pragma once

#include <ATen/ops/isfinite.h>

#include "error.h"
#include "spec.h"

namespace wuerstchen {

inline bool isFinite(const at::Tensor& tensor) { return at::isfinite(tensor).all().item<bool>(); }

// Throws NOT_FINITE about `stage`, which gave `tensor`. Looks at it on its own device.
inline void expectFinite(const at::Tensor& tensor, StageId stage) {
  if (isFinite(tensor)) return;
  throw Error(Code::NotFinite,
              "Expected finite numbers from the stage " + stageName(stage) +
                  " but it gave NaN or infinity. Try another dtype (float32, or bfloat16 for float16) or less guidance",
              stageName(stage));
}

}  // namespace wuerstchen
