#include "request.h"

#include "check.h"
#include "models.h"
#include "test_engine.h"

using namespace wuerstchen;
using namespace testing;

namespace {

bool refuses(const Request& request, const EngineSpec& spec, const std::string& subject) {
  return is(failureOf([&] { checkRequest(request, spec); }), Code::InvalidArgument, subject);
}

bool refuses(const std::function<void(Request&)>& change, const std::string& subject) {
  const models::Folder folder;
  Request changed = request({1, 2});
  change(changed);
  return refuses(changed, models::write(folder), subject);
}

}  // namespace

TEST(request, whatAnEngineCanRunIsAccepted) {
  const models::Folder folder;
  const EngineSpec spec = models::write(folder);
  Request r = request({1, 2});
  r.previews = 3;
  r.images[1].randomOffset = 2001 * 16 * 3 * 3;
  r.priorLatents = r.embeddings = at::zeros({2, 16, 3, 3}, at::kHalf);
  r.mask = at::ones({2, 1, 3, 3});
  r.decoderLatents = r.decoderSource = at::zeros({2, 4, 32, 32});
  checkRequest(r, spec);
  r.prior.timesteps.clear();
  r.mask.reset();
  r.previews = 0;
  checkRequest(r, spec);
}

TEST(request, whatItCannotRunIsRefusedByItsName) {
  CHECK(refuses([](Request& r) { r.gridHeight = 0; }, "gridHeight"));
  CHECK(refuses([](Request& r) { r.gridWidth = int64_t{1} << 40; }, "gridWidth"));
  CHECK(refuses([](Request& r) { r.priorTexts[0] = at::ones({2, 5, 2}); }, "promptEmbeds"));
  CHECK(refuses([](Request& r) { r.decoderTexts[0] = Tokens{at::ones({1, 5}, at::kLong), at::ones({1, 4}, at::kLong)}; },
                "prompt"));
  CHECK(refuses([](Request& r) { r.images.clear(); }, "images"));
  CHECK(refuses([](Request& r) { r.images[1].seed = -1; }, "seed"));
  CHECK(refuses([](Request& r) { r.images[1].randomOffset = -1; }, "randomOffset"));
  CHECK(refuses([](Request& r) { r.images[1].randomOffset = 2001 * 16 * 3 * 3 + 1; }, "randomOffset"));
  CHECK(refuses([](Request& r) { r.images[1].priorText = 2; }, "priorText"));
  CHECK(refuses([](Request& r) { r.images[1].priorNegativeText = -1; }, "priorNegativeText"));
  CHECK(refuses([](Request& r) { r.images[1].decoderText = -1; }, "decoderText"));
  CHECK(refuses([](Request& r) { r.previews = -1; }, "previews"));
  CHECK(refuses([](Request& r) { r.prior.timesteps.clear(); }, "embeddings"));
  CHECK(refuses([](Request& r) { r.mask = at::ones({2, 1, 3, 3}); }, "mask"));
  CHECK(refuses(
      [](Request& r) {
        r.prior.timesteps.clear();
        r.decoder.timesteps.clear();
        r.embeddings = at::zeros({2, 16, 3, 3});
      },
      "decoderTimesteps"));
}

TEST(request, tensorsOfOtherSizesDtypesAndValuesAreRefused) {
  CHECK(refuses([](Request& r) { r.priorLatents = at::zeros({1, 16, 3, 3}); }, "latents"));
  CHECK(refuses([](Request& r) { r.embeddings = at::zeros({2, 16, 3, 3}, at::kInt); }, "embeddings"));
  CHECK(refuses([](Request& r) { r.mask = at::ones({2, 16, 3, 3}); }, "mask"));
  CHECK(refuses([](Request& r) { r.decoderLatents = at::zeros({2, 4, 31, 32}); }, "latents"));
}

// Whoever submits a request must not wait for this, so the engine's thread looks.
TEST(request, numbersThatAreNotFiniteAreRefused) {
  for (const double wrong : {double{NAN}, double{INFINITY}, -double{INFINITY}}) {
    const auto refusesNumbers = [&](const std::function<void(Request&, at::Tensor)>& put, const char* subject) {
      Request r = request({1, 2});
      at::Tensor tensor = at::zeros({2, 3});
      tensor[1][1] = wrong;
      put(r, tensor);
      return is(failureOf([&] { checkNumbers(r); }), Code::InvalidArgument, subject);
    };
    CHECK(refusesNumbers([](Request& r, at::Tensor t) { r.priorLatents = t; }, "latents"));
    CHECK(refusesNumbers([](Request& r, at::Tensor t) { r.embeddings = t; }, "embeddings"));
    CHECK(refusesNumbers([](Request& r, at::Tensor t) { r.mask = t; }, "mask"));
    CHECK(refusesNumbers([](Request& r, at::Tensor t) { r.decoderLatents = t; }, "latents"));
    CHECK(refusesNumbers([](Request& r, at::Tensor t) { r.decoderSource = t; }, "latents"));
    CHECK(refusesNumbers([](Request& r, at::Tensor t) { r.priorTexts[1] = t; }, "promptEmbeds"));
    CHECK(refusesNumbers([](Request& r, at::Tensor t) { r.decoderTexts[0] = t; }, "promptEmbeds"));
  }
  CHECK(!failureOf([] { checkNumbers(request({1})); }));
}

TEST(request, tensorsHaveTheChannelsThatTheProgramsSay) {
  const models::Folder folder;
  const EngineSpec spec = models::write(folder, {8, 6});
  Request r = request({1});
  r.priorLatents = r.embeddings = at::zeros({1, 8, 3, 3});
  r.decoderLatents = at::zeros({1, 6, 32, 32});
  checkRequest(r, spec);
  r.embeddings = at::zeros({1, 16, 3, 3});
  CHECK(refuses(r, spec, "embeddings"));
  checkLatents(at::zeros({1, 6, 2, 2}), spec);
  CHECK(is(failureOf([&] { checkLatents(at::zeros({1, 4, 2, 2}), spec); }), Code::InvalidArgument, "latents"));
}

TEST(request, aStageThatATensorIsForMustBeThere) {
  const models::Folder folder;
  EngineSpec spec = models::write(folder);
  std::erase_if(spec.programs, [](const auto& p) { return p.first > StageId::Prior; });
  Request r = request({1});
  r.decoderLatents = at::zeros({1, 4, 32, 32});
  CHECK(is(failureOf([&] { checkRequest(r, spec); }), Code::ModelMismatch, "decoder"));
  CHECK(is(failureOf([&] { checkLatents(at::zeros({1, 4, 2, 2}), spec); }), Code::ModelMismatch, "vqDecoder"));
}

TEST(request, previewsNeedAPreviewerOrADecoderThatStays) {
  const models::Folder folder;
  EngineSpec spec = models::write(folder);
  spec.residency = Residency::Sequential;
  Request r = request({1});
  r.previews = 1;
  CHECK(refuses(r, spec, "previews"));
  models::addPreviewer(spec, folder);
  checkRequest(r, spec);
}
