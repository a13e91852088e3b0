#include "spec.h"

#include <algorithm>
#include <charconv>

#include "error.h"

namespace wuerstchen {

std::pair<std::string, int64_t> parseSymbol(const std::string& symbol) {
  const size_t slash = symbol.find('/');
  if (slash == std::string::npos) return {symbol, 1};
  int64_t divisor = 0;
  const char* const end = symbol.data() + symbol.size();
  const auto [rest, error] = std::from_chars(symbol.data() + slash + 1, end, divisor);
  if (slash > 0 && error == std::errc() && rest == end && divisor >= 1 && divisor <= 64)
    return {symbol.substr(0, slash), divisor};
  throw Error(Code::ModelInvalid, "Expected a symbol like height/2 for a dimension but received " + symbol, symbol);
}

StageId stageFromName(std::string_view name) {
  for (size_t i = 0; i < kStageNames.size(); ++i) {
    if (kStageNames[i] == name) return static_cast<StageId>(i);
  }
  throw Error(Code::ModelInvalid, "Expected a known stage but received " + std::string(name), std::string(name));
}

size_t mostInBatch(const EngineSpec& spec, int64_t cells) {
  const int64_t most = spec.maxBatchCells == 0 ? spec.maxBatch : std::min<int64_t>(spec.maxBatch, spec.maxBatchCells / cells);
  return static_cast<size_t>(std::max<int64_t>(1, most));
}

const ProgramSpec& programOf(const EngineSpec& spec, StageId id) {
  const auto found = spec.programs.find(id);
  if (found != spec.programs.end()) return found->second;
  throw Error(Code::ModelMismatch, "Expected a model with the stage " + stageName(id) + " but it has none", stageName(id));
}

}  // namespace wuerstchen
