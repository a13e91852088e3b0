#include "denoise.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include "check.h"
#include "models.h"

using namespace wuerstchen;

namespace {

struct Sample {
  Sample(uint64_t seed, double first, double guidanceScale, Sampler sampler = Sampler::Ddpm) : random(seed) {
    const std::vector<double> timesteps =
        sampler == Sampler::Ddpm ? std::vector{first, first / 2, 0.0} : std::vector{first, first * 2 / 3, first / 3, 0.0};
    trajectory.steps = NoiseSchedule({1, 0.008}).steps(timesteps, sampler);
    trajectory.guidance.scale = guidanceScale;
    trajectory.random = &random;
    trajectory.latents = random.normal({1, 16, 3, 3}, c10::kFloat);
    trajectory.condition = {at::full({1, 1}, static_cast<float>(seed))};
    if (guidanceScale > 1) trajectory.negativeCondition = {at::full({1, 1}, -static_cast<float>(seed))};
  }
  ImageRandom random;
  Trajectory trajectory;
};

}  // namespace

TEST(denoise, oneStepIsTheFormula) {
  const models::Folder folder;
  const auto prior = loadProgram(models::write(folder).programs.at(StageId::Prior), c10::kCPU);
  Sample sample(3, 1.0, 4.0);
  const at::Tensor x = sample.trajectory.latents.clone();
  const Step step = sample.trajectory.steps.front();
  ImageRandom random(3);
  random.advanceTo(16 * 9, 16 * 9, {});
  const at::Tensor noise = random.normal({1, 16, 3, 3}, c10::kFloat);

  Denoiser denoiser;
  CHECK(denoiser.advance(*prior, {&sample.trajectory}) == 2);  // guidance: two rows

  const at::Tensor conditional = 0.1 * x + 0.01 * (1.0 + 3.0);
  const at::Tensor unconditional = 0.1 * x + 0.01 * (1.0 - 3.0);
  const at::Tensor epsilon = unconditional + 4.0 * (conditional - unconditional);
  const at::Tensor expected = step.scale * (x - step.epsilonScale * epsilon) + step.sigma * noise;
  CHECK(at::allclose(sample.trajectory.latents, expected, 1e-5, 1e-5));
  CHECK(sample.trajectory.next == 1);
}

// Different seeds, timesteps, guidance and lengths in one batch, whose members change: as if each had been alone.
TEST(denoise, aBatchEqualsItsSingleRuns) {
  const models::Folder folder;
  const auto prior = loadProgram(models::write(folder).programs.at(StageId::Prior), c10::kCPU);
  const c10::InferenceMode inference;
  const auto alone = [&](uint64_t seed, double first, double guidanceScale) {
    Sample sample(seed, first, guidanceScale);
    Denoiser denoiser;
    while (!sample.trajectory.done()) denoiser.advance(*prior, {&sample.trajectory});
    return sample.trajectory.latents;
  };
  Sample a(1, 1.0, 4.0), b(2, 0.7, 0.0), c(3, 0.4, 2.0);
  CHECK(canShareRun(a.trajectory, b.trajectory));
  Denoiser denoiser;
  denoiser.advance(*prior, {&a.trajectory, &b.trajectory});
  denoiser.advance(*prior, {&a.trajectory, &c.trajectory});  // b pauses, c joins
  denoiser.advance(*prior, {&b.trajectory, &c.trajectory});
  CHECK(a.trajectory.done() && b.trajectory.done() && c.trajectory.done());
  // 1e-6: the same arithmetic, though kernels may differ by batch size.
  CHECK(at::allclose(a.trajectory.latents, alone(1, 1.0, 4.0), 1e-6, 1e-6));
  CHECK(at::allclose(b.trajectory.latents, alone(2, 0.7, 0.0), 1e-6, 1e-6));
  CHECK(at::allclose(c.trajectory.latents, alone(3, 0.4, 2.0), 1e-6, 1e-6));
}

// New conditions can lie at the address of old ones that are gone. The denoiser must not take them for those.
TEST(denoise, newConditionsAreNotTakenForOldOnes) {
  const models::Folder folder;
  const auto prior = loadProgram(models::write(folder).programs.at(StageId::Prior), c10::kCPU);
  Denoiser denoiser;
  Sample a(3, 1.0, 0.0), b(4, 1.0, 0.0);
  denoiser.advance(*prior, {&a.trajectory, &b.trajectory});

  at::Tensor& condition = a.trajectory.condition.front();
  const void* address = condition.unsafeGetTensorImpl();
  condition.reset();
  Tensors tries;  // they stay, so that each one gets another address
  while (tries.size() < 1000 && condition.unsafeGetTensorImpl() != address) {
    tries.push_back(condition = at::full({1, 1}, 50.0F));
  }
  const at::Tensor x = a.trajectory.latents;
  const Step step = a.trajectory.steps.at(1);  // ends at 0: no noise
  denoiser.advance(*prior, {&a.trajectory, &b.trajectory});
  const at::Tensor epsilon = 0.1 * x + 0.01 * (step.timestep + 50.0);
  CHECK(at::allclose(a.trajectory.latents, step.scale * (x - step.epsilonScale * epsilon), 1e-5, 1e-5));
}

// Before the step: the kept part is the source noised to the step's timestep; after the last step it is the source.
TEST(denoise, inpaintingDenoisesOnlyWhereTheMaskSays) {
  const models::Folder folder;
  const auto prior = loadProgram(models::write(folder).programs.at(StageId::Prior), c10::kCPU);
  const NoiseSchedule schedule({1, 0.008});
  Sample sample(3, 0.8, 0.0);
  Trajectory& t = sample.trajectory;
  at::Tensor mask = at::zeros({1, 1, 3, 3});
  mask[0][0][1][1] = 1;
  mask[0][0][0][0] = 0.25;
  const at::Tensor source = at::full({1, 16, 3, 3}, 2.0F);
  t.inpainting = Inpainting{source, mask};
  const at::Tensor start = t.latents.clone();

  ImageRandom random(3);
  random.advanceTo(16 * 9, 16 * 9, {});
  const auto draw = [&] { return random.normal({1, 16, 3, 3}, c10::kFloat); };
  at::Tensor x = start;
  for (size_t i = 0; i < 2; ++i) {
    const Noising n = schedule.noising(t.steps[i].timestep);
    x = mask * x + (1 - mask) * (n.signal * source + n.noise * draw());
    const at::Tensor epsilon = 0.1 * x + 0.01 * (t.steps[i].timestep + 3.0);
    x = t.steps[i].scale * (x - t.steps[i].epsilonScale * epsilon) + t.steps[i].sigma * draw();
  }
  x = mask * x + (1 - mask) * source;

  Denoiser denoiser;
  denoiser.advance(*prior, {&t});
  denoiser.advance(*prior, {&t});
  CHECK(at::allclose(t.latents, x, 1e-5, 1e-5));
  CHECK(at::equal(t.latents.select(2, 2), source.select(2, 2)));  // kept rows come back to the bit
  CHECK(!at::equal(t.latents.select(2, 1), source.select(2, 1)));
}

// x0 = (x − √(1−ᾱ)·ε)/√ᾱ of the step's own latents; asked for once, given once.
TEST(denoise, theEstimateIsTheFormula) {
  const models::Folder folder;
  const auto prior = loadProgram(models::write(folder).programs.at(StageId::Prior), c10::kCPU);
  Sample asked(3, 0.8, 0.0), other(4, 0.8, 0.0);
  asked.trajectory.wantsEstimate = true;
  const at::Tensor x = asked.trajectory.latents.clone();
  const Noising n = NoiseSchedule({1, 0.008}).noising(0.8F);
  Denoiser denoiser;
  denoiser.advance(*prior, {&other.trajectory, &asked.trajectory});
  const at::Tensor epsilon = 0.1 * x + 0.01 * (0.8F + 3.0);
  CHECK(at::allclose(asked.trajectory.estimate, (x - n.noise * epsilon) / n.signal, 1e-4, 1e-5));
  CHECK(!other.trajectory.estimate.defined() && !asked.trajectory.wantsEstimate);

  Sample masked(3, 0.8, 0.0);
  masked.trajectory.inpainting = Inpainting{at::full({1, 16, 3, 3}, 2.0F), at::zeros({1, 1, 3, 3})};
  masked.trajectory.wantsEstimate = true;
  denoiser.advance(*prior, {&masked.trajectory});
  CHECK(at::equal(masked.trajectory.estimate, masked.trajectory.inpainting->source));  // nothing to make anew
}

TEST(denoise, otherSizesDoNotShareARun) {
  Sample a(1, 1.0, 0.0), b(2, 1.0, 0.0), c(3, 1.0, 0.0);
  b.trajectory.latents = at::zeros({1, 16, 3, 6});
  c.trajectory.condition = {at::zeros({1, 2})};
  CHECK(!canShareRun(a.trajectory, b.trajectory));
  CHECK(!canShareRun(a.trajectory, c.trajectory));
}

// dpm-solver++ looks at the estimate of the step before, whoever shares its runs. Neither it nor ddim draws noise.
TEST(denoise, samplersMixInABatch) {
  const models::Folder folder;
  const auto prior = loadProgram(models::write(folder).programs.at(StageId::Prior), c10::kCPU);
  const c10::InferenceMode inference;
  const auto run = [&](std::vector<Trajectory*> all) {
    Denoiser denoiser;
    while (!all.empty()) {
      denoiser.advance(*prior, all);
      std::erase_if(all, [](const Trajectory* t) { return t->done(); });
    }
  };
  const auto alone = [&](uint64_t seed, Sampler sampler) {
    Sample sample(seed, 0.8, 2.0, sampler);
    run({&sample.trajectory});
    return sample.trajectory.latents;
  };
  Sample a(1, 0.8, 2.0, Sampler::Ddpm), b(2, 0.8, 2.0, Sampler::Ddim), c(3, 0.8, 2.0, Sampler::DpmSolver);
  run({&a.trajectory, &b.trajectory, &c.trajectory});
  CHECK(at::allclose(a.trajectory.latents, alone(1, Sampler::Ddpm), 1e-6, 1e-6));
  CHECK(at::allclose(b.trajectory.latents, alone(2, Sampler::Ddim), 1e-6, 1e-6));
  CHECK(at::allclose(c.trajectory.latents, alone(3, Sampler::DpmSolver), 1e-6, 1e-6));
  CHECK(!at::allclose(alone(3, Sampler::Ddim), alone(3, Sampler::DpmSolver), 1e-3, 1e-3));
  CHECK(a.random.offset() == 3 * 16 * 9 && b.random.offset() == 16 * 9 && c.random.offset() == 16 * 9);
}

// Outside the interval the network runs on the prompt alone, as if there were no guidance; inside as if there were no interval.
TEST(denoise, guidanceWorksInItsInterval) {
  const models::Folder folder;
  const auto prior = loadProgram(models::write(folder).programs.at(StageId::Prior), c10::kCPU);
  const auto rows = [&](double from, double to) {
    Sample sample(3, 0.8, 4.0);  // steps at 0.8 and 0.4
    sample.trajectory.guidance.from = from;
    sample.trajectory.guidance.to = to;
    Denoiser denoiser;
    std::vector<int> seen;
    while (!sample.trajectory.done()) seen.push_back(denoiser.advance(*prior, {&sample.trajectory}));
    return seen;
  };
  CHECK((rows(0, 1) == std::vector{2, 2}));
  CHECK((rows(0, 0.5) == std::vector{1, 2}));
  CHECK((rows(0.5, 1) == std::vector{2, 1}));
  CHECK((rows(0.5, 0.6) == std::vector{1, 1}));

  Sample outside(3, 0.8, 4.0), plain(3, 0.8, 0.0);
  outside.trajectory.guidance.to = 0.5;
  Denoiser denoiser;
  denoiser.advance(*prior, {&outside.trajectory});
  denoiser.advance(*prior, {&plain.trajectory});
  CHECK(at::equal(outside.trajectory.latents, plain.trajectory.latents));
}
