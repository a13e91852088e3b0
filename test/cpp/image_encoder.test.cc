#include "image_encoder.h"

#include <ATen/ATen.h>

#include "check.h"

using namespace wuerstchen;

namespace {

const at::Tensor kMean = at::tensor({0.485F, 0.456F, 0.406F}).view({1, 3, 1, 1});
const at::Tensor kDeviation = at::tensor({0.229F, 0.224F, 0.225F}).view({1, 3, 1, 1});

at::Tensor toRgb(const at::Tensor& preprocessed) { return preprocessed * kDeviation + kMean; }

}  // namespace

TEST(imageEncoder, aPlainColourStaysThatColour) {
  at::Tensor pixels = at::empty({50, 70, 3}, at::kByte);
  pixels.select(2, 0).fill_(255);
  pixels.select(2, 1).fill_(0);
  pixels.select(2, 2).fill_(51);
  for (const Fit fit : {Fit::Cover, Fit::Fill}) {
    const at::Tensor rgb = toRgb(preprocessImage(pixels, 3, 6, fit));
    CHECK(rgb.sizes() == at::IntArrayRef({1, 3, 96, 192}));
    CHECK(at::allclose(rgb, at::tensor({1.0F, 0.0F, 0.2F}).view({1, 3, 1, 1}).expand_as(rgb), 0, 1e-5));
  }
}

TEST(imageEncoder, coverCutsTheCentreAndFillStretches) {
  at::Tensor pixels = at::zeros({96, 288, 3}, at::kByte);  // black, white, black thirds
  pixels.narrow(1, 96, 96).fill_(255);
  const at::Tensor cover = toRgb(preprocessImage(pixels, 3, 3, Fit::Cover));
  CHECK(at::allclose(cover, at::ones_like(cover), 0, 1e-5));  // exactly the middle third
  const at::Tensor fill = toRgb(preprocessImage(pixels, 3, 3, Fit::Fill));
  CHECK(fill[0][0][48][4].item<float>() < 0.01 && fill[0][0][48][48].item<float>() > 0.99);
}

TEST(imageEncoder, smallerIsAntialiased) {
  at::Tensor pixels = at::zeros({768, 768, 3}, at::kByte);
  pixels.slice(1, 0, 768, 2).fill_(255);  // columns one pixel wide: without antialiasing they alias to stripes
  const at::Tensor rgb = toRgb(preprocessImage(pixels, 3, 3, Fit::Cover));
  CHECK((rgb.slice(3, 4, 92) - 0.5).abs().max().item<float>() < 0.02);
}

// The ends of a strip are cut off before it is enlarged. Its middle stays where it was.
TEST(imageEncoder, aLongStripKeepsItsMiddle) {
  for (const int64_t length : {4096, 4097}) {
    at::Tensor strip = at::zeros({1, length, 3}, at::kByte);
    strip.narrow(1, 0, length / 2).fill_(255);  // white left, black right
    const at::Tensor middle = strip.narrow(1, length / 2 - 3, 6 + length % 2);
    const at::Tensor wide = toRgb(preprocessImage(strip, 2, 2, Fit::Cover));
    CHECK(wide.sizes() == at::IntArrayRef({1, 3, 64, 64}));
    const at::Tensor tall = toRgb(preprocessImage(strip.transpose(0, 1).contiguous(), 2, 2, Fit::Cover));
    CHECK(at::allclose(tall, wide.transpose(2, 3), 0, 1e-5));
    CHECK(at::allclose(wide, toRgb(preprocessImage(middle, 2, 2, Fit::Cover)), 0, 1e-5));
  }
}
