#include "engine/checkpoint.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <limits>
#include <set>
#include <utility>

#include "engine/misfits.h"

namespace framefold {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view version = "1";

bool is_state(std::string_view name) {
  return name.starts_with(Optimizer::average_prefix) || name.starts_with(Optimizer::state_prefix);
}

std::vector<NamedTensor> weights_of(const Parameters& parameters) {
  std::vector<NamedTensor> weights;
  for (const auto* entries : {&parameters.entries(), &parameters.buffer_entries()})
    for (const Parameters::Entry& entry : *entries)
      weights.push_back({entry.name, parameters.value(entry.name)});
  return weights;
}

std::vector<NamedTensor> tensors_of(const Parameters& parameters, const Optimizer& optimizer) {
  std::vector<NamedTensor> tensors = weights_of(parameters);
  for (NamedTensor& state : optimizer.state()) tensors.push_back(std::move(state));
  return tensors;
}

// Counters as text: numbers in the shortest form that reads back as the same number.
template <class Number>
std::string written(Number number) {
  char digits[32];
  const auto end = std::to_chars(std::begin(digits), std::end(digits), number);
  return {digits, end.ptr};
}

class Reader {
 public:
  Reader(const fs::path& path, const SafetensorsMetadata& metadata)
      : path_(path), metadata_(metadata) {}

  const std::string* find(const std::string& key) const {
    const auto found = metadata_.find("framefold." + key);
    return found == metadata_.end() ? nullptr : &found->second;
  }
  const std::string& text_of(const std::string& key) const {
    if (const std::string* value = find(key)) return *value;
    fail(ErrorCode::format, path_.string(), " has no framefold.", key,
         " in its metadata: it is no checkpoint of a run");
  }
  void check_version() const {
    if (const std::string& found = text_of("checkpoint"); found != version)
      fail(ErrorCode::format, path_.string(), " is a checkpoint of version ", found,
           ", this program reads version ", version);
  }
  template <class Number>
  void read(const std::string& key, Number& number) const {
    const std::string& digits = text_of(key);
    const char* end = digits.data() + digits.size();
    const auto result = std::from_chars(digits.data(), end, number);
    if (result.ec != std::errc() || result.ptr != end)
      fail(ErrorCode::format, path_.string(), ": framefold.", key, " is \"", digits,
           "\", expected a number");
  }
  // More steps than a run could take would overflow what is computed from them.
  void read_count(const std::string& key, Index& count) const {
    constexpr Index most = Index{1} << 40;
    read(key, count);
    if (count < 0 || count > most)
      fail(ErrorCode::format, path_.string(), ": framefold.", key, " is ", count,
           ", expected from 0 to ", most);
  }
  template <class Number>
  void read(const std::string& key, std::optional<Number>& number) const {
    if (find(key) != nullptr) read(key, number.emplace());
  }

 private:
  const fs::path& path_;
  const SafetensorsMetadata& metadata_;
};

SafetensorsMetadata metadata_of(const Optimizer& optimizer, const Counters& counters) {
  SafetensorsMetadata metadata = {
      {"framefold.checkpoint", std::string(version)},
      {"framefold.optimizer", std::string(name_of(optimizer.options().kind))},
      {"framefold.updates", written(optimizer.updates())},
      {"framefold.seed", written(counters.seed)},
      {"framefold.step", written(counters.step)},
      {"framefold.epoch", written(counters.epoch)},
      {"framefold.skipped", written(counters.skipped)},
      {"framefold.config", counters.config}};
  if (counters.metric) metadata["framefold.metric"] = written(*counters.metric);
  if (counters.best) metadata["framefold.best"] = written(*counters.best);
  return metadata;
}

Counters counters_of(const Reader& reader) {
  Counters counters;
  reader.check_version();
  reader.read("seed", counters.seed);
  reader.read_count("step", counters.step);
  reader.read_count("epoch", counters.epoch);
  reader.read_count("skipped", counters.skipped);
  reader.read("metric", counters.metric);
  reader.read("best", counters.best);
  counters.config = reader.text_of("config");
  return counters;
}

// Fills `wanted` in its order, once the file is known to hold exactly these tensors; state of an
// optimiser that nobody wants is passed over.
void read_tensors(const SafetensorsFile& file, const fs::path& path,
                  const std::vector<NamedTensor>& wanted, bool pass_over_state) {
  Misfits misfits;
  std::set<std::string_view> known;
  for (const auto& [name, tensor] : wanted) {
    known.insert(name);
    const SafetensorsEntry* entry = file.find(name);
    if (entry == nullptr)
      misfits.missing(name);
    else if (entry->dtype != tensor.dtype || !(entry->shape == tensor.shape))
      misfits.misshapen(name, *entry, text(tensor.type()));
  }
  for (const SafetensorsEntry& entry : file.entries())
    if (!known.contains(entry.name) && !(pass_over_state && is_state(entry.name)))
      misfits.unknown(entry.name);
  if (const std::string list = misfits.list(); !list.empty())
    fail(ErrorCode::shape, path.string(), " does not fit this configuration", list);
  for (const auto& [name, tensor] : wanted) file.read(name, tensor);
}

void remove_quietly(const fs::path& path) {
  std::error_code ignored;
  fs::remove(path, ignored);
}

// The step in "step-00001000.safetensors", or -1.
Index step_of(const fs::path& path) {
  const std::string stem = path.stem().string();
  Index step = -1;
  if (path.extension() != ".safetensors" || !stem.starts_with("step-")) return -1;
  const char* end = stem.data() + stem.size();
  const auto result = std::from_chars(stem.data() + 5, end, step);
  return result.ec == std::errc() && result.ptr == end ? step : -1;
}

// An unreadable file has no metric; what is wrong with it is said where it is loaded.
std::optional<double> metric_of(const fs::path& path) {
  try {
    return read_counters(path).metric;
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace

void save_checkpoint(const fs::path& path, const Parameters& parameters, const Optimizer& optimizer,
                     const Counters& counters) {
  parameters.download();
  optimizer.download();
  std::vector<NamedView> views;
  for (const auto& [name, tensor] : tensors_of(parameters, optimizer))
    views.push_back({name, tensor});
  write_safetensors(path, views, metadata_of(optimizer, counters));
}

Counters load_checkpoint(const fs::path& path, Parameters& parameters, Optimizer& optimizer) {
  const SafetensorsFile file(path);
  file.verify();
  const Reader reader(path, file.metadata());
  Counters counters = counters_of(reader);
  const std::string_view kind = name_of(optimizer.options().kind);
  if (const std::string& stored = reader.text_of("optimizer"); stored != kind)
    fail(ErrorCode::config, path.string(), " was written with optimiser ", stored,
         ", this configuration says ", kind);
  Index updates = 0;
  reader.read_count("updates", updates);
  read_tensors(file, path, tensors_of(parameters, optimizer), false);
  parameters.upload();
  optimizer.upload();
  optimizer.set_updates(updates);
  return counters;
}

Counters load_weights(const fs::path& path, Parameters& parameters, bool average) {
  const SafetensorsFile file(path);
  const Reader reader(path, file.metadata());
  const bool ours = reader.find("checkpoint") != nullptr;
  if (ours) file.verify();
  Counters counters = ours ? counters_of(reader) : Counters();
  std::vector<NamedTensor> wanted = weights_of(parameters);
  const auto is_average = [](const SafetensorsEntry& entry) {
    return entry.name.starts_with(Optimizer::average_prefix);
  };
  if (average && std::ranges::any_of(file.entries(), is_average))
    for (const Parameters::Entry& entry : parameters.entries())  // read last, over the weights
      wanted.push_back({text(Optimizer::average_prefix, entry.name), parameters.value(entry.name)});
  read_tensors(file, path, wanted, true);
  parameters.upload();
  return counters;
}

std::vector<std::string> load_initial(const fs::path& path, Parameters& parameters) {
  constexpr std::string_view encoder = "encoder.", last_norm = "encoder.norm.";
  const SafetensorsFile file(path);
  if (Reader(path, file.metadata()).find("checkpoint") != nullptr) file.verify();
  Misfits misfits;
  std::vector<std::pair<std::string, Tensor>> found;
  std::vector<std::string> left;
  std::set<std::string_view> known;
  const std::vector<NamedTensor> wanted = weights_of(parameters);
  for (const auto& [name, tensor] : wanted) {
    known.insert(name);
    const std::string average = std::string(Optimizer::average_prefix) + name;
    const std::string& stored = file.find(average) != nullptr ? average : name;
    const SafetensorsEntry* entry = file.find(stored);
    const bool fits =
        entry != nullptr && entry->dtype == tensor.dtype && entry->shape == tensor.shape;
    if (fits)
      found.emplace_back(stored, tensor);
    else if (!name.starts_with(encoder))
      left.push_back(name);
    else if (entry == nullptr)
      misfits.missing(name);
    else
      misfits.misshapen(name, *entry, text(tensor.type()));
  }
  for (const SafetensorsEntry& entry : file.entries())
    if (entry.name.starts_with(encoder) && !entry.name.starts_with(last_norm) &&
        !known.contains(entry.name))
      misfits.unknown(entry.name);
  if (const std::string list = misfits.list(); !list.empty())
    fail(ErrorCode::shape, path.string(), " holds another encoder than this configuration's", list,
         "; give the model's options (model.*, the clip's data.*) that it was trained with");
  for (const auto& [name, tensor] : found) file.read(name, tensor);
  parameters.upload();
  return left;
}

Counters read_counters(const fs::path& path) {
  const SafetensorsFile file(path);
  return counters_of(Reader(path, file.metadata()));
}

Checkpoints::Checkpoints(fs::path directory, int keep)
    : directory_(std::move(directory)), keep_(keep) {
  if (keep < 1)
    fail(ErrorCode::config, "checkpoints: ", keep, " are to be kept, expected 1 or more");
}

fs::path Checkpoints::save(const Parameters& parameters, const Optimizer& optimizer,
                           const Counters& counters) {
  std::error_code refused;
  fs::create_directories(directory_, refused);
  if (refused)
    fail(ErrorCode::file, "cannot create ", directory_.string(), ": ", refused.message());
  for (const auto& entry : fs::directory_iterator(directory_))
    if (entry.path().extension() == ".partial") remove_quietly(entry.path());

  char name[40];
  std::snprintf(name, sizeof name, "step-%08lld.safetensors",
                static_cast<long long>(counters.step));
  fs::path path = directory_ / name;
  save_checkpoint(path, parameters, optimizer, counters);

  std::vector<fs::path> found = files();
  while (step_of(found.front()) > counters.step) {
    remove_quietly(found.front());
    found.erase(found.begin());
  }
  double least = std::numeric_limits<double>::infinity();
  fs::path best;
  for (const fs::path& file : found)
    if (const auto metric = metric_of(file); metric && *metric <= least) {
      least = *metric;
      best = file;
    }
  for (auto file = found.begin() + std::min<std::ptrdiff_t>(keep_, std::ssize(found));
       file != found.end(); ++file)
    if (*file != best) remove_quietly(*file);
  return path;
}

std::optional<Checkpoints::Found> Checkpoints::newest() const {
  Found found;
  for (const fs::path& file : files()) {
    try {
      SafetensorsFile(file).verify();
      found.path = file;
      return found;
    } catch (const Error& error) {
      found.damaged.emplace_back(error.what());
    }
  }
  if (found.damaged.empty()) return std::nullopt;
  fail(ErrorCode::format, "all ", found.damaged.size(), " checkpoints in ", directory_.string(),
       " are damaged; the newest: ", found.damaged.front());
}

std::optional<fs::path> Checkpoints::best() const {
  std::vector<std::pair<double, fs::path>> candidates;
  for (const fs::path& file : files())
    if (const auto metric = metric_of(file)) candidates.emplace_back(*metric, file);
  std::sort(candidates.begin(), candidates.end());
  for (const auto& [metric, file] : candidates) {
    try {
      SafetensorsFile(file).verify();
      return file;
    } catch (const Error&) {
      continue;
    }
  }
  return std::nullopt;
}

std::vector<fs::path> Checkpoints::files() const {
  std::vector<fs::path> found;
  std::error_code unread;
  for (const auto& entry : fs::directory_iterator(directory_, unread))
    if (step_of(entry.path()) >= 0) found.push_back(entry.path());
  if (unread && unread != std::errc::no_such_file_or_directory)
    fail(ErrorCode::file, "cannot read the folder ", directory_.string(), ": ", unread.message(),
         "; check what it is and its permissions");
  std::sort(found.begin(), found.end(),
            [](const fs::path& a, const fs::path& b) { return step_of(a) > step_of(b); });
  return found;
}

}  // namespace framefold
