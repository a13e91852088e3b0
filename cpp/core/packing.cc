#include "packing.h"

#include <ATen/Context.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/ir/ir.h>
#include <torch/csrc/jit/passes/inliner.h>
#include <torch/csrc/jit/runtime/graph_iterator.h>

#include <map>
#include <memory>
#include <set>
#include <string>

namespace wuerstchen {

namespace {

using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;

using Path = std::vector<std::string>;  // names of attributes, from the module to the tensor

// oneDNN chooses one order for every count of rows but the very smallest (measured: 32 to 1024 alike, 1 up to twice as slow).
constexpr int64_t kTypicalRows = 64;

const auto kOneDnnLinear = c10::Symbol::fromQualString("mkldnn::_linear_pointwise");

bool hasOneDnnLinear() {
  auto& dispatcher = c10::Dispatcher::singleton();
  return at::hasMKLDNN() && at::globalContext().userEnabledMkldnn() && dispatcher.findSchema({"mkldnn::_linear_pointwise", ""}) &&
         dispatcher.findSchema({"mkldnn::_reorder_linear_weight", ""});
}

at::Tensor packed(const at::Tensor& weight) {
  static const auto reorder = c10::Dispatcher::singleton()
                                  .findSchemaOrThrow("mkldnn::_reorder_linear_weight", "")
                                  .typed<at::Tensor(const at::Tensor&, std::optional<int64_t>)>();
  return reorder.call(weight, kTypicalRows);
}

// The attribute that a value is, for values that are attributes of the module or of its submodules.
std::map<const Value*, Path> attributesIn(std::shared_ptr<Graph> graph) {
  std::map<const Value*, Path> paths{{graph->inputs().at(0), {}}};
  torch::jit::DepthFirstGraphNodeIterator nodes(graph);
  while (Node* node = nodes.next()) {
    if (node->kind() != c10::prim::GetAttr) continue;
    const auto owner = paths.find(node->input());
    if (owner == paths.end()) continue;
    Path path = owner->second;
    path.push_back(node->s(c10::attr::name));
    paths.emplace(node->output(), std::move(path));
  }
  return paths;
}

bool isLinearOf(const torch::jit::Use& use) { return use.user->kind() == c10::aten::linear && use.offset == 1; }

std::pair<torch::jit::Module, std::string> ownerOf(torch::jit::Module module, const Path& path) {
  for (size_t i = 0; i + 1 < path.size(); ++i) module = module.attr(path[i]).toModule();
  return {module, path.back()};
}

bool canPack(const at::Tensor& weight) {
  return weight.layout() == c10::kStrided && weight.is_cpu() && weight.scalar_type() == c10::kFloat && weight.dim() == 2;
}

// The exact GELU that alone uses a Linear's result.
Node* geluAfter(const Node* linear) {
  const auto& uses = linear->output()->uses();
  if (uses.size() != 1 || uses.front().user->kind() != c10::aten::gelu) return nullptr;
  const auto approximation = torch::jit::toIValue(uses.front().user->input(1));
  return approximation && approximation->isString() && approximation->toStringRef() == "none" ? uses.front().user : nullptr;
}

void callOneDnn(Graph& graph, Node* linear) {
  Node* const gelu = geluAfter(linear);
  const torch::jit::WithInsertPoint before(linear);
  std::vector<Value*> inputs(linear->inputs().begin(), linear->inputs().end());  // x, weight, bias
  inputs.push_back(graph.insertConstant(gelu ? "gelu" : "none"));
  inputs.push_back(graph.insertConstant(c10::List<std::optional<c10::Scalar>>()));
  inputs.push_back(graph.insertConstant(gelu ? "none" : ""));
  Node* const call = graph.insertNode(graph.create(kOneDnnLinear, inputs));
  call->output()->setType(c10::TensorType::get());
  if (gelu) {
    gelu->output()->replaceAllUsesWith(call->output());
    gelu->destroy();
  } else {
    linear->output()->replaceAllUsesWith(call->output());
  }
  linear->destroy();
}

}  // namespace

void packLinearWeights(torch::jit::Module& module, const std::vector<torch::jit::Method>& functions, const StopToken& stop) {
  if (!hasOneDnnLinear()) return;
  std::map<Path, std::vector<std::pair<Graph*, Node*>>> linears;
  std::set<Path> usedOtherwise;
  for (const torch::jit::Method& function : functions) {
    const std::shared_ptr<Graph> graph = torch::jit::toGraphFunction(function.function()).graph();
    torch::jit::Inline(*graph);  // so that every weight's use is in sight
    for (const auto& [value, path] : attributesIn(graph)) {
      if (!value->type()->isSubtypeOf(*c10::TensorType::get())) continue;
      for (const torch::jit::Use& use : value->uses()) {
        if (isLinearOf(use)) {
          linears[path].emplace_back(graph.get(), use.user);
        } else {
          usedOtherwise.insert(path);
        }
      }
    }
  }
  for (const auto& [path, uses] : linears) {
    stop.check();
    auto [owner, name] = ownerOf(module, path);
    const at::Tensor weight = owner.attr(name).toTensor();
    if (usedOtherwise.count(path) > 0 || !canPack(weight)) continue;
    owner.setattr(name, packed(weight));
    for (const auto& [graph, linear] : uses) callOneDnn(*graph, linear);
  }
}

}  // namespace wuerstchen
