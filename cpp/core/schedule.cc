#include "schedule.h"

#include <algorithm>
#include <cmath>

#include "error.h"

namespace wuerstchen {

namespace {

template <typename Real>
Real alphaCumprodOf(const SchedulerSpec& spec, Real t) {
  const Real scaler = static_cast<Real>(spec.scaler);
  if (scaler > 1) {
    t = 1 - std::pow(1 - t, scaler);
  } else if (scaler < 1) {
    t = std::pow(t, scaler);
  }
  const Real s = static_cast<Real>(spec.s);
  const Real pi = static_cast<Real>(M_PI);
  const Real half = static_cast<Real>(0.5);
  const auto squaredCosine = [](Real x) { return std::cos(x) * std::cos(x); };
  const Real initial = squaredCosine(s / (1 + s) * pi * half);
  const Real alpha = squaredCosine((t + s) / (1 + s) * pi * half) / initial;
  return std::clamp(alpha, static_cast<Real>(0.0001), static_cast<Real>(0.9999));
}

// A noise level in double: differences of λ between close timesteps would be lost in float.
struct Level {
  Level(const SchedulerSpec& spec, double t) {
    const double alpha = alphaCumprodOf(spec, t);
    signal = std::sqrt(alpha);
    noise = std::sqrt(1 - alpha);
    lambda = std::log(signal / noise);
  }
  double signal, noise, lambda;
};

// x ← √((1−ᾱ_p)/(1−ᾱ_t))·x − √ᾱ_p·(e^−h − 1)·(now·x0 + before·x0_previous), with x0 in terms of x and ε. With now = 1 and
// before = 0 it is ddim: e^−h = √ᾱ_t·√(1−ᾱ_p) / (√(1−ᾱ_t)·√ᾱ_p).
Step deterministic(double t, const Level& from, const Level& to, double now, double before) {
  const double shrink = to.noise / from.noise;
  const double towards = to.signal - shrink * from.signal;  // √ᾱ_p·(1 − e^−h)
  const double ofClean = now * towards / from.signal;       // x0 = (x − √(1−ᾱ_t)·ε)/√ᾱ_t
  const double scale = shrink + ofClean;
  return {
      .timestep = static_cast<float>(t),
      .scale = static_cast<float>(scale),
      .epsilonScale = static_cast<float>(ofClean * from.noise / scale),
      .sigma = 0,
      .previousScale = static_cast<float>(before * towards),
      .drawsNoise = false,
      .noising = {static_cast<float>(from.signal), static_cast<float>(from.noise)},
  };
}

// Beyond it the extrapolation from the last step would reach too far. It also keeps away from the clamps of ᾱ, where λ stands
// still.
constexpr double kMostGrowth = 4;

}  // namespace

// All arithmetic is in float, as in the reference: ᾱ near its clamp decides the size of the first steps.
float NoiseSchedule::alphaCumprod(float t) const { return alphaCumprodOf<float>(spec_, t); }

Noising NoiseSchedule::noising(float t) const {
  const float alpha = alphaCumprod(t);
  return {std::sqrt(alpha), std::sqrt(1.0F - alpha)};
}

Step NoiseSchedule::ddpm(float t, float next) const {
  const float alphaT = alphaCumprod(t);
  const float alphaNext = alphaCumprod(next);
  const float alpha = alphaT / alphaNext;
  return {
      .timestep = t,
      .scale = std::sqrt(1.0F / alpha),
      .epsilonScale = (1.0F - alpha) / std::sqrt(1.0F - alphaT),
      .sigma = next == 0.0F ? 0.0F : std::sqrt((1.0F - alpha) * (1.0F - alphaNext) / (1.0F - alphaT)),
      .noising = noising(t),
  };
}

Step NoiseSchedule::ddim(double t, double next) const { return deterministic(t, Level(spec_, t), Level(spec_, next), 1, 0); }

Step NoiseSchedule::dpmSolver(double previous, double t, double next) const {
  const Level a(spec_, previous), b(spec_, t), c(spec_, next);
  const double h = c.lambda - b.lambda, hPrevious = b.lambda - a.lambda;
  if (!(h < kMostGrowth * hPrevious)) return ddim(t, next);  // also where both are 0
  const double ahead = h / (2 * hPrevious);                  // 1/2r
  return deterministic(t, b, c, 1 + ahead, -ahead);
}

std::vector<Step> NoiseSchedule::steps(const std::vector<double>& timesteps, Sampler sampler, const char* option) const {
  if (timesteps.size() < 2) throw Error(Code::InvalidArgument, "Expected at least two timesteps", option);
  std::vector<Step> steps;
  const size_t last = timesteps.size() - 2;
  for (size_t i = 0; i <= last; ++i) {
    const float t = static_cast<float>(timesteps[i]);
    const float next = static_cast<float>(timesteps[i + 1]);
    if (!(t > next && t <= 1.0F && next >= 0.0F)) {
      throw Error(Code::InvalidArgument, "Expected strictly descending timesteps in [0, 1]", option);
    }
    if (sampler == Sampler::Ddpm) {
      steps.push_back(ddpm(t, next));
    } else if (sampler == Sampler::Ddim || i == 0 || i == last) {
      steps.push_back(ddim(timesteps[i], timesteps[i + 1]));
    } else {
      steps.push_back(dpmSolver(timesteps[i - 1], timesteps[i], timesteps[i + 1]));
    }
  }
  return steps;
}

Sampler samplerFromName(std::string_view name, const char* option) {
  const auto found = std::find(kSamplerNames.begin(), kSamplerNames.end(), name);
  if (found != kSamplerNames.end()) return static_cast<Sampler>(found - kSamplerNames.begin());
  throw Error(Code::InvalidArgument,
              "Expected ddpm, ddim or dpm-solver++ for " + std::string(option) + " but received " + std::string(name), option);
}

}  // namespace wuerstchen
