// Prompts to text embeddings.
#pragma once

#include "job.h"
#include "stages.h"

namespace wuerstchen {

// Fills `encoded` at the indices `wanted`: each text as (1, text, channels) in the dtype of `of` on the engine's device. Tokens
// go through the text encoder of `of` in batches of at most `maxBatch`, so that a request of many texts holds nobody up for
// longer than a batch: a batch takes the wanted texts, and its other places go to texts that later images of the job will want.
// With one stage in memory all texts are encoded now, because the encoder gives way to the next stage.
// Finished embeddings are only moved, so a model without that encoder can still take them. Throws NOT_FINITE about the encoder,
// and Code::Cancelled between two batches.
void encodeTexts(Stages& stages, const EngineSpec& spec, StageId of, Job& job, const std::vector<int>& wanted);

}  // namespace wuerstchen
