// The loaded programs of one engine. With Residency::Sequential only the stage in use is in memory.
#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <map>
#include <memory>

#include "program.h"

namespace wuerstchen {

struct StageStats {
  double ms = 0;
  int64_t runs = 0;
  int64_t rows = 0;
  size_t bytes = 0;  // of weights, while loaded
};

class Stages {
 public:
  explicit Stages(const EngineSpec& spec) : spec_(spec) {}

  // Loads every program. When sequential, each gives way to the next: a broken file is found now, not in the first request.
  void loadAll(const std::function<void(StageId, int done, int total)>& onProgress);

  // Throws MODEL_MISMATCH when the model has no such stage. Adds the time it took to load the stage to `loadMs`.
  Program& use(StageId id, double* loadMs = nullptr);
  bool has(StageId id) const { return spec_.programs.count(id) != 0; }
  bool isLoaded(StageId id) const { return programs_.count(id) != 0; }
  void unloadAll() { programs_.clear(); }

  // The name of the stage that was asked for last, which is what an exception of LibTorch is about. Empty before the first.
  std::string lastUsed() const { return lastUsed_ ? stageName(*lastUsed_) : ""; }

  void record(StageId id, double ms, int64_t rows);
  std::map<StageId, StageStats> stats() const;

 private:
  void makeRoomFor(StageId id);

  const EngineSpec& spec_;
  std::map<StageId, std::unique_ptr<Program>> programs_;
  std::map<StageId, StageStats> stats_;
  std::optional<StageId> lastUsed_;
};

// Wall time since construction, in milliseconds.
class Stopwatch {
 public:
  double ms() const { return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start_).count(); }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace wuerstchen
