#include "cli/config.h"
#include "cli/plan_report.h"

#include <gtest/gtest.h>

#include <set>

#include "io/file.h"
#include "tests/data.h"
#include "tests/temporary.h"

namespace framefold {
namespace {

class ConfigFile : public testing::Test {
 protected:
  std::string write(const std::string& content) {
    write_file(directory / "mine.toml", content);
    return (directory / "mine.toml").string();
  }
  Config read(const std::string& content) { return resolve({.file = write(content)}); }

  TemporaryDirectory directory;
};

TEST_F(ConfigFile, EverySourceOverTheOneBefore) {
  const std::string file = write("[train]\nbatch = 2\nsteps = 2\nseed = 2\n");
  const Config config =
      resolve({.file = file,
               .environment = {"FRAMEFOLD_TRAIN_STEPS=3", "FRAMEFOLD_TRAIN_SEED=3", "PATH=/bin",
                               "FRAMEFOLD_PLUGINS=x"},
               .sets = {"train.seed=4", "train.seed = 5"}});
  EXPECT_EQ(config.train.keep, Config().train.keep);
  EXPECT_EQ(config.train.batch, 2);
  EXPECT_EQ(config.train.steps, 3);
  EXPECT_EQ(config.train.seed, 5);
  EXPECT_EQ(config.run.name, "mine");
}

TEST_F(ConfigFile, StepsGivenLaterTakeThePlaceOfEpochs) {
  const std::string both = write("[train]\nepochs = 7\nsteps = 5\n");
  EXPECT_EQ(resolve({.file = both}).train.epochs, 7);
  EXPECT_EQ(resolve({.file = both, .sets = {"train.seed=1"}}).train.epochs, 7);
  EXPECT_EQ(resolve({.file = both, .sets = {"train.steps=6"}}).train.epochs, 0);
  EXPECT_EQ(resolve({.file = both, .environment = {"FRAMEFOLD_TRAIN_STEPS=6"}}).train.epochs, 0);
  EXPECT_EQ(resolve({.file = both, .sets = {"train.steps=6", "train.epochs=2"}}).train.epochs, 2);
  EXPECT_EQ(resolve_resumed(both, {"train.steps=6"}).train.epochs, 0);
  ASSERT_GT(resolve({.file = "videomae-s"}).train.epochs, 0);
  EXPECT_EQ(read("preset = 'videomae-s'\n[train]\nsteps = 6\n").train.epochs, 0);
}

TEST_F(ConfigFile, EveryTypeFromFileAndFlag) {
  for (const Config& config :
       {read("[run]\nname = 'a = b'\n[model]\nwidths = [32, 64]\n[train]\nlearning_rate = 1\n"
             "nesterov = true\nsteps = 1_000\n"),
        resolve({.file = "digits-dense",
        .sets = {"run.name=a = b", "model.widths=32,64", "train.learning_rate=1",
                 "train.nesterov=true", "train.steps=1000"}})}) {
    EXPECT_EQ(config.run.name, "a = b");
    EXPECT_EQ(config.model.widths, (std::vector<Index>{32, 64}));
    EXPECT_EQ(config.train.learning_rate, 1.0);
    EXPECT_TRUE(config.train.nesterov);
    EXPECT_EQ(config.train.steps, 1000);
  }
  EXPECT_EQ(resolve({.file = "digits-dense", .sets = {"model.widths=[1, 2]"}}).model.widths.size(),
            2U);
}

TEST_F(ConfigFile, UnknownKeyNamesFileLineAndNearest) {
  EXPECT_ERROR(ErrorCode::config,
               "mine.toml:3: unknown key \"train.batches\"; did you mean \"train.batch\"?",
               read("[train]\n\nbatches = 3\n"));
  EXPECT_ERROR(ErrorCode::config, "mine.toml:1: unknown key \"batch\"", read("batch = 3\n"));
  EXPECT_ERROR(ErrorCode::config, "unknown key \"trian.steps\"; did you mean \"train.steps\"?",
               read("[trian]\nsteps = 1\n"));
  EXPECT_ERROR(ErrorCode::config,
               "--set data.pth=x: unknown key \"data.pth\"; did you mean \"data.path\"?",
               resolve({.file = "digits-dense", .sets = {"data.pth=x"}}));
  EXPECT_ERROR(ErrorCode::config,
               "unknown variable FRAMEFOLD_DATA_PTH; did you mean FRAMEFOLD_DATA_PATH?",
               resolve({.file = "digits-dense", .environment = {"FRAMEFOLD_DATA_PTH=x"}}));
}

TEST_F(ConfigFile, WrongTypesAndRanges) {
  EXPECT_ERROR(ErrorCode::config, "mine.toml:2: train.batch is 'many', expected an integer",
               read("[train]\nbatch = 'many'\n"));
  EXPECT_ERROR(ErrorCode::config, "train.batch is '3', expected an integer",
               read("[train]\nbatch = '3'\n"));
  EXPECT_ERROR(ErrorCode::config, "train.batch is 1.5, expected an integer",
               read("[train]\nbatch = 1.5\n"));
  EXPECT_ERROR(ErrorCode::config, "model.widths is [ 1, 'a' ], expected a list of integers",
               read("[model]\nwidths = [1, 'a']\n"));
  EXPECT_ERROR(ErrorCode::config, "train.nesterov is 1, expected true or false",
               read("[train]\nnesterov = 1\n"));
  EXPECT_ERROR(ErrorCode::config, "train.batch is 0, expected at least 1",
               read("[train]\nbatch = 0\n"));
  EXPECT_ERROR(ErrorCode::config, "data.held_out is 1.5, expected from 0 to 1",
               read("[data]\nheld_out = 1.5\n"));
  EXPECT_ERROR(ErrorCode::config, "train.steps is \"1e3\", expected an integer",
               resolve({.file = "digits-dense", .sets = {"train.steps=1e3"}}));
  EXPECT_ERROR(ErrorCode::config,
               "model.loss is \"mae\", expected one of mse, l1, huber, bce; did you mean \"mse\"?",
               read("[model]\nloss = 'mae'\n"));
  EXPECT_ERROR(ErrorCode::config, "train.learning_rate is nan",
               read("[train]\nlearning_rate = nan\n"));
}

TEST_F(ConfigFile, BrokenFiles) {
  EXPECT_ERROR(ErrorCode::config, "mine.toml:2:", read("[train]\nbatch = = 3\n"));
  EXPECT_ERROR(ErrorCode::config, "expected section.key=value",
               resolve({.file = "digits-dense", .sets = {"train.batch"}}));
  EXPECT_ERROR(ErrorCode::config, "no preset \"digits-dens\", expected one of",
               resolve({.file = "digits-dens"}));
  EXPECT_ERROR(ErrorCode::file, "none.toml", resolve({.file = (directory / "none.toml").string()}));
}

TEST_F(ConfigFile, AFileMayStandOnAPreset) {
  const Config preset = resolve({.file = "digits-dense"});
  const Config config = read("preset = 'digits-dense'\n[train]\nseed = 9\n");
  EXPECT_EQ(config.train.seed, 9);
  EXPECT_EQ(config.train.batch, preset.train.batch);
  EXPECT_EQ(config.run.name, "mine");
  EXPECT_EQ(preset.run.name, "digits-dense");
  EXPECT_ERROR(ErrorCode::config, "mine.toml:1: no preset \"x\"", read("preset = 'x'\n"));
}

TEST_F(ConfigFile, WrittenAndReadAgain) {
  Config config = resolve({.file = "digits-dense",
                           .sets = {"data.path=/a \"b\"/c", "train.learning_rate=0.0003",
                                    "model.widths=5,6", "train.clip=1"}});
  Config again = read(to_toml(config, "heading"));
  for (const Key& key : keys())
    EXPECT_EQ(value_text(key, again), value_text(key, config)) << key.name;
  EXPECT_EQ(again.data.path, "/a \"b\"/c");
  EXPECT_EQ(again.train.learning_rate, 0.0003);
  const std::string written = to_toml(config);
  for (const char* line : {"\nlearning_rate = 0.0003", "\nclip = 1.0", "\nnorm_epsilon = 1e-06"})
    EXPECT_NE(written.find(line), std::string::npos) << line;
}

TEST_F(ConfigFile, AnyTextIsReadBackAsItWas) {
  for (const std::string value :
       {"it's", "a \"b\"", "'\"\\\"'", "\nfirst\n\nlast\r\n", "\x01\x1b[31m\x7f\t", "\\", "'\\n",
        "# [x]", "'''", "'\"\"\"", "\xC3\xA9'\xE2\x80\xAE"}) {
    Config config = resolve({.file = "digits-dense"});
    config.data.path = config.run.name = value;
    const Config again = read(to_toml(config, "heading"));
    EXPECT_EQ(again.data.path, value);
    EXPECT_EQ(to_toml(again), to_toml(config));
  }
  Config config = resolve({.file = "digits-dense"});
  config.data.path = "clips-\xFF";
  EXPECT_ERROR(ErrorCode::config, "is no UTF-8", to_toml(config));
}

TEST_F(ConfigFile, ResumingChangesFewKeys) {
  const std::string file = write(to_toml(resolve({.file = "digits-dense"})));
  EXPECT_EQ(resolve_resumed(file, {"train.steps=77"}).train.steps, 77);
  EXPECT_EQ(resolve_resumed(file, {"data.on_bad=skip"}).data.on_bad, "skip");
  EXPECT_ERROR(ErrorCode::config, "train.batch cannot change when a run is resumed",
               resolve_resumed(file, {"train.batch=7"}));
}

TEST(Config, TableIsConsistent) {
  std::set<std::string_view> names;
  for (const Key& key : keys()) {
    EXPECT_TRUE(names.insert(key.name).second) << key.name;
    EXPECT_NE(key.name.find('.'), std::string_view::npos) << key.name;
    EXPECT_FALSE(key.doc.empty()) << key.name;
    EXPECT_EQ(std::string(key.doc).find('\n'), std::string::npos) << key.name;
    EXPECT_TRUE(key.choices.empty() || type_name(key) == "text") << key.name;
  }
  EXPECT_EQ(variable_name(keys()[0]), "FRAMEFOLD_RUN_NAME");
}

// docs/command.md holds the table: a row for each key, in order, as this test writes it.
TEST(Config, DocumentationHoldsEveryKey) {
  const std::string page = read_file(source_file("docs/command.md"), 1 << 20);
  Config defaults;
  std::string rows = "|---|---|---|\n";
  for (const Key& key : keys()) {
    rows += text("| `", key.name, "`", key.on_resume ? " *" : "", " | `", value_text(key, defaults),
                 "` | ", described(key), " |\n");
  }
  EXPECT_NE(page.find(rows), std::string::npos) << "expected this table:\n" << rows;
}

// The defaults pass their own checks, and so does every preset.
TEST(Config, DefaultsAndPresetsAreValid) {
  const TemporaryDirectory directory;
  write_file(directory / "defaults.toml", to_toml(Config()));
  EXPECT_NO_THROW(resolve({.file = (directory / "defaults.toml").string()}));
  ASSERT_FALSE(presets().empty());
  for (const Preset& preset : presets()) {
    const Config config = resolve({.file = std::string(preset.name)});
    EXPECT_GT(plan_report(config, 1).parameters, 0) << preset.name;
    EXPECT_EQ(preset.text.front(), '#') << preset.name;
    EXPECT_GT(preset.summary().size(), 10U) << preset.name;
  }
}

}  // namespace
}  // namespace framefold
