// framefold convert, in this process.
#include <gtest/gtest.h>

#include "cli/command.h"
#include "cli/videomae_config.h"
#include "engine/checkpoint.h"
#include "io/file.h"
#include "tests/arrays.h"
#include "tests/data.h"
#include "tests/temporary.h"

namespace framefold {
namespace {

namespace fs = std::filesystem;

Json convert(std::vector<std::string> words) {
  CLI::App app;
  add_convert(app);
  words.insert(words.begin(), {"--json", "convert"});
  std::swap(words[0], words[1]);
  std::ranges::reverse(words);
  testing::internal::CaptureStdout();
  try {
    app.parse(words);
  } catch (...) {
    testing::internal::GetCapturedStdout();
    throw;
  }
  return Json::parse(testing::internal::GetCapturedStdout());
}

std::string bytes_of(const fs::path& path) { return read_file(path, 1 << 24); }

std::map<std::string, std::vector<float>> tensors_of(const fs::path& path) {
  const SafetensorsFile file(path);
  std::map<std::string, std::vector<float>> tensors;
  for (const SafetensorsEntry& entry : file.entries()) {
    std::vector<float>& numbers = tensors[entry.name];
    numbers.resize(static_cast<std::size_t>(entry.shape.size()));
    file.read(entry.name, {numbers.data(), DType::f32, entry.shape});
  }
  return tensors;
}

TEST(Convert, ThereAndBack) {
  const TemporaryDirectory directory;
  const fs::path published = source_file("tests/fixtures/videomae");
  const std::string run = directory / "tiny", hf = directory / "hf", old = directory / "old";
  EXPECT_EQ(convert({published, "--to", "framefold", "--out", run})["parameters"], 37176);

  // A run like any other.
  const Config config = resolve({.file = run + "/config.toml"});
  EXPECT_EQ(config.run.name, "tiny");
  EXPECT_EQ(config.data.height, 24);
  EXPECT_EQ(config.data.width, 32);
  EXPECT_EQ(config.model.heads, 3);
  EXPECT_EQ(config.model.norm_epsilon, 1e-12);
  EXPECT_EQ(config.model.final_epsilon, 1e-5);

  EXPECT_TRUE(convert({run, "--to", "transformers", "--out", hf})["notes"].empty());
  EXPECT_EQ(tensors_of(fs::path(hf) / "model.safetensors"),
            tensors_of(published / "model.safetensors"));
  const auto json = Json::parse(bytes_of(fs::path(hf) / "config.json"));
  const Json theirs = Json::parse(bytes_of(published / "config.json"));
  for (const auto& [key, value] : theirs.items())
    if (json.contains(key)) {
      EXPECT_EQ(json[key], value) << key;
    }
  EXPECT_EQ(json["norm_pix_loss"], true);

  // The paper's code has other epsilons, and says no heads.
  EXPECT_EQ(convert({run, "--to", "original", "--out", old})["notes"].size(), 2U);
  EXPECT_EQ(tensors_of(fs::path(old) / "model.safetensors"),
            tensors_of(published / "original.safetensors"));
  const std::string again = directory / "again";
  convert({old + "/model.safetensors", "--to", "framefold", "--out", again, "--set",
           "data.frames=4", "--set", "data.height=24", "--set", "data.width=32", "--set",
           "model.heads=3", "--set", "model.decoder_heads=2"});
  const char* checkpoint = "checkpoints/step-00000000.safetensors";
  EXPECT_EQ(bytes_of(fs::path(again) / checkpoint), bytes_of(fs::path(run) / checkpoint));
  EXPECT_EQ(resolve({.file = again + "/config.toml"}).model.norm_epsilon, 1e-6);
}

// transformers' own default for pre-training: no norm between encoder and decoder.
TEST(Convert, PretrainingWithoutAnEncodersNorm) {
  const TemporaryDirectory directory;
  const fs::path published = source_file("tests/fixtures/videomae");
  const fs::path bare = directory / "bare";
  fs::create_directory(bare);
  auto tensors = tensors_of(published / "model.safetensors");
  const SafetensorsFile file(published / "model.safetensors");
  std::vector<NamedView> views;
  for (const SafetensorsEntry& entry : file.entries())
    if (!entry.name.starts_with("videomae.layernorm."))
      views.push_back({entry.name, {tensors[entry.name].data(), DType::f32, entry.shape}});
  ASSERT_EQ(views.size() + 2, tensors.size());
  write_safetensors(bare / "model.safetensors", views);
  Json config = Json::parse(bytes_of(published / "config.json"));
  ASSERT_EQ(config["use_mean_pooling"], false);
  write_file(bare / "config.json", config.dump());
  const std::string run = directory / "run", hf = directory / "hf";
  EXPECT_ERROR(ErrorCode::shape, "missing: videomae.layernorm.weight, videomae.layernorm.bias",
               convert({bare, "--to", "framefold", "--out", run}));

  config["use_mean_pooling"] = true;
  write_file(bare / "config.json", config.dump());
  convert({bare, "--to", "framefold", "--out", run});
  EXPECT_FALSE(resolve({.file = run + "/config.toml"}).model.encoder_norm);
  convert({run, "--to", "transformers", "--out", hf});
  EXPECT_EQ(tensors_of(fs::path(hf) / "model.safetensors"), tensors_of(bare / "model.safetensors"));
  EXPECT_EQ(Json::parse(bytes_of(fs::path(hf) / "config.json"))["use_mean_pooling"], true);
  EXPECT_ERROR(ErrorCode::config, "model.encoder_norm is false",
               convert({run, "--to", "original", "--out", std::string(directory / "old")}));
}

TEST(Convert, Classifiers) {
  const TemporaryDirectory directory;
  const fs::path published = source_file("tests/fixtures/videomae/classifier");
  const std::string run = directory / "run", hf = directory / "hf", old = directory / "old";
  convert({published, "--to", "framefold", "--out", run});
  const Config config = resolve({.file = run + "/config.toml"});
  EXPECT_TRUE(config.task.classifies());
  EXPECT_EQ(config.task.classifier.classes, 5);
  EXPECT_FALSE(config.model.encoder_norm);
  EXPECT_EQ(bytes_of(fs::path(run) / "classes.txt"),
            "LABEL_0\nLABEL_1\nLABEL_2\nLABEL_3\nLABEL_4\n");
  convert({run, "--to", "transformers", "--out", hf});
  EXPECT_EQ(tensors_of(fs::path(hf) / "model.safetensors"),
            tensors_of(published / "model.safetensors"));
  const Json json = Json::parse(bytes_of(fs::path(hf) / "config.json"));
  EXPECT_EQ(json["architectures"][0], "VideoMAEForVideoClassification");
  EXPECT_EQ(json["id2label"]["4"], "LABEL_4");
  EXPECT_EQ(json["use_mean_pooling"], true);

  // The original's fine-tuned names have no "encoder.".
  convert({run, "--to", "original", "--out", old});
  const fs::path file = fs::path(old) / "model.safetensors";
  EXPECT_TRUE(tensors_of(file).contains("blocks.0.attn.qkv.weight"));
  const std::string again = directory / "again";
  convert({file, "--to", "framefold", "--out", again, "--set", "data.frames=4", "--set",
           "data.height=24", "--set", "data.width=32", "--set", "model.heads=3"});
  const char* checkpoint = "checkpoints/step-00000000.safetensors";
  EXPECT_EQ(bytes_of(fs::path(again) / checkpoint), bytes_of(fs::path(run) / checkpoint));
}

TEST(Convert, LearnedPositionsFollowTheClip) {
  const TemporaryDirectory directory;
  const std::string run = directory / "run", longer = directory / "longer";
  fs::create_directory(directory / "in");
  auto tensors = tensors_of(source_file("tests/fixtures/videomae/original.safetensors"));
  const SafetensorsFile file(source_file("tests/fixtures/videomae/original.safetensors"));
  std::vector<NamedView> views;
  for (const SafetensorsEntry& entry : file.entries())
    views.push_back({entry.name, {tensors[entry.name].data(), DType::f32, entry.shape}});
  std::vector<float> positions(24 * 24);  // by slot of time: 0 and 1
  std::fill(positions.begin() + 12 * 24, positions.end(), 1.0F);
  views.push_back({"encoder.pos_embed", {positions.data(), DType::f32, {1, 24, 24}}});
  write_safetensors(directory / "in" / "learned.safetensors", views);
  const std::vector<std::string> shape{"--set", "data.height=24", "--set", "data.width=32"};
  std::vector<std::string> words{directory / "in" / "learned.safetensors",
                                 "--to",
                                 "framefold",
                                 "--out",
                                 run,
                                 "--set",
                                 "data.frames=4"};
  words.insert(words.end(), shape.begin(), shape.end());
  convert(words);
  EXPECT_EQ(resolve({.file = run + "/config.toml"}).model.positions, "learned");
  convert({run, "--to", "framefold", "--out", longer, "--set", "data.frames=8"});
  const auto made = tensors_of(fs::path(longer) / "checkpoints/step-00000000.safetensors");
  const std::vector<float>& table = made.at("encoder.positions");
  ASSERT_EQ(table.size(), 48U * 24);
  for (const auto& [slot, expected] : {std::pair{0, 0.0F}, {1, 0.25F}, {2, 0.75F}, {3, 1.0F}})
    EXPECT_FLOAT_EQ(table[static_cast<std::size_t>(slot * 12 * 24 + 5)], expected) << slot;
  test::expect_error(
      ErrorCode::config,
      "transformers' VideoMAE has no learned positions; convert --to original, or train with "
      "model.positions = \"sincos\"",
      [&] {
        convert({run, "--to", "transformers", "--out", directory / "hf"});
      });
}

// Nothing in a config.json is believed before it is checked.
TEST(Convert, HostileConfigurations) {
  const TemporaryDirectory directory;
  const std::string good = bytes_of(source_file("tests/fixtures/videomae/config.json"));
  const auto message = [&](const std::string& key, const std::string& value) -> std::string {
    Json json = Json::parse(good);
    json[key] = Json::parse(value);
    write_file(directory / "config.json", json.dump());
    try {
      read_videomae_config(directory / "config.json");
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::format);
      const std::string text = error.what();
      return text.substr(text.find(": ") + 2);
    }
    return "";
  };
  EXPECT_EQ(message("hidden_size", "24"), "");
  for (const char* value : {"0", "-3", "1e30", "99999999999", "\"24\"", "2.5", "[1, 2, 3]"})
    EXPECT_EQ(message("hidden_size", value), text("hidden_size is ", Json::parse(value).dump(),
                                                  ", expected an integer from 1 to 65536"));
  EXPECT_EQ(message("image_size", "[24]"), "image_size has 1 numbers, expected 2");
  EXPECT_EQ(message("patch_size", "[8, 4]"), "patches are 8 x 4, expected squares");
  EXPECT_EQ(message("hidden_act", "\"relu\""),
            "hidden_act is \"relu\", Framefold's blocks have \"gelu\"");
  EXPECT_EQ(message("model_type", "\"vit\""), "model_type is \"vit\", expected \"videomae\"");
  EXPECT_EQ(message("layer_norm_eps", "-1"),
            "layer_norm_eps is -1, expected a number between 0 and 1");
  EXPECT_EQ(message("decoder_intermediate_size", "65"),
            "hidden units are 96 of 24 and 65 of 16, expected the same ratio in both parts");
  write_file(directory / "config.json", "{\"hidden_size\": ");
  EXPECT_THROW(read_videomae_config(directory / "config.json"), Error);
}

}  // namespace
}  // namespace framefold
