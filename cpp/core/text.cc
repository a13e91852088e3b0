#include "text.h"

#include <ATen/ops/cat.h>

#include <algorithm>

#include "finite.h"

namespace wuerstchen {

namespace {

// What differs between the two halves of the model.
struct Half {
  StageId encoder;
  const std::vector<Text>& texts;
  Tensors& encoded;
  double& spent;
};

Half halfOf(StageId of, Job& job) {
  Timings& timings = job.result.timings;
  if (of == StageId::Prior) return {StageId::PriorTextEncoder, job.request.priorTexts, job.priorTexts, timings.priorTextEncoder};
  return {StageId::DecoderTextEncoder, job.request.decoderTexts, job.decoderTexts, timings.decoderTextEncoder};
}

// On a CPU more texts at once are hardly faster, and hold up longer what comes next. Who gives maxBatch gets that many.
size_t mostTexts(const EngineSpec& spec) {
  constexpr int kOnCpu = 4;
  return static_cast<size_t>(spec.device.is_cpu() && spec.maxBatchCells > 0 ? std::min(spec.maxBatch, kOnCpu) : spec.maxBatch);
}

// The missing ones of `wanted`, then the next missing ones, `most` in all.
std::vector<size_t> nextBatch(const Half& half, const std::vector<int>& wanted, size_t most) {
  std::vector<size_t> batch;
  const auto take = [&](size_t index) {
    if (batch.size() == most || half.encoded[index].defined()) return;
    if (std::find(batch.begin(), batch.end(), index) == batch.end()) batch.push_back(index);
  };
  for (const int index : wanted) {
    if (index >= 0) take(static_cast<size_t>(index));
  }
  if (batch.empty()) return batch;
  for (size_t index = 0; index < half.texts.size(); ++index) take(index);
  return batch;
}

void encodeBatch(Stages& stages, const Half& half, const std::vector<size_t>& batch, c10::Device device, c10::ScalarType dtype,
                 Timings& timings) {
  Tensors ids, masks;
  for (const size_t index : batch) {
    const Tokens& tokens = std::get<Tokens>(half.texts[index]);
    ids.push_back(tokens.ids);
    masks.push_back(tokens.mask);
  }
  Program& program = stages.use(half.encoder, &timings.load);
  const Stopwatch watch;
  const at::Tensor rows = program.run("forward", {at::cat(ids).to(device), at::cat(masks).to(device)}).front().to(dtype);
  expectFinite(rows, half.encoder);
  for (size_t row = 0; row < batch.size(); ++row) half.encoded[batch[row]] = rows.narrow(0, static_cast<int64_t>(row), 1);
  half.spent += watch.ms();
  stages.record(half.encoder, watch.ms(), static_cast<int64_t>(batch.size()));
}

}  // namespace

void encodeTexts(Stages& stages, const EngineSpec& spec, StageId of, Job& job, const std::vector<int>& wanted) {
  const Half half = halfOf(of, job);
  const c10::ScalarType dtype = programOf(spec, of).dtype;
  if (half.encoded.empty()) {
    half.encoded.resize(half.texts.size());
    for (size_t index = 0; index < half.texts.size(); ++index) {
      const auto* given = std::get_if<at::Tensor>(&half.texts[index]);
      if (given != nullptr) half.encoded[index] = given->to(spec.device).to(dtype);
    }
  }
  std::vector<int> needed = wanted;
  if (spec.residency == Residency::Sequential) {
    needed.clear();
    for (size_t index = 0; index < half.texts.size(); ++index) needed.push_back(static_cast<int>(index));
  }
  const size_t most = mostTexts(spec);
  for (auto batch = nextBatch(half, needed, most); !batch.empty(); batch = nextBatch(half, needed, most)) {
    job.stop->check();
    encodeBatch(stages, half, batch, spec.device, dtype, job.result.timings);
  }
}

}  // namespace wuerstchen
