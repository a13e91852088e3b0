// Programs small enough to compute by hand, written as TorchScript source: no Python, no fixtures.
//   encoder:   embeddings = ids, as (batch, text, 2)
//   prior:     condition: the text's mean; step: noise = 0.1·latents + 0.01·(ratio + condition)
//   decoder:   condition: the embedding's mean plus the text's; step: as the prior's
//   vqDecoder: the first three channels' sigmoid, each pixel 4×4
//   previewer: the first three channels and a half, each cell 8×8
#pragma once

#include <filesystem>

#include "spec.h"

namespace models {

// A folder that goes away with the object.
class Folder {
 public:
  Folder();
  ~Folder();
  std::string file(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

// Of embeddings and of the decoder's latents. The programs' sources fit any.
struct Channels {
  int64_t embeddings = 16;
  int64_t latents = 4;
};

// Writes the programs into `folder` and describes the whole model, without the previewer.
wuerstchen::EngineSpec write(const Folder& folder, Channels channels = {});
void addPreviewer(wuerstchen::EngineSpec& spec, const Folder& folder);
// Replaces the decoder by one that is conditioned on nothing: `condition` gives no tensor.
void replaceDecoderByUnconditioned(wuerstchen::EngineSpec& spec, const Folder& folder);
// Replaces the decoder by one whose step runs this line of TorchScript.
void replaceDecoderStep(wuerstchen::EngineSpec& spec, const Folder& folder, const std::string& line);

}  // namespace models
