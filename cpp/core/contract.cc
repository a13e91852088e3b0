#include "contract.h"

#include <c10/util/StringUtil.h>

#include <algorithm>
#include <string_view>

#include "error.h"

namespace wuerstchen {

namespace {

struct Function {
  StageId stage;
  const char* name;
};

constexpr std::array<Function, 10> kFunctions{{{StageId::PriorTextEncoder, "forward"},
                                               {StageId::Prior, "condition"},
                                               {StageId::Prior, "step"},
                                               {StageId::DecoderTextEncoder, "forward"},
                                               {StageId::Decoder, "condition"},
                                               {StageId::Decoder, "step"},
                                               {StageId::VqDecoder, "forward"},
                                               {StageId::VqEncoder, "forward"},
                                               {StageId::ImageEncoder, "forward"},
                                               {StageId::Previewer, "forward"}}};

using Side = std::vector<TensorSpec> FunctionSpec::*;

// A tensor (batch, channels, …) that a stage takes or gives.
struct Place {
  StageId stage;
  const char* function;
  Side side;
  const char* tensor;

  std::string str() const { return c10::str(stageName(stage), ".", function, ".", tensor); }
};

// The stage that makes or decodes such tensors comes first.
constexpr std::array<Place, 4> kEmbeddings{{{StageId::Prior, "step", &FunctionSpec::inputs, "latents"},
                                            {StageId::Decoder, "condition", &FunctionSpec::inputs, "embeddings"},
                                            {StageId::ImageEncoder, "forward", &FunctionSpec::outputs, "embeddings"},
                                            {StageId::Previewer, "forward", &FunctionSpec::inputs, "latents"}}};
constexpr std::array<Place, 4> kLatents{{{StageId::Decoder, "step", &FunctionSpec::inputs, "latents"},
                                         {StageId::Decoder, "condition", &FunctionSpec::inputs, "latents"},
                                         {StageId::VqDecoder, "forward", &FunctionSpec::inputs, "latents"},
                                         {StageId::VqEncoder, "forward", &FunctionSpec::outputs, "latents"}}};

const FunctionSpec& functionOf(const EngineSpec& spec, StageId stage, const char* name) {
  const auto& functions = programOf(spec, stage).functions;
  const auto found = functions.find(name);
  if (found != functions.end()) return found->second;
  throw Error(Code::ModelInvalid, c10::str("Expected a function ", name, " in the stage ", stageName(stage), " but it has none"),
              stageName(stage));
}

int64_t channelsAt(const EngineSpec& spec, const Place& place) {
  const std::vector<TensorSpec>& tensors = functionOf(spec, place.stage, place.function).*place.side;
  const auto named = std::find_if(tensors.begin(), tensors.end(), [&](const TensorSpec& t) { return t.name == place.tensor; });
  if (named == tensors.end()) {
    throw Error(Code::ModelInvalid, "Expected a tensor " + place.str() + " but there is none", stageName(place.stage));
  }
  const auto* channels = named->shape.size() < 2 ? nullptr : std::get_if<int64_t>(&named->shape[1]);
  if (channels == nullptr || *channels < 1) {
    throw Error(Code::ModelInvalid, "Expected a number of channels for " + place.str() + " but its second dimension is none",
                stageName(place.stage));
  }
  return *channels;
}

template <typename Places>
void checkAgreement(const EngineSpec& spec, const Places& places) {
  const Place* first = nullptr;
  for (const Place& place : places) {
    if (spec.programs.count(place.stage) == 0) continue;
    if (first == nullptr) first = &place;
    const int64_t expected = channelsAt(spec, *first), channels = channelsAt(spec, place);
    if (channels == expected) continue;
    throw Error(
        Code::ModelInvalid,
        c10::str("Expected ", expected, " channels as in ", first->str(), " for ", place.str(), " but received ", channels),
        stageName(place.stage));
  }
}

template <typename Places>
int64_t channelsOf(const EngineSpec& spec, const Places& places) {
  for (const Place& place : places) {
    if (spec.programs.count(place.stage) != 0) return channelsAt(spec, place);
  }
  return channelsAt(spec, places.front());  // throws: there is no such stage
}

}  // namespace

void checkStages(const EngineSpec& spec) {
  for (const Function& function : kFunctions) {
    if (spec.programs.count(function.stage) == 0) continue;
    // The engine takes the first tensor of each. Only a network that is conditioned on nothing has an empty condition.
    const FunctionSpec& found = functionOf(spec, function.stage, function.name);
    if (!found.outputs.empty() || std::string_view(function.name) == "condition") continue;
    throw Error(
        Code::ModelInvalid,
        c10::str("Expected a tensor from ", function.name, " of the stage ", stageName(function.stage), " but it gives none"),
        stageName(function.stage));
  }
  checkAgreement(spec, kEmbeddings);
  checkAgreement(spec, kLatents);
}

int64_t embeddingChannels(const EngineSpec& spec) { return channelsOf(spec, kEmbeddings); }

int64_t latentChannels(const EngineSpec& spec) { return channelsOf(spec, kLatents); }

}  // namespace wuerstchen
