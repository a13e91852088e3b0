// The plan file of `wuerstchen-core`: an engine specification in plain words, one fact a line, so that the core needs
// no JSON library. `scripts/plan.mjs MODEL_DIR` writes one.
//
//   constants <latentMean> <latentStd> <scaleFactor> <latentDimScale>
//   scheduler prior|decoder <scaler> <s>
//   program <stage> <kind> <dtype> <storage> <file>
//   library <stage> <function> <file>
//   limit <stage> <function> <symbol> <least> <most> <multipleOf>
//   input|output <stage> <function> <name> <dtype> <dimension>...
//   text <text encoder> <tokens that count> <token>...   the prompt; for the prior a second line: what to avoid
#pragma once

#include <string>
#include <vector>

#include "request.h"
#include "spec.h"

namespace wuerstchen {

struct Plan {
  EngineSpec spec;
  std::map<StageId, std::vector<Text>> texts;
};

Plan readPlan(const std::string& file);

}  // namespace wuerstchen
