#include "packing.h"

#include <ATen/ATen.h>
#include <torch/csrc/jit/api/function_impl.h>

#include "check.h"

using namespace wuerstchen;
using torch::jit::Module;

namespace {

// A Linear of 6 → 5 as a submodule, and what its owner does with it.
Module network(const std::string& source, c10::ScalarType dtype = c10::kFloat) {
  at::manual_seed(1);
  Module linear("Linear");
  linear.register_parameter("weight", at::randn({5, 6}).to(dtype), false);
  linear.register_parameter("bias", at::randn({5}).to(dtype), false);
  Module module("Network");
  module.register_module("first", linear);
  module.define(source);
  return module;
}

std::vector<torch::jit::Method> methods(const Module& module, const std::vector<std::string>& names) {
  std::vector<torch::jit::Method> found;
  for (const std::string& name : names) found.push_back(module.get_method(name));
  return found;
}

bool isPacked(const Module& module) { return module.attr("first").toModule().attr("weight").toTensor().is_mkldnn(); }

bool calls(const Module& module, const std::string& function, const std::string& operation) {
  const auto graph = torch::jit::toGraphFunction(module.get_method(function).function()).graph();
  for (const auto* node : graph->nodes()) {
    if (node->kind().toQualString() == operation) return true;
  }
  return false;
}

at::Tensor run(const Module& module, const std::string& function, const at::Tensor& x) {
  return module.get_method(function)({x}).toTensor();
}

const char* kLinear = R"(
    def forward(self, x):
        return torch.linear(x, self.first.weight, self.first.bias)
  )";

}  // namespace

TEST(packing, keepsTheResult) {
  const at::Tensor weight = network(kLinear).attr("first").toModule().attr("weight").toTensor();
  const at::Tensor bias = network(kLinear).attr("first").toModule().attr("bias").toTensor();
  for (const at::Tensor& x :
       {at::randn({3, 6}), at::randn({2, 4, 6}), at::randn({2, 3, 4, 6}), at::randn({6, 3}).t(), at::randn({1, 6})}) {
    Module module = network(kLinear);
    packLinearWeights(module, methods(module, {"forward"}));
    CHECK(isPacked(module));
    CHECK(at::allclose(run(module, "forward", x), at::linear(x, weight, bias), 1e-5, 1e-6));
  }
}

TEST(packing, takesTheGeluThatFollowsAlong) {
  const auto source = [](const std::string& result) {
    return "def forward(self, x):\n    y = torch.linear(x, self.first.weight, self.first.bias)\n    return " + result + "\n";
  };
  const at::Tensor x = at::randn({7, 6});
  for (const char* result :
       {"torch.gelu(y, approximate='none')", "torch.gelu(y, approximate='tanh')", "torch.gelu(y, approximate='none') + y"}) {
    const at::Tensor expected = run(network(source(result)), "forward", x);
    Module module = network(source(result));
    packLinearWeights(module, methods(module, {"forward"}));
    CHECK(isPacked(module));
    CHECK(calls(module, "forward", "aten::gelu") == (std::string(result) != "torch.gelu(y, approximate='none')"));
    CHECK(at::allclose(run(module, "forward", x), expected, 1e-5, 1e-6));
  }
}

TEST(packing, servesEveryFunction) {
  const std::string source = std::string(kLinear) + R"(
    def half(self, x):
        return torch.linear(x * 0.5, self.first.weight)
  )";
  const at::Tensor x = at::randn({4, 6});
  const at::Tensor expected = run(network(source), "half", x);
  Module module = network(source);
  packLinearWeights(module, methods(module, {"forward", "half"}));
  CHECK(isPacked(module));
  CHECK(at::allclose(run(module, "half", x), expected, 1e-5, 1e-6));
}

TEST(packing, leavesWhatIsUsedOtherwise) {
  const std::string source = std::string(kLinear) + R"(
    def part(self, x):
        return torch.linear(x, self.first.weight[:2])
  )";
  Module module = network(source);
  packLinearWeights(module, methods(module, {"forward", "part"}));
  CHECK(!isPacked(module));
  CHECK(!calls(module, "forward", "mkldnn::_linear_pointwise"));
  CHECK(run(module, "part", at::randn({4, 6})).size(1) == 2);
}

TEST(packing, leavesOtherDtypes) {
  for (const c10::ScalarType dtype : {c10::kBFloat16, c10::kDouble}) {
    Module module = network(kLinear, dtype);
    packLinearWeights(module, methods(module, {"forward"}));
    CHECK(!isPacked(module));
    CHECK(run(module, "forward", at::randn({4, 6}).to(dtype)).scalar_type() == dtype);
  }
}
