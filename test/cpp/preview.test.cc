#include "preview.h"

#include "check.h"
#include "models.h"
#include "test_engine.h"

using namespace wuerstchen;
using namespace testing;

namespace {

Request withPreviews(Request request, int previews) {
  request.previews = previews;
  return request;
}

// The events of a lone request, in order: prior2, preview2, …
std::vector<std::string> eventsOf(TestEngine& engine, const Request& request, std::vector<PreviewEvent>* previews = nullptr) {
  std::vector<std::string> events;
  TestEngine::imagesOf(engine.start(request, [&](const Event& event) {
    if (const auto* step = std::get_if<StepEvent>(&event)) events.push_back(stageName(step->stage) + std::to_string(step->step));
    if (const auto* preview = std::get_if<PreviewEvent>(&event)) {
      events.push_back("preview" + std::to_string(preview->step) + "/" + std::to_string(preview->steps));
      if (previews != nullptr) previews->push_back(*preview);
    }
    if (std::holds_alternative<ImageEvent>(event)) events.emplace_back("image");
  }));
  return events;
}

}  // namespace

TEST(preview, areEquallyFarApartAndTheLastIsOfTheLastStep) {
  for (int steps = 1; steps < 40; ++steps) {
    for (int previews = 0; previews < 50; ++previews) {
      std::vector<int> due;
      for (int step = 1; step <= steps; ++step) {
        if (isPreviewDue(step, steps, previews)) due.push_back(step);
      }
      CHECK(static_cast<int>(due.size()) == std::min(steps, previews));
      if (!due.empty()) CHECK(due.back() == steps);
      for (size_t i = 1; i < due.size(); ++i) CHECK(std::abs((due[i] - due[i - 1]) - steps / std::min(steps, previews)) <= 1);
    }
  }
}

TEST(preview, aPreviewerShowsTheEstimateAfterAStep) {
  const models::Folder folder;
  EngineSpec spec = models::write(folder);
  models::addPreviewer(spec, folder);
  TestEngine engine(spec);
  const Request asked = withPreviews(request({5}, 4, 0.0), 2);
  std::vector<PreviewEvent> previews;
  CHECK((eventsOf(engine, asked, &previews) == std::vector<std::string>{"prior1", "prior2", "preview2/4", "prior3", "prior4",
                                                                        "preview4/4", "decoder1", "decoder2", "decoder3",
                                                                        "decoder4", "vqDecoder1", "image"}));
  const std::vector<Step> steps = NoiseSchedule({1, 0.008}).steps(asked.prior.timesteps);
  ImageRandom random(5);
  const auto draw = [&] { return random.normal({1, 16, 3, 3}, c10::kFloat); };
  at::Tensor z = draw();
  for (size_t i = 0, shown = 0; i < steps.size(); ++i) {
    const at::Tensor epsilon = 0.1 * z + 0.01 * (steps[i].timestep + 3.0);
    if (i == 1 || i == 3) {
      const at::Tensor estimate = (z - steps[i].noising.noise * epsilon) / steps[i].noising.signal;
      const at::Tensor cells = ((estimate[0].slice(0, 0, 3) + 0.5).clamp(0, 1) * 255).permute({1, 2, 0});  // (3, 3, RGB)
      const Pixels& pixels = previews.at(shown++).pixels;
      CHECK(pixels.sizes() == at::IntArrayRef({24, 24, 3}));
      CHECK((pixels.slice(0, 0, 24, 8).slice(1, 7, 24, 8).to(at::kFloat) - cells).abs().max().item<float>() < 0.51);  // rounding
    }
    z = steps[i].scale * (z - steps[i].epsilonScale * epsilon) + steps[i].sigma * draw();
  }
  CHECK((*engine).stats().stages.at(StageId::Previewer).runs == 2);
}

TEST(preview, withoutAPreviewerAShortDecodeRunsBetweenTwoSteps) {
  const models::Folder folder;
  TestEngine engine(models::write(folder));
  std::vector<PreviewEvent> previews;
  CHECK((eventsOf(engine, withPreviews(request({5}), 2), &previews) ==
         std::vector<std::string>{"prior1", "prior2", "preview2/4", "prior3", "prior4", "preview4/4", "decoder1", "decoder2",
                                  "decoder3", "decoder4", "vqDecoder1", "image"}));
  for (const PreviewEvent& preview : previews) CHECK(preview.pixels.sizes() == at::IntArrayRef({128, 128, 3}));
  CHECK((*engine).stats().stages.at(StageId::Decoder).runs == 2 * 3 + 4);
}

TEST(preview, imagesAreTheSameToTheLastBitWithAndWithoutThem) {
  const models::Folder folder;
  EngineSpec spec = models::write(folder);
  spec.maxBatch = 2;
  TestEngine shortDecodes(spec);
  models::addPreviewer(spec, folder);
  TestEngine previewer(spec);
  const Request plain = request({5, 6, 7}, 6, 3.0);
  const std::vector<Pixels> expected = shortDecodes.images(plain);
  for (TestEngine* engine : {&shortDecodes, &previewer}) {
    Running running = engine->start(withPreviews(plain, 4));
    const Result result = std::get<Result>(running.outcome.get());
    CHECK(result.randomOffsets == engine->run(plain).randomOffsets);
    for (size_t i = 0; i < expected.size(); ++i) CHECK(at::equal(running.images->at(i), expected[i]));
  }
}

TEST(preview, endWithTheirRequest) {
  const models::Folder folder;
  TestEngine engine(models::write(folder));
  const Held held(engine, request({1}, 1));
  std::atomic<uint64_t> id{0};
  std::atomic<int> previews{0};
  Running doomed = engine.start(withPreviews(request({5}), 4), [&](const Event& event) {
    previews += std::holds_alternative<PreviewEvent>(event);
    if (std::holds_alternative<StepEvent>(event)) (*engine).cancel(id);  // its first preview is about to be decoded
  });
  id = doomed.id;
  held.release();
  CHECK(is(std::get<Failure>(doomed.outcome.get()), Code::Cancelled, ""));
  CHECK(previews == 0);
  CHECK(engine.images(request({2})).size() == 1);
}

TEST(preview, sequentialResidencyKeepsThePreviewerBesideTheStageInUse) {
  const models::Folder folder;
  EngineSpec spec = models::write(folder);
  models::addPreviewer(spec, folder);
  spec.residency = Residency::Sequential;
  TestEngine engine(spec);
  std::vector<PreviewEvent> previews;
  eventsOf(engine, withPreviews(request({5}), 4), &previews);
  CHECK(previews.size() == 4);
  int loaded = 0;
  for (const auto& [unused, stage] : (*engine).stats().stages) loaded += stage.bytes > 0;
  CHECK(loaded == 2 && (*engine).stats().stages.at(StageId::Previewer).bytes > 0);
}
