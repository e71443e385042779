// What a machine remembers of its measurements, and what it makes of files that are not its own.
#include "cli/paths.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "engine/ops.h"
#include "io/file.h"
#include "kernels/vendor.h"
#include "tests/temporary.h"

namespace framefold {
namespace {

namespace fs = std::filesystem;

class Paths : public testing::Test {
 protected:
  void SetUp() override {
    if (vendor_libraries({}).empty()) GTEST_SKIP() << "this build has no vendor's path on the CPU";
    ::setenv("FRAMEFOLD_CACHE_DIR", directory_.path().c_str(), 1);
  }
  void TearDown() override { ::setenv("FRAMEFOLD_CACHE_DIR", elsewhere_.c_str(), 1); }

  static std::shared_ptr<const Plan> plan(Index rows) {
    Graph graph;
    const Value x = graph.input("x", {DType::f32, {rows, 8}});
    const Value weight = graph.parameter("weight", {8, 8}, Init::normal(1));
    const Value y = linear(graph, x, weight);
    return std::make_shared<Plan>(
        compile(graph, {.fetch = {y}, .stream = {.threads = 1}, .both_paths = true}));
  }
  fs::path only_file() const {
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(directory_.path()))
      found.push_back(entry.path());
    EXPECT_EQ(found.size(), 1U);
    return found.at(0);
  }
  static void put(const fs::path& path, const std::string& bytes) { std::ofstream(path) << bytes; }

  TemporaryDirectory directory_;
  const std::string elsewhere_ = std::getenv("FRAMEFOLD_CACHE_DIR");
};

TEST_F(Paths, AMachineRemembersWhatItHasMeasured) {
  const MeasuredPaths first = measure_paths(plan(4), {});
  ASSERT_EQ(first.choices.size(), 1U);
  EXPECT_NE(first.report.find("matmul forward"), std::string::npos) << first.report;
  EXPECT_NE(first.report.find(" ms"), std::string::npos) << first.report;

  // What the file says holds, whatever the clock would.
  const std::string machine = machine_of({.threads = 1});
  Choices turned = first.choices;
  for (auto& [signature, path] : turned) path = path == Path::native ? Path::vendor : Path::native;
  write_choices(only_file(), machine, turned);
  const MeasuredPaths again = measure_paths(plan(4), {});
  EXPECT_EQ(again.choices, turned);
  EXPECT_EQ(again.report.find(" ms"), std::string::npos) << again.report;

  // Another shape is added to it.
  EXPECT_EQ(measure_paths(plan(5), {}).choices.size(), 2U);
  EXPECT_EQ(read_choices(only_file(), machine).size(), 2U);
}

TEST_F(Paths, DamagedAndForeignFilesArePassedOverAndReplaced) {
  const MeasuredPaths first = measure_paths(plan(4), {});
  const fs::path cache = only_file();
  const std::string machine = machine_of({.threads = 1});
  const std::string whole = read_file(cache, 1 << 16);
  const auto expect_note = [&](const std::string& part) {
    const MeasuredPaths given = measure_paths(plan(4), {});
    EXPECT_EQ(given.choices.size(), 1U);
    EXPECT_NE(given.report.find("passed over: " + cache.string()), std::string::npos);
    EXPECT_NE(given.report.find(part), std::string::npos) << given.report;
    EXPECT_EQ(read_choices(cache, machine), given.choices);
  };
  put(cache, whole.substr(0, whole.size() / 2));
  expect_note("");
  std::string flipped = read_file(cache, 1 << 16);
  flipped[flipped.size() / 2] = static_cast<char>(flipped[flipped.size() / 2] ^ 1);
  put(cache, flipped);
  expect_note("");
  write_choices(cache, "another machine", first.choices);
  expect_note("was measured on \"another machine\"");
}

TEST_F(Paths, ARunsOwnFileComesFirst) {
  const MeasuredPaths first = measure_paths(plan(4), {});
  Choices turned = first.choices;
  for (auto& [signature, path] : turned) path = path == Path::native ? Path::vendor : Path::native;
  const TemporaryDirectory run;
  const fs::path kept = run.path() / "paths.safetensors";
  write_choices(kept, "the machine that it began on", turned);
  EXPECT_EQ(measure_paths(plan(4), kept).choices, turned);
  EXPECT_EQ(measure_paths(plan(4), {}).choices, first.choices);
  put(kept, "damage");
  EXPECT_THROW(measure_paths(plan(4), kept), Error);
}

}  // namespace
}  // namespace framefold
