#include "open_library.h"

#include <ATen/core/Tensor.h>
#include <torch/csrc/inductor/aoti_torch/c/shim.h>

#include <atomic>
#include <string>
#include <unordered_map>
#include <utility>

namespace wuerstchen {

namespace {

std::atomic<int64_t> held{0};

// What LibTorch's class keeps to itself.
struct Inside : OpenLibrary::Runner {
  using OpenLibrary::Runner::container_handle_;
  using OpenLibrary::Runner::extract_constants_map_func_;
};

std::unordered_map<std::string, AtenTensorHandle> referencesOf(OpenLibrary::Runner& runner) {
  std::unordered_map<std::string, AtenTensorHandle> references;
  const auto extract = runner.*&Inside::extract_constants_map_func_;
  const auto map = reinterpret_cast<AOTInductorConstantMapHandle>(&references);
  if (extract == nullptr || extract(runner.*&Inside::container_handle_, map, /*use_inactive=*/false) != AOTI_RUNTIME_SUCCESS)
    throw std::runtime_error("it does not name its weights");
  return references;
}

}  // namespace

OpenLibrary::OpenLibrary(std::unique_ptr<Runner> runner) : runner_(std::move(runner)) {
  for (const auto& [unused, reference] : referencesOf(*runner_))
    weights_.push_back({reference, *reinterpret_cast<const at::Tensor*>(reference)});
  held += static_cast<int64_t>(weights_.size());
}

OpenLibrary::~OpenLibrary() {
  for (Weight& weight : weights_) weight.released = weight.tensor.use_count();
  runner_.reset();
  // All are counted before the first is deleted: two names may be one weight.
  for (Weight& weight : weights_) weight.released -= weight.tensor.use_count();
  for (const Weight& weight : weights_) {
    const size_t uses = weight.tensor.use_count();
    if (weight.released == 0) aoti_torch_delete_tensor_object(weight.reference);
    if (weight.released > 0 || weight.tensor.use_count() < uses) --held;
  }
}

int64_t OpenLibrary::weightsHeld() noexcept { return held; }

}  // namespace wuerstchen
