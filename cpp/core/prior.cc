#include "prior.h"

#include "contract.h"
#include "guidance.h"
#include "text.h"

namespace wuerstchen {

namespace {

// What the prior's steps take of the texts at these indices. The images of a prompt share it.
void conditionOn(const std::vector<int>& texts, Stages& stages, const EngineSpec& spec, Job& job) {
  job.priorConditions.resize(job.request.priorTexts.size());
  std::vector<int> missing = texts;
  std::erase_if(missing, [&](int index) { return !job.priorConditions[index].empty(); });
  if (missing.empty()) return;
  encodeTexts(stages, spec, StageId::Prior, job, missing);
  Timings& timings = job.result.timings;
  Program& prior = stages.use(StageId::Prior, &timings.load);
  const Stopwatch watch;
  for (const int index : missing) job.priorConditions[index] = prior.run("condition", {job.priorTexts[index]});  // 1 row each
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
  const bool guided = isGuided(request.prior.guidance.scale);
  std::vector<int> texts{image.spec().priorText};
  if (guided) texts.push_back(image.spec().priorNegativeText);
  conditionOn(texts, stages, spec, job);
  Program& prior = stages.use(StageId::Prior, &job.result.timings.load);

  Trajectory trajectory;
  trajectory.steps =
      NoiseSchedule(spec.constants.priorScheduler).steps(request.prior.timesteps, request.prior.sampler, "priorTimesteps");
  trajectory.guidance = request.prior.guidance;
  trajectory.random = &image.random;
  trajectory.condition = job.priorConditions.at(image.spec().priorText);
  if (guided) {
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
