// Turns: which images an engine moves next. The choice depends on the queue alone, so that its properties can be tested.
//
// Work is counted in cells: a step of an image is as much as its embeddings have cells. A request's rank is the work that the
// leading images had done when it arrived, plus twice the work that all its images have left. The image of the lowest rank leads:
// its stage runs, and every image in the same stage with the same sizes may ride along, lowest rank first.
// 1. Small requests overtake large ones, and a request that is nearly done is finished. That keeps the mean latency low.
// 2. Nothing starves. Ranks only fall, so only requests that arrive within 2w of it, by that clock, can overtake one of w.
// 3. With one stage in memory, a change of stage costs more than a turn. The loaded stage therefore first serves all requests
//    that were there when it was last chosen. Later ones ride along, but a stream of them does not keep the others out.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "job.h"

namespace wuerstchen {

using Images = std::deque<std::unique_ptr<Image>>;

class Turns {
 public:
  // `usesLoadedStage` is empty where all stages are in memory.
  explicit Turns(std::function<bool(const Image&)> usesLoadedStage = {}) : usesLoadedStage_(std::move(usesLoadedStage)) {}

  // The work that leading images have done so far. A job's `arrived` is read from this clock.
  int64_t now() const { return now_; }

  // The images that may take the next turn together, in the order in which they get places. The first one leads. `images` must
  // not be empty. Of two with equal rank, the one that stands first in `images` is first.
  std::vector<Image*> next(const Images& images);

 private:
  Image& leader(const Images& images);

  std::function<bool(const Image&)> usesLoadedStage_;
  int64_t now_ = 0;
  uint64_t served_ = 0;  // with one stage in memory: the newest job that the loaded stage stays for
};

}  // namespace wuerstchen
