// A compiled library that has been given its program's weights.
#pragma once

#include <torch/csrc/inductor/aoti_runner/model_container_runner.h>

#include <cstdint>
#include <memory>
#include <vector>

namespace wuerstchen {

// It leaves no weight behind when it is closed. LibTorch (2.13) makes a reference on the heap to every weight that stays its
// user's, and nobody deletes it (MaybeOwningAtenTensorHandle of aoti_runtime/utils.h): all weights of a pipeline would stay in
// memory when library and program are long gone. That code is a part of every library. So the references are deleted here, but
// not those of a library that has done so by itself.
class OpenLibrary {
 public:
  using Runner = torch::inductor::AOTIModelContainerRunner;

  // The runner has its weights, all of which are its user's.
  explicit OpenLibrary(std::unique_ptr<Runner> runner);
  ~OpenLibrary();
  OpenLibrary(const OpenLibrary&) = delete;
  OpenLibrary& operator=(const OpenLibrary&) = delete;

  Runner& runner() { return *runner_; }

  // How many weights all libraries of this process hold, those that are closed included.
  static int64_t weightsHeld() noexcept;

 private:
  struct Weight {
    AtenTensorHandle reference;  // the library's
    at::Tensor tensor;
    size_t released = 0;  // references that the library has deleted when it was closed
  };

  std::unique_ptr<Runner> runner_;
  std::vector<Weight> weights_;
};

}  // namespace wuerstchen
