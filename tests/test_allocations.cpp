#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <new>
#include <sstream>
#include <string>

#include "tests/allocations.h"
#include "tests/tiny_run.h"

namespace framefold::test {
namespace {

TEST(Allocations, AreCounted) {
  if (!counts_allocations()) GTEST_SKIP() << "Allocations: the sanitizer's allocator is in use";
  const auto taken = [](const auto& take) {
    const std::int64_t before = allocations();
    take();
    return allocations() - before;
  };
  void* volatile piece = nullptr;  // what nobody looks at, a compiler leaves out
  EXPECT_EQ(taken([&] { piece = std::malloc(10); }), 1);
  std::free(piece);
  EXPECT_EQ(taken([&] { piece = std::aligned_alloc(64, 64); }), 1);
  std::free(piece);
  EXPECT_EQ(taken([&] { piece = ::operator new(10); }), 1);
  ::operator delete(piece);
  EXPECT_EQ(taken([] { Buffer(100); }), 1);
}

// "hg" among a mapping's flags: huge pages were asked for, and the system heard it.
TEST(Allocations, LargeBuffersAskForHugePages) {
  if (!std::filesystem::exists("/sys/kernel/mm/transparent_hugepage"))
    GTEST_SKIP() << "Allocations: this system has no huge pages";
  const Buffer buffer((Bytes{9} << 20) + 1);
  const auto wanted = reinterpret_cast<std::uintptr_t>(buffer.data()) + (Bytes{4} << 20);
  std::ifstream maps("/proc/self/smaps");
  bool inside = false;
  for (std::string line; std::getline(maps, line);) {
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
    char dash = 0;
    std::istringstream range(line);
    if (range >> std::hex >> begin >> dash >> end && dash == '-')
      inside = begin <= wanted && wanted < end;
    if (!inside || !line.starts_with("VmFlags:")) continue;
    EXPECT_NE(line.find(" hg"), std::string::npos) << line;
    return;
  }
  FAIL() << "the buffer is in no mapping";
}

TEST(Allocations, NoneAfterTheFirstStep) {
  if (!counts_allocations()) GTEST_SKIP() << "Allocations: the sanitizer's allocator is in use";
  for (const auto kind :
       {OptimizerKind::sgd, OptimizerKind::rmsprop, OptimizerKind::adam, OptimizerKind::adamw})
    for (const int workers : {0, 2}) {
      TinyOptions options{
          .optimizer = {.kind = kind, .weight_decay = 0.1, .clip = 0.01, .average = 0.9},
          .workers = workers,
          .threads = 2};
      options.train.max_skipped = 1;
      TinyRun run(options);
      run.source.spoilt = {10};
      std::int64_t first = 0;
      std::int64_t last = 0;
      run.run({.step = [&](const StepRecord& record) {
        if (record.step == 0) first = allocations();
        last = allocations();
      }});
      EXPECT_EQ(last - first, 0) << name_of(kind) << ", " << workers << " workers";
    }
}

}  // namespace
}  // namespace framefold::test
