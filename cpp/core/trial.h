// A stage is tried when it is loaded: once, at the smallest size. A program that is not what its manifest says (another stage's,
// a network of other widths, a text encoder without some tokens) is then found before the first request.
#pragma once

#include "stages.h"

namespace wuerstchen {

// Runs every function that the engine calls in this stage. Throws MODEL_INVALID about the stage's file.
void tryStage(Stages& stages, const EngineSpec& spec, StageId id);

}  // namespace wuerstchen
