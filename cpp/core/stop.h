// Says that work is no longer wanted. Everything that can take longer than a step (loops, loads, batches of texts) looks at its
// token at least once a step.
#pragma once

#include <atomic>
#include <memory>

#include "error.h"

namespace wuerstchen {

class StopToken {
 public:
  StopToken() = default;
  // Stopped also when `outer` is: a request's token with its engine's.
  explicit StopToken(std::shared_ptr<const StopToken> outer) : outer_(std::move(outer)) {}

  // From any thread.
  void stop() noexcept { stopped_.store(true, std::memory_order_relaxed); }
  bool stopped() const noexcept { return stopped_.load(std::memory_order_relaxed) || (outer_ && outer_->stopped()); }

  // Throws Code::Cancelled once stopped.
  void check() const {
    if (stopped()) throw Error(Code::Cancelled, "The work was cancelled", "");
  }

 private:
  std::atomic<bool> stopped_{false};
  const std::shared_ptr<const StopToken> outer_;
};

}  // namespace wuerstchen
