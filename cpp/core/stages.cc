#include "stages.h"

#include "error.h"
#include "memory.h"

namespace wuerstchen {

void Stages::loadAll(const std::function<void(StageId, int, int)>& onProgress) {
  const int total = static_cast<int>(spec_.programs.size());
  int done = 0;
  for (const auto& [id, unused] : spec_.programs) {
    use(id);
    onProgress(id, ++done, total);
  }
}

Program& Stages::use(StageId id, double* loadMs) {
  if (const auto loaded = programs_.find(id); loaded != programs_.end()) return *loaded->second;
  const auto spec = spec_.programs.find(id);
  if (spec == spec_.programs.end()) {
    throw Error("MODEL_MISMATCH", "Expected a model with the stage " + stageName(id) + " but it has none");
  }
  const Stopwatch watch;
  if (spec_.residency == Residency::Sequential) makeRoomFor(id);
  Program& program = *(programs_[id] = loadProgram(spec->second, spec_.device));
  if (loadMs != nullptr) *loadMs += watch.ms();
  return program;
}

// Before loading: never two stages at once. But for the previewer, far smaller than any other: it runs between the prior's steps.
void Stages::makeRoomFor(StageId id) {
  if (id == StageId::Previewer) return;
  if (std::erase_if(programs_, [](const auto& loaded) { return loaded.first != StageId::Previewer; }) > 0)
    giveBackMemory(spec_.device);
}

void Stages::record(StageId id, double ms, int64_t rows) {
  StageStats& stats = stats_[id];
  stats.ms += ms;
  stats.runs += 1;
  stats.rows += rows;
}

std::map<StageId, StageStats> Stages::stats() const {
  std::map<StageId, StageStats> stats = stats_;
  for (const auto& [id, program] : programs_) stats[id].bytes = program->bytes();
  return stats;
}

}  // namespace wuerstchen
