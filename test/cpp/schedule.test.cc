// Expected values: diffusers 0.42.1 DDPMWuerstchenScheduler, float32, printed by
//   s = DDPMWuerstchenScheduler(); s._alpha_cumprod(torch.tensor([t]), "cpu")
#include "schedule.h"

#include <cmath>

#include "check.h"

using namespace wuerstchen;

namespace {
const NoiseSchedule kSchedule{{1.0, 0.008}};
bool near(double a, double b, double relative) { return std::abs(a - b) <= relative * std::abs(b); }
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
    CHECK(is(failureOf([&] { kSchedule.steps(timesteps, "priorTimesteps"); }), Code::InvalidArgument, "priorTimesteps"));
  }
}
