#include "models.h"

#include <torch/csrc/jit/api/module.h>
#include <unistd.h>

namespace models {

using namespace wuerstchen;

Folder::Folder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "wuerstchen-test-XXXXXX").string();
  path_ = mkdtemp(pattern.data());
}

Folder::~Folder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

namespace {

std::vector<Dimension> image(int64_t channels) { return {"batch", channels, "height", "width"}; }

TensorSpec floats(const char* name, std::vector<Dimension> shape) { return {name, c10::kFloat, std::move(shape)}; }

ProgramSpec program(const Folder& folder, const std::string& name, const std::string& source,
                    std::map<std::string, FunctionSpec> functions) {
  torch::jit::Module module(name);
  // A weight, so that loading, counting and converting have something to work on.
  module.register_parameter("weight", at::full({2}, 0.1F), false);
  module.define(source);
  module.save(folder.file(name + ".pt"));
  return {"torchscript", folder.file(name + ".pt"), nullptr, c10::kFloat, c10::kFloat, std::move(functions), {}};
}

FunctionSpec step(const std::vector<Dimension>& latents) {
  return {{floats("latents", latents), floats("ratio", {"batch"}), floats("condition", {"batch", int64_t{1}})},
          {floats("noise", latents)}};
}

}  // namespace

EngineSpec write(const Folder& folder, Channels channels) {
  const std::vector<Dimension> embeddings = image(channels.embeddings), latents = image(channels.latents);
  const char* kStep = R"(
    def step(self, latents, ratio, condition):
        return latents * self.weight[0] + 0.01 * (ratio + condition[:, 0]).view(-1, 1, 1, 1)
  )";
  const FunctionSpec encoder{{{"ids", c10::kLong, {"batch", "text"}}, {"mask", c10::kLong, {"batch", "text"}}},
                             {floats("embeddings", {"batch", "text", int64_t{2}})}};
  const char* kEncoder = R"(
    def forward(self, ids, mask):
        return (ids * mask).unsqueeze(2).expand(-1, -1, 2) * 1.0
  )";
  EngineSpec spec;
  spec.constants = {42, 1, 0.3764, 10.67, {1, 0.008}, {1, 0.008}};
  spec.threads = 1;
  spec.maxBatch = 8;
  spec.programs[StageId::PriorTextEncoder] = program(folder, "priorTextEncoder", kEncoder, {{"forward", encoder}});
  spec.programs[StageId::DecoderTextEncoder] = program(folder, "decoderTextEncoder", kEncoder, {{"forward", encoder}});
  spec.programs[StageId::Prior] =
      program(folder, "prior", std::string(R"(
    def condition(self, text):
        return text.mean([1, 2]).unsqueeze(1)
  )") + kStep,
              {{"condition", {{floats("text", {"batch", "text", int64_t{2}})}, {floats("condition", {"batch", int64_t{1}})}}},
               {"step", step(embeddings)}});
  spec.programs[StageId::Decoder] =
      program(folder, "decoder", std::string(R"(
    def condition(self, latents, embeddings, text):
        return (embeddings.mean([1, 2, 3]) + text.mean([1, 2])).unsqueeze(1)
  )") + kStep,
              {{"condition",
                {{floats("latents", latents), floats("embeddings", {"batch", channels.embeddings, "gridHeight", "gridWidth"}),
                  floats("text", {"batch", "text", int64_t{2}})},
                 {floats("condition", {"batch", int64_t{1}})}}},
               {"step", step(latents)}});
  spec.programs[StageId::VqDecoder] =
      program(folder, "vqDecoder", R"(
    def forward(self, latents):
        return torch.sigmoid(latents[:, :3]).repeat_interleave(4, 2).repeat_interleave(4, 3)
  )",
              {{"forward", {{floats("latents", latents)}, {floats("pixels", {"batch", int64_t{3}, "height*4", "width*4"})}}}});
  return spec;
}

void addPreviewer(EngineSpec& spec, const Folder& folder) {
  spec.programs[StageId::Previewer] =
      program(folder, "previewer", R"(
    def forward(self, latents):
        return (latents[:, :3] + 0.5).repeat_interleave(8, 2).repeat_interleave(8, 3)
  )",
              {{"forward", {{floats("latents", image(16))}, {floats("pixels", {"batch", int64_t{3}, "height*8", "width*8"})}}}});
}

void replaceDecoderByUnconditioned(EngineSpec& spec, const Folder& folder) {
  std::map<std::string, FunctionSpec> functions = spec.programs.at(StageId::Decoder).functions;
  functions.at("condition").outputs.clear();
  functions.at("step").inputs.pop_back();
  spec.programs[StageId::Decoder] = program(folder, "unconditionedDecoder", R"(
    def condition(self, latents, embeddings, text):
        return ()

    def step(self, latents, ratio):
        return latents * self.weight[0] + 0.01 * ratio.view(-1, 1, 1, 1)
  )",
                                            functions);
}

void replaceDecoderStep(EngineSpec& spec, const Folder& folder, const std::string& line) {
  spec.programs[StageId::Decoder] = program(folder, "replacedDecoder", R"(
    def condition(self, latents, embeddings, text):
        return text.mean([1, 2]).unsqueeze(1)

    def step(self, latents, ratio, condition):
        )" + line + "\n",
                                            spec.programs.at(StageId::Decoder).functions);
}

}  // namespace models
