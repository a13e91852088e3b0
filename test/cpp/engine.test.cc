#include "engine.h"

#include <functional>

#include "check.h"
#include "models.h"
#include "test_engine.h"

using namespace wuerstchen;
using namespace testing;

TEST(engine, makesAnImageAndTellsItsSteps) {
  const models::Folder folder;
  TestEngine engine(models::write(folder));
  CHECK(!engine.failure());
  std::vector<std::string> events;
  Running running = engine.start(request({42}), [&](const Event& event) {
    const auto* step = std::get_if<StepEvent>(&event);
    events.push_back(step ? stageName(step->stage) + std::to_string(step->step) : "image");
  });
  const Result result = std::get<Result>(running.outcome.get());
  CHECK(running.images->at(0).sizes() == at::IntArrayRef({128, 128, 3}));
  CHECK(result.embeddings.sizes() == at::IntArrayRef({1, 16, 3, 3}));
  CHECK(result.randomOffsets.at(0) == 5 * 16 * 9 + 5 * 4 * 32 * 32);  // start latents and one draw a step, twice
  CHECK((events == std::vector<std::string>{"prior1", "prior2", "prior3", "prior4", "decoder1", "decoder2", "decoder3",
                                            "decoder4", "vqDecoder1", "image"}));
  CHECK(result.timings.total > 0 && result.timings.prior > 0 && result.timings.decoder > 0);
}

TEST(engine, halvesOfACallMakeTheSameImage) {
  const models::Folder folder;
  TestEngine engine(models::write(folder));
  const std::vector<Pixels> whole = engine.images(request({5, 6}));
  Request prior = request({5, 6});
  prior.decoder.timesteps.clear();
  const Result half = engine.run(prior);
  Request decode = request({5, 6});
  decode.prior.timesteps.clear();
  decode.embeddings = half.embeddings;
  for (size_t i = 0; i < 2; ++i) decode.images[i].randomOffset = half.randomOffsets[i];
  const std::vector<Pixels> rest = engine.images(decode);
  for (size_t i = 0; i < 2; ++i) CHECK(at::equal(rest[i], whole[i]));
}

// Image to image: the start is √ᾱ·z + √(1−ᾱ)·noise with z = (e + 1)/42. From t → 0 it is the embedding itself.
TEST(engine, aPriorCanStartFromEmbeddings) {
  const models::Folder folder;
  TestEngine engine(models::write(folder));
  Request edit = request({5}, 4, 0.0);
  edit.decoder.timesteps.clear();
  edit.embeddings = at::randn({1, 16, 3, 3});
  edit.prior.timesteps = {0.6, 0.3, 0.0};
  const NoiseSchedule schedule({1, 0.008});
  const std::vector<Step> steps = schedule.steps(edit.prior.timesteps);
  const Noising n = schedule.noising(0.6F);
  ImageRandom random(5);
  const auto draw = [&] { return random.normal({1, 16, 3, 3}, c10::kFloat); };
  at::Tensor z = n.signal * (edit.embeddings + 1) / 42 + n.noise * draw();
  for (const Step& s : steps) z = s.scale * (z - s.epsilonScale * (0.1 * z + 0.01 * (s.timestep + 3.0))) + s.sigma * draw();
  CHECK(at::allclose(engine.run(edit).embeddings, z * 42 - 1, 1e-4, 1e-4));

  Request kept = edit;
  kept.mask = at::zeros({1, 1, 3, 3});                                         // nothing to make anew
  CHECK(at::allclose(engine.run(kept).embeddings, edit.embeddings, 0, 1e-5));  // z and back in float32
}

TEST(engine, aDecoderCanStartFromLatents) {
  const models::Folder folder;
  TestEngine engine(models::write(folder));
  Request refine = request({5});
  refine.prior.timesteps.clear();
  refine.embeddings = at::zeros({1, 16, 3, 3});
  refine.decoder.timesteps = {0.001, 0.0};
  refine.decoderSource = at::randn({1, 4, 32, 32});
  const Pixels pixels = engine.images(refine)[0];
  // At t = 0.001 the schedule's clamp leaves √(1e-4) of noise: the image is that of the latents.
  const at::Tensor expected = at::sigmoid(refine.decoderSource[0].slice(0, 0, 3) * 0.3764).permute({1, 2, 0}) * 255;
  CHECK((pixels.slice(0, 0, 128, 4).slice(1, 0, 128, 4).to(at::kFloat) - expected).abs().max().item<float>() < 12);
}

TEST(engine, tasksRunBetweenSteps) {
  const models::Folder folder;
  TestEngine engine(models::write(folder));
  Running busy = engine.start(request({1}, 100000));
  std::promise<std::variant<at::Tensor, Failure>> done, failed;
  (*engine).post({[](Stages& stages) { return stages.use(StageId::VqDecoder).run("forward", {at::zeros({1, 4, 2, 2})}).front(); },
                  [&](auto outcome) { done.set_value(std::move(outcome)); }});
  (*engine).post({[](Stages& stages) { return stages.use(StageId::ImageEncoder).run("forward", {}).front(); },
                  [&](auto outcome) { failed.set_value(std::move(outcome)); }});
  CHECK(std::get<at::Tensor>(done.get_future().get()).sizes() == at::IntArrayRef({1, 3, 8, 8}));
  CHECK(is(std::get<Failure>(failed.get_future().get()), Code::ModelMismatch, "imageEncoder"));
  CHECK(busy.outcome.wait_for(std::chrono::seconds(0)) == std::future_status::timeout);  // it is still at work
  (*engine).requestStop();
  CHECK(is(std::get<Failure>(busy.outcome.get()), Code::Disposed, "pipeline"));
  (*engine).join();
  std::promise<std::variant<at::Tensor, Failure>> late;
  (*engine).post({[](Stages&) { return at::Tensor(); }, [&](auto outcome) { late.set_value(std::move(outcome)); }});
  CHECK(is(std::get<Failure>(late.get_future().get()), Code::Disposed, "pipeline"));
}

TEST(engine, requestsThatShareBatchesGetTheirOwnImages) {
  const models::Folder folder;
  TestEngine engine(models::write(folder));
  std::vector<Request> requests{request({1}, 4), request({2, 3}, 9, 0.0), request({4}, 6, 2.0), request({5}, 1)};
  requests[2].gridWidth = 6;  // another size cannot share a run, and must not break it
  std::vector<Running> running;
  for (const Request& r : requests) running.push_back(engine.start(r));
  for (size_t k = 0; k < requests.size(); ++k) {
    const std::vector<Pixels> together = TestEngine::imagesOf(std::move(running[k]));
    const std::vector<Pixels> alone = engine.images(requests[k]);
    for (size_t i = 0; i < alone.size(); ++i) CHECK(samePixels(together[i], alone[i]));
  }
  const EngineStats stats = (*engine).stats();
  CHECK(stats.failed == 0 && stats.cancelled == 0);
  CHECK(stats.batchSizes.rbegin()->first > 1);  // they did share
}

// An image of another size must not take a place in a batch that it then leaves.
TEST(engine, batchesAreFullAlthoughSizesAreMixed) {
  const models::Folder folder;
  EngineSpec spec = models::write(folder);
  spec.maxBatch = 3;
  TestEngine engine(spec);
  const Held held(engine, request({1}, 1));  // all six are there when batches are formed
  std::vector<Running> running;
  for (uint64_t i = 0; i < 6; ++i) {
    Request r = request({i}, 5);
    r.gridWidth = i % 2 == 0 ? 3 : 6;
    running.push_back(engine.start(r));
  }
  held.release();
  for (Running& r : running) TestEngine::imagesOf(std::move(r));
  const std::map<int, int64_t> sizes = (*engine).stats().batchSizes;
  CHECK((sizes == std::map<int, int64_t>{{1, 2}, {3, 20}}));  // three of a size, five steps in two stages, twice
}

// Two images of 3 × 6 cells have as many as four of 3 × 3. An image that has more than all that is alone.
TEST(engine, largerImagesShareARunWithFewerOthers) {
  const models::Folder folder;
  EngineSpec spec = models::write(folder);
  spec.maxBatch = 3;
  spec.maxBatchCells = 36;
  for (const auto& [width, share] : {std::pair(3, 3), {6, 2}, {15, 1}}) {
    TestEngine engine(spec);
    Request r = request({1, 2, 3, 4, 5, 6}, 5);
    r.gridWidth = width;
    engine.run(r);
    CHECK(((*engine).stats().batchSizes == std::map<int, int64_t>{{share, 2 * 5 * 6 / share}}));
  }
}

// Each engine waits in its first event until the other is in its own: with one thread for both neither would come back.
TEST(engine, enginesRunAtOnceAndEachHalfOnItsOwn) {
  const models::Folder folder;
  const EngineSpec spec = models::write(folder);
  EngineSpec priorSpec = spec, decoderSpec = spec;
  std::erase_if(priorSpec.programs, [](const auto& p) { return p.first > StageId::Prior; });
  std::erase_if(decoderSpec.programs, [](const auto& p) { return p.first <= StageId::Prior; });
  TestEngine whole(spec), prior(priorSpec), decoder(decoderSpec);
  Request first = request({5});
  first.decoder.timesteps.clear();
  const Result half = prior.run(first);
  Request second = request({5});
  second.prior.timesteps.clear();
  second.embeddings = half.embeddings;
  second.images[0].randomOffset = half.randomOffsets[0];

  std::promise<void> arrived[2];
  std::shared_future<void> both[2] = {arrived[0].get_future().share(), arrived[1].get_future().share()};
  const auto meet = [&](int self) {
    return [&arrived, other = both[1 - self], self, met = false](const Event&) mutable {
      if (!met) arrived[self].set_value();
      met = true;
      other.wait();
    };
  };
  Running a = prior.start(first, meet(0)), b = decoder.start(second, meet(1));
  CHECK(at::equal(std::get<Result>(a.outcome.get()).embeddings, half.embeddings));
  CHECK(samePixels(TestEngine::imagesOf(std::move(b))[0], whole.images(request({5}))[0]));
}

TEST(engine, sequentialResidencyMakesTheSameImageWithOneStageAtATime) {
  const models::Folder folder;
  EngineSpec spec = models::write(folder);
  TestEngine all(spec);
  spec.residency = Residency::Sequential;
  TestEngine sequential(spec);
  CHECK(at::equal(all.images(request({9}))[0], sequential.images(request({9}))[0]));
  int loaded = 0;
  for (const auto& [unused, stage] : (*sequential).stats().stages) loaded += stage.bytes > 0;
  CHECK(loaded == 1);
}

TEST(engine, cancelEndsOneRequestAtAStepAndLeavesTheOther) {
  const models::Folder folder;
  TestEngine engine(models::write(folder));
  std::promise<void> started;
  std::atomic<bool> once{false};
  Running doomed = engine.start(request({1}, 100000), [&](const Event&) {
    if (!once.exchange(true)) started.set_value();
  });
  started.get_future().wait();
  Running other = engine.start(request({2}));
  (*engine).cancel(doomed.id);
  CHECK(is(std::get<Failure>(doomed.outcome.get()), Code::Cancelled, ""));
  CHECK(samePixels(TestEngine::imagesOf(std::move(other))[0], engine.images(request({2}))[0]));
  CHECK((*engine).stats().cancelled == 1);
  (*engine).cancel(doomed.id);  // late and unknown ids do nothing
  (*engine).cancel(12345);
}

// What is not finite would come out as plain black. The others of its batch go on.
TEST(engine, anImageThatIsNotFiniteIsAnErrorOfItsOwn) {
  const models::Folder folder;
  EngineSpec spec = models::write(folder);
  models::replaceDecoderStep(spec, folder, "return latents / (1.0 * (condition < 1000)).view(-1, 1, 1, 1)");
  TestEngine engine(spec);
  const std::vector<Pixels> alone = engine.images(request({2}));
  const Held held(engine, request({1}, 1));
  Request doomed = request({3});
  doomed.decoderTexts = {tokens(5000), tokens(-2)};
  Running failing = engine.start(doomed);
  Running fine = engine.start(request({2}));
  held.release();
  CHECK(is(std::get<Failure>(failing.outcome.get()), Code::NotFinite, "decoder"));
  CHECK(samePixels(TestEngine::imagesOf(std::move(fine))[0], alone[0]));
  CHECK((*engine).stats().batchSizes.rbegin()->first == 2);

  Request overflowing = request({1});
  overflowing.priorTexts = {at::full({1, 5, 2}, 3e38), tokens(-3)};  // finite, but the guidance is not
  CHECK(is(std::get<Failure>(engine.start(overflowing).outcome.get()), Code::NotFinite, "prior"));
}

// Four images share a run, and memory is refused to more than `fit` of them in the decoder: each is as it is with room for all.
EngineStats statsOfRefused(int fit, const std::function<Request(uint64_t seed)>& of) {
  const models::Folder folder;
  EngineSpec spec = models::write(folder);
  const std::string noise = "latents * self.weight[0] + 0.01 * (ratio + condition[:, 0]).view(-1, 1, 1, 1)";
  models::replaceDecoderStep(spec, folder, "return " + noise);
  TestEngine roomy(spec);
  const std::string refused = "return torch.zeros([1 << 50]) if latents.size(0) > " + std::to_string(fit);
  models::replaceDecoderStep(spec, folder, refused + " else " + noise);
  TestEngine tight(spec);
  const Held held(tight, request({1}, 1));
  std::vector<Running> running;
  for (uint64_t seed = 10; seed < 14; ++seed) running.push_back(tight.start(of(seed)));
  held.release();
  for (uint64_t seed = 10; seed < 14; ++seed) {
    const std::vector<Pixels> images = TestEngine::imagesOf(std::move(running[seed - 10]));
    CHECK(samePixels(images[0], roomy.images(of(seed))[0]));
  }
  return (*tight).stats();
}

// Two riders fit and four do not: all get their images, in halves.
TEST(engine, aBatchThatMemoryIsRefusedForIsHalved) {
  const EngineStats stats = statsOfRefused(2, [](uint64_t seed) { return request({seed}, 4, 0.0); });
  CHECK(stats.failed == 0);
  CHECK(stats.batchSizes.at(4) == 4);  // the prior's steps
  CHECK(stats.batchSizes.at(2) == 8);  // the decoder's
}

// Four do not fit, and two neither: each image takes its one step once.
TEST(engine, aBatchThatMemoryIsRefusedForTwiceIsHalvedTwice) {
  const EngineStats stats = statsOfRefused(1, [](uint64_t seed) {
    Request of = request({seed}, 4, 0.0);
    of.decoder.timesteps = {1.0, 0.0};
    return of;
  });
  CHECK(stats.failed == 0);
  CHECK(stats.batchSizes.at(4) == 4);  // the prior's steps
}

// A program that is not what its manifest says is found when it is loaded.
TEST(engine, stagesAreTriedWhenTheyAreLoaded) {
  const models::Folder folder;
  const EngineSpec sound = models::write(folder);
  const auto loadingFailsFor = [](const EngineSpec& spec, const std::string& file) {
    return is(TestEngine(spec).failure(), Code::ModelInvalid, file);
  };
  EngineSpec swapped = sound;
  swapped.programs.at(StageId::VqDecoder).file = sound.programs.at(StageId::PriorTextEncoder).file;
  CHECK(loadingFailsFor(swapped, swapped.programs.at(StageId::VqDecoder).file));

  EngineSpec wider = sound;  // the prior says that its text has three channels, its program takes any: the stages disagree later
  wider.texts[StageId::PriorTextEncoder] = {5, 3};
  CHECK(!TestEngine(wider).failure());
  wider.programs.at(StageId::PriorTextEncoder).functions.at("forward").outputs.front().shape = {"batch", "text", int64_t{3}};
  CHECK(loadingFailsFor(wider, wider.programs.at(StageId::PriorTextEncoder).file));

  EngineSpec scaled = sound;
  scaled.constants.latentDimScale = 0.001;
  CHECK(loadingFailsFor(scaled, "latentDimScale"));
}

// 200 of anything are dropped at once: at most the step under way and one more.
TEST(engine, stopsWithinTwoStepsWhateverWaits) {
  const models::Folder folder;
  TestEngine engine(models::write(folder));
  std::atomic<int> ran{0}, ended{0};
  const Held held(engine, request({1}, 1000));
  for (int i = 0; i < 200; ++i) {
    (*engine).post({[&](Stages&) { return ++ran, at::Tensor(); }, [&](const auto&) { ++ended; }});
  }
  std::vector<Running> running;
  for (uint64_t i = 0; i < 200; ++i) running.push_back(engine.start(request({i}, 1000)));
  (*engine).requestStop();
  held.release();
  (*engine).join();
  CHECK(ran <= 1 && ended == 200);
  for (Running& r : running) CHECK(is(std::get<Failure>(r.outcome.get()), Code::Disposed, "pipeline"));
  int64_t steps = 0;
  for (const auto& [unused, runs] : (*engine).stats().batchSizes) steps += runs;
  CHECK(steps <= 2);
}

TEST(engine, aTaskRunsBeforeEveryStepAndACancelledOneLeaves) {
  const models::Folder folder;
  TestEngine engine(models::write(folder));
  std::vector<std::string> order;
  std::promise<void> last;
  const Held held(engine, request({1}, 20));  // the other request shares its steps
  uint64_t doomed = 0;
  std::promise<std::variant<at::Tensor, Failure>> gone;
  for (int i = 0; i < 3; ++i) {
    (*engine).post({[&](Stages&) { return order.push_back("task"), at::zeros({1}); }, [](const auto&) {}});
    if (i > 0) continue;
    doomed = (*engine).post({[&](Stages&) { return order.push_back("cancelled"), at::zeros({1}); },
                             [&](auto outcome) { gone.set_value(std::move(outcome)); }});
  }
  CHECK((*engine).stats().tasks == 4);
  Running running = engine.start(request({2}, 3, 0.0), [&](const Event& event) {
    if (std::holds_alternative<StepEvent>(event)) order.push_back("step");
  });
  (*engine).cancel(doomed);
  held.release();
  CHECK(is(std::get<Failure>(gone.get_future().get()), Code::Cancelled, ""));
  TestEngine::imagesOf(std::move(running));
  order.resize(6);
  CHECK((order == std::vector<std::string>{"task", "step", "task", "step", "task", "step"}));
  CHECK((*engine).stats().tasks == 0);
}

// 40 texts are no single run of the encoder, and other requests go on meanwhile.
TEST(engine, textsAreEncodedInBatchesAsImagesNeedThem) {
  const models::Folder folder;
  EngineSpec spec = models::write(folder);
  spec.maxBatch = 4;
  TestEngine engine(spec);
  Request many = request({}, 1, 0.0);
  many.priorTexts.clear();
  many.decoderTexts = {tokens(2)};
  for (int i = 0; i < 40; ++i) {
    many.priorTexts.push_back(tokens(i + 1));
    many.images.push_back({i, 0, i, -1, 0, -1});
  }
  const std::vector<Pixels> together = engine.images(many);
  const StageStats stats = (*engine).stats().stages.at(StageId::PriorTextEncoder);
  CHECK(stats.runs == 10 && stats.rows == 40);
  for (const int i : {0, 17, 39}) {
    Request alone = request({}, 1, 0.0);
    alone.priorTexts = {tokens(i + 1)};
    alone.decoderTexts = {tokens(2)};
    alone.images = {{i, 0, 0, -1, 0, -1}};
    CHECK(samePixels(engine.images(alone)[0], together[i]));
  }
}

TEST(engine, tellsHowLongItIsSilentAndAtWhat) {
  const models::Folder folder;
  TestEngine engine(models::write(folder));
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  CHECK((*engine).stats().silentMs == 0);  // nothing to do
  CHECK((*engine).stats().threads == 1);
  {
    const Held held(engine, request({1}, 1));
    std::this_thread::sleep_for(std::chrono::milliseconds(60));
    const EngineStats stats = (*engine).stats();
    CHECK(stats.silentMs >= 50 && stats.silentMs < 5000);
    CHECK(stats.doing == StageId::Prior);
    held.release();
  }
  CHECK((*engine).stats().silentMs == 0);
}

TEST(engine, leavesNothingBehind) {
  const int64_t engines = Engine::live(), programs = Program::live(), threads = Thread::live(), jobs = Counted<Job>::live();
  const models::Folder folder;
  EngineSpec broken = models::write(folder);
  broken.programs.at(StageId::VqDecoder).file += ".absent";
  for (int i = 0; i < 5; ++i) {
    TestEngine failing(broken);
    TestEngine engine(models::write(folder));
    Running running = engine.start(request({1}, 1000));
    (*engine).cancel(running.id);
    running.outcome.wait();
  }
  CHECK(Engine::live() == engines && Program::live() == programs && Thread::live() == threads);
  CHECK(Counted<Job>::live() == jobs);
}

TEST(engine, aRequestIsCountedByTheTimeItsEndIsHeardOf) {
  const models::Folder folder;
  TestEngine engine(models::write(folder));
  for (int64_t i = 1; i <= 20; ++i) {
    engine.run(request({1}, 1));
    const EngineStats stats = (*engine).stats();
    CHECK(stats.completed == i && stats.running == 0 && stats.queued == 0);
  }
}

TEST(engine, stoppingSettlesEveryRequest) {
  const models::Folder folder;
  TestEngine engine(models::write(folder));
  std::vector<Running> running;
  for (uint64_t i = 0; i < 20; ++i) running.push_back(engine.start(request({i}, 1000)));
  (*engine).requestStop();
  for (Running& r : running) CHECK(is(std::get<Failure>(r.outcome.get()), Code::Disposed, "pipeline"));
  (*engine).join();
  CHECK(is(std::get<Failure>(engine.start(request({1})).outcome.get()), Code::Disposed, "pipeline"));
}

TEST(engine, aRequestThatFailsLeavesTheOthers) {
  const models::Folder folder;
  TestEngine engine(models::write(folder));
  Request wrong = request({1});
  wrong.priorTexts = {at::ones({1, 5, 7}), tokens(-3)};  // the prior's condition takes 2 channels
  Running failing = engine.start(wrong);
  Running fine = engine.start(request({2}));
  CHECK(is(std::get<Failure>(failing.outcome.get()), Code::InvalidArgument, "condition.text"));
  CHECK(std::holds_alternative<Result>(fine.outcome.get()));
}

// What LibTorch throws in a stage is about that stage. The engine goes on.
TEST(engine, aStageThatFailsIsNamed) {
  const models::Folder folder;
  for (const auto& [line, code] :
       {std::pair("return torch.zeros([1 << 50]) if latents.size(3) > 32 else latents", Code::OutOfMemory),
        std::pair("return latents.view([1, 2, 3]) if latents.size(3) > 32 else latents", Code::Internal)}) {
    EngineSpec spec = models::write(folder);
    models::replaceDecoderStep(spec, folder, line);
    TestEngine engine(spec);
    Request larger = request({1});
    larger.gridWidth = 6;
    CHECK(is(std::get<Failure>(engine.start(larger).outcome.get()), code, "decoder"));
    Request half = request({1});
    half.decoder.timesteps.clear();
    CHECK(std::holds_alternative<Result>(engine.start(half).outcome.get()));
  }
}

TEST(engine, drawsAsManyChannelsAsTheProgramsSay) {
  const models::Folder folder;
  TestEngine engine(models::write(folder, {8, 6}));
  CHECK(!engine.failure());
  const Result result = engine.run(request({42}));
  CHECK(result.embeddings.sizes() == at::IntArrayRef({1, 8, 3, 3}));
  CHECK(result.randomOffsets.at(0) == 5 * 8 * 9 + 5 * 6 * 32 * 32);
}

TEST(engine, aModelThatCannotLoadSaysSoAndSettlesItsRequests) {
  const models::Folder folder;
  EngineSpec spec = models::write(folder);
  spec.programs.at(StageId::Decoder).file += ".absent";
  TestEngine engine(spec);
  CHECK(is(engine.failure(), Code::ModelInvalid, spec.programs.at(StageId::Decoder).file));
  CHECK(is(std::get<Failure>(engine.start(request({1})).outcome.get()), Code::Disposed, "pipeline"));
}
