#include "stages.h"

#include "memory.h"
#include "trial.h"

namespace wuerstchen {

void Stages::loadAll(const std::function<void(StageId, int, int)>& onProgress) {
  const int total = static_cast<int>(spec_.programs.size());
  int done = 0;
  for (const auto& [id, unused] : spec_.programs) {
    use(id);
    tryStage(*this, spec_, id);
    onProgress(id, ++done, total);
  }
  lastUsed_ = -1;  // trials are no work
}

Program& Stages::use(StageId id, double* loadMs) {
  lastUsed_ = static_cast<int>(id);
  if (const auto loaded = programs_.find(id); loaded != programs_.end()) return *loaded->second;
  const ProgramSpec& spec = programOf(spec_, id);
  stop_->check();
  const Stopwatch watch;
  if (spec_.residency == Residency::Sequential) makeRoomFor(id);
  Program& program = *(programs_[id] = loadProgram(spec, spec_.device, *stop_));
  if (onDone_) onDone_();
  if (loadMs != nullptr) *loadMs += watch.ms();
  return program;
}

// Called before a stage is loaded, so that two are never in memory at once. The previewer may stay: it is far smaller than any
// other stage and runs between the prior's steps.
void Stages::makeRoomFor(StageId id) {
  if (id == StageId::Previewer) return;
  const size_t unloaded = std::erase_if(programs_, [this](const auto& loaded) {
    if (loaded.first == StageId::Previewer) return false;
    stats_[loaded.first].fallbacks += loaded.second->fallbacks();
    return true;
  });
  if (unloaded > 0) giveBackMemory(spec_.device);
}

void Stages::record(StageId id, double ms, int64_t rows) {
  StageStats& stats = stats_[id];
  stats.ms += ms;
  stats.runs += 1;
  stats.rows += rows;
  if (onDone_) onDone_();
}

std::map<StageId, StageStats> Stages::stats() const {
  std::map<StageId, StageStats> stats = stats_;
  for (const auto& [id, program] : programs_) {
    stats[id].bytes = program->bytes();
    stats[id].fallbacks += program->fallbacks();
  }
  return stats;
}

}  // namespace wuerstchen
