#include "library_proof.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Functions.h>
#include <c10/core/InferenceMode.h>
#include <c10/util/StringUtil.h>

#include <algorithm>
#include <mutex>
#include <set>
#include <utility>

#include "error.h"

namespace wuerstchen {

namespace {

// Five to twenty times what the exporter allows (scripts/wuerstchen_export/aoti.py), relative to the largest value. A library
// that does not fit its LibTorch is wrong by far more.
double tolerance(c10::ScalarType dtype) {
  if (dtype == c10::kBFloat16) return 0.2;
  return dtype == c10::kHalf ? 0.05 : 1e-3;
}

int64_t smallest(const Limit& limit) { return (limit.least + limit.multipleOf - 1) / limit.multipleOf * limit.multipleOf; }

int64_t sizeOf(const Dimension& dimension, const LibrarySpec& library) {
  if (const auto* number = std::get_if<int64_t>(&dimension)) return *number;
  const auto [base, divisor] = parseSymbol(std::get<std::string>(dimension));
  const auto limit = library.limits.find(base);
  return limit == library.limits.end() ? 1 : std::max<int64_t>(1, smallest(limit->second) / divisor);
}

Tensors makeInputs(const LibrarySpec& library, const FunctionSpec& function, c10::Device device) {
  const at::Generator generator = at::detail::createCPUGenerator(0);
  Tensors inputs;
  for (const TensorSpec& spec : function.inputs) {
    std::vector<int64_t> shape;
    for (const Dimension& dimension : spec.shape) shape.push_back(sizeOf(dimension, library));
    // From 0 to 1: a noise level is a fraction, and as a token this is a 0.
    inputs.push_back(at::rand(shape, generator, at::TensorOptions().dtype(c10::kFloat)).to(device, spec.dtype));
  }
  return inputs;
}

Tensors runOnce(const RunFunction& run, const Tensors& inputs, const std::string& file) {
  try {
    return run(inputs);
  } catch (const std::exception&) {
    const Failure failure = describe(std::current_exception());
    if (failure.code == Code::OutOfMemory || failure.code == Code::Cancelled) throw;
    throw Error(Code::ModelInvalid, "Expected code that can run in " + file + " but its first run failed: " + failure.message,
                file);
  }
}

void compare(const LibrarySpec& library, const at::Tensor& wanted, const at::Tensor& received) {
  const auto fail = [&](const std::string& what) {
    throw Error(Code::ModelInvalid, "Expected a compiled library in " + library.file + " that fits its program but " + what,
                library.file);
  };
  if (received.sizes() != wanted.sizes() || received.scalar_type() != wanted.scalar_type())
    fail(c10::str("it gives ", received.sizes(), " for ", wanted.sizes()));
  const at::Tensor expected = wanted.to(c10::kDouble);
  const double scale = std::max(expected.abs().max().item<double>(), 1e-12);
  const double difference = (received.to(c10::kDouble) - expected).abs().max().item<double>() / scale;
  if (!(difference <= tolerance(wanted.scalar_type())))
    fail(c10::str("its result differs by ", difference, " of the largest value"));
}

}  // namespace

void prove(const Claim& claim, const RunFunction& program, const RunFunction& compiled) {
  static std::mutex mutex;
  static std::set<std::pair<std::string, std::string>> proven;  // by hash, on a device: two GPUs can differ
  const LibrarySpec& library = claim.library;
  const std::pair key(library.sha256, claim.device.str());
  {
    const std::lock_guard lock(mutex);
    if (!library.sha256.empty() && proven.contains(key)) return;
  }
  const c10::InferenceMode inference;
  const Tensors inputs = makeInputs(library, claim.function, claim.device);
  const Tensors wanted = runOnce(program, inputs, claim.programFile);
  const Tensors received = runOnce(compiled, inputs, library.file);
  if (received.size() != wanted.size())
    throw Error(
        Code::ModelInvalid,
        c10::str("Expected ", wanted.size(), " results of the library in ", library.file, " but received ", received.size()),
        library.file);
  for (size_t i = 0; i < wanted.size(); ++i) compare(library, wanted[i], received[i]);
  const std::lock_guard lock(mutex);
  proven.insert(key);
}

}  // namespace wuerstchen
