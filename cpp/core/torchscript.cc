#include "torchscript.h"

#include <ATen/EmptyTensor.h>
#include <c10/core/CPUAllocator.h>
#include <malloc.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/csrc/jit/runtime/graph_iterator.h>
#include <torch/csrc/jit/serialization/import.h>

#include "error.h"
#include "packing.h"
#include "program_file.h"

namespace wuerstchen {

namespace {

// Whether all the memory is there that a tensor is about. LibTorch takes a weight's size from the description and its bytes from
// the record, and does not compare the two: with a record that is too short, it reads what comes after it in memory.
bool isWhole(const at::Tensor& tensor) {
  if (!tensor.defined() || !tensor.has_storage() || !tensor.is_cpu()) return true;
  const c10::Storage& storage = tensor.storage();
  if (tensor.numel() == 0) return true;
  if (at::detail::computeStorageNbytes(tensor.sizes(), tensor.strides(), tensor.element_size(), tensor.storage_offset()) >
      storage.nbytes())
    return false;
  if (storage.data() == nullptr) return false;
  if (storage.data_ptr().get_deleter() != c10::GetDefaultCPUAllocator()->raw_deleter()) return true;  // not from a file
  return malloc_usable_size(storage.data_ptr().get_context()) >= storage.nbytes();
}

bool hasWholeConstants(const torch::jit::Module& module) {
  for (const torch::jit::Function* function : module._ivalue()->compilation_unit()->get_functions()) {
    std::shared_ptr<torch::jit::Graph> graph = torch::jit::toGraphFunction(*function).graph();
    torch::jit::DepthFirstGraphNodeIterator nodes(graph);
    while (const torch::jit::Node* node = nodes.next()) {
      if (node->kind() != c10::prim::Constant || node->outputs().size() != 1) continue;
      const auto value = torch::jit::toIValue(node->output());
      if (value && value->isTensor() && !isWhole(value->toTensor())) return false;
    }
  }
  return true;
}

}  // namespace

TorchScriptProgram::TorchScriptProgram(const ProgramSpec& spec, c10::Device device, const StopToken& stop)
    : Program(spec, device) {
  load(stop);
  expectWholeWeights();
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

void TorchScriptProgram::expectWholeWeights() const {
  const auto expect = [this](bool isWhole, const std::string& what) {
    if (!isWhole)
      throw Error(Code::ModelInvalid, "Expected whole weights in " + spec_.file + " but the record of " + what + " is too short",
                  spec_.file);
  };
  for (const auto& named : module_.named_parameters()) expect(isWhole(named.value), named.name);
  for (const auto& named : module_.named_buffers()) expect(isWhole(named.value), named.name);
  expect(hasWholeConstants(module_), "a constant");
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
