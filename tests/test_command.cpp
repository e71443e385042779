// The built command as a user runs it.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <regex>
#include <sstream>
#include <thread>

#include "cli/config.h"
#include "cli/exit.h"
#include "cli/metrics.h"
#include "cli/run_directory.h"
#include "engine/choice.h"
#include "io/codecs.h"
#include "io/file.h"
#include "io/picture.h"
#include "io/safetensors.h"
#include "io/video_index.h"
#include "kernels/vendor.h"
#include "tests/codecs_test.h"
#include "tests/data.h"
#include "tests/temporary.h"

namespace framefold {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using Words = std::vector<std::string>;

struct Result {
  int code = -1;
  std::string out, err;
  Json json() const { return Json::parse(out); }
};

class Command : public testing::Test {
 protected:
  // Starts `framefold WORDS` in the test's directory, two threads at most.
  pid_t start(const Words& words) {
    const pid_t child = ::fork();
    if (child != 0) return child;
    std::vector<char*> arguments{const_cast<char*>("framefold")};
    for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    if (::chdir(directory.path().c_str()) != 0 || std::freopen("out", "w", stdout) == nullptr ||
        std::freopen("err", "w", stderr) == nullptr)
      ::_exit(120);
    ::execv(FRAMEFOLD_COMMAND, arguments.data());
    ::_exit(121);
  }
  Result finish(pid_t child) {
    int status = 0;
    ::waitpid(child, &status, 0);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status),
            read_file(directory / "out", 1 << 24), read_file(directory / "err", 1 << 24)};
  }
  Result run(const Words& words) { return finish(start(words)); }

  // A small run of moving digits: a second and a half at most.
  Result train(Words more) {
    write_file(directory / "tiny.toml", R"(
[data]
kind = "moving-digits"
frames = 4
height = 32
width = 32
clips = 40
digits = 1
[model]
name = "conv3d"
widths = [4, 4]
[train]
batch = 4
steps = 8
threads = 1
log_every = 2
evaluate_every = 4
save_every = 2
)");
    Words words{"train", "tiny.toml"};
    words.insert(words.end(), more.begin(), more.end());
    return run(words);
  }
  bool has(const std::string& path) const { return fs::exists(directory / path); }

  TemporaryDirectory directory;
};

TEST_F(Command, AMissingDeviceIsOneSentenceAndNoFallBack) {
  const Result refused = train({"--set", "train.device=cuda:7"});
  EXPECT_EQ(refused.code, 6) << refused.err;
  EXPECT_NE(refused.err.find("device cuda:7 is wanted, but "), std::string::npos) << refused.err;
  EXPECT_NE(refused.err.find("take the device cpu"), std::string::npos) << refused.err;
  EXPECT_EQ(train({"--set", "train.device=gpu"}).code, 2);
}

TEST_F(Command, AProfileHasATableAndATrace) {
  const Result profiled = train({"--profile", "--floor", "0.5,0.05"});
  ASSERT_EQ(profiled.code, 0) << profiled.err;
  EXPECT_NE(profiled.out.find("of the floor"), std::string::npos);
  EXPECT_NE(profiled.out.find("conv3d"), std::string::npos);
  EXPECT_EQ(profiled.out.find("unknown"), std::string::npos);
  const Json trace = Json::parse(read_file(directory / "runs/tiny/trace.json", 1 << 24));
  double end = 0;
  for (const Json& event : trace["traceEvents"]) {
    EXPECT_EQ(event["ph"], "X");
    EXPECT_NEAR(event["ts"].get<double>(), end, 1e-6 * end);
    end = event["ts"].get<double>() + event["dur"].get<double>();
  }
  EXPECT_GT(end, 0);
}

TEST_F(Command, BenchTimesStepsAndComparesThem) {
  const Words tiny{"bench", "digits-dense",    "--set",     "data.kind=moving-digits",
                   "--set", "data.clips=300",  "--set",     "train.batch=16",
                   "--set", "train.threads=1", "--seconds", "0.2"};
  const auto with = [&](Words more) {
    Words words = tiny;
    words.insert(words.end(), more.begin(), more.end());
    return words;
  };
  const Result first = run(with({"--json", "--out", "old.json"}));
  ASSERT_EQ(first.code, 0) << first.err;
  const Json json = first.json();
  EXPECT_GE(json["steps"].get<int>(), 10);
  EXPECT_LE(json["step_seconds"]["low"], json["step_seconds"]["median"]);
  EXPECT_LE(json["memory"]["tensors"], json["memory"]["planned"]);
  double split = 0;
  for (const auto& part : json["split_seconds"]) split += part.get<double>();
  EXPECT_GT(split, 0.2 * json["step_seconds"]["low"].get<double>());

  const Result second = run(with({"--compare", "old.json"}));
  ASSERT_EQ(second.code, 0) << second.err;
  EXPECT_NE(second.out.find("times as fast as old.json\n"), std::string::npos) << second.out;

  const Result measured = run(with({"--set", "train.path=measured", "--json"}));
  ASSERT_EQ(measured.code, 0) << measured.err;
  const bool chooses = !vendor_libraries({}).empty();
  EXPECT_EQ(measured.json().contains("paths"), chooses);
  const Result table = run(with({"--set", "train.path=measured"}));
  EXPECT_EQ(table.out.find("vendor's  taken") != std::string::npos, chooses) << table.out;

  write_file(directory / "other.json", "{}");
  const Result refused = run(with({"--compare", "other.json"}));
  EXPECT_EQ(refused.code, 3);
  EXPECT_NE(refused.err.find("other.json holds no times of `framefold bench --json`"),
            std::string::npos)
      << refused.err;
}

TEST_F(Command, HelpTeachesAndNamesExitCodes) {
  const Result help = run({"--help"});
  EXPECT_EQ(help.code, exit_done);
  EXPECT_NE(help.out.find("framefold train digits-dense"), std::string::npos);
  EXPECT_NE(help.out.find("75 interrupted"), std::string::npos);
  for (const std::string word : {"train", "eval", "reconstruct", "features", "probe", "attention",
                                 "plan", "info", "models", "ops", "keys"}) {
    EXPECT_NE(help.out.find("\n  " + word + " "), std::string::npos) << word;
    const Result each = run({word, "--help"});
    EXPECT_EQ(each.code, exit_done) << word;
    EXPECT_NE(each.out.find("Examples:\n  "), std::string::npos) << word;
    EXPECT_NE(each.out.find("--json"), std::string::npos) << word;
  }
  EXPECT_NE(run({"data", "show", "--help"}).out.find("Examples:"), std::string::npos);
  EXPECT_NE(run({"data", "--help"}).out.find("Examples:\n  framefold data show"),
            std::string::npos);
  const Result version = run({"--version"});
  EXPECT_EQ(version.code, exit_done);
  EXPECT_TRUE(std::regex_match(version.out, std::regex("framefold \\d+\\.\\d+\\.\\d+ \\(.+\\)\n")))
      << version.out;
}

TEST_F(Command, MistakesAreNamedWithTheNearestName) {
  const auto expect = [&](const Words& words, int code, const std::string& message) {
    const Result result = run(words);
    EXPECT_EQ(result.code, code) << result.err;
    EXPECT_EQ(result.out, "");
    EXPECT_NE(result.err.find(message), std::string::npos) << result.err;
  };
  expect({}, exit_usage, "expected a command");
  expect({"trian"}, exit_usage, "there is no command \"trian\"; did you mean \"train\"?");
  expect({"train", "--frob"}, exit_usage, "there is no option --frob");
  expect({"plan", "clips", "--memroy=8GiB"}, exit_usage,
         "there is no option --memroy; did you mean --memory? (`framefold plan --help` lists all)");
  expect({"data", "show", "clips", "more"}, exit_usage,
         "\"more\" was not expected (`framefold data show --help` shows what is)");
  expect({"train"}, exit_usage, "expected a CONFIG or --resume");
  expect({"train", "digits-dens"}, exit_usage, "did you mean \"digits-dense\"?");
  expect({"train", "digts"}, exit_usage, "did you mean \"digits-");
  expect({"plan", "digits-dense", "--set", "train.batches=3"}, exit_usage,
         "unknown key \"train.batches\"; did you mean \"train.batch\"?");
  expect({"plan", "digits-dense", "--set", "model.name=dens"}, exit_usage, "dense");
  expect({"plan", "digits-dense", "--memory", "3 parsecs"}, exit_usage, "expected a size");
  expect({"plan", "digits-dense", "--memory", "1KiB"}, exit_memory, "one clip takes");
  expect({"train", "moving-digits", "--set", "train.batch=10000000"}, exit_memory,
         "are missing; the largest batch that fits is ");
  expect({"train", "none.toml"}, exit_data, "none.toml");
  expect({"eval", "runs/none"}, exit_data, "holds no run");
  expect({"info", "none"}, exit_data, "does not exist");
  expect({"train", "clips", "--set", "data.path="}, exit_usage, "data.path is empty");
  expect({"train", "clips", "--set", "data.path=a.csv"}, exit_usage, "set data.kind=list");
  expect({"train", "clips", "--set", "data.path=none"}, exit_data, "none: No such file");
  EXPECT_FALSE(has("runs/clips"));  // of what never began nothing stays
  expect({"train", "clips", "--set", "train.batch=x"}, exit_usage, "expected an integer");
  expect({"probe", "a.npy", "b.npy"}, exit_usage, "--out FILE.safetensors");
  expect({"plan", "videomae-ti", "--set", "model.heads=5"}, exit_usage,
         "model.heads is 5, expected a divisor of the width 192");
  fs::create_directories(directory / "old");
  write_file(directory / "old/config.toml", "");
  expect({"train", "old"}, exit_usage, "old is a run's folder");
  write_file(directory / "mine.toml", "[train]\nbatch = 4\nsped = 3\n");
  expect({"train", "mine.toml"}, exit_usage, "mine.toml:3: unknown key \"train.sped\"");
}

TEST_F(Command, ErrorsAreJsonToo) {
  const Result result = run({"plan", "digits-dens", "--json"});
  EXPECT_EQ(result.code, exit_usage);
  EXPECT_EQ(result.json()["error"]["exit"], exit_usage);
  EXPECT_EQ(result.json()["error"]["kind"], "config");
}

TEST_F(Command, ListsAndPlan) {
  EXPECT_EQ(run({"models", "--json"}).json()["presets"].size(), presets().size());
  EXPECT_GT(run({"ops", "--json"}).json().size(), 10U);
  EXPECT_EQ(run({"keys", "--json"}).json().size(), keys().size());
  EXPECT_EQ(run({"keys", "train.beta", "--json"}).json().size(), 2U);

  // 784 x 32 + 32 + 32 x 784 + 784 parameters; two products forward, three backward.
  const Json plan = run({"plan", "digits-dense", "--json", "--set", "train.batch=10"}).json();
  EXPECT_EQ(plan["parameters"], 50992);
  EXPECT_EQ(plan["code"], 32);
  for (const Json& op : plan["operations"])
    if (op["name"] == "matmul") {
      EXPECT_NEAR(op["forward_flops"].get<double>(), 2 * 2.0 * 10 * 784 * 32, 2e5);
      EXPECT_NEAR(op["backward_flops"].get<double>(), 3 * 2.0 * 10 * 784 * 32, 4e5);
    }
  const Json& bytes = plan["bytes"];
  EXPECT_GE(bytes["parameters"], 50992 * 4);
  EXPECT_NEAR(bytes["optimizer"].get<double>(), 2 * bytes["gradients"].get<double>(), 512);

  // The batch that fits is the largest: one more does not.
  const Words find{"plan", "moving-digits", "--memory", "64MiB", "--json"};
  const Json fitting = run(find).json();
  const Index batch = fitting["batch"].get<Index>();
  EXPECT_LE(fitting["bytes"]["total"].get<Index>(), Index{64} << 20);
  const Json larger =
      run({"plan", "moving-digits", "--json", "--set", "train.batch=" + std::to_string(batch + 1)})
          .json();
  EXPECT_GT(larger["bytes"]["total"].get<Index>(), Index{64} << 20);
}

TEST_F(Command, BenchTimesAClassifier) {
  const Result result = run({"bench",
                             "moving-digits",
                             "--json",
                             "--seconds",
                             "0.1",
                             "--set",
                             "data.clips=40",
                             "--set",
                             "data.directions=true",
                             "--set",
                             "data.digits=1",
                             "--set",
                             "data.frames=4",
                             "--set",
                             "data.height=32",
                             "--set",
                             "data.width=32",
                             "--set",
                             "model.widths=[4,4]",
                             "--set",
                             "train.threads=1",
                             "--set",
                             "task.kind=classify"});
  ASSERT_EQ(result.code, exit_done) << result.err;
  EXPECT_GE(result.json()["steps"].get<int>(), 10);
}

TEST_F(Command, ARunThatNeverBeganLeavesItsNameFree) {
  EXPECT_EQ(train({"--set", "data.kind=videos", "--set", "data.path=nowhere"}).code, exit_data);
  EXPECT_EQ(train({"--set", "train.steps=1"}).code, exit_done);
  fs::create_directories(directory / "runs/other/samples");
  write_file(directory / "runs/other/samples/mine.txt", "kept");
  EXPECT_EQ(train({"--name", "other", "--overwrite"}).code, exit_data);
  EXPECT_TRUE(has("runs/other/samples/mine.txt"));
}

TEST_F(Command, TrainsAndKeepsEverything) {
  const Result result = train({"--json"});
  ASSERT_EQ(result.code, exit_done) << result.err;
  const Json json = result.json();
  EXPECT_EQ(json["step"], 8);
  EXPECT_GT(json["held_out"]["psnr"], 0.0);
  EXPECT_GT(json["baseline_mean_frame"]["psnr"], 0.0);
  EXPECT_EQ(json["held_out"]["clips"], 4);

  const std::string run_path = "runs/tiny/";
  for (const std::string name :
       {"config.toml", "environment.json", "metrics.csv", "metrics.jsonl", "results.json",
        "report.html", "samples/step-00000008.png", "samples/step-00000008.webp",
        "samples/step-00000004.png", "checkpoints/step-00000008.safetensors"})
    EXPECT_TRUE(has(run_path + name)) << name;
  EXPECT_EQ(Json::parse(read_file(directory / (run_path + "results.json"), 1 << 20)), json);
  const Json environment =
      Json::parse(read_file(directory / (run_path + "environment.json"), 1 << 20));
  EXPECT_EQ(environment["threads"], 1);
  EXPECT_GT(environment["first_step_ms"], 0.0);

  const auto rows = Metrics::read(directory / (run_path + "metrics.jsonl"));
  std::vector<Index> steps;
  for (const MetricRow& row : rows) steps.push_back(row.step);
  EXPECT_EQ(steps, (std::vector<Index>{2, 4, 4, 6, 8, 8}));
  EXPECT_TRUE(rows[1][Column::loss] && !rows[1][Column::held_out_psnr]);
  EXPECT_TRUE(rows[2][Column::held_out_psnr] && !rows[2][Column::loss]);

  const std::string report = read_file(directory / (run_path + "report.html"), 3 << 20);
  EXPECT_NE(report.find("data:image/webp;base64,"), std::string::npos);
  EXPECT_NE(report.find("<svg"), std::string::npos);
  EXPECT_EQ(report.find("<script"), std::string::npos);
  for (std::size_t at = 0; (at = report.find("src=\"", at)) != std::string::npos; ++at)
    EXPECT_EQ(report.compare(at, 10, "src=\"data:"), 0);

  const Result again = train({});
  EXPECT_EQ(again.code, exit_data);
  EXPECT_NE(again.err.find("--overwrite"), std::string::npos) << again.err;
  EXPECT_EQ(train({"--name", "other", "--set", "train.steps=2"}).code, exit_done);
  EXPECT_TRUE(has("runs/other/report.html"));
}

TEST_F(Command, UsesWhatItTrained) {
  ASSERT_EQ(train({}).code, exit_done);
  const Json json = run({"eval", "runs/tiny", "--json"}).json();
  const Json trained = Json::parse(read_file(directory / "runs/tiny/results.json", 1 << 20));
  EXPECT_NEAR(json["psnr"].get<double>(), trained["held_out"]["psnr"].get<double>(), 1e-9);
  EXPECT_NEAR(json["baseline_mean_frame"]["psnr"].get<double>(),
              trained["baseline_mean_frame"]["psnr"].get<double>(), 1e-9);
  EXPECT_NE(run({"eval", "runs/tiny"}).out.find("mean frame of the training data"),
            std::string::npos);

  const Json pictures = run({"reconstruct", "runs/tiny", "--clips", "2", "--json"}).json();
  ASSERT_EQ(pictures.size(), 2U);
  const Picture strip =
      decode_png(read_file(directory / pictures[1]["picture"].get<std::string>(), 1 << 24));
  EXPECT_GT(strip.width, 4 * 96);
  EXPECT_TRUE(has(pictures[1]["animation"].get<std::string>()));
  EXPECT_EQ(pictures[1]["frames"]["psnr"].size(), 4U);
  EXPECT_GT(pictures[1]["frames"]["ssim"][3], -1.0);
  EXPECT_EQ(pictures[1]["frames_per_second"], 8.0);
  for (const std::string name : {"quality.csv", "quality.json", "psnr.svg", "ssim.svg"})
    EXPECT_TRUE(has("runs/tiny/reconstructions/" + name)) << name;
  std::istringstream csv(read_file(directory / "runs/tiny/reconstructions/quality.csv", 1 << 20));
  std::string next, line;
  Index lines = 0;
  for (; std::getline(csv, next); ++lines) line = next;
  EXPECT_EQ(lines, 1 + 2 * 4);  // heading, frames of two clips
  EXPECT_EQ(line.substr(0, 19), "1,reconstruction,3,");
  EXPECT_EQ(pictures[1].contains("video"), codecs_plugin().symbol != nullptr);
  if (pictures[1].contains("video")) {
    const std::string video = (directory / pictures[1]["video"].get<std::string>()).string();
    const VideoIndex index = codecs().scan(video, {});
    EXPECT_EQ(index.size(), 4);
    EXPECT_EQ(index.width, 3 * (4 + 96 + 4));  // the three panels, each with its margin
    EXPECT_NEAR(index.rate, 8, 1e-6);
  }
  EXPECT_EQ(run({"reconstruct", "runs/tiny", "--clips", "1", "--out", "elsewhere"}).code,
            exit_done);
  EXPECT_TRUE(has("elsewhere/clip-0.png"));

  const Json info = run({"info", "runs/tiny", "--json"}).json();
  EXPECT_EQ(info["step"], 8);
  EXPECT_EQ(info["results"], trained);
  const Json file = run({"info", info["checkpoint"].get<std::string>(), "--json"}).json();
  EXPECT_EQ(file["metadata"]["framefold.step"], "8");
  EXPECT_GT(file["tensors"].size(), 8U);

  const Json shown = run({"data", "show", "tiny.toml", "--out", "sheet.png", "--json"}).json();
  EXPECT_EQ(shown["train"], 36);
  EXPECT_EQ(shown["held_out"], 4);
  EXPECT_TRUE(has("sheet.png"));
}

// Corrupted clips beside clean ones: the same in training's last evaluation and in a later one.
TEST_F(Command, RestoresWhatIsCorrupted) {
  const Result result =
      train({"--set", "corrupt.gaussian=0.3", "--set", "corrupt.masks=1", "--json"});
  ASSERT_EQ(result.code, exit_done) << result.err;
  const Json json = run({"eval", "runs/tiny", "--json"}).json();
  EXPECT_EQ(json["fed"], result.json()["fed"]);
  EXPECT_NEAR(json["psnr"].get<double>(), result.json()["held_out"]["psnr"].get<double>(), 1e-9);
  // Noise of 0.3 on black is cut at 0: half of its variance stays, and the mask's grey.
  EXPECT_GT(json["fed"]["psnr"], 8.0);
  EXPECT_LT(json["fed"]["psnr"], 14.0);
  const Json pictures = run({"reconstruct", "runs/tiny", "--clips", "1", "--json"}).json();
  const Picture strip =
      decode_png(read_file(directory / pictures[0]["picture"].get<std::string>(), 1 << 24));
  EXPECT_EQ(strip.height, 4 + 4 * (18 + 96 + 4));  // one row more than without corruption
  const auto height = [&](const Words& more) {
    Words words{"data", "show", "tiny.toml", "--clips", "2", "--out", "sheet.png"};
    words.insert(words.end(), more.begin(), more.end());
    EXPECT_EQ(run(words).code, exit_done);
    return decode_png(read_file(directory / "sheet.png", 1 << 24)).height;
  };
  // Twice as many rows, beside the margin of 4.
  EXPECT_EQ(height({"--set", "corrupt.salt=0.2"}) - 4, 2 * (height({}) - 4));
}

// What the training data's mean clip predicts does not depend on augmentation.
TEST_F(Command, TheMeanClipIsOfPlainClips) {
  const Json plain = train({"--name", "plain", "--json"}).json();
  const Json other =
      train({"--name", "other", "--set", "augment.rotate=90", "--set", "augment.masks=2", "--json"})
          .json();
  EXPECT_EQ(plain["baseline_mean_frame"], other["baseline_mean_frame"]);
  EXPECT_NE(plain["held_out"], other["held_out"]);
}

TEST_F(Command, ResumedRunsEndAsUndisturbedOnes) {
  ASSERT_EQ(train({"--name", "whole"}).code, exit_done);
  ASSERT_EQ(train({"--name", "parts", "--set", "train.steps=5"}).code, exit_done);
  const Result resumed = run({"train", "--resume", "runs/parts", "--set", "train.steps=8"});
  ASSERT_EQ(resumed.code, exit_done) << resumed.err;
  const auto file = [&](const std::string& name) {
    return Json::parse(run({"info", name, "--json"}).out)["metadata"]["framefold.metric"];
  };
  EXPECT_EQ(file("runs/whole/checkpoints/step-00000008.safetensors"),
            file("runs/parts/checkpoints/step-00000008.safetensors"));
  EXPECT_EQ(run({"train", "--resume", "runs/parts", "--set", "train.batch=8"}).code, exit_usage);
  EXPECT_EQ(run({"train", "--resume", "runs/parts", "--name", "x"}).code, exit_usage);

  // Every step once, and the same numbers: the rest of a row is time.
  const auto numbers = [&](const std::string& name) {
    std::vector<std::pair<Index, double>> found;
    for (const MetricRow& row : Metrics::read(directory / name))
      found.emplace_back(row.step,
                         row[Column::loss].value_or(row[Column::held_out_loss].value_or(0)));
    return found;
  };
  auto parts = numbers("runs/parts/metrics.jsonl");
  std::erase_if(parts, [](const auto& row) { return row.first == 5; });  // its last one then
  EXPECT_EQ(parts, numbers("runs/whole/metrics.jsonl"));
}

// What a run has measured is the run's: it goes on with it, whatever the clock says now.
TEST_F(Command, MeasuredPathsStayWithTheirRun) {
  const Words measured{"--set", "model.name=dense",   "--set", "model.widths=16,4",
                       "--set", "train.path=measured"};
  const auto begin = [&](const std::string& name, const std::string& steps) {
    Words words{"--name", name, "--set", "train.steps=" + steps};
    words.insert(words.end(), measured.begin(), measured.end());
    return train(words);
  };
  const auto paths = [&](const std::string& name) {
    return directory / name / "paths.safetensors";
  };
  const auto learnt = [](const fs::path& path) {
    const SafetensorsFile file(path);
    std::vector<float> values;
    for (const SafetensorsEntry& entry : file.entries()) {
      if (entry.dtype != DType::f32) continue;
      std::vector<float> tensor(static_cast<std::size_t>(entry.shape.size()));
      file.read(entry.name, {tensor.data(), DType::f32, entry.shape});
      values.insert(values.end(), tensor.begin(), tensor.end());
    }
    return values;
  };
  ASSERT_EQ(begin("first", "5").code, exit_done);
  const Choices found = read_choices(paths("runs/first"), "");
  for (const Path path : {Path::native, Path::vendor}) {
    // A run of one kind of path, whole and in two parts; its file says what no clock had.
    Choices chosen = found;
    for (auto& [signature, taken] : chosen) taken = path;
    const std::string name = path == Path::native ? "native" : "vendor";
    for (const std::string& part : {name + "-whole", name + "-parts"}) {
      fs::copy(directory / "runs/first", directory / "runs" / part, fs::copy_options::recursive);
      for (const auto& file : fs::directory_iterator(directory / "runs" / part / "checkpoints"))
        fs::remove(file);
      write_choices(paths("runs/" + part), "elsewhere", chosen);
    }
    const Result whole =
        run({"train", "--resume", "runs/" + name + "-whole", "--set", "train.steps=8"});
    ASSERT_EQ(whole.code, exit_done) << whole.err;
    for (const char* steps : {"train.steps=5", "train.steps=8"})
      ASSERT_EQ(run({"train", "--resume", "runs/" + name + "-parts", "--set", steps}).code,
                exit_done);
    EXPECT_EQ(read_choices(paths("runs/" + name + "-parts"), ""), chosen);
    const auto weights = [&](const std::string& part) {
      return learnt(directory / "runs" / part / "checkpoints/step-00000008.safetensors");
    };
    EXPECT_EQ(weights(name + "-whole"), weights(name + "-parts"));
  }
  if (!found.empty()) {
    EXPECT_NE(learnt(directory / "runs/native-whole/checkpoints/step-00000008.safetensors"),
              learnt(directory / "runs/vendor-whole/checkpoints/step-00000008.safetensors"));
  }

  fs::remove(paths("runs/first"));
  const Result lost = run({"train", "--resume", "runs/first", "--set", "train.steps=8"});
  EXPECT_EQ(lost.code, exit_data);
  EXPECT_NE(lost.err.find("paths.safetensors is missing"), std::string::npos) << lost.err;
}

// An autoencoder, a probe on its frozen encoder, a resumed fine-tuning, and what they are worth.
TEST_F(Command, Classifies) {
  const Words labelled{"--set", "data.directions=true", "--set", "data.held_out=0.5"};
  const auto with = [&](Words words) {
    words.insert(words.end(), labelled.begin(), labelled.end());
    return words;
  };
  ASSERT_EQ(train(with({"--name", "first"})).code, exit_done);
  const Result probe = train(with({"--name", "probe", "--json", "--set", "task.kind=classify",
                                   "--set", "task.from=runs/first", "--set", "task.freeze=true"}));
  ASSERT_EQ(probe.code, exit_done) << probe.err;
  EXPECT_NE(probe.err.find("drawn anew: fc_norm.gamma"), std::string::npos) << probe.err;
  const Json found = probe.json()["held_out"];
  EXPECT_EQ(found["videos"], 20);
  EXPECT_EQ(found["top5"], 1.0);
  EXPECT_EQ(found["classes"][3]["name"], "right");
  EXPECT_NE(read_file(directory / "runs/probe/report.html", 3 << 20).find("Confusion matrix"),
            std::string::npos);
  EXPECT_EQ(read_file(directory / "runs/probe/classes.txt", 100), "up\ndown\nleft\nright\n");

  const Result eval = run({"eval", "runs/probe", "--checkpoint", "last", "--json"});
  ASSERT_EQ(eval.code, exit_done) << eval.err;
  EXPECT_EQ(eval.json()["top1"], found["top1"]);
  EXPECT_EQ(eval.json()["loss"], found["loss"]);
  EXPECT_GT(decode_png(read_file(directory / "runs/probe/confusion.png", 1 << 20)).width, 100);
  EXPECT_NE(run({"eval", "runs/probe"}).out.find("mostly taken for"), std::string::npos);

  const Words tune{"--set",           "task.kind=classify",
                   "--set",           "task.from=runs/first",
                   "--set",           "train.optimizer=adamw",
                   "--set",           "train.layer_decay=0.7",
                   "--set",           "augment.mixup=0.8",
                   "--set",           "augment.cutmix=1",
                   "--set",           "task.smoothing=0.1",
                   "--set",           "data.repeats=2",
                   "--set",           "train.average=0.9",
                   "--set",           "task.head=attentive",
                   "--json",          "--set",
                   "task.dropout=0.1"};
  Words whole = with(tune), part = with(tune);
  whole.insert(whole.end(), {"--name", "whole"});
  part.insert(part.end(), {"--name", "part", "--set", "train.steps=4"});
  const Result tuned = train(whole);
  ASSERT_EQ(tuned.code, exit_done) << tuned.err;
  ASSERT_EQ(train(part).code, exit_done);
  const Result resumed =
      run({"train", "--resume", "runs/part", "--set", "train.steps=8", "--json"});
  ASSERT_EQ(resumed.code, exit_done) << resumed.err;
  EXPECT_EQ(resumed.json()["held_out"], tuned.json()["held_out"]);

  // Features of both parts, and what they know.
  for (const std::string part : {"train", "held-out"}) {
    const Result stored =
        run({"features", "runs/probe", "--part", part, "--out", part + ".safetensors", "--json"});
    ASSERT_EQ(stored.code, exit_done) << stored.err;
    EXPECT_EQ(stored.json()["shape"], (std::vector<Index>{20, 4}));
  }
  EXPECT_EQ(
      run({"features", "runs/first", "--tokens", "--out", "tokens.npy", "--json"}).json()["shape"],
      (std::vector<Index>{20, 64, 4}));
  const std::string npy = read_file(directory / "tokens.npy", 1 << 20);
  EXPECT_EQ(npy.size() % 64, 0U);
  EXPECT_NE(npy.find("'shape': (20, 64, 4, )"), std::string::npos);
  EXPECT_EQ(Json::parse(read_file(directory / "tokens.npy.json", 1 << 20))["rows"][19]["frames"],
            (std::vector<Index>{0, 3}));
  EXPECT_NE(run({"attention", "runs/first"}).err.find("attends to nothing"), std::string::npos);
  const Result known = run({"probe", "train.safetensors", "held-out.safetensors", "--json"});
  ASSERT_EQ(known.code, exit_done) << known.err;
  EXPECT_GT(known.json()["linear"], 0.0);
  EXPECT_EQ(known.json()["classes"], 4);

  const auto refused = [&](const Words& words, const std::string& message) {
    const Result result = train(words);
    EXPECT_NE(result.code, exit_done);
    EXPECT_NE(result.err.find(message), std::string::npos) << result.err;
  };
  refused({"--name", "none", "--set", "task.kind=classify"}, "data.directions=true");
  refused(with({"--name", "other", "--set", "task.kind=classify", "--set", "task.from=runs/first",
                "--set", "model.widths=4,5"}),
          "misshapen: encoder.1.weight");
  refused(with({"--name", "many", "--set", "task.kind=classify", "--set", "task.classes=5"}),
          "task.classes is 5, the data has 4");
  EXPECT_NE(run({"reconstruct", "runs/probe"}).err.find("reconstructs nothing"), std::string::npos);
  EXPECT_EQ(run({"plan", "tiny.toml", "--set", "data.directions=true", "--set",
                 "task.kind=classify", "--set", "task.freeze=true", "--json"})
                .json()["parameters"],
            4 + 4 + 4 * 4 + 4);
}

TEST_F(Command, VerifiesVideos) {
  if (codecs_plugin().symbol == nullptr) GTEST_SKIP() << "libframefold_codecs.so is absent";
  const std::string head = "YUV4MPEG2 W16 H8 F25:1 Ip A1:1 Cmono\n";
  const std::string frame = "FRAME\n" + std::string(16 * 8, 'x');
  fs::create_directory(directory / "videos");
  write_file(directory / "videos/a.y4m", head + frame + frame + frame);
  Result all_good = run({"data", "verify", "videos", "--json"});
  EXPECT_EQ(all_good.code, 0) << all_good.err;
  EXPECT_EQ(all_good.json()["totals"]["good"], 1);
  EXPECT_EQ(run({"data", "verify", "videos", "--isolate", "--json"}).out, all_good.out);
  const fs::path video = directory / "videos/a.y4m";
  EXPECT_TRUE(fs::exists(index_places(video.string()).front()));
  EXPECT_EQ(read_file(directory / "quarantine.txt", 100), "");

  write_file(directory / "videos/b.y4m", head + frame);
  write_file(directory / "videos/c.mp4", "no video");
  write_file(directory / "videos/d.y4m", "YUV4MPEG2 W3 H8 F25:1 Ip A1:1 Cmono\n" +
                                             ("FRAME\n" + std::string(24, 'x')) + "FRAME\n" +
                                             std::string(24, 'y'));
  const Result some = run({"data", "verify", "videos", "--frames", "2", "--json"});
  EXPECT_EQ(some.code, 3) << some.err;
  const Json files = some.json()["files"];
  const char* verdicts[] = {"good", "too short", "unreadable", "odd size"};
  ASSERT_EQ(files.size(), 4U);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(files[i]["verdict"], verdicts[i]) << files[i];
  EXPECT_EQ(read_file(directory / "quarantine.txt", 1000), "videos/b.y4m\nvideos/c.mp4\n");
  const Result text = run({"data", "verify", "videos/a.y4m", "videos/c.mp4"});
  EXPECT_EQ(text.code, 3);
  EXPECT_NE(text.out.find("1 of 2 good, 1 unreadable"), std::string::npos) << text.out;
  EXPECT_NE(text.out.find("unreadable: videos/c.mp4  (is no video"), std::string::npos) << text.out;
  const Result nowhere = run({"data", "verify", "videos", "--quarantine", "absent/list.txt"});
  EXPECT_EQ(nowhere.code, exit_data);
  EXPECT_NE(nowhere.err.find("choose another --quarantine"), std::string::npos) << nowhere.err;
}

std::string grey_video(int frames) {
  std::string video = "YUV4MPEG2 W16 H8 F25:1 Ip A1:1 Cmono\n";
  for (int i = 0; i < frames; ++i) video += "FRAME\n" + std::string(16 * 8, static_cast<char>(i));
  return video;
}

// Weights of others come without data: eval takes it, and how to read it, from the flags.
TEST_F(Command, ConvertedWeightsAreEvaluatedOnOtherData) {
  if (codecs_plugin().symbol == nullptr) GTEST_SKIP() << "libframefold_codecs.so is absent";
  directory.write("videos/a.y4m", grey_video(6));
  directory.write("list.txt", "videos/a.y4m 0\nvideos/a.y4m 2\n");
  const std::string weights = source_file("tests/fixtures/videomae").string();
  ASSERT_EQ(run({"convert", weights, "--to", "framefold", "--out", "pre"}).code, 0);
  ASSERT_EQ(run({"convert", weights + "/classifier", "--to", "framefold", "--out", "k"}).code, 0);
  const Result again = run({"convert", weights, "--to", "framefold", "--out", "pre"});
  EXPECT_EQ(again.code, exit_data);
  EXPECT_NE(again.err.find("exists; choose another --out"), std::string::npos) << again.err;

  const Result pre = run({"eval", "pre", "--data", "videos", "--json"});
  ASSERT_EQ(pre.code, 0) << pre.err;
  EXPECT_FALSE(pre.json().contains("baseline_mean_frame"));
  EXPECT_TRUE(pre.json().contains("baseline_own_mean_frame"));

  const Result nothing = run({"eval", "k", "--data", "list.txt"});
  EXPECT_EQ(nothing.code, exit_usage);
  EXPECT_NE(nothing.err.find("set data.kind=list"), std::string::npos) << nothing.err;
  const Result top = run({"eval", "k", "--data", "list.txt", "--set", "data.kind=list", "--set",
                          "data.test_clips=2", "--set", "data.test_crops=3", "--json"});
  ASSERT_EQ(top.code, 0) << top.err;  // labels 0 and 2 of LABEL_0 to LABEL_4
  EXPECT_EQ(top.json()["videos"], 2);
  EXPECT_EQ(top.json()["clips"], 12);
  EXPECT_TRUE(has("k/confusion.png"));
}

// What lists name, also in an archive, in an array and as pictures.
TEST_F(Command, VerifiesLists) {
  if (codecs_plugin().symbol == nullptr) GTEST_SKIP() << "libframefold_codecs.so is absent";
  directory.write("videos/a b.y4m", grey_video(3));
  directory.write("videos/c.mp4", "no video");
  directory.write("pictures/1.png", encode_png({8, 6, 3, 20}));
  directory.write("pictures/2.png", "no picture");
  directory.write("list.txt", "a b.y4m 0\nc.mp4 1\na b.y4m 2\nabsent.mp4 1\n");
  directory.write("frames.txt", "pictures 1 0\n");
  std::string array("\x93NUMPY\x01\x00\x76\x00", 10);
  std::string header = "{'descr': '|u1', 'fortran_order': False, 'shape': (4, 1, 8, 8), }";
  header.resize(0x76, ' ');
  directory.write("a.npy", array + header + std::string(4 * 64, 'x'));
  ASSERT_EQ(std::system(("tar -C '" + (directory / "videos").string() + "' -cf '" +
                         (directory / "a.tar").string() + "' 'a b.y4m' c.mp4")
                            .c_str()),
            0);
  const auto verdicts = [&](const Words& words, int code) {
    Words all{"data", "verify", "--json"};
    all.insert(all.end(), words.begin(), words.end());
    const Result result = run(all);
    EXPECT_EQ(result.code, code) << result.err;
    std::string found;
    const Json json = result.json();  // lives through the loop
    for (const Json& file : json["files"])
      found += fs::path(file["path"].get<std::string>()).filename().string() + "=" +
               file["verdict"].get<std::string>() + " ";
    return found;
  };
  EXPECT_EQ(verdicts({"list.txt", "--list-root", "videos"}, 3),
            "a b.y4m=good c.mp4=unreadable absent.mp4=unreadable ");
  EXPECT_EQ(read_file(directory / "quarantine.txt", 1000), "videos/c.mp4\nvideos/absent.mp4\n");
  EXPECT_EQ(verdicts({"a.npy"}, 0), "a.npy clip 0=good ");
  EXPECT_EQ(verdicts({"a.npy", "--frames", "5"}, 3), "a.npy clip 0=too short ");
  EXPECT_EQ(verdicts({"a.tar"}, 3), "a.tar: a b.y4m=good a.tar: c.mp4=unreadable ");
  EXPECT_EQ(verdicts({"frames.txt", "--list-format", "rawframes"}, 0), "pictures=good ");
  directory.write("frames.txt", "pictures 2 0\n");
  EXPECT_EQ(verdicts({"frames.txt", "--list-format", "rawframes"}, 3), "pictures=unreadable ");
  EXPECT_EQ(verdicts({"videos", "list.txt", "--list-root", "videos"}, 3),
            "a b.y4m=good c.mp4=unreadable absent.mp4=unreadable ");
}

// One file is damaged, one is not there: the run stops and names them, or leaves them out, counts
// and keeps to its budget.
TEST_F(Command, BadVideosOfAList) {
  if (codecs_plugin().symbol == nullptr) GTEST_SKIP() << "libframefold_codecs.so is absent";
  for (int i = 0; i < 5; ++i) directory.write(text(i, ".y4m"), grey_video(4 + i));
  directory.write("bad.mp4", "no video");
  directory.write("list.txt", "0.y4m 0\n1.y4m 0\nbad.mp4 0\n2.y4m 0\n3.y4m 0\n4.y4m 0\n");
  directory.write("list.toml",
                  "[data]\nkind = 'list'\npath = 'list.txt'\nframes = 2\nheight = 8\nwidth = 8\n"
                  "held_out = 0\n[model]\nwidths = [4]\n"
                  "[train]\nbatch = 3\nsteps = 8\nthreads = 1\nlog_every = 1\n");
  int runs = 0;
  const auto train = [&](Words more) {
    more.insert(more.begin(), {"train", "list.toml", "--name", text("run-", ++runs)});
    return run(more);
  };
  const Result stopped = train({});
  EXPECT_EQ(stopped.code, exit_data);
  EXPECT_NE(stopped.err.find("bad.mp4: is no video"), std::string::npos) << stopped.err;

  EXPECT_EQ(train({"--set", "data.on_bad=skip"}).code, exit_done);
  const auto losses = [&](const std::string& name, double& bad) {
    std::vector<double> found;
    for (const MetricRow& row : Metrics::read(directory / name)) {
      found.push_back(row[Column::loss].value_or(0));
      bad = row[Column::bad_samples].value_or(bad);
    }
    return found;
  };
  double bad = 0, bad_apart = 0;
  const std::vector<double> met = losses("runs/run-2/metrics.jsonl", bad);
  EXPECT_GE(bad, 4);  // eight steps are four epochs; each meets it once, or as another's stand-in
  // In child processes, by two workers: the same batches.
  const Result apart = train({"--set", "data.on_bad=skip", "--set", "data.isolate=true", "--set",
                              "data.hardware=auto", "--set", "data.workers=2"});
  EXPECT_EQ(apart.code, exit_done) << apart.err;
  EXPECT_EQ(losses("runs/run-3/metrics.jsonl", bad_apart), met);
  EXPECT_EQ(bad_apart, bad);
  const Result over = train({"--set", "data.on_bad=skip", "--set", "data.bad_budget=2"});
  EXPECT_EQ(over.code, exit_data);
  EXPECT_NE(over.err.find("3 samples were bad, 2 are allowed"), std::string::npos) << over.err;

  // Windows are counted before the first step.
  const Words windows{"--set", "data.sampling=windows", "--set", "data.on_bad=skip"};
  const Result left_out = train(windows);
  EXPECT_EQ(left_out.code, exit_done) << left_out.err;
  EXPECT_NE(left_out.err.find("left out: "), std::string::npos) << left_out.err;
  EXPECT_EQ(train({"--set", "data.sampling=windows"}).code, exit_data);

  directory.write("list.txt", "0.y4m 0\nabsent.mp4 0\n1.y4m 0\n2.y4m 0\n");
  const Result absent = train({});
  EXPECT_EQ(absent.code, exit_data);
  EXPECT_NE(absent.err.find("list.txt:2: there is no file"), std::string::npos) << absent.err;
  const Result without = train({"--set", "data.on_bad=skip"});
  EXPECT_EQ(without.code, exit_done) << without.err;
  EXPECT_NE(without.err.find("list.txt:2: there is no file"), std::string::npos) << without.err;
}

// A damaged video among plain ones, in a list and in shards: training, evaluations and pictures
// stop and name it, or count it, say so and never show another under its name.
TEST_F(Command, BadClipsAreToldByEveryReader) {
  if (codecs_plugin().symbol == nullptr) GTEST_SKIP() << "libframefold_codecs.so is absent";
  fs::create_directory(directory / "videos");
  std::string list;
  for (int i = 0; i < 6; ++i) {
    directory.write(text("videos/", i, ".y4m"), grey_video(2));
    list += text("videos/", i, ".y4m 0\n");
  }
  directory.write("list.txt", list);
  ASSERT_EQ(run({"data", "pack", "list.txt", "--out", "packed", "--height", "8", "--width", "8",
                 "--channels", "1"})
                .code,
            exit_done);
  // The fourth: a file that is no video, and a byte of its frames in the shard that is another.
  directory.write("videos/3.y4m", "no video");
  const fs::path shard = directory / "packed/shard-00000.u8";
  std::string bytes = read_file(shard, 1 << 20);
  bytes[bytes.size() / 6 * 3 + 5] ^= 1;
  write_file(shard, bytes);
  for (const auto& [kind, path] : {std::pair<std::string, std::string>{"videos", "videos"},
                                   {"list", "list.txt"},
                                   {"shards", "packed"}}) {
    directory.write("bad.toml",
                    "[data]\nkind = '" + kind + "'\npath = '" + path +
                        "'\nframes = 2\nheight = 8\nwidth = 8\nheld_out = 0.34\n"
                        "cache_mib = 0\n[model]\nwidths = [4]\n[train]\nbatch = 2\nsteps = 4\n"
                        "threads = 1\nlog_every = 1\nevaluate_every = 2\n");
    const Result stopped = run({"train", "bad.toml", "--name", kind + "-fail"});
    EXPECT_EQ(stopped.code, exit_data) << kind << stopped.err;
    EXPECT_NE(stopped.err.find("3.y4m"), std::string::npos) << kind << stopped.err;
    const Result skipped = run({"train", "bad.toml", "--name", kind, "--set", "data.on_bad=skip"});
    EXPECT_EQ(skipped.code, exit_done) << kind << skipped.err;
    EXPECT_NE(skipped.err.find("3.y4m"), std::string::npos) << kind << skipped.err;
    const auto rows = Metrics::read(directory / "runs" / kind / "metrics.jsonl");
    ASSERT_EQ(rows.size(), 6U) << kind;
    for (const MetricRow& row : rows) {
      EXPECT_TRUE(row[Column::bad_samples].has_value()) << kind << row.step;
      EXPECT_EQ(row[Column::held_out_bad].has_value(), row[Column::held_out_mse].has_value());
    }

    // All clips: one is another's. The pictures say which, the numbers that it is so.
    const Result measured = run({"eval", "runs/" + kind, "--data", path, "--json"});
    ASSERT_EQ(measured.code, exit_done) << kind << measured.err;
    const bool left_out = kind == "videos";  // found when the files are indexed
    const std::string said = left_out ? "left out: " : "bad, another takes its place: ";
    EXPECT_EQ(measured.json()["bad"].size(), left_out ? 0U : 1U) << kind;
    EXPECT_NE(measured.err.find(said), std::string::npos) << kind << measured.err;
    const Result drawn = run({"reconstruct", "runs/" + kind, "--data", path, "--out", "pictures",
                              "--clips", "0", "--json"});
    ASSERT_EQ(drawn.code, exit_done) << kind << drawn.err;
    EXPECT_NE(drawn.err.find(said), std::string::npos) << kind << drawn.err;
    int others = 0;
    const Json clips = drawn.json();
    for (const Json& clip : clips) {
      const std::string name = clip["clip"];
      const bool stand_in = name.find("in place of") != std::string::npos;
      others += stand_in ? 1 : 0;
      EXPECT_EQ(name.find("3.y4m") != std::string::npos, stand_in) << name;
    }
    EXPECT_EQ(others, left_out ? 0 : 1) << kind;
  }
}

// The rows of damaged clips are left out, named and counted, or stop the command.
TEST_F(Command, FeaturesOfDamagedVideos) {
  if (codecs_plugin().symbol == nullptr) GTEST_SKIP() << "libframefold_codecs.so is absent";
  for (int i = 0; i < 5; ++i) directory.write(text(i, ".y4m"), grey_video(4 + i));
  directory.write("bad.mp4", "no video");
  directory.write("list.txt",
                  "0.y4m 0\nbad.mp4 1\n1.y4m 0\n2.y4m 1\nbad.mp4 0\n3.y4m 0\n4.y4m 1\n");
  directory.write("list.toml",
                  "[data]\nkind = 'list'\npath = 'list.txt'\nframes = 2\nheight = 8\nwidth = 8\n"
                  "held_out = 0.3\non_bad = 'skip'\n[model]\nwidths = [4]\n"
                  "[train]\nbatch = 3\nsteps = 0\nthreads = 1\nschedule = 'constant'\n");
  ASSERT_EQ(run({"train", "list.toml", "--name", "run"}).code, exit_done);
  const auto features = [&](Words more) {
    more.insert(more.begin(), {"features", "runs/run", "--data", "list.txt"});
    return run(more);
  };
  const Result stored = features({"--out", "all.npy", "--json"});
  ASSERT_EQ(stored.code, exit_done) << stored.err;
  EXPECT_EQ(stored.json()["rows"], 5);
  EXPECT_EQ(stored.json()["skipped"].size(), 2U);
  const Json beside = Json::parse(read_file(directory / "all.npy.json", 1 << 20));
  const std::vector<int> labels{0, 0, 1, 0, 1};
  ASSERT_EQ(beside["rows"].size(), labels.size());
  for (std::size_t row = 0; row < labels.size(); ++row) {
    const std::string name = beside["rows"][row]["name"];
    EXPECT_NE(name.find(text(row, ".y4m")), std::string::npos) << name;
    EXPECT_EQ(beside["rows"][row]["label"], labels[row]);
  }
  EXPECT_NE(beside["skipped"][1].get<std::string>().find("bad.mp4"), std::string::npos);

  // The good ones have the features that they have alone.
  directory.write("good.txt", "0.y4m 0\n1.y4m 0\n2.y4m 1\n3.y4m 0\n4.y4m 1\n");
  for (const std::string kind : {"--pixels", "--tokens"}) {
    ASSERT_EQ(features({kind, "--out", "all.npy"}).code, exit_done);
    ASSERT_EQ(run({"features", "runs/run", "--data", "good.txt", kind, "--out", "good.npy"}).code,
              exit_done);
    EXPECT_EQ(read_file(directory / "all.npy", 1 << 20),
              read_file(directory / "good.npy", 1 << 20));
  }
  EXPECT_NE(features({"--out", "all.safetensors"}).out.find("2 left out"), std::string::npos);
  EXPECT_NE(read_file(directory / "all.safetensors", 1 << 20).find("framefold.skipped"),
            std::string::npos);

  const auto refused = [&](Words more, const std::string& message) {
    more.insert(more.end(), {"--out", "none.npy"});
    const Result result = features(more);
    EXPECT_EQ(result.code, exit_data) << result.err;
    EXPECT_NE(result.err.find(message), std::string::npos) << result.err;
    EXPECT_FALSE(fs::exists(directory / "none.npy"));
  };
  refused({"--set", "data.on_bad=fail"}, "bad.mp4: is no video");
  refused({"--set", "data.bad_budget=1"}, "2 samples were bad, 1 are allowed");
  const Result windows =
      features({"--set", "data.sampling=windows", "--out", "windows.npy", "--json"});
  ASSERT_EQ(windows.code, exit_done) << windows.err;
  EXPECT_EQ(windows.json()["skipped"].size(), 2U);

  const fs::path corrupted = test_data("hostile/corrupted.mp4");
  if (corrupted.empty()) GTEST_SKIP() << "hostile/corrupted.mp4 is absent";
  directory.write("list.txt", "0.y4m 0\n" + corrupted.string() + " 1\n");
  const Result hostile = features(
      {"--out", "hostile.npy", "--json", "--set", "data.isolate=true", "--set", "data.stride=100"});
  ASSERT_EQ(hostile.code, exit_done) << hostile.err;
  EXPECT_EQ(hostile.json()["rows"], 1);
  ASSERT_EQ(hostile.json()["skipped"].size(), 1U);
  EXPECT_NE(hostile.json()["skipped"][0].get<std::string>().find("corrupted.mp4"),
            std::string::npos);
}

// Other data may be of another kind: here pictures, which need no codecs.
TEST_F(Command, MeasuresOtherData) {
  for (const std::string folder : {"some", "other"}) {
    fs::create_directory(directory / folder);
    for (int i = 0; i < 6; ++i) {
      Picture picture(8, 8, 1, static_cast<std::uint8_t>(folder == "some" ? 10 * i : 255));
      write_file(directory / folder / (std::to_string(i) + ".png"), encode_png(picture));
    }
  }
  write_file(directory / "pictures.toml",
             "[data]\nkind = 'images'\npath = 'some'\nheight = 8\nwidth = 8\nheld_out = 0.5\n"
             "[model]\nwidths = [4]\n"
             "[train]\nbatch = 2\nsteps = 3\nthreads = 1\nevaluate_every = 3\n");
  ASSERT_EQ(run({"train", "pictures.toml"}).code, exit_done);
  EXPECT_EQ(run({"eval", "runs/pictures", "--json"}).json()["clips"], 3);
  const Json other = run({"eval", "runs/pictures", "--data", "other", "--json"}).json();
  EXPECT_EQ(other["clips"], 6);
  // White pictures against a mean m of the training ones: (1 - m)^2.
  const double mse = other["baseline_mean_frame"]["mse"];
  EXPECT_GT(mse, 0.8);
  EXPECT_LT(mse, 1.0);
  // Of constant pictures one component is enough.
  const Json pca = run({"eval", "runs/pictures", "--pca", "--json"}).json()["pca"];
  EXPECT_LT(pca["mse"].get<double>(), 1e-9);
}

// An array of numpy as a list of videos: it needs no codecs.
TEST_F(Command, PacksAListAndTrainsOnIt) {
  std::string array("\x93NUMPY\x01\x00\x76\x00", 10);
  std::string header = "{'descr': '|u1', 'fortran_order': False, 'shape': (4, 6, 8, 8), }";
  header.resize(0x76, ' ');
  array += header;
  for (int i = 0; i < 24; ++i) array += std::string(64, static_cast<char>(10 * i));
  write_file(directory / "a.npy", array);
  const auto pack = [&] {
    return run({"data", "pack", "a.npy", "--out", "packed", "--height", "8", "--width", "8",
                "--channels", "1", "--json"})
        .json();
  };
  const Json packed = pack();
  EXPECT_EQ(packed["videos"], 6);
  EXPECT_EQ(packed["bytes"], 24 * 64);
  EXPECT_EQ(packed["kept"], 0);
  EXPECT_EQ(pack()["kept"], 1);
  write_file(directory / "shards.toml",
             "[data]\nkind = 'shards'\npath = 'packed'\nframes = 3\nheight = 8\nwidth = 8\n"
             "held_out = 0.3\n[augment]\ngaussian = 0.1\nmixup = 0.8\n[model]\nwidths = [4]\n"
             "[train]\nbatch = 2\nsteps = 3\nthreads = 1\nevaluate_every = 3\n");
  EXPECT_EQ(run({"train", "shards.toml"}).code, exit_done);
  const Json shown = run({"data", "show", "shards.toml", "--out", "sheet.webp", "--json"}).json();
  EXPECT_EQ(shown["train"], 4);
  EXPECT_EQ(shown["held_out"], 2);
  EXPECT_TRUE(has("sheet.webp"));
  EXPECT_EQ(run({"data", "show", "shards.toml", "--augment", "rotate", "--out", "turned.png"}).code,
            exit_done);
  EXPECT_TRUE(has("turned.png"));
  const Result unknown = run({"data", "show", "shards.toml", "--augment", "x"});
  EXPECT_EQ(unknown.code, exit_usage);
  EXPECT_NE(unknown.err.find("expected one of multi-scale"), std::string::npos) << unknown.err;
  const Result flipped = run({"data", "show", "digits-dense", "--set", "augment.flip=0.5"});
  EXPECT_EQ(flipped.code, exit_usage);
  EXPECT_NE(flipped.err.find("augment.flip is 0.5"), std::string::npos) << flipped.err;
}

TEST_F(Command, StopsAtNumbersThatAreNotFinite) {
  const Result result = train({"--set", "train.learning_rate=1e30", "--set", "train.steps=50"});
  EXPECT_EQ(result.code, exit_numeric);
  EXPECT_NE(result.err.find("the first result that is not finite"), std::string::npos)
      << result.err;
}

TEST_F(Command, SavesWhenAskedToStop) {
  ASSERT_EQ(train({"--set", "train.steps=2"}).code, exit_done);  // writes tiny.toml
  const pid_t child =
      start({"train", "tiny.toml", "--name", "long", "--set", "train.steps=1000000", "--set",
             "train.evaluate_every=0", "--set", "train.save_every=0", "--json"});
  const auto since = std::chrono::steady_clock::now();
  while (!has("runs/long/environment.json") &&
         std::chrono::steady_clock::now() - since < std::chrono::seconds(60))
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_ERROR(ErrorCode::file, "another process is training in",
               RunDirectory::resume(directory / "runs/long"));
  ::kill(child, SIGTERM);
  const Result result = finish(child);
  EXPECT_EQ(result.code, exit_interrupted);
  EXPECT_NE(result.err.find("--resume runs/long"), std::string::npos) << result.err;
  EXPECT_EQ(result.json()["error"]["kind"], "interrupted");
  const Json info = run({"info", "runs/long", "--json"}).json();
  EXPECT_TRUE(info.contains("checkpoint"));
}

}  // namespace
}  // namespace framefold
