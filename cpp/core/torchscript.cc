#include "torchscript.h"

#include <caffe2/serialize/inline_container.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/csrc/jit/serialization/import.h>

#include "error.h"
#include "packing.h"
#include "program_file.h"
#include "program_records.h"

namespace wuerstchen {

TorchScriptProgram::TorchScriptProgram(const ProgramSpec& spec, c10::Device device, const StopToken& stop)
    : Program(spec, device) {
  load(stop);
  convertWeights(stop);
  findMethods();
  packWeights(stop);
  // This is done once, because walking a module of a thousand tensors takes as long as a small step.
  for (const auto& named : module_.named_parameters()) weights_.emplace(named.name, named.value);
  for (const auto& named : module_.named_buffers()) weights_.emplace(named.name, named.value);
  for (const auto& [unused, tensor] : weights_) bytes_ += tensor.nbytes();
}

Error TorchScriptProgram::notTensors(const std::string& name, const c10::IValue& received) const {
  return {Code::ModelMismatch, c10::str("Expected tensors from ", name, " but received ", received.tagKind()), spec_.file};
}

Tensors TorchScriptProgram::execute(const std::string& name, const Tensors& inputs) {
  // Without this, LibTorch profiles the first runs of every input shape and optimises again, which takes seconds and fuses
  // nothing on a CPU. The setting belongs to the thread, so it is made here and not at load.
  torch::jit::GraphOptimizerEnabledGuard noProfiling(false);
  std::vector<c10::IValue> arguments(inputs.begin(), inputs.end());
  const c10::IValue result = methods_.at(name)(std::move(arguments));
  if (result.isTensor()) return {result.toTensor()};
  if (result.isTensorList()) return result.toTensorVector();
  if (!result.isTuple()) throw notTensors(name, result);
  Tensors outputs;
  for (const c10::IValue& element : result.toTupleRef().elements()) {
    if (!element.isTensor()) throw notTensors(name, element);
    outputs.push_back(element.toTensor());
  }
  return outputs;
}

void TorchScriptProgram::load(const StopToken& stop) {
  const auto source = spec_.source ? spec_.source : std::make_shared<const ProgramFile>(spec_.file);
  source->expectUnchanged();
  try {
    caffe2::serialize::PyTorchStreamReader reader(source->reader(stop));
    // LibTorch has another loader for such files, of version 0.
    if (reader.hasRecord("model.json"))
      throw Error(Code::ModelInvalid, "Expected TorchScript of LibTorch 1.0 or newer in " + spec_.file, spec_.file);
    expectWholeRecords(reader, spec_.file);
    module_ = torch::jit::load(source->reader(stop), device_);
    module_.eval();
  } catch (const std::exception&) {
    // LibTorch has several kinds of exceptions for a damaged file, which have nothing else in common.
    const Failure failure = describe(std::current_exception());
    source->expectUnchanged();
    if (failure.code != Code::Internal) throw;
    throw Error(Code::ModelInvalid, "Expected a TorchScript program in " + spec_.file + " but LibTorch said: " + failure.message,
                spec_.file);
  }
  source->expectUnchanged();
}

void TorchScriptProgram::findMethods() {
  for (const auto& [name, function] : spec_.functions) {
    const auto method = module_.find_method(name);
    if (!method)
      throw Error(Code::ModelInvalid, "Expected a function " + name + " in " + spec_.file + " but it has none", spec_.file);
    const size_t inputs = method->num_inputs() - 1;  // without the module itself
    if (inputs != function.inputs.size()) {
      throw Error(Code::ModelInvalid,
                  c10::str("Expected a function ", name, " with ", function.inputs.size(), " inputs in ", spec_.file,
                           " but it has ", inputs),
                  spec_.file);
    }
    methods_.emplace(name, *method);
  }
}

// Only weights of the storage dtype change: a float32 table inside a half program stays what it is.
void TorchScriptProgram::convertWeights(const StopToken& stop) {
  if (spec_.storage == spec_.dtype) return;
  const auto convert = [this, &stop](at::Tensor tensor) {
    stop.check();
    if (tensor.scalar_type() == spec_.storage) tensor.set_data(tensor.to(spec_.dtype));
  };
  for (const at::Tensor& t : module_.parameters()) convert(t);
  for (const at::Tensor& t : module_.buffers()) convert(t);
}

void TorchScriptProgram::packWeights(const StopToken& stop) {
  if (!device_.is_cpu()) return;
  std::vector<torch::jit::Method> functions;
  for (const auto& [unused, method] : methods_) functions.push_back(method);
  packLinearWeights(module_, functions, stop);
}

}  // namespace wuerstchen
