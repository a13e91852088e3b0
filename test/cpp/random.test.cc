// Expected values: torch 2.13.0, g = torch.Generator().manual_seed(42); torch.randn(1,16,3,3,generator=g), then
// torch.randn(1,4,32,32,generator=g).
#include "random.h"

#include <ATen/ATen.h>

#include <future>
#include <thread>

#include "check.h"

using namespace wuerstchen;

TEST(random, equalsTorchsStream) {
  ImageRandom random(42);
  const at::Tensor first = random.normal({1, 16, 3, 3}, c10::kFloat);
  const at::Tensor second = random.normal({1, 4, 32, 32}, c10::kFloat);
  const at::Tensor start = at::tensor({1.9269152879714966F, 1.4872840642929077F, 0.9007171988487244F, -2.1055209636688232F});
  const at::Tensor end = at::tensor({0.14136412739753723F, -1.4058030843734741F, 0.4083256125450134F});
  // 1e-6: the vectorised logarithm and cosine of another CPU may differ in the last bit.
  CHECK(at::allclose(first.flatten().slice(0, 0, 4), start, 0, 1e-6));
  CHECK(at::allclose(second.flatten().slice(0, -3), end, 0, 1e-6));
  CHECK(random.offset() == 16 * 9 + 4 * 32 * 32);
}

TEST(random, offsetContinuesAStream) {
  for (const c10::ScalarType dtype : {c10::kFloat, c10::kHalf, c10::kBFloat16}) {
    ImageRandom whole(7);
    whole.normal({1, 16, 3, 3}, dtype);
    whole.normal({1, 16, 3, 3}, dtype);
    const at::Tensor expected = whole.normal({1, 4, 32, 32}, dtype);
    ImageRandom continued(7);
    continued.advanceTo(2 * 16 * 9, {});
    CHECK(at::equal(continued.normal({1, 4, 32, 32}, dtype), expected));
  }
}

// torch 2.11 draws half types in half precision, torch 2.13 in float32.
TEST(random, halfTypesAreRoundedFloats) {
  for (const c10::ScalarType dtype : {c10::kHalf, c10::kBFloat16}) {
    const at::Tensor half = ImageRandom(3).normal({1, 16, 3, 3}, dtype);
    CHECK(half.scalar_type() == dtype);
    CHECK(at::equal(half, ImageRandom(3).normal({1, 16, 3, 3}, c10::kFloat).to(dtype)));
  }
}

TEST(random, seedsDiffer) {
  CHECK(!at::equal(ImageRandom(1).normal({16}, c10::kFloat), ImageRandom(2).normal({16}, c10::kFloat)));
}

TEST(random, copiesAreStreamsOfTheirOwn) {
  ImageRandom one(5);
  one.normal({48}, c10::kFloat);
  ImageRandom other = one;
  CHECK(other.offset() == 48);
  const at::Tensor next = one.normal({32}, c10::kFloat);
  CHECK(at::equal(other.normal({32}, c10::kFloat), next));
}

// However far: a file can name any offset.
TEST(random, aStoppedTokenEndsTheWayToAnOffset) {
  StopToken stop;
  ImageRandom random(1);
  auto advancing = std::async(std::launch::async, [&] { return failureOf([&] { random.advanceTo(int64_t{1} << 53, stop); }); });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  stop.stop();
  CHECK(advancing.wait_for(std::chrono::seconds(5)) == std::future_status::ready);
  CHECK(is(advancing.get(), Code::Cancelled, ""));
}
