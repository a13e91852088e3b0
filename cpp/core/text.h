// Prompts to text embeddings.
#pragma once

#include "request.h"
#include "stages.h"

namespace wuerstchen {

// Each text as (1, text, channels) in `dtype` on the engine's device. Tokens go through the stage `encoder` in one batch.
// Finished embeddings are only moved, so a model without that encoder can still take them. `spent` is the request's timing for
// this stage.
Tensors encodeTexts(Stages& stages, StageId encoder, const std::vector<Text>& texts, c10::Device device, c10::ScalarType dtype,
                    Timings& timings, double& spent);

}  // namespace wuerstchen
