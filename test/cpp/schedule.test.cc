// Expected values: diffusers 0.42.1 DDPMWuerstchenScheduler, float32, printed by
//   s = DDPMWuerstchenScheduler(); s._alpha_cumprod(torch.tensor([t]), "cpu")
#include "schedule.h"

#include <cmath>

#include "check.h"

using namespace wuerstchen;

namespace {
const NoiseSchedule kSchedule{{1.0, 0.008}};
bool near(double a, double b, double relative) { return std::abs(a - b) <= relative * std::abs(b); }

// The network of scripts/checks/parity/samplers_reference.py: a noise prediction that bends with both arguments.
double network(double x, double t) { return 0.8 * std::sin(x) + 0.3 * t * x + 0.1 * t * t; }

// What a sampler makes of 0.7, as Denoiser does it.
double sample(Sampler sampler, const std::vector<double>& timesteps) {
  double x = 0.7, previous = 0;
  for (const Step& s : kSchedule.steps(timesteps, sampler)) {
    const double epsilon = network(x, s.timestep);
    const double clean = (x - s.noising.noise * epsilon) / s.noising.signal;
    x = s.scale * (x - s.epsilonScale * epsilon) + s.previousScale * previous;
    previous = clean;
  }
  return x;
}

std::vector<double> uniform(int steps, double from, double to) {
  std::vector<double> timesteps;
  for (int i = 0; i <= steps; ++i) timesteps.push_back(from + (to - from) * i / steps);
  return timesteps;
}
}  // namespace

TEST(schedule, alphaCumprodEqualsTheReference) {
  CHECK(near(kSchedule.alphaCumprod(0.05F), 0.992007315158844, 1e-5));
  CHECK(near(kSchedule.alphaCumprod(0.1F), 0.9720927476882935, 1e-5));
  CHECK(near(kSchedule.alphaCumprod(0.5F), 0.4938436448574066, 1e-5));
  CHECK(near(kSchedule.alphaCumprod(0.6666667F), 0.24644818902015686, 1e-5));
  CHECK(near(kSchedule.alphaCumprod(0.9F), 0.024091726168990135, 1e-5));
  CHECK(near(kSchedule.alphaCumprod(0.99F), 0.00024285525432787836, 1e-5));
}

TEST(schedule, clampsBothEnds) {
  CHECK(kSchedule.alphaCumprod(1.0F) == 0.0001F);
  CHECK(kSchedule.alphaCumprod(0.0F) == 0.9999F);
}

TEST(schedule, stepsEqualTheReference) {
  // x' = scale·(x − epsilon·e) + sigma·n of scheduler.step with x, e, n as printed by the reference.
  {
    const Step s = kSchedule.steps({1.0, 0.98}).front();
    CHECK(near(s.scale * (0.7F - s.epsilonScale * -0.4F) + s.sigma * 1.3F, 4.530447483062744, 1e-4));
  }
  {
    const Step s = kSchedule.steps({0.7, 0.6}).front();
    CHECK(near(s.scale * (0.7F - s.epsilonScale * -0.4F) + s.sigma * 1.3F, 1.8927452564239502, 1e-4));
  }
  {
    const Step s = kSchedule.steps({0.3, 0.05}).front();
    CHECK(near(s.scale * (0.7F - s.epsilonScale * -0.4F) + s.sigma * 1.3F, 1.1015753746032715, 1e-4));
  }
  {
    const Step s = kSchedule.steps({0.1, 0.0}).front();
    CHECK(near(s.scale * (0.7F - s.epsilonScale * -0.4F) + s.sigma * 1.3F, 0.7774760723114014, 1e-4));
  }
}

TEST(schedule, lastStepToZeroAddsNoNoise) {
  const auto steps = kSchedule.steps({1.0, 0.5, 0.0});
  CHECK(steps.size() == 2);
  CHECK(steps[0].sigma > 0);
  CHECK(steps[1].sigma == 0);
  CHECK(kSchedule.steps({1.0, 0.25})[0].sigma > 0);  // a list that stops early stays noisy, as in the reference
}

TEST(schedule, scalerBendsTime) {
  CHECK(near(NoiseSchedule({2.0, 0.008}).alphaCumprod(0.4F), 0.2831020951271057, 1e-5));
  CHECK(near(NoiseSchedule({0.5, 0.008}).alphaCumprod(0.4F), 0.29375526309013367, 1e-5));
}

TEST(schedule, refusesWhatIsNotASchedule) {
  for (const std::vector<double>& timesteps : std::vector<std::vector<double>>{
           {}, {1.0}, {0.5, 0.5}, {0.2, 0.7}, {1.1, 0.0}, {1.0, -0.1}, {std::nan(""), 0.0}, {1.0, std::nan("")}}) {
    CHECK(is(failureOf([&] { kSchedule.steps(timesteps, Sampler::Ddpm, "priorTimesteps"); }), Code::InvalidArgument,
             "priorTimesteps"));
  }
}

// Expected values: python scripts/checks/parity/samplers_reference.py (DDIMScheduler and DPMSolverMultistepScheduler of diffusers
// 0.42.1 on this schedule, in double). 2e-5: steps are rounded to float, and a start at t = 1 enlarges that a hundred times.
TEST(schedule, samplersEqualTheReference) {
  CHECK(near(sample(Sampler::Ddim, {0.751, 0.501, 0.251, 0.001}), 0.3272567815557495, 2e-5));
  CHECK(near(sample(Sampler::Ddim, uniform(9, 0.901, 0.001)), 0.2939243777739584, 2e-5));
  CHECK(near(sample(Sampler::Ddim, uniform(19, 0.951, 0.001)), 0.25008668525420685, 2e-5));
  CHECK(near(sample(Sampler::DpmSolver, {1.0, 0.8, 0.6, 0.4, 0.2, 0.1, 0.001}), -7.355244867938243, 2e-5));
  CHECK(near(sample(Sampler::DpmSolver, {0.95, 0.9, 0.8, 0.65, 0.5, 0.35, 0.25, 0.15, 0.05, 0.001}), 0.32617721578343256, 2e-5));
}

// Twice the steps are half the error for ddim, and a quarter of it for dpm-solver++. Both come to the same.
TEST(schedule, samplersConvergeWithTheirOrder) {
  const auto at = [](Sampler sampler, int steps) { return sample(sampler, uniform(steps, 0.9, 0.1)); };
  const double limit = at(Sampler::DpmSolver, 4000);
  CHECK(near(at(Sampler::Ddim, 4000), limit, 1e-3));
  const auto gain = [&](Sampler sampler, int steps) {
    return std::abs(at(sampler, steps) - limit) / std::abs(at(sampler, 2 * steps) - limit);
  };
  CHECK(near(gain(Sampler::Ddim, 40), 2, 0.15));
  CHECK(near(gain(Sampler::Ddim, 80), 2, 0.15));
  CHECK(near(gain(Sampler::DpmSolver, 20), 4, 0.25));
  CHECK(near(gain(Sampler::DpmSolver, 40), 4, 0.25));
}

// ᾱ is clamped, so λ stands still near t = 1. A step that follows must not divide by that.
TEST(schedule, dpmSolverKeepsAwayFromTheClamps) {
  for (const int steps : {2, 29, 300, 1000}) {
    for (const Step& s : kSchedule.steps(uniform(steps, 1, 0), Sampler::DpmSolver)) {
      CHECK(std::isfinite(s.scale) && std::isfinite(s.epsilonScale) && std::abs(s.previousScale) <= 2);
    }
  }
  CHECK(kSchedule.steps({1.0, 0.9995, 0.999, 0.5, 0.0}, Sampler::DpmSolver)[2].previousScale == 0);
}

TEST(schedule, samplersHaveNames) {
  CHECK(samplerFromName("dpm-solver++", "priorSampler") == Sampler::DpmSolver);
  CHECK(is(failureOf([] { samplerFromName("euler", "decoderSampler"); }), Code::InvalidArgument, "decoderSampler"));
}
