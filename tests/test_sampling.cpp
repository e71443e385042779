#include "io/sampling.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

#include "kernels/error.h"
#include "tests/temporary.h"

namespace framefold {
namespace {

using Kind = Sampling::Kind;
using Indices = std::vector<Index>;

Indices pick(const Sampling& sampling, Index frames, Index clip = 0, Draws* draws = nullptr) {
  Indices indices(static_cast<std::size_t>(sampling.frames), -1);
  pick_frames(sampling, frames, clip, draws, indices);
  return indices;
}

TEST(Sampling, DenseByHand) {
  const Sampling one{.frames = 4, .stride = 2};
  EXPECT_EQ(span_of(one), 7);
  EXPECT_EQ(pick(one, 7), (Indices{0, 2, 4, 6}));
  EXPECT_EQ(pick(one, 12), (Indices{2, 4, 6, 8}));
  EXPECT_EQ(pick(one, 5), (Indices{0, 2, 4, 4}));
  EXPECT_EQ(pick(one, 1), (Indices{0, 0, 0, 0}));
  const Sampling three{.frames = 4, .stride = 2, .clips = 3};
  EXPECT_EQ(pick(three, 17, 0), (Indices{0, 2, 4, 6}));
  EXPECT_EQ(pick(three, 17, 1), (Indices{5, 7, 9, 11}));
  EXPECT_EQ(pick(three, 17, 2), (Indices{10, 12, 14, 16}));
}

TEST(Sampling, SegmentsByHand) {
  const Sampling one{.kind = Kind::segments, .frames = 4};
  EXPECT_EQ(pick(one, 40), (Indices{5, 15, 25, 35}));
  EXPECT_EQ(pick(one, 4), (Indices{0, 1, 2, 3}));
  EXPECT_EQ(pick(one, 3), (Indices{0, 1, 2, 2}));
  const Sampling two{.kind = Kind::segments, .frames = 4, .clips = 2};  // VideoMAE's test on SSv2
  EXPECT_EQ(pick(two, 40, 0), (Indices{0, 10, 20, 30}));
  EXPECT_EQ(pick(two, 40, 1), (Indices{5, 15, 25, 35}));
}

TEST(Sampling, WindowsByHand) {
  Sampling windows{.kind = Kind::windows, .frames = 4};
  EXPECT_EQ(clips_in(windows, 8, true), 2);
  EXPECT_EQ(clips_in(windows, 9, false), 3);
  EXPECT_EQ(pick(windows, 9, 1), (Indices{4, 5, 6, 7}));
  EXPECT_EQ(pick(windows, 9, 2), (Indices{5, 6, 7, 8}));
  EXPECT_EQ(clips_in(windows, 2, false), 1);
  EXPECT_EQ(pick(windows, 2), (Indices{0, 1, 1, 1}));
  windows.step = 1;
  EXPECT_EQ(clips_in(windows, 9, false), 6);
  EXPECT_EQ(pick(windows, 9, 5), (Indices{5, 6, 7, 8}));
}

// Every small case: within the video, never falling, of the right count, at the right stride.
TEST(Sampling, HoldsForEverySmallCase) {
  for (const Kind kind : {Kind::dense, Kind::segments, Kind::windows})
    for (Index frames = 1; frames <= 6; ++frames)
      for (Index stride = 1; stride <= 3; ++stride)
        for (Index step = 0; step <= 3; ++step)
          for (Index clips = 1; clips <= 3; ++clips)
            for (Index video = 1; video <= 24; ++video) {
              const Sampling sampling{kind, frames, stride, step, clips};
              const Index span = span_of(sampling);
              for (const bool training : {false, true}) {
                Index before = -1, covered = -1;
                for (Index clip = 0; clip < clips_in(sampling, video, training); ++clip) {
                  Draws draws({1, static_cast<std::uint64_t>(video)});
                  const Indices at = pick(sampling, video, clip, training ? &draws : nullptr);
                  ASSERT_TRUE(std::is_sorted(at.begin(), at.end()));
                  ASSERT_GE(at.front(), std::max<Index>(0, before));
                  ASSERT_LT(at.back(), video);
                  for (std::size_t i = 1; i < at.size(); ++i)
                    ASSERT_TRUE(kind == Kind::segments || video < span ||
                                at[i] - at[i - 1] == stride);
                  if (kind == Kind::segments && video >= frames)
                    for (Index i = 0; i < frames; ++i) {
                      const Index index = at[static_cast<std::size_t>(i)];
                      ASSERT_GE(index, i * video / frames);
                      ASSERT_LT(index * frames, (i + 1) * video);
                    }
                  ASSERT_TRUE(kind != Kind::windows || step > span || at.front() <= covered + 1);
                  covered = at.front() + span - 1;
                  before = at.front();
                }
                ASSERT_TRUE(kind != Kind::windows || covered >= video - 1);
              }
            }
}

TEST(Sampling, TrainingReachesEveryFrameThatFits) {
  const Sampling dense{.frames = 3, .stride = 2};
  std::vector<int> starts(6, 0);
  for (std::uint64_t stream = 0; stream < 3000; ++stream) {
    Draws draws({3, stream});
    ++starts[static_cast<std::size_t>(pick(dense, 10, 0, &draws).front())];
  }
  for (const int count : starts) EXPECT_NEAR(count, 500, 5 * 21);  // five standard deviations
  const Sampling segments{.kind = Kind::segments, .frames = 3};
  std::vector<std::set<Index>> seen(3);
  for (std::uint64_t stream = 0; stream < 300; ++stream) {
    Draws draws({4, stream});
    const Indices at = pick(segments, 10, 0, &draws);
    for (std::size_t i = 0; i < 3; ++i) seen[i].insert(at[i]);
  }
  EXPECT_EQ(seen[0], (std::set<Index>{0, 1, 2}));
  EXPECT_EQ(seen[1], (std::set<Index>{3, 4, 5}));
  EXPECT_EQ(seen[2], (std::set<Index>{6, 7, 8, 9}));
}

TEST(Sampling, CropsByHand) {
  EXPECT_EQ(crop_of(240, 320, 224, 224, 0, 1), (Box{0, 40, 240, 240}));
  EXPECT_EQ(crop_of(240, 320, 224, 224, 0, 3), (Box{0, 0, 240, 240}));
  EXPECT_EQ(crop_of(240, 320, 224, 224, 1, 3), (Box{0, 40, 240, 240}));
  EXPECT_EQ(crop_of(240, 320, 224, 224, 2, 3), (Box{0, 80, 240, 240}));
  EXPECT_EQ(crop_of(320, 240, 10, 10, 2, 3), (Box{80, 0, 240, 240}));
  EXPECT_EQ(crop_of(30, 30, 10, 20, 0, 1), (Box{7, 0, 15, 30}));
  EXPECT_EQ(crop_of(1, 100, 100, 1, 0, 1), (Box{0, 49, 1, 1}));
  for (Index h = 1; h < 12; ++h)
    for (Index w = 1; w < 12; ++w)
      for (Index height = 1; height < 6; ++height)
        for (Index width = 1; width < 6; ++width)
          for (Index crop = 0; crop < 3; ++crop) {
            const Box box = crop_of(h, w, height, width, crop, 3);
            ASSERT_TRUE(box.height == h || box.width == w);
            ASSERT_TRUE(box.y >= 0 && box.height > 0 && box.y + box.height <= h);
            ASSERT_TRUE(box.x >= 0 && box.width > 0 && box.x + box.width <= w);
          }
}

TEST(Sampling, RefusesWhatDoesNotFit) {
  EXPECT_ERROR(ErrorCode::argument, "stride 0", span_of({.stride = 0}));
  EXPECT_ERROR(ErrorCode::argument, "below 2^31", span_of({.stride = Index{1} << 62}));
  EXPECT_ERROR(ErrorCode::argument, "clip 1 of 1", pick({}, 100, 1));
  EXPECT_ERROR(ErrorCode::argument, "0 frames", pick({}, 0));
  EXPECT_ERROR(ErrorCode::argument, "no sampling \"x\"", sampling_kind("x"));
  EXPECT_ERROR(ErrorCode::argument, "crop 3 of 3", crop_of(1, 1, 1, 1, 3, 3));
}

}  // namespace
}  // namespace framefold
