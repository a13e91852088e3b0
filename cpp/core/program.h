// One exported program, whatever its artefact's kind: named functions from tensors to tensors.
//
// Rules
// 1. A program is loaded, run and destroyed on one thread.
// 2. AOTInductor checks nothing by itself and answers wrong shapes with garbage. run() therefore checks count, dtype, device and
//    shape against the specification before LibTorch sees a tensor.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <vector>

#include "counted.h"
#include "memory.h"
#include "spec.h"
#include "stop.h"

namespace wuerstchen {

using Tensors = std::vector<at::Tensor>;

class Program : Counted<Program> {
 public:
  static int64_t live() noexcept { return Counted<Program>::live(); }

  virtual ~Program() = default;
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  // Throws INVALID_ARGUMENT for inputs and MODEL_MISMATCH for outputs that are not what the specification says. Such an error is
  // about "inputs" or "outputs" where their number is wrong, else about one tensor: "step.latents".
  Tensors run(const std::string& function, const Tensors& inputs);

  const FunctionSpec& function(const std::string& name) const;
  c10::ScalarType dtype() const { return spec_.dtype; }
  c10::Device device() const { return device_; }
  // Bytes of weights and buffers.
  virtual size_t bytes() const = 0;
  // Runs that failed in a compiled library and were done by the TorchScript program.
  virtual int64_t fallbacks() const { return 0; }

 protected:
  Program(ProgramSpec spec, c10::Device device) : spec_(std::move(spec)), device_(device), here_(device) {}
  virtual Tensors execute(const std::string& function, const Tensors& inputs) = 0;

  ProgramSpec spec_;
  c10::Device device_;

 private:
  WeightsOn here_;
};

// Throws MODEL_INVALID about the file when LibTorch cannot load it or a function is missing, Code::Cancelled once `stop` is
// stopped.
std::unique_ptr<Program> loadProgram(const ProgramSpec& spec, c10::Device device, const StopToken& stop = {});

}  // namespace wuerstchen
