#include "turns.h"

#include <algorithm>

namespace wuerstchen {

namespace {

// Chosen by simulation with measured costs of a step (16 requests of 10 to 40 steps that arrive at random). 0 is first come,
// first served. From 4 on the mean latency hardly falls any more, and the longest wait grows.
constexpr int64_t kWeightOfWork = 2;

// A step of it, as bench/mixed-sizes.mjs compares it with counting every step as one.
int64_t workOf(const Image& image) { return image.job->request.cells(); }

int64_t rankOf(const Image& image) { return image.job->arrived + kWeightOfWork * image.job->stepsLeft * workOf(image); }

bool before(const Image* a, const Image* b) { return rankOf(*a) < rankOf(*b); }

bool mayShare(const Image& a, const Image& b) {
  const Request& left = a.job->request;
  const Request& right = b.job->request;
  return a.phase == b.phase && left.gridHeight == right.gridHeight && left.gridWidth == right.gridWidth &&
         a.preview.has_value() == b.preview.has_value();  // an image's batches do not depend on previews
}

}  // namespace

Image& Turns::leader(const Images& images) {
  std::vector<Image*> all, served;
  uint64_t newest = 0;
  for (const auto& image : images) {
    newest = std::max(newest, image->job->id);
    all.push_back(image.get());
    if (usesLoadedStage_ && image->job->id <= served_ && usesLoadedStage_(*image)) served.push_back(image.get());
  }
  if (!served.empty()) return **std::min_element(served.begin(), served.end(), before);
  served_ = newest;
  return **std::min_element(all.begin(), all.end(), before);
}

std::vector<Image*> Turns::next(const Images& images) {
  Image& first = leader(images);
  now_ += workOf(first);
  std::vector<Image*> turn{&first};
  for (const auto& image : images) {
    if (image.get() != &first && mayShare(first, *image)) turn.push_back(image.get());
  }
  std::stable_sort(turn.begin() + 1, turn.end(), before);
  return turn;
}

}  // namespace wuerstchen
