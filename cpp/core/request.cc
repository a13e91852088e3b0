#include "request.h"

#include "contract.h"
#include "dtype.h"
#include "finite.h"
#include "guidance.h"

namespace wuerstchen {

namespace {

constexpr int64_t kLargestGrid = 4096;  // 174 763 pixels a side: beyond it a product of sizes could overflow

void checkTexts(const std::vector<Text>& texts) {
  for (const Text& text : texts) {
    if (const auto* embeddings = std::get_if<at::Tensor>(&text)) {
      if (embeddings->dim() == 3 && embeddings->size(0) == 1 && embeddings->is_floating_point()) continue;
      throw Error(Code::InvalidArgument,
                  c10::str("Expected (1, text, channels) floating point for text embeddings but received ", embeddings->sizes()),
                  "promptEmbeds");
    }
    const auto& tokens = std::get<Tokens>(text);
    if (tokens.ids.sizes() == tokens.mask.sizes() && tokens.ids.numel() != 0) continue;
    throw Error(Code::InvalidArgument, "Expected token ids and a mask of the same length", "prompt");
  }
}

void checkTextIndex(int index, size_t count, bool needed, const char* name) {
  if (needed ? index < 0 || index >= static_cast<int>(count) : index >= static_cast<int>(count)) {
    throw Error(Code::InvalidArgument, c10::str("Expected a text index below ", count, " but received ", index), name);
  }
}

// The engine draws a stream again up to its offset. No prior gives away more normals than these: its start noise, then for each
// of at most a thousand steps one draw, and with a mask another one.
int64_t mostDrawn(const Request& request, const EngineSpec& spec) {
  constexpr int64_t kMostSteps = 1000;
  return (1 + 2 * kMostSteps) * embeddingChannels(spec) * request.gridHeight * request.gridWidth;
}

void checkImages(const Request& request, const EngineSpec& spec) {
  const int64_t mostOffset = mostDrawn(request, spec);
  const size_t priorTexts = request.priorTexts.size(), decoderTexts = request.decoderTexts.size();
  for (const ImageSpec& image : request.images) {
    if (image.seed < 0 || image.randomOffset < 0) {
      throw Error(Code::InvalidArgument, "Expected a seed and a randomOffset of at least 0",
                  image.seed < 0 ? "seed" : "randomOffset");
    }
    if (image.randomOffset > mostOffset) {
      throw Error(Code::InvalidArgument,
                  c10::str("Expected a randomOffset of at most ", mostOffset, " but received ", image.randomOffset),
                  "randomOffset");
    }
    checkTextIndex(image.priorText, priorTexts, request.wantsPrior(), "priorText");
    checkTextIndex(image.priorNegativeText, priorTexts, request.wantsPrior() && isGuided(request.prior.guidance.scale),
                   "priorNegativeText");
    checkTextIndex(image.decoderText, decoderTexts, request.wantsDecoder(), "decoderText");
    checkTextIndex(image.decoderNegativeText, decoderTexts, request.wantsDecoder() && isGuided(request.decoder.guidance.scale),
                   "decoderNegativeText");
  }
  if (request.images.empty()) throw Error(Code::InvalidArgument, "Expected at least one image", "images");
}

void checkTensor(const at::Tensor& tensor, const char* name, at::IntArrayRef shape) {
  if (tensor.sizes() != shape || !tensor.is_floating_point()) {
    throw Error(Code::InvalidArgument,
                c10::str("Expected floating point ", shape, " for ", name, " but received ", dtypeName(tensor.scalar_type()), " ",
                         tensor.sizes()),
                name);
  }
}

void checkTensors(const Request& r, const EngineSpec& spec) {
  const int64_t images = static_cast<int64_t>(r.images.size());
  for (const auto& [tensor, name] : {std::pair(&r.priorLatents, "latents"), std::pair(&r.embeddings, "embeddings")}) {
    if (tensor->defined()) checkTensor(*tensor, name, {images, embeddingChannels(spec), r.gridHeight, r.gridWidth});
  }
  if (r.mask.defined()) checkTensor(r.mask, "mask", {images, 1, r.gridHeight, r.gridWidth});
  const int64_t height = latentSize(r.gridHeight, spec.constants), width = latentSize(r.gridWidth, spec.constants);
  for (const at::Tensor* latents : {&r.decoderLatents, &r.decoderSource}) {
    if (latents->defined()) checkTensor(*latents, "latents", {images, latentChannels(spec), height, width});
  }
}

}  // namespace

void checkRequest(const Request& request, const EngineSpec& spec) {
  checkGrid(request.gridHeight, request.gridWidth);
  checkTexts(request.priorTexts);
  checkTexts(request.decoderTexts);
  checkImages(request, spec);
  checkTensors(request, spec);
  if (request.previews < 0) throw Error(Code::InvalidArgument, "Expected previews of at least 0", "previews");
  const bool canDecode = request.wantsDecoder() && spec.residency == Residency::All;
  if (request.previews > 0 && !(request.wantsPrior() && (canDecode || spec.programs.count(StageId::Previewer) != 0))) {
    throw Error(Code::InvalidArgument, "Expected a prior with a previewer, or with a decoder that stays loaded, for previews",
                "previews");
  }
  if (!request.wantsPrior() && !request.embeddings.defined()) {
    throw Error(Code::InvalidArgument, "Expected prior timesteps or embeddings", "embeddings");
  }
  if (!request.wantsPrior() && !request.wantsDecoder()) {
    throw Error(Code::InvalidArgument, "Expected a stage to run", "decoderTimesteps");
  }
  if (request.mask.defined() && !(request.wantsPrior() && request.embeddings.defined())) {
    throw Error(Code::InvalidArgument, "Expected a prior that starts from embeddings for mask", "mask");
  }
}

void checkNumbers(const at::Tensor& tensor, const char* name) {
  if (!tensor.defined() || isFinite(tensor)) return;
  throw Error(Code::InvalidArgument, c10::str("Expected finite numbers for ", name, " but received NaN or infinity"), name);
}

void checkNumbers(const Request& request) {
  checkNumbers(request.priorLatents, "latents");
  checkNumbers(request.embeddings, "embeddings");
  checkNumbers(request.mask, "mask");
  checkNumbers(request.decoderLatents, "latents");
  checkNumbers(request.decoderSource, "latents");
  for (const auto* texts : {&request.priorTexts, &request.decoderTexts}) {
    for (const Text& text : *texts) {
      if (const auto* embeddings = std::get_if<at::Tensor>(&text)) checkNumbers(*embeddings, "promptEmbeds");
    }
  }
}

void checkGrid(int64_t height, int64_t width) {
  const auto fits = [](int64_t side) { return side >= 1 && side <= kLargestGrid; };
  if (fits(height) && fits(width)) return;
  throw Error(Code::InvalidArgument, "Expected a positive embedding grid", fits(height) ? "gridWidth" : "gridHeight");
}

void checkLatents(const at::Tensor& latents, const EngineSpec& spec) {
  programOf(spec, StageId::VqDecoder);
  const int64_t channels = latentChannels(spec);
  if (latents.dim() == 4 && latents.size(0) == 1 && latents.size(1) == channels && latents.numel() != 0 &&
      latents.is_floating_point())
    return;
  throw Error(Code::InvalidArgument,
              c10::str("Expected floating point (1, ", channels, ", height, width) for latents but received ", latents.sizes()),
              "latents");
}

}  // namespace wuerstchen
