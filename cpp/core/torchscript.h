// TorchScript artefacts: the portable kind.
#pragma once

#include <torch/csrc/jit/api/module.h>

#include <map>
#include <memory>
#include <unordered_map>

#include "error.h"
#include "program.h"

namespace wuerstchen {

class TorchScriptProgram final : public Program {
 public:
  // Throws MODEL_INVALID about the file when LibTorch cannot load it, or a function is missing or has another number of inputs.
  TorchScriptProgram(const ProgramSpec& spec, c10::Device device, const StopToken& stop);

  size_t bytes() const override { return bytes_; }
  // Its parameters and buffers by name; they live as long as the program does.
  const std::unordered_map<std::string, at::Tensor>& weights() const { return weights_; }

 protected:
  Tensors execute(const std::string& name, const Tensors& inputs) override;

 private:
  void load(const StopToken& stop);
  void findMethods();
  Error notTensors(const std::string& function, const c10::IValue& received) const;
  void convertWeights(const StopToken& stop);
  void packWeights(const StopToken& stop);

  torch::jit::Module module_;
  std::map<std::string, torch::jit::Method> methods_;
  std::unordered_map<std::string, at::Tensor> weights_;
  size_t bytes_ = 0;
};

}  // namespace wuerstchen
