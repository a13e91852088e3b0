#include "contract.h"

#include "check.h"
#include "models.h"
#include "test_engine.h"

using namespace wuerstchen;
using namespace testing;

namespace {

std::vector<Dimension>& latentsOf(EngineSpec& spec, StageId id, const char* function) {
  return spec.programs.at(id).functions.at(function).inputs.front().shape;
}

}  // namespace

TEST(contract, channelsAreWhatTheProgramsSayWhicheverHalfIsThere) {
  const models::Folder folder;
  const EngineSpec whole = models::write(folder, {8, 6});
  EngineSpec prior = whole, decoder = whole;
  std::erase_if(prior.programs, [](const auto& p) { return p.first > StageId::Prior; });
  std::erase_if(decoder.programs, [](const auto& p) { return p.first <= StageId::Prior; });
  for (const EngineSpec* spec : std::vector<const EngineSpec*>{&whole, &prior, &decoder}) {
    checkStages(*spec);
    CHECK(embeddingChannels(*spec) == 8);
  }
  CHECK(latentChannels(whole) == 6 && latentChannels(decoder) == 6);
  CHECK(is(failureOf([&] { latentChannels(prior); }), Code::ModelMismatch, "decoder"));
}

TEST(contract, aMissingFunctionIsFoundBeforeAnythingIsLoaded) {
  const models::Folder folder;
  for (const auto& [id, function] : {std::pair(StageId::Prior, "condition"), std::pair(StageId::Decoder, "step"),
                                     std::pair(StageId::VqDecoder, "forward"), std::pair(StageId::PriorTextEncoder, "forward")}) {
    EngineSpec spec = models::write(folder);
    spec.programs.at(id).functions.erase(function);
    CHECK(is(TestEngine(spec).failure(), Code::ModelInvalid, stageName(id)));
  }
}

TEST(contract, channelsMustBeNumbersOnWhichStagesAgree) {
  const models::Folder folder;
  const EngineSpec whole = models::write(folder);
  for (const Dimension& wrong : {Dimension("channels"), Dimension(int64_t{0}), Dimension(int64_t{5})}) {
    EngineSpec spec = whole;
    latentsOf(spec, StageId::VqDecoder, "forward")[1] = wrong;
    CHECK(is(TestEngine(spec).failure(), Code::ModelInvalid, "vqDecoder"));
    spec = whole;
    latentsOf(spec, StageId::Decoder, "condition")[1] = wrong;
    CHECK(is(TestEngine(spec).failure(), Code::ModelInvalid, "decoder"));
  }
  EngineSpec spec = whole;
  latentsOf(spec, StageId::Prior, "step").resize(1);
  CHECK(is(TestEngine(spec).failure(), Code::ModelInvalid, "prior"));
  spec = whole;
  spec.programs.at(StageId::Decoder).functions.at("condition").inputs[1].name = "effnet";
  CHECK(is(TestEngine(spec).failure(), Code::ModelInvalid, "decoder"));
}

// With guidance both of its rows would be the same, so the second one is left out.
TEST(contract, onlyAConditionMayGiveNothing) {
  const models::Folder folder;
  const EngineSpec whole = models::write(folder);
  EngineSpec unconditioned = whole;
  models::replaceDecoderByUnconditioned(unconditioned, folder);
  TestEngine engine(unconditioned);
  CHECK(!engine.failure());
  Request guided = request({1, 2}), plain = request({1, 2});
  guided.decoder.guidance.scale = 3;
  const std::vector<Pixels> images = engine.images(guided), expected = engine.images(plain);
  CHECK(at::equal(images.at(0), expected.at(0)) && !at::equal(images.at(0), images.at(1)));

  for (const auto& [id, function] : {std::pair(StageId::Prior, "step"), std::pair(StageId::VqDecoder, "forward")}) {
    EngineSpec spec = whole;
    spec.programs.at(id).functions.at(function).outputs.clear();
    CHECK(is(TestEngine(spec).failure(), Code::ModelInvalid, stageName(id)));
  }
}

TEST(contract, sidesAreMultiplesOfTheModelsUnit) {
  const models::Folder folder;
  EngineSpec spec = models::write(folder);
  for (const int64_t unit : {1, 2, 64}) {
    spec.constants.latentUnit = unit;
    CHECK(!TestEngine(spec).failure());
  }
  for (const int64_t unit : {-1, 0, 1 << 20}) {
    spec.constants.latentUnit = unit;
    const auto failure = TestEngine(spec).failure();
    CHECK(failure && failure->code == Code::ModelInvalid);
  }
}
