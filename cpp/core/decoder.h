// Stage B: embeddings and noise become the VQGAN's latents. Stage A: latents become pixels.
#pragma once

#include "job.h"
#include "stages.h"

namespace wuerstchen {

// Gives an image's decoder trajectory its start latents and conditions. Encodes the texts that it needs.
void prepareDecoder(Stages& stages, const EngineSpec& spec, Image& image);

// (1, 4, h, w) latents → (4h, 4w, 3) uint8 RGB on the CPU. Throws NOT_FINITE about the VQGAN decoder.
Pixels decodePixels(Program& vqDecoder, const at::Tensor& latents, const Constants& constants);

// (1, 3, H, W) RGB that `stage` gave → (H, W, 3) uint8 on the CPU. Clamps to [0, 1] and rounds as diffusers does where it
// converts to PIL. Throws NOT_FINITE about the stage.
Pixels toBytes(const at::Tensor& pixels, StageId stage);

// (H, W, 3) uint8 RGB, H and W multiples of 4 → (1, 4, H/4, W/4) latents as decodePixels takes them, float32.
at::Tensor encodeLatents(Program& vqEncoder, const at::Tensor& pixels, const Constants& constants);

}  // namespace wuerstchen
