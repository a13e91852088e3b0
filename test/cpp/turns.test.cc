#include "turns.h"

#include "check.h"
#include "models.h"
#include "test_engine.h"

using namespace wuerstchen;
using namespace testing;

namespace {

// A queue whose images only count their steps: what the policy does, without a network.
class Queue {
 public:
  explicit Queue(size_t maxBatch, std::function<bool(const Image&)> usesLoadedStage = {})
      : maxBatch_(maxBatch), turns_(std::move(usesLoadedStage)) {}

  struct Grid {
    int64_t height = 3;
    int64_t width = 3;
  };

  std::shared_ptr<Job> add(int steps, int images = 1, Phase phase = Phase::Prior, Grid grid = {3, 3}) {
    auto job = std::make_shared<Job>(nullptr);
    job->id = ++id_;
    job->arrived = turns_.now();
    job->stepsLeft = static_cast<int64_t>(steps) * images;
    job->request.gridHeight = grid.height;
    job->request.gridWidth = grid.width;
    for (int i = 0; i < images; ++i) {
      images_.push_back(std::make_unique<Image>(job, i, ImageRandom(0)));
      images_.back()->phase = phase;
      left_[images_.back().get()] = steps;
    }
    return job;
  }

  struct Turn {
    size_t images;
    Phase phase;
  };

  // One turn: every image of the batch takes a step. An image that has none left is gone.
  Turn turn() {
    std::vector<Image*> batch = turns_.next(images_);
    if (batch.size() > maxBatch_) batch.resize(maxBatch_);
    const Turn turn{batch.size(), batch.front()->phase};
    for (Image* image : batch) {
      CHECK(image->phase == turn.phase && image->job->request.gridHeight == batch.front()->job->request.gridHeight);
      --image->job->stepsLeft;
      if (--left_[image] == 0) image->phase = Phase::Done;
    }
    std::erase_if(images_, [](const auto& image) { return image->phase == Phase::Done; });
    return turn;
  }

  int64_t now() const { return turns_.now(); }
  bool empty() const { return images_.empty(); }

 private:
  size_t maxBatch_;
  Turns turns_;
  Images images_;
  std::map<const Image*, int> left_;
  uint64_t id_ = 0;
};

}  // namespace

TEST(turns, aShortRequestOvertakesALongOneAndThenTheLongOneGoesOn) {
  Queue queue(1);
  const auto lengthy = queue.add(50);
  for (int i = 0; i < 10; ++i) queue.turn();
  const auto brief = queue.add(5);
  while (brief->stepsLeft > 0) queue.turn();
  CHECK(queue.now() == 15 * 9 && lengthy->stepsLeft == 40);
  while (!queue.empty()) queue.turn();
  CHECK(queue.now() == 55 * 9);
}

TEST(turns, whatIsNearlyDoneIsFinished) {
  Queue queue(1);
  const auto first = queue.add(20);
  for (int i = 0; i < 18; ++i) queue.turn();
  queue.add(4);
  queue.turn();
  queue.turn();
  CHECK(first->stepsLeft == 0);
}

TEST(turns, requestsOfOneLengthAreServedInTheirOrder) {
  Queue queue(2);
  std::vector<std::shared_ptr<Job>> jobs;
  for (int i = 0; i < 6; ++i) jobs.push_back(queue.add(7));
  for (int pair = 0; pair < 3; ++pair) {
    for (int i = 0; i < 7; ++i) queue.turn();
    CHECK(jobs[2 * pair]->stepsLeft == 0 && jobs[2 * pair + 1]->stepsLeft == 0);
  }
}

// 30 steps of 3 × 3 cells are less work than 16 of 6 × 3, and those are less than ten of 6 × 6.
TEST(turns, aSmallRequestOvertakesALargeOneOfFewerSteps) {
  Queue queue(1);
  const auto large = queue.add(10, 1, Phase::Prior, {6, 6});
  const auto oblong = queue.add(16, 1, Phase::Prior, {6, 3});
  const auto small = queue.add(30);
  for (int i = 0; i < 30; ++i) queue.turn();
  CHECK(small->stepsLeft == 0 && oblong->stepsLeft == 16 && large->stepsLeft == 10);
  for (int i = 0; i < 16; ++i) queue.turn();
  CHECK(oblong->stepsLeft == 0 && large->stepsLeft == 10);
}

// The worst that can come: at every turn a new request that is smaller than all others, more work than can be done.
TEST(turns, aRequestIsOvertakenOnlyByWhoArrivesWithinTwiceItsWork) {
  for (const size_t maxBatch : {1, 4}) {
    for (const int64_t side : {3, 6}) {
      for (const int steps : {1, 10, 60}) {
        Queue queue(maxBatch);
        for (int i = 0; i < 7; ++i) {
          queue.add(30);
          queue.turn();
        }
        const auto watched = queue.add(steps, 1, Phase::Prior, {side, side});
        const int64_t work = steps * side * side;
        int64_t ahead = 7 * 30 * 9 + work;  // all work there is before nobody can overtake any more
        const int64_t arrived = queue.now();
        for (int turn = 0; watched->stepsLeft > 0 && turn < 100000; ++turn) {
          queue.add(1 + turn % 3);
          if (queue.now() <= arrived + 2 * work) ahead += (1 + turn % 3) * 9;
          queue.turn();
        }
        CHECK(watched->stepsLeft == 0 && queue.now() - arrived <= ahead);
      }
    }
  }
}

TEST(turns, everyTurnThatCanBeFullIsFullWhateverTheOrderOfTheQueue) {
  Queue queue(3);
  for (int i = 0; i < 12; ++i) queue.add(5, 1, i % 3 == 0 ? Phase::Decoder : Phase::Prior, {3, i % 2 == 0 ? 3 : 6});
  // Decoder: two of each size; prior: four of each.
  std::map<size_t, int> sizes;
  while (!queue.empty()) ++sizes[queue.turn().images];
  CHECK((sizes == std::map<size_t, int>{{1, 10}, {2, 10}, {3, 10}}));
}

// One stage is in memory, and at every turn a new request wants it. The others get theirs once those that were there are done.
TEST(turns, aLoadedStageServesWhoWasThereAndThenTheOthersGetTheirs) {
  Phase loaded = Phase::Prior;
  int changes = 0;
  Queue queue(1, [&](const Image& image) { return image.phase == loaded; });
  const auto present = queue.add(4);
  const auto other = queue.add(9, 1, Phase::Decoder);
  while (other->stepsLeft > 0 && queue.now() < 1000) {
    queue.add(1);
    const Phase used = queue.turn().phase;
    changes += used != loaded;
    loaded = used;
    if (present->stepsLeft > 0) CHECK(other->stepsLeft == 9);
  }
  CHECK(other->stepsLeft == 0 && changes == 1);
}

// The same on a real engine: shorts that follow each other without end do not keep a long one from its end.
TEST(turns, anEngineFinishesALongRequestAmongShortOnesWithoutEnd) {
  const models::Folder folder;
  EngineSpec spec = models::write(folder);
  spec.maxBatch = 1;
  TestEngine engine(spec);
  const Held held(engine, request({1}, 1));
  std::atomic<bool> finished{false};
  std::atomic<int> shorts{0};
  // 9 steps: none overtakes it that arrives more than 18 turns later, and a short one takes 3.
  Running lengthy = engine.start(request({1}, 4),
                                 [&](const Event& event) { finished = finished || std::holds_alternative<ImageEvent>(event); });
  std::function<void(std::variant<Result, Failure>)> again = [&](const auto&) {
    if (finished || ++shorts > 100) return;
    (*engine).submit(request({2}, 1), {[](const Event&) {}, again});
  };
  (*engine).submit(request({2}, 1), {[](const Event&) {}, again});
  held.release();
  TestEngine::imagesOf(std::move(lengthy));
  CHECK(shorts >= 1 && shorts <= 7);
  engine.run(request({3}, 1));  // the last of the shorts is done before `again` goes out of scope
}
