#include "trial.h"

#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <c10/core/InferenceMode.h>

#include "contract.h"
#include "thread.h"

namespace wuerstchen {

namespace {

constexpr int64_t kLargestGrid = 256;

// The smallest grid that Stage B can be run on.
int64_t smallestGrid(const Constants& constants) {
  if (constants.latentUnit < 1) throw Error(Code::ModelInvalid, "Expected a latentUnit of at least 1", "latentUnit");
  for (int64_t grid = 1; grid <= kLargestGrid; ++grid) {
    const int64_t latents = latentSize(grid, constants);
    if (latents > 0 && latents % constants.latentUnit == 0) return grid;
  }
  throw Error(Code::ModelInvalid, "Expected a latentDimScale that fits a size of the decoder", "latentDimScale");
}

class Trial {
 public:
  Trial(Program& program, const EngineSpec& spec)
      : program_(program), spec_(spec), grid_(smallestGrid(spec.constants)), latents_(latentSize(grid_, spec.constants)) {}

  void run(StageId id) const {
    switch (id) {
      case StageId::PriorTextEncoder:
      case StageId::DecoderTextEncoder: return runTextEncoder(id);
      case StageId::Prior: return runSteps(embeddings(), {text(0)});
      case StageId::Decoder: return runSteps(latents(), {latents(), embeddings(), text(2)});
      case StageId::VqDecoder: return forward(latents());
      case StageId::VqEncoder: return forward(pixels());
      case StageId::ImageEncoder: return forward(zeros({1, 3, 32 * grid_, 32 * grid_}));
      case StageId::Previewer: return forward(embeddings());
    }
  }

 private:
  at::Tensor zeros(at::IntArrayRef shape) const {
    return at::zeros(shape, at::TensorOptions().dtype(program_.dtype()).device(program_.device()));
  }
  at::Tensor embeddings() const { return zeros({1, embeddingChannels(spec_), grid_, grid_}); }
  at::Tensor latents() const { return zeros({1, latentChannels(spec_), latents_, latents_}); }

  // As many for each latent as the encoder's output is described to be smaller ("height/4").
  at::Tensor pixels() const {
    const auto& shape = program_.function("forward").outputs.front().shape;
    const auto* symbol = shape.size() < 3 ? nullptr : std::get_if<std::string>(&shape[2]);
    const int64_t side = latents_ * (symbol == nullptr ? 1 : parseSymbol(*symbol).second);
    return zeros({1, 3, side, side});
  }

  // (1, text, channels) as this input of the condition is described; one token where their number is free.
  at::Tensor text(size_t input) const {
    const auto& inputs = program_.function("condition").inputs;
    const auto sizeAt = [&](size_t d) {
      if (input >= inputs.size() || d >= inputs[input].shape.size()) return int64_t{1};
      const auto* number = std::get_if<int64_t>(&inputs[input].shape[d]);
      return number == nullptr ? int64_t{1} : *number;
    };
    return zeros({1, sizeAt(1), sizeAt(2)});
  }

  void forward(const at::Tensor& input) const { program_.run("forward", {input}); }

  void runSteps(const at::Tensor& latents, const Tensors& condition) const {
    Tensors inputs{latents, at::ones({1}, at::TensorOptions().dtype(at::kFloat).device(program_.device()))};
    for (const at::Tensor& output : program_.run("condition", condition)) inputs.push_back(output);
    program_.run("step", inputs);
  }

  // The largest token looks whether the encoder has as many rows as the tokenizer has tokens.
  void runTextEncoder(StageId id) const {
    const auto described = spec_.texts.find(id);
    if (described == spec_.texts.end()) return;
    const auto [length, largest] = described->second;
    const auto options = at::TensorOptions().dtype(at::kLong).device(program_.device());
    program_.run("forward", {at::full({1, length}, largest, options), at::ones({1, length}, options)});
  }

  Program& program_;
  const EngineSpec& spec_;
  int64_t grid_;
  int64_t latents_;
};

}  // namespace

void tryStage(Stages& stages, const EngineSpec& spec, StageId id) {
  Program& program = stages.use(id);
  try {
    const c10::InferenceMode inference;
    Trial(program, spec).run(id);
    synchronize(spec.device);
  } catch (const std::exception&) {
    const Failure failure = describe(std::current_exception());
    if (failure.code == Code::OutOfMemory || failure.code == Code::Cancelled || failure.code == Code::ModelInvalid) throw;
    const std::string& file = programOf(spec, id).file;
    throw Error(Code::ModelInvalid,
                "Expected a program that can run as the stage " + stageName(id) + " in " + file +
                    " but its first run failed: " + failure.message,
                file);
  }
}

}  // namespace wuerstchen
