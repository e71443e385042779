// scripts/gpu-check-run without a GPU: the programs that it runs are a few lines of shell here.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <map>
#include <nlohmann/json.hpp>

#include "io/file.h"
#include "tests/data.h"
#include "tests/temporary.h"

namespace framefold {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr const char* tests_program = R"sh(#!/bin/bash
echo "$LD_LIBRARY_PATH" >"${0%/*}/../libraries"
for word in "$@"; do
  case $word in
    --gtest_list_tests)
      printf 'OpDevice.\n  add\n  dies\n  fails\n  hangs\nTrainingOnDevice.\n  dense\n'; exit ;;
    --gtest_filter=*) name=${word#*=} ;;
  esac
done
echo "[ RUN      ] $name"
case $name in
  *dies) kill -SEGV $$ ;;
  *fails) echo 'it "differs"'; echo "[  FAILED  ] $name (1 ms)"; exit 1 ;;
  *hangs) exec sleep 20 ;;
esac
echo "[       OK ] $name (1 ms)"
)sh";

// Four rows: the second ends the process, for the third the time is up.
constexpr const char* bench_program = R"sh(#!/bin/bash
rows=(a b c d) on=1 comma=
while (($#)); do
  case $1 in
    --list) printf '%s\n' "${rows[@]}"; exit ;;
    --after) after=$2; on=0; shift ;;
  esac
  shift
done
echo '{ "context": {},'
echo '"benchmarks": ['
for row in "${rows[@]}"; do
  if ((on)); then
    [[ $row != b ]] || { echo "an illegal address" >&2; exit 3; }
    printf '%s{\n  "name": "%s",\n' "$comma" $row
    if [[ $row == c ]]; then echo '  "error_message": "not run: the time of --most is up"'
    else echo '  "real_time": 5.0'; fi
    printf '}'
    comma=,
  fi
  [[ $row != "${after-}" ]] || on=1
done
printf '\n  ]\n}\n'
)sh";

class GpuCheck : public testing::Test {
 protected:
  GpuCheck() {
    fs::create_directories(directory / "bin");
    fs::copy_file(source_file("scripts/gpu-check-run"), directory / "run");
    write("commit", "1234567\n");
    program("framefold-gpu-tests", tests_program);
    program("framefold-bench", bench_program);
    program("framefold", "#!/bin/bash\necho framefold 1.0\n");
  }
  void write(const std::string& name, std::string_view content) {
    write_file(directory / name, content);
  }
  void program(const std::string& name, std::string_view content) {
    write("bin/" + name, content);
    fs::permissions(directory / "bin" / name, fs::perms::owner_all);
  }
  int run(const std::string& settings, const std::string& parts) {
    const std::string here = directory.path().string();
    // NOLINTNEXTLINE(concurrency-mt-unsafe)
    const int status = std::system(
        text(settings, " bash ", here, "/run ", here, "/out ", parts, " >", here, "/said 2>&1")
            .c_str());
    return WEXITSTATUS(status);
  }
  Json result() const { return Json::parse(read("out/gpu-check.json")); }
  std::string read(const std::string& name) const { return read_file(directory / name, 1 << 20); }

  TemporaryDirectory directory;
};

TEST_F(GpuCheck, ACrashOrAHangCostsOneTest) {
  EXPECT_EQ(run("GPU_CHECK_TEST_SECONDS=4 LD_LIBRARY_PATH=/driver", "tests training"), 1);
  const Json found = result();
  std::map<std::string, std::string> results;
  for (const Json& test : found["tests"]) results[test["name"]] = test["result"];
  EXPECT_EQ(results, (std::map<std::string, std::string>{{"OpDevice.add", "passed"},
                                                         {"OpDevice.dies", "crashed (139)"},
                                                         {"OpDevice.fails", "failed"},
                                                         {"OpDevice.hangs", "timed out"}}));
  EXPECT_EQ(found["tests"][2]["said"], "it \"differs\" ");
  EXPECT_EQ(found["training"][0]["result"], "passed");
  EXPECT_FALSE(found.contains("cold"));
  EXPECT_EQ(found["not_run"].size(), 0U);
  EXPECT_EQ(read("libraries"), text(directory.path().string(), "/lib:/driver\n"));
}

TEST_F(GpuCheck, WhatTimeRanOutForIsNamed) {
  EXPECT_EQ(run("GPU_CHECK_SECONDS=4", "tests"), 1);  // for the test that failed
  EXPECT_EQ(result()["not_run"], Json::array({"OpDevice.hangs"}));
  EXPECT_NE(read("said").find("not run, the time was up: OpDevice.hangs"), std::string::npos);
}

TEST_F(GpuCheck, RowsBehindOneThatEndsTheProcessRunInAnother) {
  EXPECT_EQ(run("", "cold"), 1);
  const Json found = result();
  std::vector<std::string> rows;
  for (const Json& part : found["cold"])
    for (const Json& row : part["benchmarks"]) rows.push_back(row["name"]);
  EXPECT_EQ(rows, (std::vector<std::string>{"a", "c", "d", "a", "c", "d"}));
  EXPECT_EQ(found["not_run"], Json::array({"cold.1: c", "cold.2: c"}));
  EXPECT_NE(read("said").find("at the row b framefold-bench ended with status 3: an illegal"),
            std::string::npos);
}

TEST_F(GpuCheck, UnknownPartsAndTimesAreRefused) {
  EXPECT_EQ(run("", "tests warmth"), 2);
  EXPECT_EQ(read("said"),
            "gpu-check: there is no part \"warmth\"; the parts are tests training sanitizer cold "
            "warm\n");
  EXPECT_EQ(run("GPU_CHECK_SECONDS=2m", "tests"), 2);
  EXPECT_FALSE(fs::exists(directory / "out"));
}

TEST_F(GpuCheck, WithoutAGpuEverythingIsSkippedByName) {
  program("framefold-gpu-tests",
          "#!/bin/bash\n[[ $* != *list* ]] || { printf 'OpDevice.\\n  add\\n'; exit; }\n"
          "echo 'no GPU: no CUDA-capable device is detected'\n");
  EXPECT_EQ(run("", ""), 0);
  EXPECT_EQ(result()["tests"][0]["result"], "skipped");
  EXPECT_EQ(result()["sanitizer"].size(), 3U);
  EXPECT_EQ(result()["cold"].size(), 0U);
  EXPECT_NE(read("said").find("missing: no GPU: no CUDA-capable device"), std::string::npos);
}

}  // namespace
}  // namespace framefold
