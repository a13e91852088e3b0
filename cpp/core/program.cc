#include "program.h"

#include <c10/util/SmallVector.h>
#include <c10/util/StringUtil.h>

#include <string_view>
#include <utility>

#include "aoti.h"
#include "dtype.h"
#include "error.h"
#include "thread.h"
#include "torchscript.h"

namespace wuerstchen {

namespace {

std::string describeShape(const std::vector<Dimension>& shape) {
  std::vector<std::string> parts;
  for (const Dimension& d : shape) {
    parts.push_back(std::holds_alternative<int64_t>(d) ? std::to_string(std::get<int64_t>(d)) : std::get<std::string>(d));
  }
  return c10::str("(", c10::Join(", ", parts), ")");
}

class Checker {
 public:
  explicit Checker(const std::string& function) : function_(function) {}

  void check(Code code, const char* what, const std::vector<TensorSpec>& specs, const Tensors& tensors, c10::Device device) {
    code_ = code;
    if (specs.size() != tensors.size()) {
      throw Error(code_, c10::str("Expected ", specs.size(), " ", what, " for ", function_, " but received ", tensors.size()),
                  what);
    }
    for (size_t i = 0; i < specs.size(); ++i) checkOne(specs[i], tensors[i], device);
  }

 private:
  void checkOne(const TensorSpec& spec, const at::Tensor& tensor, c10::Device device) {
    if (!tensor.defined()) fail(spec, "no tensor");
    bool fits = tensor.scalar_type() == spec.dtype && tensor.device() == device &&
                tensor.dim() == static_cast<int64_t>(spec.shape.size());
    for (size_t i = 0; fits && i < spec.shape.size(); ++i) {
      const int64_t size = tensor.size(static_cast<int64_t>(i));
      const auto* symbol = std::get_if<std::string>(&spec.shape[i]);
      fits = symbol == nullptr ? size == std::get<int64_t>(spec.shape[i]) : size > 0 && size == valueOf(*symbol, size);
    }
    if (!fits) {
      fail(spec, c10::str(dtypeName(tensor.scalar_type()), " ", tensor.sizes(), " on ", tensor.device().str()));
    }
  }

  // What a symbol stands for in this call, which is `size` where it was not seen before.
  int64_t valueOf(const std::string& symbol, int64_t size) {
    for (const auto& [name, value] : symbols_) {
      if (name == symbol) return value;
    }
    symbols_.emplace_back(symbol, size);
    return size;
  }

  [[noreturn]] void fail(const TensorSpec& spec, const std::string& received) {
    const std::string name = function_ + "." + spec.name;
    throw Error(
        code_,
        c10::str("Expected ", dtypeName(spec.dtype), " ", describeShape(spec.shape), " for ", name, " but received ", received),
        name);
  }

  Code code_ = Code::Internal;
  const std::string& function_;
  // A symbol has one value in all inputs and outputs of a call. There are few, and this runs at every step.
  c10::SmallVector<std::pair<std::string_view, int64_t>, 8> symbols_;
};

}  // namespace

const FunctionSpec& Program::function(const std::string& name) const {
  const auto found = spec_.functions.find(name);
  if (found == spec_.functions.end()) {
    throw Error(Code::InvalidArgument, "Expected a function of the program for name but received " + name, "functionName");
  }
  return found->second;
}

Tensors Program::run(const std::string& name, const Tensors& inputs) {
  const FunctionSpec& spec = function(name);
  Checker checker(name);
  checker.check(Code::InvalidArgument, "inputs", spec.inputs, inputs, device_);
  Tensors outputs = [&] {
    const TeamWork work;
    return execute(name, inputs);
  }();
  checker.check(Code::ModelMismatch, "outputs", spec.outputs, outputs, device_);
  return outputs;
}

std::unique_ptr<Program> loadProgram(const ProgramSpec& spec, c10::Device device, const StopToken& stop) {
  if (spec.kind == "torchscript") return std::make_unique<TorchScriptProgram>(spec, device, stop);
  if (spec.kind == "aoti") return std::make_unique<AotiProgram>(spec, device, stop);
  throw Error(Code::ModelMismatch, "Expected an artefact of kind torchscript or aoti but received " + spec.kind, spec.file);
}

}  // namespace wuerstchen
