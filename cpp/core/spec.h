// What a model consists of, as the caller has read it from wuerstchen.json and checked it.
#pragma once

#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace wuerstchen {

// A dimension is a number, or a symbol ("batch", "height/2") that must have one value within one call.
using Dimension = std::variant<int64_t, std::string>;

// "height/4" as ("height", 4); a plain symbol as (itself, 1). Inputs are never larger than what they come from. Throws
// MODEL_INVALID where a number from 1 to 64 does not follow the slash.
std::pair<std::string, int64_t> parseSymbol(const std::string& symbol);

struct TensorSpec {
  std::string name;
  c10::ScalarType dtype;
  std::vector<Dimension> shape;
};

struct FunctionSpec {
  std::vector<TensorSpec> inputs;
  std::vector<TensorSpec> outputs;
};

// Sizes of one dimension that a compiled function was made and verified for.
struct Limit {
  int64_t least;
  int64_t most;
  int64_t multipleOf;
};

// One compiled function: its library, and limits for every dimension that its inputs have by itself.
struct LibrarySpec {
  std::string file;
  std::string sha256;                        // of `bytes`
  std::shared_ptr<const std::string> bytes;  // null: `file` is opened by its name
  std::map<std::string, Limit> limits;
};

struct ProgramSpec {
  std::string kind;  // "torchscript", or "aoti": a TorchScript program with compiled libraries
  std::string file;
  std::shared_ptr<const class ProgramFile> source;  // null: `file` is opened by its name
  c10::ScalarType dtype;                            // what it computes in
  c10::ScalarType storage;                          // what its weights are stored in; converted to dtype while loading
  std::map<std::string, FunctionSpec> functions;
  std::map<std::string, LibrarySpec> libraries;  // by function; "aoti" only
};

enum class StageId { PriorTextEncoder, Prior, DecoderTextEncoder, Decoder, VqDecoder, VqEncoder, ImageEncoder, Previewer };

inline constexpr std::array<std::string_view, 8> kStageNames{"priorTextEncoder", "prior",     "decoderTextEncoder", "decoder",
                                                             "vqDecoder",        "vqEncoder", "imageEncoder",       "previewer"};
static_assert(static_cast<size_t>(StageId::Previewer) + 1 == kStageNames.size());

inline std::string stageName(StageId id) { return std::string(kStageNames[static_cast<size_t>(id)]); }

// Throws MODEL_INVALID for a name that no stage has.
StageId stageFromName(std::string_view name);

// DDPMWuerstchenScheduler's configuration.
struct SchedulerSpec {
  double scaler;
  double s;
};

// The model's numbers (checkpoint configs; diffusers 0.42.1 defaults: 42, 1, 0.3764, 10.67).
struct Constants {
  double latentMean;
  double latentStd;
  double scaleFactor;
  double latentDimScale;
  SchedulerSpec priorScheduler;
  SchedulerSpec decoderScheduler;
  int64_t latentUnit = 16;  // sides of the decoder's latents are multiples of it: patch · 2^(levels − 1)
};

// How many of the decoder's latents stand beside `grid` embeddings, along one side of an image.
inline int64_t latentSize(int64_t grid, const Constants& constants) {
  return static_cast<int64_t>(static_cast<double>(grid) * constants.latentDimScale);
}

// What a text encoder takes.
struct TextSpec {
  int64_t length;   // tokens
  int64_t largest;  // token id
};

enum class Residency { All, Sequential };

struct EngineSpec {
  c10::Device device{c10::kCPU};
  int threads = 1;   // intra-op threads of the engine
  int maxBatch = 1;  // most images in one batch
  // Most cells of embeddings in one batch, where it has more than one image: small images gain more from company. 0: any number.
  int64_t maxBatchCells = 0;
  Residency residency = Residency::All;
  Constants constants{};
  std::map<StageId, ProgramSpec> programs;
  std::map<StageId, TextSpec> texts;  // by text encoder
};

// How many images whose embeddings have so many cells may share a run: at least one.
size_t mostInBatch(const EngineSpec& spec, int64_t cells);

// Throws MODEL_MISMATCH where the model has no such stage.
const ProgramSpec& programOf(const EngineSpec& spec, StageId id);

}  // namespace wuerstchen
