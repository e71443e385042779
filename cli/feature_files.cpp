#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "cli/features.h"
#include "engine/checkpoint.h"
#include "engine/executor.h"
#include "io/file.h"
#include "io/printable.h"

namespace framefold {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

// The encoder for one batch size; the value that is fetched.
struct Encoder {
  std::shared_ptr<const Plan> plan;
  Value features;
};

Encoder compile_encoder(const Config& config, FeatureKind kind, Index batch) {
  Graph graph(Mode::evaluate);
  const ModelOptions model = model_options(config);
  const ClipShape& clip = model.clip;
  Value x = encode(
      graph, model,
      graph.input("clip",
                  {DType::u8, {batch, clip.frames, clip.height, clip.width, clip.channels}}));
  if (kind == FeatureKind::pooled) x = mean_of_tokens(graph, x);
  return {std::make_shared<Plan>(compile(graph, {.fetch = {x}, .stream = stream_of(config.train)})),
          x};
}

// Clips as they are read one after the other: which are good, and why the others are not.
class Reader {
 public:
  Reader(const DataConfig& data, const Dataset& clips)
      : clips_(clips), allowed_(bad_samples(data)) {}

  // False where the clip is damaged and may be left out; an Error where it may not.
  bool read(Index row, void* clip) {
    const Tensor to{clip, DType::u8, clips_.shape()};
    if (!read_or_leave(clips_, row, to, allowed_, skipped)) return false;
    good.push_back(row);
    return true;
  }

  std::vector<Index> good;
  std::vector<std::string> skipped;

 private:
  const Dataset& clips_;
  BadSamples allowed_;
};

void encode_clips(const Config& config, const Dataset& clips, FeatureKind kind,
                  const fs::path& weights, Reader& reader, Features& made) {
  Index done = 0;
  const Index size = clips.shape().size();
  std::unique_ptr<Parameters> parameters;
  open_device(config.train);
  for (const Index batch : evaluation_batches(config.train.batch, clips.size())) {
    const Encoder encoder = compile_encoder(config, kind, batch);
    if (!parameters) {
      parameters =
          std::make_unique<Parameters>(encoder.plan->graph(), false, device_of(config.train));
      load_initial(weights, *parameters);
      made.shape = encoder.plan->graph().shape(encoder.features);
      made.shape[0] = clips.size();
      made.values.reserve(static_cast<std::size_t>(made.shape.size()));
    }
    Executor executor(encoder.plan, *parameters);
    std::vector<bool> good(static_cast<std::size_t>(batch));
    auto* input = executor.input("clip").as<std::uint8_t>();
    for (; done + batch <= clips.size(); done += batch) {
      for (Index row = 0; row < batch; ++row)
        good[static_cast<std::size_t>(row)] = reader.read(done + row, input + row * size);
      executor.run({}, false);
      const auto* features = executor.value(encoder.features).as<float>();
      for (Index row = 0; row < batch; ++row)
        if (good[static_cast<std::size_t>(row)])
          made.values.insert(made.values.end(), features + row * made.width(),
                             features + (row + 1) * made.width());
    }
  }
}

void read_pixels(const Dataset& clips, Reader& reader, Features& made) {
  made.shape = {clips.size(), clips.shape().size()};
  made.values.reserve(static_cast<std::size_t>(made.shape.size()));
  std::vector<std::uint8_t> clip(static_cast<std::size_t>(made.width()));
  for (Index row = 0; row < clips.size(); ++row)
    if (reader.read(row, clip.data()))
      std::ranges::transform(clip, std::back_inserter(made.values),
                             [](std::uint8_t p) { return static_cast<float>(p) / 255; });
}

// numpy's format, version 1.0: a dictionary padded so that the data begins at a multiple of 64.
std::string npy(const Features& features) {
  std::string shape;
  for (const Index extent : features.shape) shape += text(extent, ", ");
  std::string head = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + shape + "), }";
  head.resize((10 + head.size() + 1 + 63) / 64 * 64 - 10 - 1, ' ');
  head += '\n';
  std::string file("\x93NUMPY\x01\x00", 8);
  file += static_cast<char>(head.size() & 0xFF);
  file += static_cast<char>(head.size() >> 8);
  file += head;
  file.append(reinterpret_cast<const char*>(features.values.data()),
              features.values.size() * sizeof(float));
  return file;
}

Json rows_of(const Features& features) {
  Json rows = Json::array();
  for (std::size_t row = 0; row < features.names.size(); ++row)
    rows.push_back({{"name", features.names[row]},
                    {"label", features.labels[row]},
                    {"frames", {features.frames[2 * row], features.frames[2 * row + 1]}},
                    {"seconds", {features.seconds[2 * row], features.seconds[2 * row + 1]}}});
  return rows;
}

}  // namespace

Features extract_features(const Config& config, const Dataset& clips, FeatureKind kind,
                          const fs::path& weights) {
  Features made;
  Reader reader(config.data, clips);
  if (kind == FeatureKind::pixels)
    read_pixels(clips, reader, made);
  else
    encode_clips(config, clips, kind, weights, reader, made);
  if (reader.good.empty())
    fail(ErrorCode::format, "none of ", clips.size(), " clips can be read; the first: ",
         reader.skipped.empty() ? "there is none" : reader.skipped.front());
  made.shape[0] = std::ssize(reader.good);
  made.skipped = std::move(reader.skipped);
  made.classes = clips.classes();
  for (const Index row : reader.good) {
    const Moment moment = clips.moment(row, {});
    made.names.push_back(clips.name(row));
    made.labels.push_back(static_cast<std::int32_t>(clips.label(row)));
    made.frames.push_back(static_cast<std::int32_t>(moment.first));
    made.frames.push_back(static_cast<std::int32_t>(moment.last));
    made.seconds.push_back(moment.begin);
    made.seconds.push_back(moment.end);
  }
  return made;
}

void write_features(const fs::path& path, const Features& features,
                    const SafetensorsMetadata& notes) {
  const Index rows = features.rows();
  if (path.extension() == ".npy") {
    write_file(path, npy(features));
    Json beside{
        {"classes", features.classes}, {"rows", rows_of(features)}, {"skipped", features.skipped}};
    for (const auto& [name, value] : notes) beside[name.substr(name.find('.') + 1)] = value;
    return write_file(path.string() + ".json", dumped(beside, 1) + '\n');
  }
  if (path.extension() != ".safetensors")
    fail(ErrorCode::argument, path.string(), " ends in neither .safetensors nor .npy");
  SafetensorsMetadata metadata = notes;
  metadata["framefold.rows"] = dumped(Json(features.names));
  metadata["framefold.classes"] = dumped(Json(features.classes));
  metadata["framefold.skipped"] = dumped(Json(features.skipped));
  const auto view = [](const auto& values, DType type, const Shape& shape) {
    return View{values.data(), type, shape};
  };
  write_safetensors(path,
                    {{"features", view(features.values, DType::f32, features.shape)},
                     {"labels", view(features.labels, DType::i32, {rows})},
                     {"frames", view(features.frames, DType::i32, {rows, 2})},
                     {"seconds", view(features.seconds, DType::f64, {rows, 2})}},
                    metadata);
}

Features read_features(const fs::path& path) {
  if (path.extension() == ".npy")
    fail(ErrorCode::argument, path.string(),
         " holds no classes; give what `framefold features --out FILE.safetensors` writes");
  const SafetensorsFile file(path);
  const auto entry = [&](const char* name) -> const SafetensorsEntry& {
    if (const SafetensorsEntry* found = file.find(name)) return *found;
    fail(ErrorCode::format, path.string(), " holds no \"", name,
         "\"; expected what `framefold features --out FILE.safetensors` writes");
  };
  Features read{.shape = entry("features").shape};
  if (read.shape.rank() < 2 || read.shape.size() == 0)
    fail(ErrorCode::format, path.string(), ": \"features\" is ", read.shape,
         ", expected rows of numbers");
  const auto fill = [&](const char* name, auto& values, DType type, const Shape& shape) {
    if (entry(name).shape != shape)
      fail(ErrorCode::format, path.string(), ": \"", name, "\" is ", entry(name).shape,
           ", expected ", shape);
    values.resize(static_cast<std::size_t>(shape.size()));
    file.read(name, {values.data(), type, shape});
  };
  const Index rows = read.rows();
  fill("features", read.values, DType::f32, read.shape);
  fill("labels", read.labels, DType::i32, {rows});
  fill("frames", read.frames, DType::i32, {rows, 2});
  fill("seconds", read.seconds, DType::f64, {rows, 2});
  try {
    read.names = Json::parse(file.metadata().at("framefold.rows")).get<std::vector<std::string>>();
    read.classes =
        Json::parse(file.metadata().at("framefold.classes")).get<std::vector<std::string>>();
  } catch (const std::exception& error) {
    fail(ErrorCode::format, path.string(), ": no names of rows and classes: ", error.what());
  }
  return read;
}

}  // namespace framefold
