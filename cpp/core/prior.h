// Stage C: text embeddings and noise become the embeddings of an image.
#pragma once

#include "job.h"
#include "stages.h"

namespace wuerstchen {

// Gives an image's prior trajectory its start latents and conditions. Encodes the texts that it needs.
void preparePrior(Stages& stages, const EngineSpec& spec, Image& image);

// z (Stage C's space) → e = z·latentMean − latentStd (Stage B's space), and back.
at::Tensor embeddingsFromLatents(const at::Tensor& latents, const Constants& constants);
at::Tensor latentsFromEmbeddings(const at::Tensor& embeddings, const Constants& constants);

}  // namespace wuerstchen
