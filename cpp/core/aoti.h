// A TorchScript program with compiled libraries (AOTInductor) for some of its functions.
//
// Rules
// 1. Libraries are code without weights: they use the TorchScript program's tensors, which therefore outlive them, and leave
//    none of them behind (open_library.h).
// 2. A run that fails inside a library forgets to wake the run that waits for it. A library therefore has one run at a time, on
//    the thread that asks, and nothing ever waits inside it.
//    It has no thread of its own: OpenMP keeps a team of threads for every thread that computes, and when all teams together
//    have more threads than there are cores, no team spins at barriers any more. A small model then takes 2.4 times as long
//    (libgomp 12).
// 3. A thread that has run a library keeps it mapped until the thread ends. That costs half a megabyte a file, however often
//    the file is opened (library_file.h).
// 4. A library is compared with its program when it is opened (library_proof.h).
// 5. Sizes that a library was not made for run in the TorchScript program, and so does a run that failed inside a library: it
//    says nothing of the reason in LibTorch 2.11 ("API call failed"), and the program gives the result, or the error that has a
//    name. Such runs are counted, because nobody would notice a library that always fails but by the time it costs.
#pragma once

#include <functional>
#include <map>
#include <memory>

#include "coverage.h"
#include "torchscript.h"

namespace torch::inductor {
class AOTIModelContainerRunner;
}

namespace wuerstchen {

class OpenLibrary;

// What `compiled` gives; where it fails, what `program` gives or throws. Memory that was refused is no reason to try again with
// what needs more of it. `fallbacks` counts the runs of `program`.
Tensors runWithFallback(const std::function<Tensors()>& compiled, const std::function<Tensors()>& program, int64_t& fallbacks);

class AotiProgram final : public Program {
 public:
  // Throws MODEL_INVALID about the library's file when LibTorch cannot open it, or it does not compute what the program does.
  AotiProgram(const ProgramSpec& spec, c10::Device device, const StopToken& stop);

  size_t bytes() const override { return torchScript_.bytes(); }
  int64_t fallbacks() const override { return fallbacks_; }

 protected:
  Tensors execute(const std::string& function, const Tensors& inputs) override;

 private:
  struct Compiled {
    std::shared_ptr<OpenLibrary> library;
    Coverage coverage;
  };

  std::shared_ptr<OpenLibrary> open(const LibrarySpec& library) const;
  Tensors runLibrary(torch::inductor::AOTIModelContainerRunner& runner, const Tensors& inputs) const;

  TorchScriptProgram torchScript_;
  std::map<std::string, Compiled> compiled_;  // by function
  int64_t fallbacks_ = 0;
};

}  // namespace wuerstchen
