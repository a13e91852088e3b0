// wuerstchen-core PLAN GRID_HEIGHT GRID_WIDTH [IMAGES] [THREADS] [RUNS] [PIXELS]: the whole loop without Node.
// Image k has seed k. Prints one line of JSON a run: timings in milliseconds, a checksum of the pixels, and the process's largest
// resident size so far in bytes. PIXELS is a file for the first run's RGB bytes.
#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <future>
#include <iostream>

#include "cuda_library.h"
#include "engine.h"
#include "guidance.h"
#include "plan.h"
#include "thread.h"

namespace {

using namespace wuerstchen;

Request makeRequest(const Plan& plan, int64_t gridHeight, int64_t gridWidth, int images) {
  Request request = plan.request;
  request.gridHeight = gridHeight;
  request.gridWidth = gridWidth;
  const auto negative = [](const Sampling& sampling) { return isGuided(sampling.guidance.scale) ? 1 : -1; };
  for (int i = 0; i < images; ++i) {
    request.images.push_back({i, 0, 0, negative(request.prior), 0, negative(request.decoder)});
  }
  checkRequest(request, plan.spec);
  return request;
}

struct Run {
  std::variant<Result, Failure> outcome;
  std::vector<Pixels> images;
};

Run runOnce(Engine& engine, Request request) {
  Run run{{}, std::vector<Pixels>(request.images.size())};
  std::promise<void> done;
  engine.submit(std::move(request), {[&run](const Event& event) {
                                       if (const auto* image = std::get_if<ImageEvent>(&event))
                                         run.images[image->image] = image->pixels;
                                     },
                                     [&run, &done](auto outcome) {
                                       run.outcome = std::move(outcome);
                                       done.set_value();
                                     }});
  done.get_future().get();
  return run;
}

int64_t peakBytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return int64_t{usage.ru_maxrss} * 1024;
}

void writePixels(const std::vector<Pixels>& images, const char* file) {
  std::ofstream out(file, std::ios::binary);
  for (const Pixels& pixels : images)
    out.write(static_cast<const char*>(pixels.const_data_ptr()), static_cast<std::streamsize>(pixels.nbytes()));
  if (!out) throw Error(Code::InvalidArgument, std::string("Expected a file that can be written but received ") + file, file);
}

int run(int argc, char** argv) {
  setUpThread(1);  // a second team of OpenMP threads would keep the engine's team from spinning (aoti.h, rule 2)
  const auto argument = [&](int i, int fallback) { return argc > i ? std::atoi(argv[i]) : fallback; };
  openCudaLibrary();
  const Plan plan = readPlan(argv[1]);
  EngineSpec spec = plan.spec;
  spec.maxBatch = std::max(1, argument(4, 1));
  spec.threads = std::max(1, argument(5, 1));
  const Request request = makeRequest(plan, argument(2, 3), argument(3, 3), spec.maxBatch);

  std::promise<std::optional<Failure>> loaded;
  Engine engine(spec,
                {.onProgress = nullptr, .onLoaded = [&](auto failure) { loaded.set_value(failure); }, .onStopped = nullptr});
  if (const auto failure = loaded.get_future().get()) throw Error(failure->code, failure->message, failure->subject);
  for (int i = 0; i < argument(6, 1); ++i) {
    const auto [outcome, images] = runOnce(engine, request);
    if (const auto* failure = std::get_if<Failure>(&outcome)) throw Error(failure->code, failure->message, failure->subject);
    const Result& result = std::get<Result>(outcome);
    int64_t checksum = 0;
    for (const Pixels& pixels : images) checksum += pixels.sum().item<int64_t>();
    std::printf(
        "{\"priorTextEncoder\":%.3f,\"prior\":%.3f,\"decoderTextEncoder\":%.3f,\"decoder\":%.3f,\"vqDecoder\":%.3f,\"total\":%."
        "3f,\"checksum\":%lld,\"peakBytes\":%lld}\n",
        result.timings.priorTextEncoder, result.timings.prior, result.timings.decoderTextEncoder, result.timings.decoder,
        result.timings.vqDecoder, result.timings.total, static_cast<long long>(checksum), static_cast<long long>(peakBytes()));
    std::fflush(stdout);
    if (i == 0 && argc > 7) writePixels(images, argv[7]);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::cerr << "usage: wuerstchen-core PLAN GRID_HEIGHT GRID_WIDTH [IMAGES] [THREADS] [RUNS] [PIXELS]\n";
    return 2;
  }
  try {
    return run(argc, argv);
  } catch (...) {
    const wuerstchen::Failure failure = wuerstchen::describe(std::current_exception());
    std::cerr << codeName(failure.code) << ": " << failure.message << "\n";
    return 1;
  }
}
