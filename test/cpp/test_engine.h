// An engine as tests use it: started and loaded, its requests awaited.
#pragma once

#include <ATen/ATen.h>

#include <future>

#include "engine.h"

namespace testing {

using namespace wuerstchen;

using Outcome = std::variant<Result, Failure>;

struct Running {
  uint64_t id;
  std::future<Outcome> outcome;
  std::shared_ptr<std::vector<Pixels>> images;  // complete when the outcome is there
};

class TestEngine {
 public:
  explicit TestEngine(EngineSpec spec) {
    auto loaded = std::make_shared<std::promise<std::optional<Failure>>>();
    engine_ = std::make_unique<Engine>(std::move(spec),
                                       Engine::Hooks{nullptr, [loaded](auto failure) { loaded->set_value(failure); }, nullptr});
    failure_ = loaded->get_future().get();
  }

  Running start(Request request, std::function<void(const Event&)> onEvent = [](const Event&) {}) {
    auto done = std::make_shared<std::promise<Outcome>>();
    std::future<Outcome> outcome = done->get_future();
    auto images = std::make_shared<std::vector<Pixels>>(request.images.size());
    const auto keep = [images, onEvent = std::move(onEvent)](const Event& event) mutable {
      if (const auto* image = std::get_if<ImageEvent>(&event)) images->at(image->image) = image->pixels;
      onEvent(event);
    };
    const uint64_t id = engine_->submit(std::move(request), {keep, [done](Outcome o) { done->set_value(std::move(o)); }});
    return {id, std::move(outcome), std::move(images)};
  }
  Result run(const Request& request) { return std::get<Result>(start(request).outcome.get()); }
  std::vector<Pixels> images(const Request& request) { return imagesOf(start(request)); }
  static std::vector<Pixels> imagesOf(Running running) {
    std::get<Result>(running.outcome.get());
    return *running.images;
  }
  Engine& operator*() { return *engine_; }
  const std::optional<Failure>& failure() const { return failure_; }

 private:
  std::unique_ptr<Engine> engine_;
  std::optional<Failure> failure_;
};

// A request whose first event holds the engine up, so that what is submitted in the meantime is there as a whole.
class Held {
 public:
  Held(TestEngine& engine, Request request) {
    std::shared_future<void> released = release_->get_future().share();
    auto reached = std::make_shared<std::promise<void>>();
    running_ = engine.start(std::move(request), [released, reached, first = true](const Event&) mutable {
      if (first) reached->set_value();
      first = false;
      released.wait();
    });
    reached->get_future().wait();
  }
  ~Held() { running_.outcome.wait(); }
  void release() const { release_->set_value(); }

 private:
  std::shared_ptr<std::promise<void>> release_ = std::make_shared<std::promise<void>>();
  Running running_;
};

inline Text tokens(int64_t value) { return Tokens{at::full({1, 5}, value, at::kLong), at::ones({1, 5}, at::kLong)}; }

inline Request request(std::vector<uint64_t> seeds, int steps = 4, double guidanceScale = 4.0) {
  Request r;
  r.gridHeight = 3;
  r.gridWidth = 3;
  r.priorTexts = {tokens(3), tokens(-3)};
  r.decoderTexts = {tokens(2), tokens(-2)};
  for (const uint64_t seed : seeds) r.images.push_back({static_cast<int64_t>(seed), 0, 0, 1, 0, 1});
  for (int i = 0; i <= steps; ++i) {
    r.prior.timesteps.push_back(1.0 - static_cast<double>(i) / steps);
    r.decoder.timesteps.push_back(1.0 - static_cast<double>(i) / steps);
  }
  r.prior.guidance.scale = guidanceScale;
  return r;
}

inline bool samePixels(const Pixels& a, const Pixels& b) {
  return (a.to(at::kInt) - b.to(at::kInt)).abs().max().item<int>() <= 1;  // kernels may differ by batch size
}

}  // namespace testing
