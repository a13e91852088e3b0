// What the engine needs of the stages' programs, as their specifications describe them.
#pragma once

#include "spec.h"

namespace wuerstchen {

// Every stage that the engine holds must have the functions that the engine calls, with a result where it takes one, and the
// stages must agree on the channels of what goes from one to the next. Throws MODEL_INVALID about the stage that does not fit.
void checkStages(const EngineSpec& spec);

// Channels of embeddings (the prior's latents too), and of the decoder's latents. An engine may hold one half of the stages, so
// any stage that takes or gives such tensors answers; checkStages() has seen that all of them say the same. Throw MODEL_MISMATCH
// where the engine has no such stage.
int64_t embeddingChannels(const EngineSpec& spec);
int64_t latentChannels(const EngineSpec& spec);

}  // namespace wuerstchen
