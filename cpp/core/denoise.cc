#include "denoise.h"

#include <ATen/ops/cat.h>

#include <algorithm>

#include "upload.h"

namespace wuerstchen {

namespace {

bool sameRowSizes(const at::Tensor& a, const at::Tensor& b) { return a.sizes().slice(1) == b.sizes().slice(1); }

at::Tensor concatenate(const Tensors& rows) { return rows.size() == 1 ? rows.front() : at::cat(rows); }

at::Tensor keep(const Inpainting& in, const at::Tensor& latents, const at::Tensor& source) {
  return in.mask * latents + (1 - in.mask) * source;
}

// As the reference draws it in the program's dtype.
at::Tensor rounded(const at::Tensor& noise, c10::ScalarType dtype) { return noise.to(dtype).to(c10::kFloat); }

// Where the mask keeps, the latents become the source as it looks at the step about to be taken. This draws from the stream
// before the step's own noise.
void keepSource(Trajectory& t, c10::ScalarType dtype) {
  const Noising& noising = t.steps[t.next].noising;
  const at::Tensor drawn = emptyForUpload(t.latents.sizes(), t.latents.device());
  t.random->fill(drawn);
  const at::Tensor noise = rounded(upload(drawn, t.latents.device()), dtype);
  t.latents = keep(*t.inpainting, t.latents, noising.signal * t.inpainting->source + noising.noise * noise);
}

// The clean latents as the network sees them at the step about to be taken.
at::Tensor cleanOf(const Trajectory& t, const at::Tensor& latents, const at::Tensor& epsilon) {
  const Noising& noising = t.steps[t.next].noising;
  return (latents - noising.noise * epsilon) / noising.signal;
}

at::Tensor estimateOf(const Trajectory& t, const at::Tensor& clean) {
  return t.inpainting ? keep(*t.inpainting, clean, t.inpainting->source) : clean;
}

// (images, C, H, W) noise for the step about to be taken; zeros where a sampler adds none, and draws none.
at::Tensor noiseFor(const std::vector<Trajectory*>& batch, c10::Device device, c10::ScalarType dtype) {
  std::vector<int64_t> shape = batch.front()->latents.sizes().vec();
  shape[0] = static_cast<int64_t>(batch.size());
  const at::Tensor drawn = emptyForUpload(shape, device);
  for (size_t i = 0; i < batch.size(); ++i) {
    const Trajectory& t = *batch[i];
    const at::Tensor row = drawn.narrow(0, static_cast<int64_t>(i), 1);
    if (t.steps[t.next].drawsNoise)
      t.random->fill(row);
    else
      row.zero_();
  }
  return rounded(upload(drawn, device), dtype);
}

bool needsPrevious(const Trajectory& t, size_t step) { return step < t.steps.size() && t.steps[step].previousScale != 0; }

// The numbers of the step about to be taken, from one copy to the device.
struct Numbers {
  at::Tensor ratios;                      // one a row: (images + guided)
  at::Tensor scale, epsilonScale, sigma;  // one an image, shaped to scale its (C, H, W)
};

Numbers numbersFor(const std::vector<Trajectory*>& batch, const std::vector<int64_t>& guided, c10::Device device) {
  const auto images = static_cast<int64_t>(batch.size()), rows = images + static_cast<int64_t>(guided.size());
  const at::Tensor host = emptyForUpload({rows + 3 * images}, device);
  float* next = host.mutable_data_ptr<float>();
  const auto put = [&next](const Trajectory& t, float Step::* field) { *next++ = t.steps[t.next].*field; };
  for (const Trajectory* t : batch) put(*t, &Step::timestep);
  for (const int64_t i : guided) put(*batch[i], &Step::timestep);
  for (const auto field : {&Step::scale, &Step::epsilonScale, &Step::sigma}) {
    for (const Trajectory* t : batch) put(*t, field);
  }
  const at::Tensor numbers = upload(host, device);
  const auto perImage = [&](int64_t k) { return numbers.narrow(0, rows + k * images, images).view({-1, 1, 1, 1}); };
  return {numbers.narrow(0, 0, rows), perImage(0), perImage(1), perImage(2)};
}

}  // namespace

bool canShareRun(const Trajectory& a, const Trajectory& b) {
  if (!sameRowSizes(a.latents, b.latents) || a.condition.size() != b.condition.size()) return false;
  for (size_t i = 0; i < a.condition.size(); ++i) {
    if (!sameRowSizes(a.condition[i], b.condition[i])) return false;
  }
  return true;
}

int Denoiser::advance(Program& program, const std::vector<Trajectory*>& batch) {
  std::vector<std::pair<at::Tensor, ImageRandom>> before;
  before.reserve(batch.size());
  for (const Trajectory* t : batch) before.emplace_back(t->latents, *t->random);
  try {
    return takeSteps(program, batch);
  } catch (...) {
    for (size_t i = 0; i < batch.size(); ++i) {
      batch[i]->latents = before[i].first;
      *batch[i]->random = std::move(before[i].second);
    }
    throw;
  }
}

int Denoiser::takeSteps(Program& program, const std::vector<Trajectory*>& batch) {
  const c10::Device device = program.device();
  const int64_t images = static_cast<int64_t>(batch.size());

  for (Trajectory* t : batch) {
    if (t->inpainting) keepSource(*t, program.dtype());
  }

  // The rows are every image, then once more each image with guidance, under its negative condition.
  Tensors latentRows;
  for (const Trajectory* t : batch) latentRows.push_back(t->latents);
  const at::Tensor latents = concatenate(latentRows);  // (images, C, H, W)
  std::vector<int64_t> guided;
  for (int64_t i = 0; i < images; ++i) {
    if (!batch[i]->guided()) continue;
    guided.push_back(i);
    latentRows.push_back(batch[i]->latents);
  }

  const Numbers numbers = numbersFor(batch, guided, device);
  Tensors inputs{concatenate(latentRows).to(program.dtype()), numbers.ratios};
  const Tensors& conditions = conditionsOf(batch);
  inputs.insert(inputs.end(), conditions.begin(), conditions.end());
  const at::Tensor rows = program.run("step", inputs).front().to(c10::kFloat);  // (images + guided, C, H, W)

  // A GPU still computes while this draws, therefore noise has a copy of its own. DDPM's last step draws too, because the
  // reference's stream has that draw.
  const bool draws = std::any_of(batch.begin(), batch.end(), [](const auto* t) { return t->steps[t->next].drawsNoise; });
  const at::Tensor noise = draws ? noiseFor(batch, device, program.dtype()) : at::Tensor();

  Tensors predictions;
  for (int64_t i = 0; i < images; ++i) predictions.push_back(rows.narrow(0, i, 1));
  for (size_t k = 0; k < guided.size(); ++k) {
    const int64_t i = guided[k];
    predictions[i] = guide(predictions[i], rows.narrow(0, images + static_cast<int64_t>(k), 1), batch[i]->guidance.scale);
  }
  const at::Tensor epsilon = concatenate(predictions);

  at::Tensor updated = numbers.scale * (latents - numbers.epsilonScale * epsilon);
  if (draws) updated = updated + numbers.sigma * noise;
  Tensors results, cleans, estimates;
  for (int64_t i = 0; i < images; ++i) {
    const Trajectory& t = *batch[i];
    at::Tensor row = updated.narrow(0, i, 1);
    if (needsPrevious(t, t.next)) row = row + t.steps[t.next].previousScale * t.previousEstimate;
    results.push_back(t.inpainting && t.next + 1 == t.steps.size() ? keep(*t.inpainting, row, t.inpainting->source) : row);
    const bool keepsClean = needsPrevious(t, t.next + 1);
    const at::Tensor clean =
        keepsClean || t.wantsEstimate ? cleanOf(t, latents.narrow(0, i, 1), epsilon.narrow(0, i, 1)) : at::Tensor();
    estimates.push_back(t.wantsEstimate ? estimateOf(t, clean) : at::Tensor());
    cleans.push_back(keepsClean ? clean : at::Tensor());
  }
  for (int64_t i = 0; i < images; ++i) {  // nothing here throws
    Trajectory& t = *batch[i];
    t.latents = results[i];
    t.previousEstimate = cleans[i];
    if (t.wantsEstimate) t.estimate = estimates[i];
    t.wantsEstimate = false;
    ++t.next;
  }
  return static_cast<int>(latentRows.size());
}

const Tensors& Denoiser::conditionsOf(const std::vector<Trajectory*>& batch) {
  std::vector<const Tensors*> conditions;  // a row each, in the order of the rows of latents
  for (const Trajectory* t : batch) conditions.push_back(&t->condition);
  for (const Trajectory* t : batch) {
    if (t->guided()) conditions.push_back(&t->negativeCondition);
  }
  std::vector<Row> rows;
  for (const Tensors* condition : conditions) {
    for (const at::Tensor& tensor : *condition) rows.emplace_back(tensor.getIntrusivePtr());
  }
  if (rows == rows_) return conditions_;
  clear();
  for (size_t c = 0; c < conditions.front()->size(); ++c) {
    Tensors column;
    for (const Tensors* condition : conditions) column.push_back((*condition)[c]);
    conditions_.push_back(concatenate(column));
  }
  rows_ = std::move(rows);
  return conditions_;
}

void Denoiser::clear() {
  rows_.clear();
  conditions_.clear();
}

}  // namespace wuerstchen
