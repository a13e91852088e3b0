// The loaded programs of one engine. With Residency::Sequential only the stage in use is in memory.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>

#include "program.h"

namespace wuerstchen {

struct StageStats {
  double ms = 0;
  int64_t runs = 0;
  int64_t rows = 0;
  int64_t fallbacks = 0;  // runs that failed in a compiled library; the program did them
  size_t bytes = 0;       // of weights, while loaded
};

class Stages {
 public:
  // `stop` ends loads that are under way. `onDone` is called whenever a program was loaded or has run.
  Stages(const EngineSpec& spec, std::shared_ptr<const StopToken> stop, std::function<void()> onDone = {})
      : spec_(spec), stop_(std::move(stop)), onDone_(std::move(onDone)) {}

  // Loads every program and tries it. When sequential, each gives way to the next: a broken file is found now, not in the first
  // request.
  void loadAll(const std::function<void(StageId, int done, int total)>& onProgress);

  // Throws MODEL_MISMATCH when the model has no such stage, Code::Cancelled once stopped. Adds the time it took to load the stage
  // to `loadMs`.
  Program& use(StageId id, double* loadMs = nullptr);
  bool has(StageId id) const { return spec_.programs.count(id) != 0; }
  bool isLoaded(StageId id) const { return programs_.count(id) != 0; }
  void unloadAll() { programs_.clear(); }

  // The name of the stage that was asked for last, which is what an exception of LibTorch is about. Empty before the first.
  std::string lastUsed() const {
    const auto id = doing();
    return id ? stageName(*id) : "";
  }
  // From any thread.
  std::optional<StageId> doing() const {
    const int id = lastUsed_;
    return id < 0 ? std::nullopt : std::optional(static_cast<StageId>(id));
  }

  void record(StageId id, double ms, int64_t rows);
  std::map<StageId, StageStats> stats() const;

 private:
  void makeRoomFor(StageId id);

  const EngineSpec& spec_;
  const std::shared_ptr<const StopToken> stop_;
  const std::function<void()> onDone_;
  std::map<StageId, std::unique_ptr<Program>> programs_;
  std::map<StageId, StageStats> stats_;
  std::atomic<int> lastUsed_{-1};
};

// Wall time since construction, in milliseconds.
class Stopwatch {
 public:
  double ms() const { return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start_).count(); }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace wuerstchen
