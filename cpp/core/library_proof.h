// A compiled library proves itself before it is used: it computes what its program computes, on this machine, with this LibTorch.
#pragma once

#include <functional>

#include "program.h"

namespace wuerstchen {

using RunFunction = std::function<Tensors(const Tensors& inputs)>;

struct Claim {
  const LibrarySpec& library;
  const FunctionSpec& function;
  c10::Device device;
  const std::string& programFile;
};

// Runs both once with random inputs of the smallest sizes that the library was made for, and compares. Throws MODEL_INVALID
// about the file that fails. A library is proven once in a process on each device, by its hash: loading it again costs nothing.
void prove(const Claim& claim, const RunFunction& program, const RunFunction& compiled);

}  // namespace wuerstchen
