// The built command, typed into a shell under conditions that nobody wishes for.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "io/file.h"
#include "io/safetensors.h"
#include "tests/codecs_test.h"
#include "tests/temporary.h"

namespace framefold {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

class Typed : public testing::Test {
 protected:
  struct Result {
    int code = -1;
    std::string out, err;
  };
  // Runs a shell's lines in the test's directory, where `framefold` is found by its name, for five
  // minutes at most (then the code is 124) and with no signal ignored, whoever started the tests.
  Result type(const std::string& lines) const {
    directory.write("lines", text("PATH=", fs::path(FRAMEFOLD_COMMAND).parent_path().string(),
                                  ":$PATH\n", lines, '\n'));
    const std::string line =
        text("cd ", directory.path().string(),
             " && timeout 300 env --default-signal bash lines > out 2> err < /dev/null");
    const int status = std::system(line.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 256, read_file(directory / "out", 1 << 24),
            read_file(directory / "err", 1 << 24)};
  }
  bool has(const std::string& path) const { return fs::exists(directory / path); }

  TemporaryDirectory directory;
};

bool holds(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

// A small run; `train NAME [WORDS]` starts one.
constexpr const char* training = R"(
cat > tiny.toml <<'END'
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
END
train() { name=$1; shift; framefold train tiny.toml --name $name "$@"; }
)";

TEST_F(Typed, NothingOfTheWorkingDirectoryIsRun) {
  const Result checked = type(R"(
touch framefold video.mp4
printf '#!/bin/sh\ntouch taken\n' > framefold-decoder
chmod +x framefold-decoder
framefold data verify video.mp4 --isolate
FRAMEFOLD_PLUGINS= framefold data verify video.mp4 --isolate)");
  EXPECT_NE(checked.code, 0);
  EXPECT_FALSE(has("taken")) << checked.err;
}

constexpr const char* odd_names = R"(
bad=$'clips-\xff\x1b[31m\u009b'
mkdir -p "$bad"
touch "$bad"/a$'\x1b]0;owned\a\xfe'.mp4
)";

bool is_plain(const std::string& text) {
  return std::ranges::all_of(text, [](char c) { return c == '\n' || (c >= ' ' && c <= '~'); });
}

TEST_F(Typed, NamesCannotSpeakToTheTerminal) {
  if (codecs_plugin().symbol == nullptr) GTEST_SKIP() << "libframefold_codecs.so is absent";
  const Result shown = type(text(odd_names, "framefold data verify \"$bad\""));
  EXPECT_EQ(shown.code, 3);
  EXPECT_TRUE(is_plain(shown.out + shown.err)) << shown.out << shown.err;
  EXPECT_TRUE(holds(shown.out + shown.err, "\\x1b]0;owned\\x07\\xfe.mp4"))
      << shown.out << shown.err;

  const Result json = type(text(odd_names, "framefold data verify \"$bad\" --json"));
  EXPECT_EQ(json.code, 3);
  EXPECT_TRUE(is_plain(json.out)) << json.out;
  EXPECT_TRUE(Json::accept(json.out));

  const Result refused =
      type(text(odd_names, "framefold train clips --set data.path=\"$bad\" --json"));
  EXPECT_EQ(refused.code, 3) << refused.err;
  EXPECT_TRUE(is_plain(refused.out + refused.err)) << refused.out << refused.err;
  EXPECT_TRUE(Json::accept(refused.out));
}

TEST_F(Typed, MetadataCannotSpeakToTheTerminal) {
  write_safetensors(directory / "w.safetensors", {}, {{"note", "\x1b[2Jgone\xC2\x9B"}});
  const Result shown = type("framefold info w.safetensors");
  EXPECT_EQ(shown.code, 0) << shown.err;
  EXPECT_TRUE(is_plain(shown.out)) << shown.out;
  EXPECT_TRUE(holds(shown.out, "\\x1b[2Jgone\\u009b")) << shown.out;
}

TEST_F(Typed, ARunOfAnOddNameIsRefusedAndLeavesNothing) {
  const Result refused = type(text(training, "train $'odd\\xff'; code=$?; ls runs; exit $code"));
  EXPECT_EQ(refused.code, 2) << refused.err;
  EXPECT_TRUE(holds(refused.err, "odd\\xff is no UTF-8")) << refused.err;
  EXPECT_EQ(refused.out, "");
}

TEST_F(Typed, AReaderMayLeaveEarly) {
  const Result models = type("framefold models | true; echo ${PIPESTATUS[0]}");
  EXPECT_EQ(models.out, "0\n") << models.err;
  EXPECT_EQ(models.err, "");
  const Result trained = type(text(
      training, "{ train left --set train.log_every=1; echo $? > code; } 2>&1 | true; cat code"));
  EXPECT_EQ(trained.out, "0\n");
  EXPECT_TRUE(has("runs/left/checkpoints/step-00000008.safetensors"));
}

TEST_F(Typed, OutputThatCannotBeWrittenIsAnError) {
  for (const char* words : {"models", "models --json", "--help", "keys train", "--version"}) {
    const Result refused = type(text("framefold ", words, " > /dev/full"));
    EXPECT_EQ(refused.code, 3) << words;
    EXPECT_TRUE(holds(refused.err, "cannot write standard output: No space left on device"))
        << words << refused.err;
  }
}

TEST_F(Typed, AHangUpSavesAndExitsLikeATermination) {
  const Result hung_up = type(text(training, R"(
framefold train tiny.toml --name gone --set train.steps=1000000 --set train.log_every=1 --set train.evaluate_every=0 &
until [ -s runs/gone/metrics.jsonl ]; do sleep 0.01; done
kill -HUP $!
wait $!)"));
  EXPECT_EQ(hung_up.code, 75) << hung_up.err;
  EXPECT_TRUE(holds(hung_up.err, "and saved")) << hung_up.err;
}

TEST_F(Typed, AnEvaluationIsInterrupted) {
  const Result stopped = type(text(training, R"(
framefold train tiny.toml --name slow --set train.log_every=1 --set train.evaluate_every=1 --set data.clips=100000 \
  --set data.held_out=0.9 --set train.evaluate_clips=0 --set train.steps=1 &
until [ -s runs/slow/metrics.jsonl ]; do sleep 0.01; done
kill -TERM $!
wait $!)"));
  EXPECT_EQ(stopped.code, 75) << stopped.err;
  const std::string rows = read_file(directory / "runs/slow/metrics.jsonl", 1 << 20);
  EXPECT_FALSE(holds(rows, "held_out")) << rows;
  EXPECT_TRUE(has("runs/slow/checkpoints/step-00000001.safetensors"));
}

TEST_F(Typed, ALimitOnFileSizesKeepsTheOlderCheckpoint) {
  const Result refused = type(text(training, R"(
train small || exit 9
ulimit -f 1
framefold train --resume runs/small --set train.steps=20)"));
  EXPECT_EQ(refused.code, 3) << refused.err;
  EXPECT_TRUE(holds(refused.err, "raise the limit on file sizes (ulimit -f)")) << refused.err;
  EXPECT_TRUE(has("runs/small/checkpoints/step-00000008.safetensors"));
  EXPECT_EQ(type("framefold train --resume runs/small --set train.steps=12").code, 0);
}

TEST_F(Typed, WhatAKilledRunLeftIsClearedAway) {
  const Result resumed = type(text(training, R"(
mkdir -p runs/killed/samples
touch runs/killed/config.toml.1-0.partial
train killed --set train.evaluate_every=0 || exit 9
touch runs/killed/results.json.1-0.partial runs/killed/samples/step.png.1-0.partial
framefold train --resume runs/killed --set train.steps=10 || exit 8
find runs -name '*.partial')"));
  EXPECT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_FALSE(holds(resumed.out, "partial")) << resumed.out;
}

TEST_F(Typed, WhereFeaturesGoIsCheckedBeforeTheWork) {
  const Result ending = type("framefold features runs/none --out f.txt");
  EXPECT_EQ(ending.code, 2) << ending.err;
  EXPECT_TRUE(holds(ending.err, "f.txt ends in neither")) << ending.err;
  const Result folder = type("framefold features runs/none --out absent/f.npy");
  EXPECT_EQ(folder.code, 3) << folder.err;
  EXPECT_TRUE(holds(folder.err, "no file can be written in")) << folder.err;
}

TEST_F(Typed, ARunThatCannotBeWrittenIsEvaluated) {
  const Result evaluated = type(text(training, R"(
train kept --set train.steps=1 --set train.evaluate_every=0 > said || exit 9
ulimit -f 1
framefold eval runs/kept 2> said; code=$?; cat said; exit $code)"));
  EXPECT_EQ(evaluated.code, 0) << evaluated.err;
  EXPECT_TRUE(holds(evaluated.out, "mean frame of the training data")) << evaluated.out;
  EXPECT_TRUE(holds(evaluated.out, "the mean clip is not kept: ")) << evaluated.out;
}

TEST_F(Typed, ADamagedResultIsNamed) {
  const Result shown = type(text(training, R"(
train whole --set train.steps=1 --set train.evaluate_every=0 || exit 9
echo '{"cut' > runs/whole/results.json
framefold info runs/whole)"));
  EXPECT_EQ(shown.code, 3) << shown.err;
  EXPECT_TRUE(holds(shown.err, "runs/whole/results.json: no JSON")) << shown.err;
}

TEST_F(Typed, TwoTrainingsUnderOneName) {
  const Result second = type(text(training, R"(
framefold train tiny.toml --name one --set train.steps=1000000 --set train.evaluate_every=0 &
until [ -s runs/one/metrics.jsonl ]; do sleep 0.01; done
train one; echo $?
train one --overwrite; echo $?
framefold train --resume runs/one; echo $?
kill -TERM $!
wait $!)"));
  EXPECT_EQ(second.out, "3\n3\n3\n") << second.err;
  EXPECT_EQ(second.code, 75) << second.err;
  EXPECT_TRUE(holds(second.err, "another process is training in runs/one")) << second.err;
}

}  // namespace
}  // namespace framefold
