// Counts the live objects of a class in this process. A leak shows in these numbers at once, in the process's memory much later.
#pragma once

#include <atomic>
#include <cstdint>

namespace wuerstchen {

template <typename Class>
class Counted {
 public:
  Counted() noexcept { ++live_; }
  Counted(const Counted&) noexcept { ++live_; }
  Counted& operator=(const Counted&) noexcept = default;
  ~Counted() { --live_; }

  static int64_t live() noexcept { return live_; }

 private:
  static inline std::atomic<int64_t> live_{0};
};

}  // namespace wuerstchen
