// Previews: small images of what Stage C has in mind so far, made of its estimate of the clean embeddings.
//
// Rules
// 1. An image is the same to the last bit with and without previews: they draw from streams of their own and share no denoising
//    run with it.
// 2. A preview ends with its request, as everything else of the request does.
#pragma once

#include "job.h"
#include "stages.h"

namespace wuerstchen {

// Whether a preview belongs to step `step` of `steps`, counted from 1. There are at most `previews` of them, equally far apart,
// and the last one is after the last step.
bool isPreviewDue(int64_t step, int64_t steps, int64_t previews);

// The stage `previewer`: estimate (1, 16, h, w) of the clean latents → (8h, 8w, 3) uint8 RGB on the CPU.
Pixels previewPixels(Program& previewer, const at::Tensor& estimate);

// The step of the prior that `image` has just taken.
PreviewOf previewOf(const Image& image);

// Without a previewer: an image that takes a short way from `estimate` through Stages B and A. It becomes the preview of `image`
// after its present step.
std::unique_ptr<Image> shortDecode(const Image& image, const at::Tensor& estimate, const Constants& constants);

}  // namespace wuerstchen
