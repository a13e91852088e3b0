// Linear weights in oneDNN's own order. A product of few rows with ordinary weights first rearranges them, which takes as long as
// a third of the product itself. Weights that were packed once at load are read straight through.
#pragma once

#include <torch/csrc/jit/api/module.h>

#include <vector>

#include "stop.h"

namespace wuerstchen {

// The functions must not have run yet, because LibTorch keeps a plan of the graph that it first saw. Packs the float32 weights on
// the CPU that these functions of the module use in aten::linear and nowhere else. Calls oneDNN's operation there, together with
// the GELU that follows, if any. Does nothing for a LibTorch without oneDNN.
//
// Rules
// 1. A packed weight has no strides and no storage. It can be given to oneDNN's linear and to a compiled library, and to nothing
//    else.
// 2. It replaces the module's attribute, so no weight but the one being packed is in memory twice.
//
// Throws Code::Cancelled between two weights once `stop` is stopped.
void packLinearWeights(torch::jit::Module& module, const std::vector<torch::jit::Method>& functions, const StopToken& stop = {});

}  // namespace wuerstchen
