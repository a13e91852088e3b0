#include "prior.h"

#include "contract.h"
#include "guidance.h"
#include "text.h"

namespace wuerstchen {

namespace {

void encodePriorTexts(Stages& stages, const EngineSpec& spec, Job& job) {
  Timings& timings = job.result.timings;
  const Tensors texts = encodeTexts(stages, StageId::PriorTextEncoder, job.request.priorTexts, spec.device,
                                    programOf(spec, StageId::Prior).dtype, timings, timings.priorTextEncoder);
  Program& prior = stages.use(StageId::Prior, &timings.load);
  const Stopwatch watch;
  for (const at::Tensor& text : texts) job.priorConditions.push_back(prior.run("condition", {text}));  // 1 row each
  timings.prior += watch.ms();
}

// Image to image: the start is the embedding, noised to the first timestep. The noise for it is already in `latents`.
void startFromEmbeddings(const EngineSpec& spec, const Image& image, Trajectory& trajectory) {
  const at::Tensor source = latentsFromEmbeddings(image.embeddings, spec.constants);
  const Noising& start = trajectory.steps.front().noising;
  trajectory.latents = start.signal * source + start.noise * trajectory.latents;
  const at::Tensor& mask = image.job->request.mask;
  if (!mask.defined()) return;
  trajectory.inpainting = Inpainting{source, mask.narrow(0, image.index, 1).to(spec.device).to(c10::kFloat)};
}

}  // namespace

void preparePrior(Stages& stages, const EngineSpec& spec, Image& image) {
  Job& job = *image.job;
  const Request& request = job.request;
  if (job.priorConditions.empty()) encodePriorTexts(stages, spec, job);
  Program& prior = stages.use(StageId::Prior, &job.result.timings.load);

  Trajectory trajectory;
  trajectory.steps = NoiseSchedule(spec.constants.priorScheduler).steps(request.priorTimesteps, "priorTimesteps");
  trajectory.guidanceScale = request.priorGuidanceScale;
  trajectory.random = &image.random;
  trajectory.condition = job.priorConditions.at(image.spec().priorText);
  if (isGuided(request.priorGuidanceScale)) {
    trajectory.negativeCondition = job.priorConditions.at(image.spec().priorNegativeText);
  }
  const at::Tensor noise =
      request.priorLatents.defined()
          ? request.priorLatents.narrow(0, image.index, 1)
          : image.random.normal({1, embeddingChannels(spec), request.gridHeight, request.gridWidth}, prior.dtype());
  trajectory.latents = noise.to(spec.device).to(c10::kFloat);
  if (image.embeddings.defined()) startFromEmbeddings(spec, image, trajectory);
  image.trajectory = std::move(trajectory);
}

at::Tensor embeddingsFromLatents(const at::Tensor& latents, const Constants& constants) {
  return latents * constants.latentMean - constants.latentStd;
}

at::Tensor latentsFromEmbeddings(const at::Tensor& embeddings, const Constants& constants) {
  return (embeddings + constants.latentStd) / constants.latentMean;
}

}  // namespace wuerstchen
