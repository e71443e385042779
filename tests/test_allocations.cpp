#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <new>

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

// The system gives huge pages only to what begins on one.
TEST(Allocations, LargeBuffersBeginOnAHugePage) {
  constexpr std::uintptr_t huge_page = std::uintptr_t{2} << 20;
  for (const Bytes bytes : {Bytes{4} << 20, (Bytes{9} << 20) + 1}) {
    const Buffer buffer(bytes);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(buffer.data()) % huge_page, 0U) << bytes;
  }
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
