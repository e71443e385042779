#include "io/loader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <map>
#include <numeric>
#include <set>
#include <thread>

#include "io/random.h"
#include "kernels/error.h"
#include "tests/temporary.h"

namespace framefold {
namespace {

// Samples of [2, 1, 2, 1]: the index in two bytes, two random bytes. Some samples fail.
class Numbers final : public Dataset {
 public:
  explicit Numbers(Index size, std::set<Index> bad = {}) : size_(size), bad_(std::move(bad)) {}
  Index size() const override { return size_; }
  Shape shape() const override { return {2, 1, 2, 1}; }
  std::string name(Index index) const override { return text("number ", index); }
  std::string description() const override { return "numbers"; }
  mutable std::atomic<int> reads = 0;
  std::chrono::microseconds pause{0};

 private:
  void do_read(Index index, Random random, Tensor clip) const override {
    ++reads;
    // Later samples are often ready before earlier ones.
    std::this_thread::sleep_for(pause * ((index * 7) % 3));
    if (bad_.contains(index)) fail(ErrorCode::format, "the moon is full");
    auto* pixels = clip.as<std::uint8_t>();
    pixels[0] = static_cast<std::uint8_t>(index);
    pixels[1] = static_cast<std::uint8_t>(index >> 8);
    pixels[2] = static_cast<std::uint8_t>(random.word(0));
    pixels[3] = static_cast<std::uint8_t>(random.word(1));
  }

  Index size_;
  std::set<Index> bad_;
};

struct Buffer {
  explicit Buffer(const TensorType& type)
      : bytes(type.bytes()), tensor{bytes.data(), type.dtype, type.shape} {}
  std::vector<std::uint8_t> bytes;
  Tensor tensor;
};

using Batches = std::vector<std::vector<std::uint8_t>>;

Batches take(Loader& loader, int count) {
  Batches result;
  Buffer buffer(loader.type());
  for (int i = 0; i < count; ++i) {
    loader.next(buffer.tensor);
    result.push_back(buffer.bytes);
  }
  return result;
}

TEST(Permutation, IsOne) {
  for (Index size = 1; size <= 100; ++size) {
    const Permutation permutation(size, {7, static_cast<std::uint64_t>(size)});
    std::set<Index> seen;
    for (Index i = 0; i < size; ++i) seen.insert(permutation(i));
    EXPECT_EQ(static_cast<Index>(seen.size()), size);
    EXPECT_GE(*seen.begin(), 0);
    EXPECT_LT(*seen.rbegin(), size);
  }
}

// Each order of `size` within five standard deviations of its share of 1000.
template <std::size_t size>
void expect_every_order_equally_often(std::uint64_t orders) {
  std::map<std::array<Index, size>, int> seen;
  for (std::uint64_t stream = 0; stream < 1000 * orders; ++stream) {
    const Permutation permutation(size, {3, stream});
    std::array<Index, size> order{};
    for (std::size_t i = 0; i < size; ++i) order[i] = permutation(static_cast<Index>(i));
    ++seen[order];
  }
  EXPECT_EQ(seen.size(), orders);
  for (const auto& [order, count] : seen) EXPECT_NEAR(count, 1000, 5 * 31.7);
}

TEST(Permutation, EveryOrderIsEquallyLikely) {
  expect_every_order_equally_often<2>(2);
  expect_every_order_equally_often<3>(6);
  expect_every_order_equally_often<4>(24);
  expect_every_order_equally_often<5>(120);
}

TEST(Draws, FollowTheStream) {
  const Random random{1, 2};
  Draws draws(random);
  EXPECT_EQ(draws.uniform(2, 4), 2 + 2 * static_cast<double>(random.uniform(0)));
  EXPECT_EQ(draws.below(10), random.below(1, 10));
}

TEST(Loader, SameBatchesForAnyWorkers) {
  const auto numbers = std::make_shared<Numbers>(103);
  numbers->pause = std::chrono::microseconds(20);
  for (const bool shuffle : {false, true}) {
    LoaderOptions options{.batch = 8, .shuffle = shuffle, .workers = 0, .seed = 5};
    Loader alone(numbers, options);
    const Batches expected = take(alone, 40);  // three epochs
    for (const int workers : {1, 2, 4}) {
      options.workers = workers;
      options.prefetch = workers;
      Loader loader(numbers, options);
      EXPECT_EQ(take(loader, 40), expected) << workers << " workers";
    }
  }
}

TEST(Loader, AnEpochHoldsEachSampleOnceInANewOrder) {
  const auto numbers = std::make_shared<Numbers>(50);
  Loader loader(numbers, {.batch = 5, .workers = 2, .seed = 1});
  EXPECT_EQ(loader.steps_per_epoch(), 10);
  Buffer buffer(loader.type());
  std::vector<std::vector<Index>> epochs(3);
  for (Index step = 0; step < 30; ++step) {
    const Batch batch = loader.next(buffer.tensor);
    EXPECT_EQ(batch.step, step);
    EXPECT_EQ(batch.epoch, step / 10);
    ASSERT_EQ(batch.samples.size(), 5U);
    for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(buffer.bytes[4 * i], batch.samples[i]);
    EXPECT_EQ(loader.names(batch)[4], text("number ", batch.samples[4]));
    auto& epoch = epochs[static_cast<std::size_t>(batch.epoch)];
    epoch.insert(epoch.end(), batch.samples.begin(), batch.samples.end());
  }
  EXPECT_NE(epochs[0], epochs[1]);
  EXPECT_NE(epochs[1], epochs[2]);
  std::vector<Index> all(50);
  std::iota(all.begin(), all.end(), Index{0});
  for (auto& epoch : epochs) {
    EXPECT_NE(epoch, all);
    std::sort(epoch.begin(), epoch.end());
    EXPECT_EQ(epoch, all);
  }
}

TEST(Loader, RepeatsStandInARowAndDiffer) {
  const auto data = std::make_shared<Numbers>(5);
  Loader loader(data, {.batch = 6, .workers = 2, .seed = 4, .repeats = 3});
  EXPECT_EQ(loader.steps_per_epoch(), 2);
  Buffer buffer(loader.type());
  const Batch batch = loader.next(buffer.tensor);
  const auto* pixels = buffer.tensor.as<std::uint8_t>();
  for (std::size_t i = 0; i < 6; ++i) EXPECT_EQ(batch.samples[i], batch.samples[i / 3 * 3]);
  EXPECT_NE(batch.samples[0], batch.samples[3]);
  EXPECT_FALSE(std::equal(pixels + 2, pixels + 4, pixels + 6));  // random bytes of the first two
  // Once: as without repeats.
  Loader once(data, {.batch = 5, .workers = 0, .seed = 4});
  Buffer five(once.type());
  EXPECT_EQ(once.next(five.tensor).samples[0], batch.samples[0]);
}

TEST(Loader, SeekEqualsRunning) {
  const auto numbers = std::make_shared<Numbers>(61);
  for (const int workers : {0, 1, 3}) {
    const LoaderOptions options{.batch = 4, .workers = workers, .prefetch = 3, .seed = 9};
    Loader straight(numbers, options);
    const Batches all = take(straight, 50);
    Loader jumping(numbers, options);
    for (const int step : {37, 0, 14, 15, 49}) {
      jumping.seek(step);
      EXPECT_EQ(take(jumping, 1)[0], all[static_cast<std::size_t>(step)]);
    }
    Loader resumed(numbers, options);
    resumed.seek(20);
    EXPECT_EQ(take(resumed, 30), Batches(all.begin() + 20, all.end()));
  }
}

TEST(Loader, EpochsHaveWholeBatches) {
  Loader loader(std::make_shared<Numbers>(10), {.batch = 4, .shuffle = false});
  EXPECT_EQ(loader.steps_per_epoch(), 2);
  Buffer buffer(loader.type());
  std::vector<Index> firsts, epochs;
  for (int i = 0; i < 3; ++i) {
    const Batch batch = loader.next(buffer.tensor);
    firsts.push_back(batch.samples.front());
    epochs.push_back(batch.epoch);
  }
  EXPECT_EQ(firsts, (std::vector<Index>{0, 4, 0}));
  EXPECT_EQ(epochs, (std::vector<Index>{0, 0, 1}));
}

TEST(Loader, DeliversFloats) {
  const auto numbers = std::make_shared<Numbers>(300);
  for (const int workers : {0, 1}) {
    Loader loader(numbers, {.batch = 256, .shuffle = false, .workers = workers});
    std::vector<float> values(1024);
    loader.next({values.data(), DType::f32, loader.type().shape});
    EXPECT_EQ(values[0], 0.0F);
    EXPECT_EQ(values[4 * 51], 0.2F);
    EXPECT_EQ(values[4 * 255], 1.0F);
  }
}

TEST(Loader, ErrorsSurfaceInTheirStepWithTheSamplesName) {
  const auto numbers = std::make_shared<Numbers>(40, std::set<Index>{17, 18});
  for (const int workers : {0, 1, 4}) {
    Loader loader(numbers, {.batch = 4, .shuffle = false, .workers = workers, .prefetch = 4});
    Buffer buffer(loader.type());
    for (int i = 0; i < 4; ++i) EXPECT_NO_THROW(loader.next(buffer.tensor));
    for (int again = 0; again < 2; ++again) {
      try {
        loader.next(buffer.tensor);
        FAIL() << "the sample cannot be read";
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::format);
        EXPECT_STREQ(error.what(), "reading number 17: the moon is full");
      }
    }
    loader.seek(5);
    EXPECT_EQ(loader.next(buffer.tensor).samples[0], 20);
  }
}

TEST(Loader, ReadsNothingPastTheLastStep) {
  const auto numbers = std::make_shared<Numbers>(40);
  for (const int workers : {0, 2}) {
    numbers->reads = 0;
    Loader loader(numbers, {.batch = 4, .workers = workers, .prefetch = 5, .steps = 3});
    take(loader, 3);
    Buffer buffer(loader.type());
    EXPECT_THROW(loader.next(buffer.tensor), Error);
    EXPECT_EQ(numbers->reads, 12);
    loader.seek(0);
    take(loader, 3);
    EXPECT_EQ(numbers->reads, 24);
  }
}

TEST(Loader, EndsAtAnyTime) {
  const auto numbers = std::make_shared<Numbers>(1000, std::set<Index>{5});
  numbers->pause = std::chrono::microseconds(50);
  for (int round = 0; round < 30; ++round) {
    Loader loader(numbers, {.batch = 7, .workers = 1 + round % 4, .prefetch = 3});
    if (round % 3 == 1) take(loader, 2);
    if (round % 3 == 2) loader.seek(100 + round);
  }
}

TEST(Loader, RefusesWhatDoesNotFit) {
  const auto numbers = std::make_shared<Numbers>(3);
  EXPECT_THROW(Loader(nullptr, {}), Error);
  EXPECT_THROW(Loader(numbers, {.batch = 4}), Error);
  EXPECT_THROW(Loader(numbers, {.batch = 0}), Error);
  EXPECT_THROW(Loader(numbers, {.prefetch = 0}), Error);
  Loader loader(numbers, {.batch = 2});
  Buffer small({DType::u8, {1, 2, 1, 2, 1}});
  EXPECT_THROW(loader.next(small.tensor), Error);
  EXPECT_THROW(loader.seek(-1), Error);
}

// The samples of the first `steps` batches, and how many were replaced.
std::pair<std::vector<Index>, Index> delivered(const std::set<Index>& bad, LoaderOptions options,
                                               Index steps) {
  Loader loader(std::make_shared<Numbers>(20, bad), options);
  Buffer buffer(loader.type());
  std::vector<Index> samples;
  Index replaced = 0;
  for (Index step = 0; step < steps; ++step) {
    const Batch batch = loader.next(buffer.tensor);
    for (Index row = 0; row < std::ssize(batch.samples); ++row) {
      const Index sample = batch.samples[static_cast<std::size_t>(row)];
      EXPECT_EQ(buffer.bytes[static_cast<std::size_t>(4 * row)], sample);
      samples.push_back(sample);
    }
    replaced += batch.bad;
  }
  EXPECT_EQ(loader.bad(), replaced);
  EXPECT_EQ(loader.last_bad().empty(), replaced == 0);
  return {samples, replaced};
}

TEST(Loader, BadSamplesGiveTheirPlaceToOthers) {
  LoaderOptions options{.batch = 5, .workers = 0, .seed = 3, .bad = {.skip = true}};
  const auto [whole, none] = delivered({}, options, 8);
  EXPECT_EQ(none, 0);
  const std::set<Index> bad = {2, 7, 11};
  const auto [samples, replaced] = delivered(bad, options, 8);  // two epochs
  EXPECT_GE(replaced, 6);                                       // one that is drawn may be bad too
  for (std::size_t i = 0; i < samples.size(); ++i) {
    EXPECT_FALSE(bad.contains(samples[i]));
    if (!bad.contains(whole[i])) {
      EXPECT_EQ(samples[i], whole[i]);
    }
  }
  for (const int workers : {1, 4}) {
    options.workers = workers;
    EXPECT_EQ(delivered(bad, options, 8), std::make_pair(samples, replaced));
  }
}

TEST(Loader, BadSamplesKeepToTheirBudget) {
  LoaderOptions options{.batch = 5, .shuffle = false, .workers = 2, .bad = {true, 2}};
  Loader loader(std::make_shared<Numbers>(20, std::set<Index>{1, 8, 12}), options);
  Buffer buffer(loader.type());
  loader.next(buffer.tensor);
  const Index met = loader.bad() + loader.next(buffer.tensor).bad;
  ASSERT_LE(met, 3);
  EXPECT_ERROR(ErrorCode::format, "2 are allowed; the last: the moon is full",
               for (int i = 0; i < 8; ++i) loader.next(buffer.tensor));
  std::set<Index> all;
  for (Index i = 0; i < 20; ++i) all.insert(i);
  options.bad.budget = 0;
  Loader hopeless(std::make_shared<Numbers>(20, all), options);
  EXPECT_ERROR(ErrorCode::format, "the moon is full", hopeless.next(buffer.tensor));
}

TEST(Replacing, TellsWhatItDid) {
  const std::set<Index> bad = {2, 7};
  const Replacing dataset(std::make_shared<Numbers>(12, bad));
  Buffer buffer({DType::u8, dataset.shape()});
  EXPECT_EQ(dataset.name(7), "number 7");
  const auto read = [&](Index index) {
    dataset.read(index, {}, buffer.tensor);
    return Index{buffer.bytes[0]};
  };
  const Index other = read(7);
  EXPECT_FALSE(bad.contains(other));
  EXPECT_EQ(dataset.name(7), text("number ", other, " in place of number 7, which is bad"));
  EXPECT_EQ(read(7), other);  // and once more is counted once
  EXPECT_EQ(read(3), 3);
  EXPECT_EQ(dataset.name(3), "number 3");
  read(2);
  EXPECT_EQ(dataset.bad(),
            (std::vector<std::string>{"number 2: the moon is full", "number 7: the moon is full"}));
  const Replacing limited(std::make_shared<Numbers>(12, bad), 1);
  limited.read(7, {}, buffer.tensor);
  EXPECT_ERROR(ErrorCode::format,
               "2 samples were bad, 1 are allowed (data.bad_budget); the last: "
               "number 2: the moon is full",
               limited.read(2, {}, buffer.tensor));
}

TEST(Loader, BudgetsCountWhatWasMetBefore) {
  const LoaderOptions options{.batch = 5, .shuffle = false, .workers = 0, .bad = {true, 3}};
  Loader loader(std::make_shared<Numbers>(20, std::set<Index>{1}), options);
  Buffer buffer(loader.type());
  loader.count_bad_from(3);
  EXPECT_ERROR(ErrorCode::format, "4 samples were bad, 3 are allowed", loader.next(buffer.tensor));
}

}  // namespace
}  // namespace framefold
