#include "spec.h"

#include "error.h"

namespace wuerstchen {

StageId stageFromName(std::string_view name) {
  for (size_t i = 0; i < kStageNames.size(); ++i) {
    if (kStageNames[i] == name) return static_cast<StageId>(i);
  }
  throw Error(Code::ModelInvalid, "Expected a known stage but received " + std::string(name), std::string(name));
}

const ProgramSpec& programOf(const EngineSpec& spec, StageId id) {
  const auto found = spec.programs.find(id);
  if (found != spec.programs.end()) return found->second;
  throw Error(Code::ModelMismatch, "Expected a model with the stage " + stageName(id) + " but it has none", stageName(id));
}

}  // namespace wuerstchen
