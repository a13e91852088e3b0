#include "library_proof.h"

#include <ATen/Functions.h>

#include <limits>

#include "check.h"

using namespace wuerstchen;

namespace {

const std::string kProgram = "program.pt";

struct Fixture {
  LibrarySpec library{"library.so", "", nullptr, {{"batch", {1, 16, 1}}, {"height", {10, 64, 4}}}};
  FunctionSpec function{{{"latents", c10::kFloat, {std::string("batch"), int64_t{3}, std::string("height")}},
                         {"ids", c10::kLong, {std::string("height/4")}}},
                        {{"noise", c10::kFloat, {std::string("batch"), int64_t{3}, std::string("height")}}}};
  Claim claim{library, function, c10::kCPU, kProgram};
};

Tensors right(const Tensors& inputs) { return {inputs[0] * 2}; }

}  // namespace

TEST(proof, runsBothAtTheSmallestSizesThatTheLibraryIsFor) {
  const Fixture fixture;
  std::vector<std::vector<int64_t>> sizes;
  const auto seen = [&](const Tensors& inputs) {
    for (const at::Tensor& input : inputs) sizes.push_back(input.sizes().vec());
    CHECK(inputs[1].scalar_type() == c10::kLong);
    return right(inputs);
  };
  prove(fixture.claim, seen, seen);
  const std::vector<std::vector<int64_t>> expected{{1, 3, 12}, {3}, {1, 3, 12}, {3}};
  CHECK(sizes == expected);
}

TEST(proof, takesWhatRoundingDiffersBy) {
  const Fixture fixture;
  prove(fixture.claim, right, [](const Tensors& inputs) -> Tensors { return {inputs[0] * 2.00001}; });
}

TEST(proof, refusesOtherResultsAboutTheLibrary) {
  const Fixture fixture;
  const auto refuses = [&](const RunFunction& compiled) {
    return is(failureOf([&] { prove(fixture.claim, right, compiled); }), Code::ModelInvalid, "library.so");
  };
  CHECK(refuses([](const Tensors& inputs) -> Tensors { return {inputs[0] * 2.1}; }));
  CHECK(refuses([](const Tensors& inputs) -> Tensors { return {at::full_like(inputs[0], NAN)}; }));
  CHECK(refuses([](const Tensors& inputs) -> Tensors { return {(inputs[0] * 2).slice(2, 0, 4)}; }));
  CHECK(refuses([](const Tensors& inputs) -> Tensors { return {(inputs[0] * 2).to(c10::kHalf)}; }));
  CHECK(refuses([](const Tensors&) -> Tensors { return {}; }));
  CHECK(refuses([](const Tensors&) -> Tensors { throw std::runtime_error("no symbol"); }));
}

TEST(proof, aProgramThatCannotRunIsNoFaultOfTheLibrary) {
  const Fixture fixture;
  const auto fails = [](const Tensors&) -> Tensors { throw std::runtime_error("wrong weights"); };
  CHECK(is(failureOf([&] { prove(fixture.claim, fails, right); }), Code::ModelInvalid, kProgram));
}

TEST(proof, oncePerHash) {
  Fixture fixture;
  fixture.library.sha256 = "of this test";
  int runs = 0;
  const auto counted = [&](const Tensors& inputs) {
    ++runs;
    return right(inputs);
  };
  for (int i = 0; i < 3; ++i) prove(fixture.claim, counted, counted);
  CHECK(runs == 2);
}
