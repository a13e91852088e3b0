#include "preview.h"

#include "decoder.h"
#include "prior.h"

namespace wuerstchen {

bool isPreviewDue(int64_t step, int64_t steps, int64_t previews) {
  return step * previews / steps > (step - 1) * previews / steps;
}

Pixels previewPixels(Program& previewer, const at::Tensor& estimate) {
  return toBytes(previewer.run("forward", {estimate.to(previewer.dtype())}).front(), StageId::Previewer);
}

PreviewOf previewOf(const Image& image) {
  return {static_cast<int>(image.trajectory.next), static_cast<int>(image.trajectory.steps.size())};
}

std::unique_ptr<Image> shortDecode(const Image& image, const at::Tensor& estimate, const Constants& constants) {
  // The preview has the image's seed but not its stream. All previews of an image then have the same noise, so that they differ
  // only where the estimate does.
  auto preview = std::make_unique<Image>(image.job, image.index, ImageRandom(static_cast<uint64_t>(image.spec().seed)));
  preview->phase = Phase::Decoder;
  preview->embeddings = embeddingsFromLatents(estimate, constants);
  preview->preview = previewOf(image);
  return preview;
}

}  // namespace wuerstchen
