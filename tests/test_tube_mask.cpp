#include "kernels/tube_mask.h"

#include <algorithm>
#include <numeric>

#include "engine/ops.h"
#include "tests/arrays.h"
#include "tests/op_cases.h"

namespace framefold::test {

// One cell, few, and VideoMAE's grid; nothing masked and nearly everything; given samples and not.
OP_CASES(tube_mask) {
  for (const auto kind : {TubeMask::tube, TubeMask::random, TubeMask::frame})
    for (const auto& [grid, ratio] :
         {std::pair{Extents{1, 1, 1}, 0.9}, std::pair{Extents{3, 2, 5}, 0.0},
          std::pair{Extents{4, 3, 3}, 0.5}, std::pair{Extents{8, 14, 14}, 0.9}}) {
      const TubeMask mask{.kind = kind, .grid = grid, .ratio = ratio};
      add({.in = {}, .build = [=](Graph& g, const std::vector<Value>&) { tube_mask(g, 3, mask); }});
      add({.in = {{DType::i32, {2}}},
           .build = [=](Graph& g, const std::vector<Value>& v) { tube_mask(g, 2, mask, v[0]); }});
    }
}

namespace {

struct Tokens {
  std::vector<std::int32_t> visible, masked;
};

Tokens draw(const Stream& stream, const TubeMask& mask, Random random,
            std::vector<std::int32_t> samples) {
  const auto batch = static_cast<Index>(samples.size());
  Array<std::int32_t> visible{{batch, mask.visible()}};
  Array<std::int32_t> masked{{batch, mask.masked()}};
  std::vector<std::uint64_t> space(tube_mask_workspace(stream, mask, batch) / 8);
  tube_mask(stream, mask, random, visible, masked, {space.data(), space.size() * 8},
            Array<std::int32_t>{{batch}, std::move(samples)});
  return {visible.values, masked.values};
}

TEST(TubeMask, CountsAsPublished) {
  EXPECT_EQ(TubeMask{}.visible(), 160);
  EXPECT_EQ(TubeMask{}.masked(), 1408);
  EXPECT_EQ(TubeMask{.ratio = 0.75}.visible(), 392);
  EXPECT_EQ((TubeMask{.kind = TubeMask::random, .ratio = 0.9}.masked()), 1411);
  EXPECT_EQ((TubeMask{.kind = TubeMask::frame, .ratio = 0.9}.masked()), 7 * 196);
  // 0.7 x 10 is 7 in double and less in float.
  EXPECT_EQ((TubeMask{.grid = {1, 1, 10}, .ratio = 0.7}.masked()), 7);
}

// Sample 5's words under the stream, sorted by hand: the smallest cells are masked.
TEST(TubeMask, MasksTheSmallestWords) {
  const Random random{.seed = 7, .stream = 9};
  const Random own{7, stream_of(9, 5)};
  std::vector<std::int32_t> cells(196);
  std::iota(cells.begin(), cells.end(), 0);
  std::sort(cells.begin(), cells.end(), [&](std::int32_t a, std::int32_t b) {
    return own.word(static_cast<std::uint64_t>(a)) < own.word(static_cast<std::uint64_t>(b));
  });
  std::vector<std::int32_t> kept(cells.begin() + 176, cells.end());
  std::sort(kept.begin(), kept.end());
  std::vector<std::int32_t> expected;
  for (std::int32_t slot = 0; slot < 8; ++slot)
    for (const std::int32_t cell : kept) expected.push_back(slot * 196 + cell);
  for (const Stream& stream : each_path()) {
    const Tokens tokens = draw(stream, {}, random, {5, 6, 5});
    EXPECT_EQ(std::vector(tokens.visible.begin(), tokens.visible.begin() + 160), expected);
    EXPECT_TRUE(std::equal(tokens.visible.begin(), tokens.visible.begin() + 160,
                           tokens.visible.begin() + 320));
    EXPECT_FALSE(std::equal(tokens.visible.begin(), tokens.visible.begin() + 160,
                            tokens.visible.begin() + 160));
  }
}

TEST(TubeMask, EveryTokenStandsOnceAndAscending) {
  for (const auto kind : {TubeMask::tube, TubeMask::random, TubeMask::frame}) {
    const TubeMask mask{.kind = kind, .grid = {4, 3, 5}, .ratio = 0.6};
    const Tokens tokens = draw({}, mask, {.seed = 1}, {3});
    EXPECT_TRUE(std::is_sorted(tokens.visible.begin(), tokens.visible.end()));
    EXPECT_TRUE(std::is_sorted(tokens.masked.begin(), tokens.masked.end()));
    std::vector<std::int32_t> all = tokens.visible;
    all.insert(all.end(), tokens.masked.begin(), tokens.masked.end());
    std::sort(all.begin(), all.end());
    std::vector<std::int32_t> numbers(60);
    std::iota(numbers.begin(), numbers.end(), 0);
    EXPECT_EQ(all, numbers);
    if (kind != TubeMask::frame) continue;
    for (std::size_t i = 0; i < tokens.visible.size(); ++i)  // whole slots
      EXPECT_EQ(tokens.visible[i] % 15, static_cast<int>(i % 15));
  }
}

// Over many samples every cell is masked about equally often: 400 draws of 5 in 10, deviation 10.
TEST(TubeMask, CellsAreAlike) {
  const TubeMask mask{.grid = {1, 2, 5}, .ratio = 0.5};
  std::vector<std::int32_t> samples(400);
  std::iota(samples.begin(), samples.end(), 0);
  std::vector<int> count(10);
  for (const std::int32_t token : draw({}, mask, {.seed = 2}, samples).masked)
    ++count[static_cast<std::size_t>(token)];
  for (const int times : count) EXPECT_NEAR(times, 200, 50);
}

TEST(TubeMask, AWrongAttributeIsNamed) {
  Graph g;
  expect_error(ErrorCode::argument, "tube_mask: ratio is 1, expected at least 0 and below 1",
               [&] { tube_mask(g, 2, {.ratio = 1}); });
  expect_error(ErrorCode::argument,
               "tube_mask: the grid is [8, 0, 14], expected [T, H, W], none of them 0", [&] {
                 tube_mask(g, 2, {.grid = {8, 0, 14}});
               });
  const Value samples = g.input("samples", {DType::i32, {3}});
  expect_error(ErrorCode::shape,
               "tube_mask: samples is i32 [3], expected i32 [2] to match the batch",
               [&] { tube_mask(g, 2, {}, samples); });
}

}  // namespace
}  // namespace framefold::test
