// The plan file of `wuerstchen-core`: an engine specification and a request in plain words, one fact a line, so that the core
// needs no JSON library. `scripts/checks/plan.mjs MODEL_DIR` writes one, with the model's default timesteps and guidance.
//
//   constants <latentMean> <latentStd> <scaleFactor> <latentDimScale>
//   scheduler prior|decoder <scaler> <s>
//   program <stage> <kind> <dtype> <storage> <file>
//   library <stage> <function> <file>
//   limit <stage> <function> <symbol> <least> <most> <multipleOf>
//   input|output <stage> <function> <name> <dtype> <dimension>...
//   timesteps prior|decoder <timestep>...
//   guidance prior|decoder <scale>
//   text <text encoder> <tokens that count> <token>...   the prompt; with guidance a second line: what to avoid
#pragma once

#include <string>

#include "request.h"
#include "spec.h"

namespace wuerstchen {

struct Plan {
  EngineSpec spec;
  Request request;  // without its size and images
};

Plan readPlan(const std::string& file);

}  // namespace wuerstchen
