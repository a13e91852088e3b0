#include "text.h"

#include <ATen/ops/cat.h>

namespace wuerstchen {

Tensors encodeTexts(Stages& stages, StageId encoder, const std::vector<Text>& texts, c10::Device device, c10::ScalarType dtype,
                    Timings& timings, double& spent) {
  Tensors ids, masks;
  for (const Text& text : texts) {
    if (const auto* tokens = std::get_if<Tokens>(&text)) {
      ids.push_back(tokens->ids);
      masks.push_back(tokens->mask);
    }
  }
  at::Tensor encoded;  // (tokenised texts, text, channels)
  if (!ids.empty()) {
    Program& program = stages.use(encoder, &timings.load);
    const Stopwatch watch;
    encoded = program.run("forward", {at::cat(ids).to(device), at::cat(masks).to(device)}).front().to(dtype);
    spent += watch.ms();
    stages.record(encoder, watch.ms(), static_cast<int64_t>(ids.size()));
  }

  Tensors embeddings;
  int64_t row = 0;
  for (const Text& text : texts) {
    const auto* given = std::get_if<at::Tensor>(&text);
    embeddings.push_back(given != nullptr ? given->to(device).to(dtype) : encoded.narrow(0, row++, 1));
  }
  return embeddings;
}

}  // namespace wuerstchen
