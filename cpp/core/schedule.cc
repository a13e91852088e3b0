#include "schedule.h"

#include <algorithm>
#include <cmath>

#include "error.h"

namespace wuerstchen {

// All arithmetic is in float, as in the reference: ᾱ near its clamp decides the size of the first steps.
float NoiseSchedule::alphaCumprod(float t) const {
  const float scaler = static_cast<float>(spec_.scaler);
  if (scaler > 1.0F) {
    t = 1.0F - std::pow(1.0F - t, scaler);
  } else if (scaler < 1.0F) {
    t = std::pow(t, scaler);
  }
  const float s = static_cast<float>(spec_.s);
  const float pi = static_cast<float>(M_PI);
  const auto squaredCosine = [](float x) { return std::cos(x) * std::cos(x); };
  const float initial = squaredCosine(s / (1.0F + s) * pi * 0.5F);
  const float alpha = squaredCosine((t + s) / (1.0F + s) * pi * 0.5F) / initial;
  return std::clamp(alpha, 0.0001F, 0.9999F);
}

Noising NoiseSchedule::noising(float t) const {
  const float alpha = alphaCumprod(t);
  return {std::sqrt(alpha), std::sqrt(1.0F - alpha)};
}

std::vector<Step> NoiseSchedule::steps(const std::vector<double>& timesteps, const char* option) const {
  if (timesteps.size() < 2) throw Error(Code::InvalidArgument, "Expected at least two timesteps", option);
  std::vector<Step> steps;
  for (size_t i = 0; i + 1 < timesteps.size(); ++i) {
    const float t = static_cast<float>(timesteps[i]);
    const float next = static_cast<float>(timesteps[i + 1]);
    if (!(t > next && t <= 1.0F && next >= 0.0F)) {
      throw Error(Code::InvalidArgument, "Expected strictly descending timesteps in [0, 1]", option);
    }
    const float alphaT = alphaCumprod(t);
    const float alphaNext = alphaCumprod(next);
    const float alpha = alphaT / alphaNext;
    steps.push_back({
        .timestep = t,
        .scale = std::sqrt(1.0F / alpha),
        .epsilonScale = (1.0F - alpha) / std::sqrt(1.0F - alphaT),
        .sigma = next == 0.0F ? 0.0F : std::sqrt((1.0F - alpha) * (1.0F - alphaNext) / (1.0F - alphaT)),
        .noising = noising(t),
    });
  }
  return steps;
}

}  // namespace wuerstchen
