// A TorchScript program with compiled libraries (AOTInductor) for some of its functions.
//
// Rules
// 1. Libraries are code without weights: they use the TorchScript program's tensors, which therefore outlive them.
// 2. A library runs on the thread that asks, one run at a time, so no run ever waits inside the library, where a run that fails
//    forgets to wake the next. Not on a thread of its own: OpenMP keeps a team of threads for every thread that computes, and
//    when all teams together have more threads than there are cores, none of them spins at barriers any more, which takes a
//    small model 2.4 times as long (libgomp 12).
// 3. A thread that has run a library keeps it mapped until the thread ends: half a megabyte, once a file, however often
//    the file is opened.
// 4. Sizes that a library was not made for run in the TorchScript program.
#pragma once

#include <map>
#include <memory>

#include "torchscript.h"

namespace torch::inductor {
class AOTIModelContainerRunner;
}

namespace wuerstchen {

class AotiProgram final : public Program {
 public:
  // Throws MODEL_INVALID when LibTorch cannot open a library or it does not fit the program, naming the library.
  AotiProgram(const ProgramSpec& spec, c10::Device device);

  size_t bytes() const override { return torchScript_.bytes(); }

  // True if the function's library is for inputs of these sizes. The inputs fit the specification.
  bool covers(const std::string& function, const Tensors& inputs) const;

 protected:
  Tensors execute(const std::string& function, const Tensors& inputs) override;

 private:
  using Runner = std::shared_ptr<torch::inductor::AOTIModelContainerRunner>;
  Runner open(const std::string& file) const;

  TorchScriptProgram torchScript_;
  std::map<std::string, Runner> runners_;  // by function
};

}  // namespace wuerstchen
