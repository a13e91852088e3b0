// Stage C: text embeddings and noise become an image embedding.
#pragma once

#include "job.h"
#include "stages.h"

namespace wuerstchen {

// Start latents and conditions of an image's prior trajectory. Encodes the job's texts when it is the first to need them.
void preparePrior(Stages& stages, const EngineSpec& spec, Image& image);

// z (Stage C's space) → e = z·latentMean − latentStd (Stage B's space), and back.
at::Tensor embeddingsFromLatents(const at::Tensor& latents, const Constants& constants);
at::Tensor latentsFromEmbeddings(const at::Tensor& embeddings, const Constants& constants);

}  // namespace wuerstchen
