// The host runtime for CUDA kernels: what is right runs in every order of threads, what is wrong is
// named.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <numeric>
#include <regex>

#include "tests/data.h"
#include "tests/simt/probes.h"
#include "tests/simt/runtime.h"

namespace simt {
namespace {

constexpr int count = 2 * probe_threads;

struct Floats : DeviceMemory {
  Floats() : DeviceMemory(count * sizeof(float)) {}
  float* begin() const { return static_cast<float*>(data); }
};

std::vector<float> result_of(Probe probe) {
  const Floats x;
  const Floats y;
  std::iota(x.begin(), x.begin() + count, -3.0F);
  run_probe(probe, y.begin(), x.begin());
  return {y.begin(), y.begin() + count};
}

TEST(Simt, CorrectKernelsRunInEveryOrder) {
  for (const std::uint64_t schedule : {0, 1, 2, 3, 4}) {
    set_schedule(schedule);
    const std::vector<float> sums = result_of(Probe::sum_of_block);
    const std::vector<float> reversed = result_of(Probe::reverse_dynamic);
    const std::vector<float> exchanged = result_of(Probe::exchange_in_warp);
    const std::vector<float> votes = result_of(Probe::vote);
    const std::vector<float> copied = result_of(Probe::copies);
    const std::vector<float> doubled = result_of(Probe::bulk);
    for (int i = 0; i < count; ++i) {
      const auto at = static_cast<std::size_t>(i);
      const int block = i / probe_threads;
      EXPECT_EQ(sums[at], static_cast<float>(probe_threads * (64 * block - 3) + 64 * 63 / 2));
      EXPECT_EQ(reversed[at], static_cast<float>(block * 64 + 63 - i % 64 - 3));
      EXPECT_EQ(exchanged[at], static_cast<float>((i ^ 1) - 3));
      EXPECT_EQ(votes[at], i > 3 ? 1.0F : 0.0F);
      EXPECT_EQ(copied[at], static_cast<float>(i - 3));
      EXPECT_EQ(doubled[at], static_cast<float>(2 * (i - 3)));
    }
  }
  set_schedule(0);
}

void expect_caught(Probe probe, const std::string& what) {
  for (const std::uint64_t schedule : {0, 1, 2}) {
    set_schedule(schedule);
    try {
      result_of(probe);
      ADD_FAILURE() << "not caught: " << what;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(what), std::string::npos) << error.what();
      EXPECT_NE(std::string(error.what()).find("probe_"), std::string::npos) << error.what();
    }
  }
  set_schedule(0);
}

TEST(Simt, BarriersAndWarpsAreHeldToTheirRules) {
  expect_caught(Probe::half_a_barrier, "__syncthreads");
  expect_caught(Probe::two_barriers, "while others wait in the one at line");
  expect_caught(Probe::left_early, "a thread leaves while others wait");
  expect_caught(Probe::missing_lane, "lane");
  expect_caught(Probe::partial_mask, "its mask is not the whole warp");
  expect_caught(Probe::no_blocks, "no blocks");
}

TEST(Simt, CopiesAndMbarriersAreHeldToTheirRules) {
  expect_caught(Probe::copy_source_changes, "a copy's source changed on its way");
  expect_caught(Probe::copy_misaligned, "cp.async: its source a buffer of 512 bytes + ");
  expect_caught(Probe::copy_left_behind, "a thread leaves with its cp.async on their way");
  expect_caught(Probe::bulk_too_many_bytes, "lacks 0 of 1 arrivals and 16 bytes");
  expect_caught(Probe::bulk_too_few_bytes, "lacks 0 of 1 arrivals and -16 bytes");
  expect_caught(Probe::bulk_wrong_size, "cp.async.bulk: 252 bytes are no multiple of 16");
  expect_caught(Probe::bulk_misaligned, "is no multiple of 16");
  expect_caught(Probe::bulk_unpublished, "no fence since the mbarrier full + 0 was made");
  expect_caught(Probe::bulk_no_barrier, "mbarrier.try_wait");
  expect_caught(Probe::bulk_left_behind, "the block ends");
  expect_caught(Probe::mbarrier_overwritten, "the mbarrier full + 0 was overwritten");
  expect_caught(Probe::mbarrier_crowded, "mbarrier");
}

TEST(Simt, RacesAndWrongAddressesAreNamed) {
  result_of(Probe::vote);
  if (!checks_races()) GTEST_SKIP() << "the address sanitizer takes the race checker's place";
  expect_caught(Probe::missing_barrier, "read of own + ");
  expect_caught(Probe::missing_syncwarp, "read of own + ");
  expect_caught(Probe::overwritten_too_early, "race: ");
  expect_caught(Probe::blocks_share_a_result, "write after write a buffer of 512 bytes");
  expect_caught(Probe::block_reads_a_neighbour, "of another block");
  expect_caught(Probe::past_shared, "write outside few + 32");
  expect_caught(Probe::past_dynamic, "write outside dynamic shared memory + 32");
  expect_caught(Probe::past_buffer, "write outside a buffer of 512 bytes + 512");
  expect_caught(Probe::before_buffer, "read outside");
  expect_caught(Probe::unwritten, "which nobody wrote");
  expect_caught(Probe::misaligned, "misaligned access of 16 bytes");
  expect_caught(Probe::copy_not_awaited, "into which a copy is on its way");
  expect_caught(Probe::copy_awaited_too_early, "into which a copy is on its way");
  expect_caught(Probe::copy_without_barrier, "read of ");
  expect_caught(Probe::copy_over_readers, "second + ");
  expect_caught(Probe::copy_past_shared, "write outside first + 256");
  expect_caught(Probe::copy_not_committed, "into which a copy is on its way");
  expect_caught(Probe::bulk_not_awaited, "both + ");
  expect_caught(Probe::bulk_other_parity, "both + ");
  expect_caught(Probe::bulk_wrong_parity, "both + ");
  expect_caught(Probe::bulk_unfenced, "with no fence.proxy.async since");
  expect_caught(Probe::bulk_over_readers, "both + ");
}

}  // namespace
}  // namespace simt
