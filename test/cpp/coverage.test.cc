#include "coverage.h"

#include <ATen/ops/empty.h>

#include "check.h"
#include "test_engine.h"

using namespace wuerstchen;
using namespace testing;

namespace {

using Shape = std::vector<Dimension>;

Coverage coverageOf(const std::vector<Shape>& shapes, const std::map<std::string, Limit>& limits) {
  std::vector<TensorSpec> inputs;
  for (const Shape& shape : shapes) inputs.push_back({"input", c10::kFloat, shape});
  return {inputs, limits};
}

std::vector<at::Tensor> tensors(const std::vector<std::vector<int64_t>>& shapes) {
  std::vector<at::Tensor> list;
  for (const auto& shape : shapes) list.push_back(at::empty(shape));
  return list;
}

}  // namespace

TEST(coverage, eachSymbolHasItsLimitWhereverItStands) {
  const Coverage coverage = coverageOf({{"batch", 3, "height"}, {"text", "batch"}},
                                       {{"batch", {1, 4, 1}}, {"height", {8, 64, 8}}, {"text", {2, 77, 1}}});
  CHECK(coverage.has(tensors({{1, 3, 8}, {2, 1}})));
  CHECK(coverage.has(tensors({{4, 3, 64}, {77, 4}})));
  CHECK(!coverage.has(tensors({{5, 3, 8}, {2, 5}})));
  CHECK(!coverage.has(tensors({{1, 3, 72}, {2, 1}})));
  CHECK(!coverage.has(tensors({{1, 3, 12}, {2, 1}})));  // no multiple of 8
  CHECK(!coverage.has(tensors({{1, 3, 8}, {1, 1}})));
}

TEST(coverage, aDerivedSizeHasToBeTheWholePartOfWhatItComesFrom) {
  // The derived input comes first: the order of the inputs means nothing.
  const Coverage coverage = coverageOf({{"height/4"}, {"height"}}, {{"height", {4, 64, 1}}});
  CHECK(coverage.has(tensors({{2}, {8}})));
  CHECK(!coverage.has(tensors({{2}, {9}})));
  CHECK(!coverage.has(tensors({{3}, {8}})));
}

TEST(coverage, aSymbolWithoutALimitIsNotCovered) {
  CHECK(!coverageOf({{"batch"}, {"height"}}, {{"batch", {1, 4, 1}}}).has(tensors({{1}, {8}})));
  CHECK(!coverageOf({{"height/2"}}, {{"height", {1, 64, 1}}}).has(tensors({{2}})));  // stands nowhere by itself
  CHECK(coverageOf({{2, 3}}, {}).has(tensors({{2, 3}})));
  CHECK(is(failureOf([] { coverageOf({{"height/0"}}, {}); }), Code::ModelInvalid, "height/0"));
}
