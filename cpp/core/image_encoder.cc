#include "image_encoder.h"

#include <ATen/ops/_upsample_bilinear2d_aa.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <cmath>

#include "finite.h"

namespace wuerstchen {

namespace {

constexpr int64_t kStride = 32;  // of EfficientNetV2: pixels a grid cell

at::Tensor resize(const at::Tensor& image, int64_t height, int64_t width) {
  return at::_upsample_bilinear2d_aa(image, {height, width}, /*align_corners=*/false);
}

// A long strip without its ends. All of it would be enlarged until its short side covers the target, and then cut away: a line
// of 4096 pixels would take gigabytes. What is left covers eight targets, far beyond what the filter looks at.
at::Tensor withoutFarEnds(const at::Tensor& image, int64_t height, int64_t width) {
  constexpr int64_t kMost = 8;
  const auto middle = [](const at::Tensor& strip, int64_t dim, int64_t most) {
    const int64_t side = strip.size(dim);
    if (side <= most) return strip;
    const int64_t kept = most + (side - most) % 2;  // as much at both ends, so that the centre stays the centre
    return strip.narrow(dim, (side - kept) / 2, kept);
  };
  const double shape = static_cast<double>(width) / static_cast<double>(height);
  const auto most = [](double covering) { return std::max<int64_t>(1, std::llround(kMost * covering)); };
  return middle(middle(image, 2, most(image.size(3) / shape)), 3, most(image.size(2) * shape));
}

// The centre of the image, scaled to cover the target. Sides and offsets round as torchvision's Resize and CenterCrop do:
// Python's `round` takes halves to the even neighbour, as lrint does.
at::Tensor cover(const at::Tensor& whole, int64_t height, int64_t width) {
  const at::Tensor image = withoutFarEnds(whole, height, width);
  const double scale = std::max(static_cast<double>(height) / image.size(2), static_cast<double>(width) / image.size(3));
  const auto scaled = [scale](int64_t side, int64_t atLeast) { return std::max(atLeast, static_cast<int64_t>(side * scale)); };
  const at::Tensor resized = resize(image, scaled(image.size(2), height), scaled(image.size(3), width));
  const auto offset = [](int64_t side, int64_t target) { return std::lrint(static_cast<double>(side - target) / 2.0); };
  return resized.narrow(2, offset(resized.size(2), height), height).narrow(3, offset(resized.size(3), width), width);
}

}  // namespace

at::Tensor preprocessImage(const at::Tensor& pixels, int64_t gridHeight, int64_t gridWidth, Fit fit) {
  const at::Tensor image = pixels.permute({2, 0, 1}).unsqueeze(0).to(c10::kFloat).div_(255);  // (1, 3, H, W)
  const int64_t height = kStride * gridHeight, width = kStride * gridWidth;
  const at::Tensor fitted = fit == Fit::Cover ? cover(image, height, width) : resize(image, height, width);
  const at::Tensor mean = at::tensor({0.485F, 0.456F, 0.406F}, fitted.options()).view({1, 3, 1, 1});
  const at::Tensor deviation = at::tensor({0.229F, 0.224F, 0.225F}, fitted.options()).view({1, 3, 1, 1});
  return ((fitted - mean) / deviation).contiguous();
}

at::Tensor encodeImage(Program& imageEncoder, const at::Tensor& pixels, int64_t gridHeight, int64_t gridWidth, Fit fit) {
  const at::Tensor input = preprocessImage(pixels, gridHeight, gridWidth, fit).to(imageEncoder.device()).to(imageEncoder.dtype());
  const at::Tensor embeddings = imageEncoder.run("forward", {input}).front().to(c10::kFloat);
  expectFinite(embeddings, StageId::ImageEncoder);
  return embeddings;
}

}  // namespace wuerstchen
