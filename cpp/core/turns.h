// Whose turn it is: which images an engine moves next. A function of the queue alone, so that its properties can be tested.
//
// A request's rank is the turn at which it arrived plus twice the steps that all its images have left. The lowest rank leads: its
// image's stage runs, and every image in the same stage with the same sizes may ride along, lowest rank first.
// 1. Short requests overtake long ones, and one that is nearly done is finished: mean latency is what this is for.
// 2. Nothing starves. Ranks only fall, so a request of w steps is overtaken by those alone that arrive within 2w turns of it.
// 3. With one stage in memory, a change of stage costs more than a turn: the loaded stage first serves all who were there when
//    it was last chosen. Later ones ride along, but a stream of them does not keep the others out.
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

  // Turns taken so far: the clock that a job's `arrived` is read from.
  int64_t now() const { return now_; }

  // The images that may take the next turn together, in the order in which they get places; the first leads. `images` are
  // not empty; of equal rank the one that stands first in them is first.
  std::vector<Image*> next(const Images& images);

 private:
  Image& leader(const Images& images);

  std::function<bool(const Image&)> usesLoadedStage_;
  int64_t now_ = 0;
  uint64_t served_ = 0;  // sequential: the newest job that the loaded stage stays for
};

}  // namespace wuerstchen
