// Linear weights in oneDNN's own order. With ordinary weights every product of few rows first rearranges them, which takes as
// long as a third of the product itself; packed once at load, they are read straight through.
#pragma once

#include <torch/csrc/jit/api/module.h>

#include <vector>

namespace wuerstchen {

// Packs the float32 weights on the CPU that these functions of the module use in aten::linear and nowhere else, and calls
// oneDNN's operation there, which takes a GELU that follows along. The functions must not have run yet: LibTorch keeps a plan of
// the graph it first saw. Does nothing for a LibTorch without oneDNN.
//
// Rules
// 1. A packed weight has no strides and no storage: it can be given to oneDNN's linear and to a compiled library, and to nothing
// else.
// 2. It replaces the module's attribute, so weights are never in memory twice but for the one being packed.
void packLinearWeights(torch::jit::Module& module, const std::vector<torch::jit::Method>& functions);

}  // namespace wuerstchen
