#include "decoder.h"

#include <ATen/ops/zeros_like.h>

#include "contract.h"
#include "finite.h"
#include "guidance.h"
#include "text.h"

namespace wuerstchen {

void prepareDecoder(Stages& stages, const EngineSpec& spec, Image& image) {
  Job& job = *image.job;
  const Request& request = job.request;
  Timings& timings = job.result.timings;
  const Sampling& sampling = image.decoderSampling();
  const bool guided = isGuided(sampling.guidance.scale);
  std::vector<int> texts{image.spec().decoderText};
  if (guided) texts.push_back(image.spec().decoderNegativeText);
  encodeTexts(stages, spec, StageId::Decoder, job, texts);
  Program& decoder = stages.use(StageId::Decoder, &timings.load);
  const Stopwatch watch;

  const int64_t height = latentSize(request.gridHeight, spec.constants), width = latentSize(request.gridWidth, spec.constants);
  Trajectory trajectory;
  trajectory.steps =
      NoiseSchedule(spec.constants.decoderScheduler).steps(sampling.timesteps, sampling.sampler, "decoderTimesteps");
  trajectory.guidance = sampling.guidance;
  trajectory.random = &image.random;
  const at::Tensor start = request.decoderLatents.defined()
                               ? request.decoderLatents.narrow(0, image.index, 1)
                               : image.random.normal({1, latentChannels(spec), height, width}, decoder.dtype());
  trajectory.latents = start.to(spec.device).to(c10::kFloat);
  if (request.decoderSource.defined()) {
    const Noising& noising = trajectory.steps.front().noising;
    const at::Tensor source = request.decoderSource.narrow(0, image.index, 1).to(spec.device).to(c10::kFloat);
    trajectory.latents = noising.signal * source + noising.noise * trajectory.latents;
  }

  const at::Tensor embeddings = image.embeddings.to(decoder.dtype());  // (1, 16, gridHeight, gridWidth)
  const at::Tensor latents = trajectory.latents.to(decoder.dtype());   // only its size matters here
  trajectory.condition = decoder.run("condition", {latents, embeddings, job.decoderTexts.at(image.spec().decoderText)});
  if (guided) {
    // Training replaced dropped embeddings by zeros, and the reference's unconditional rows are zeros too.
    trajectory.negativeCondition =
        decoder.run("condition", {latents, at::zeros_like(embeddings), job.decoderTexts.at(image.spec().decoderNegativeText)});
  }
  timings.decoder += watch.ms();
  image.trajectory = std::move(trajectory);
}

at::Tensor encodeLatents(Program& vqEncoder, const at::Tensor& pixels, const Constants& constants) {
  const at::Tensor input = pixels.to(vqEncoder.device()).permute({2, 0, 1}).unsqueeze(0).to(c10::kFloat) / 255;  // (1, 3, H, W)
  const at::Tensor latents = vqEncoder.run("forward", {input.to(vqEncoder.dtype()).contiguous()}).front();
  expectFinite(latents, StageId::VqEncoder);
  return latents.to(c10::kFloat) / constants.scaleFactor;
}

Pixels decodePixels(Program& vqDecoder, const at::Tensor& latents, const Constants& constants) {
  const at::Tensor scaled = (latents * constants.scaleFactor).to(vqDecoder.dtype());
  return toBytes(vqDecoder.run("forward", {scaled}).front(), StageId::VqDecoder);
}

Pixels toBytes(const at::Tensor& pixels, StageId stage) {
  expectFinite(pixels, stage);
  return (pixels.to(c10::kFloat).clamp(0, 1) * 255).round().to(c10::kByte).squeeze(0).permute({1, 2, 0}).contiguous().cpu();
}

}  // namespace wuerstchen
