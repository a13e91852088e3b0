// A real image to Stage B's space e, through the EfficientNet encoder.
#pragma once

#include "program.h"

namespace wuerstchen {

enum class Fit { Cover, Fill };  // cut the centre to the grid's shape, or stretch to it

// (H, W, 3) uint8 RGB → (1, 3, 32·gridHeight, 32·gridWidth) float32: antialiased bilinear, in [0, 1], then normalised by
// ImageNet's mean and deviation. 32 pixels a grid cell are 0.75 × the image's size (42.67 = 32 / 0.75), as the encoder was
// trained.
at::Tensor preprocessImage(const at::Tensor& pixels, int64_t gridHeight, int64_t gridWidth, Fit fit);

// (H, W, 3) uint8 RGB → (1, 16, gridHeight, gridWidth) float32 in Stage B's space e.
at::Tensor encodeImage(Program& imageEncoder, const at::Tensor& pixels, int64_t gridHeight, int64_t gridWidth, Fit fit);

}  // namespace wuerstchen
