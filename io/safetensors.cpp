#include "io/safetensors.h"

#include <xxhash.h>

#include <algorithm>
#include <array>
#include <bit>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <utility>

#include "kernels/error.h"

namespace framefold {
namespace {

static_assert(std::endian::native == std::endian::little, "tensors are copied as they lie");

using Json = nlohmann::json;

constexpr std::string_view hash_key = "framefold.hash";

struct StoredType {
  std::string_view name;
  unsigned bits;
  std::optional<DType> dtype;
};

constexpr std::array<StoredType, 22> stored_types{{
    {"BOOL", 8, {}},         {"F4", 4, {}},           {"F6_E2M3", 6, {}},
    {"F6_E3M2", 6, {}},      {"U8", 8, DType::u8},    {"I8", 8, {}},
    {"F8_E5M2", 8, {}},      {"F8_E4M3", 8, {}},      {"F8_E8M0", 8, {}},
    {"F8_E4M3FNUZ", 8, {}},  {"F8_E5M2FNUZ", 8, {}},  {"I16", 16, {}},
    {"U16", 16, {}},         {"F16", 16, {}},         {"BF16", 16, DType::bf16},
    {"I32", 32, DType::i32}, {"U32", 32, {}},         {"F32", 32, DType::f32},
    {"C64", 64, {}},         {"F64", 64, DType::f64}, {"I64", 64, {}},
    {"U64", 64, {}},
}};

const StoredType& stored_as(DType type) {
  return *std::find_if(stored_types.begin(), stored_types.end(),
                       [&](const StoredType& stored) { return stored.dtype == type; });
}

// A name for a message: quoted, and cut between two characters where a file makes it long.
std::string shown(std::string_view name) {
  std::size_t cut = std::min<std::size_t>(name.size(), 100);
  while (cut < name.size() && cut > 0 && (name[cut] & 0xC0) == 0x80) --cut;
  return text('\'', name.substr(0, cut), cut < name.size() ? "...'" : "'");
}

// Follows the header's grammar event by event: a parsed document would have lost repeated keys.
class HeaderParser final : public nlohmann::json_sax<Json> {
 public:
  HeaderParser(std::string source, SafetensorsLimits limits, std::vector<SafetensorsEntry>& entries,
               SafetensorsMetadata& metadata)
      : source_(std::move(source)), limits_(limits), entries_(entries), metadata_(metadata) {}

  bool start_object(std::size_t) override {
    if (place_ == Place::start) {
      place_ = Place::root;
    } else if (place_ == Place::root && key_ == "__metadata__") {
      place_ = Place::metadata;
    } else if (place_ == Place::root) {
      place_ = Place::entry;
      bits_ = 0;
      has_dtype_ = has_shape_ = has_offsets_ = false;
      entries_.emplace_back();
      entries_.back().name = key_;
    } else {
      unexpected("an object");
    }
    return true;
  }

  bool end_object() override {
    if (place_ == Place::entry) finish_entry();
    place_ = place_ == Place::root ? Place::end : Place::root;
    return true;
  }

  bool key(std::string& name) override {
    key_ = name;
    if (place_ == Place::root) {
      if (name == "__metadata__") {
        if (std::exchange(has_metadata_, true)) broken("repeats __metadata__");
      } else if (entries_.size() == limits_.entries) {
        broken("lists more than ", limits_.entries, " tensors");
      }
    } else if (place_ == Place::metadata) {
      if (metadata_.contains(name)) broken("repeats ", shown(name), " in __metadata__");
      if (metadata_.size() == limits_.entries)
        broken("holds more than ", limits_.entries, " texts in __metadata__");
    } else {
      bool* seen = name == "dtype"          ? &has_dtype_
                   : name == "shape"        ? &has_shape_
                   : name == "data_offsets" ? &has_offsets_
                                            : nullptr;
      if (seen == nullptr)
        broken("tensor ", tensor(), " has ", shown(name),
               ", expected dtype, shape and data_offsets alone");
      if (std::exchange(*seen, true)) broken("tensor ", tensor(), " repeats ", name);
    }
    return true;
  }

  bool string(std::string& value) override {
    if (place_ == Place::metadata) {
      metadata_.emplace(key_, std::move(value));
    } else if (place_ == Place::entry && key_ == "dtype") {
      const auto* type = std::find_if(stored_types.begin(), stored_types.end(),
                                      [&](const StoredType& known) { return known.name == value; });
      if (type == stored_types.end())
        broken("tensor ", tensor(), " is of type ", shown(value), ", which the format lacks");
      entries_.back().stored = type->name;
      entries_.back().dtype = type->dtype;
      bits_ = type->bits;
    } else {
      unexpected("a text");
    }
    return true;
  }

  bool start_array(std::size_t) override {
    if (place_ == Place::entry && key_ == "shape")
      place_ = Place::shape;
    else if (place_ == Place::entry && key_ == "data_offsets")
      place_ = Place::offsets;
    else
      unexpected("an array");
    count_ = 0;
    return true;
  }

  bool end_array() override {
    if (place_ == Place::offsets && count_ != 2)
      broken("tensor ", tensor(), " has ", count_, " data_offsets, expected 2");
    place_ = Place::entry;
    return true;
  }

  bool number_unsigned(std::uint64_t value) override {
    SafetensorsEntry* entry = entries_.empty() ? nullptr : &entries_.back();
    if (place_ == Place::shape) {
      if (value > static_cast<std::uint64_t>(std::numeric_limits<Index>::max()))
        broken("tensor ", tensor(), " has the extent ", value, ", more than fits 63 bits");
      if (entry->shape.rank() == Shape::max_rank)
        broken("tensor ", tensor(), " has more than ", Shape::max_rank, " axes");
      entry->shape.push_back(static_cast<Index>(value));
    } else if (place_ == Place::offsets) {
      if (count_ == 0) entry->begin = value;
      if (count_ == 1) entry->end = value;
    } else {
      unexpected("a number");
    }
    ++count_;
    return true;
  }

  bool null() override { unexpected("null"); }
  bool boolean(bool) override { unexpected("a truth value"); }
  bool number_integer(std::int64_t) override { unexpected("a negative number"); }
  bool number_float(double, const std::string&) override {
    unexpected("a number that is no 64-bit integer");
  }
  bool binary(Json::binary_t&) override { unexpected("binary data"); }

  bool parse_error(std::size_t position, const std::string&,
                   const Json::exception& error) override {
    const bool utf8 = std::string_view(error.what()).find("UTF-8") != std::string_view::npos;
    broken("is not valid ", utf8 ? "UTF-8" : "JSON", " at its byte ", position);
  }

 private:
  enum class Place : std::uint8_t { start, root, metadata, entry, shape, offsets, end };

  template <class... Parts>
  [[noreturn]] void broken(const Parts&... parts) const {
    fail(ErrorCode::format, source_, ": the safetensors header ", parts...,
         "; the file is damaged or was not written by a safetensors library");
  }

  std::string tensor() const { return shown(entries_.back().name); }

  [[noreturn]] void unexpected(std::string_view what) const {
    switch (place_) {
      case Place::metadata:
        broken("has ", what, " in __metadata__ at ", shown(key_), ", expected a text");
      case Place::entry:
      case Place::shape:
      case Place::offsets:
        broken("tensor ", tensor(), " has ", what, " in ", key_, ", expected ",
               key_ == "dtype" ? "a text" : "an array of whole numbers");
      case Place::root: broken("has ", what, " at ", shown(key_), ", expected an object");
      default: broken("is ", what, ", expected an object");
    }
  }

  void finish_entry() const {
    const SafetensorsEntry& entry = entries_.back();
    if (!has_dtype_ || !has_shape_ || !has_offsets_)
      broken("tensor ", tensor(), " lacks ",
             !has_dtype_   ? "dtype"
             : !has_shape_ ? "shape"
                           : "data_offsets");
    if (entry.begin > entry.end)
      broken("tensor ", tensor(), " ends at byte ", entry.end, " before it begins at ",
             entry.begin);
    std::uint64_t bits = bits_;
    for (const Index extent : entry.shape)
      if (__builtin_mul_overflow(bits, static_cast<std::uint64_t>(extent), &bits))
        broken("tensor ", tensor(), " has the shape ", entry.shape, ", more than fits 64 bits");
    if (bits % 8 != 0 || bits / 8 != entry.end - entry.begin)
      broken("tensor ", tensor(), " has ", entry.end - entry.begin, " bytes, expected ", bits,
             " / 8 for ", entry.stored, ' ', entry.shape);
  }

  std::string source_;
  SafetensorsLimits limits_;
  std::vector<SafetensorsEntry>& entries_;
  SafetensorsMetadata& metadata_;
  Place place_ = Place::start;
  std::string key_;
  bool has_metadata_ = false, has_dtype_ = false, has_shape_ = false, has_offsets_ = false;
  unsigned bits_ = 0;
  int count_ = 0;
};

// The tensors' bytes must follow each other and fill the data section.
void check_layout(const std::string& source, const std::vector<SafetensorsEntry>& entries,
                  std::uint64_t data_bytes) {
  std::vector<const SafetensorsEntry*> order;
  order.reserve(entries.size());
  for (const SafetensorsEntry& entry : entries) order.push_back(&entry);
  std::sort(order.begin(), order.end(), [](const SafetensorsEntry* a, const SafetensorsEntry* b) {
    return std::pair(a->begin, a->end) < std::pair(b->begin, b->end);
  });
  std::uint64_t end = 0;
  for (const SafetensorsEntry* entry : order) {
    if (entry->begin != end)
      fail(ErrorCode::format, source, ": tensor ", shown(entry->name), " begins at byte ",
           entry->begin, " of the data, expected ", end,
           entry->begin < end ? " (two tensors overlap)" : " (bytes of no tensor)",
           "; the file is damaged");
    end = entry->end;
  }
  if (end != data_bytes)
    fail(ErrorCode::format, source, ": ", data_bytes, " bytes of data follow the header, expected ",
         end,
         data_bytes < end ? "; the file was cut short, copy it again" : "; the file is damaged");
}

// A text as JSON; the library's strict mode refuses what is not UTF-8.
std::string json_text(std::string_view value) {
  try {
    return Json(value).dump();
  } catch (const Json::exception&) {
    fail(ErrorCode::argument, "a tensor's name or a metadata text is not valid UTF-8; rename it");
  }
}

// The header as this writer composes it; entries by name.
std::string compose(const std::vector<SafetensorsEntry>& entries,
                    const SafetensorsMetadata& metadata) {
  std::ostringstream header;
  std::string_view separator;
  header << '{';
  if (!metadata.empty()) {
    header << R"("__metadata__":{)";
    for (const auto& [key, value] : metadata)
      header << std::exchange(separator, ",") << json_text(key) << ':' << json_text(value);
    header << '}';
  }
  for (const SafetensorsEntry& entry : entries) {
    header << std::exchange(separator, ",") << json_text(entry.name) << R"(:{"dtype":")"
           << entry.stored << R"(","shape":[)";
    for (int axis = 0; axis < entry.shape.rank(); ++axis)
      header << (axis > 0 ? "," : "") << entry.shape[axis];
    header << R"(],"data_offsets":[)" << entry.begin << ',' << entry.end << "]}";
  }
  header << '}';
  return header.str();
}

class Hash {
 public:
  Hash() { XXH3_128bits_reset(state_.get()); }
  void update(const void* data, Bytes bytes) { XXH3_128bits_update(state_.get(), data, bytes); }
  std::string digest() const {
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(state_.get()));
    std::string hex;
    for (const unsigned char byte : canonical.digest)
      for (const unsigned nibble : {byte / 16U, byte % 16U}) hex += "0123456789abcdef"[nibble];
    return hex;
  }

 private:
  struct Free {
    void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
  };
  std::unique_ptr<XXH3_state_t, Free> state_{XXH3_createState()};
};

}  // namespace

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path, SafetensorsLimits limits)
    : file_(path) {
  const std::string source = path.string();
  std::uint64_t length = 0;
  if (file_.size() < sizeof length)
    fail(ErrorCode::format, source, " has ", file_.size(),
         " bytes, a safetensors file has at least 10; it was cut short or is another kind of file");
  file_.read(0, &length, sizeof length);
  if (length > limits.header)
    fail(ErrorCode::format, source, " claims a header of ", length, " bytes, expected at most ",
         limits.header, "; it is damaged or not a safetensors file");
  if (length > file_.size() - sizeof length)
    fail(ErrorCode::format, source, " claims a header of ", length, " bytes, but has ",
         file_.size(), " bytes in all; it was cut short or is not a safetensors file");
  std::string header(static_cast<std::size_t>(length), '\0');
  file_.read(sizeof length, header.data(), header.size());
  data_ = sizeof length + length;

  // The parser would skip a byte order mark, and takes a NUL for the end of its input.
  if (header.empty() || header.front() != '{')
    fail(ErrorCode::format, source, ": the safetensors header does not begin with '{'");
  if (const std::size_t nul = header.find('\0'); nul != std::string::npos)
    fail(ErrorCode::format, source, ": the safetensors header is not valid JSON at its byte ", nul);
  HeaderParser parser(source, limits, entries_, metadata_);
  Json::sax_parse(header, &parser);

  std::sort(entries_.begin(), entries_.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  const auto twin =
      std::adjacent_find(entries_.begin(), entries_.end(),
                         [](const auto& a, const auto& b) { return a.name == b.name; });
  if (twin != entries_.end())
    fail(ErrorCode::format, source, ": the safetensors header repeats tensor ", shown(twin->name));
  check_layout(source, entries_, file_.size() - data_);
}

const SafetensorsEntry* SafetensorsFile::find(std::string_view name) const {
  const auto found =
      std::lower_bound(entries_.begin(), entries_.end(), name,
                       [](const auto& entry, std::string_view key) { return entry.name < key; });
  return found != entries_.end() && found->name == name ? &*found : nullptr;
}

void SafetensorsFile::read(std::string_view name, Tensor out) const {
  const SafetensorsEntry* entry = find(name);
  const std::string source = file_.path().string();
  if (entry == nullptr)
    fail(ErrorCode::format, source, " has no tensor ", shown(name), " among its ", entries_.size());
  if (!entry->dtype)
    fail(ErrorCode::format, source, ": tensor ", shown(name), " is of type ", entry->stored,
         ", which is not supported; convert it to F32 or BF16 first");
  const TensorType stored{*entry->dtype, entry->shape};
  if (stored != out.type())
    fail(ErrorCode::shape, source, ": tensor ", shown(name), " is ", stored, ", expected ",
         out.type());
  file_.read(data_ + entry->begin, out.data, out.bytes());
}

void SafetensorsFile::verify() const {
  SafetensorsMetadata rest = metadata_;
  const auto carried = rest.extract(std::string(hash_key));
  if (!carried)
    fail(ErrorCode::format, file_.path().string(), " carries no ", hash_key,
         " in its metadata, so damage cannot be told; it was written by another program");
  Hash hash;
  const std::string header = compose(entries_, rest);
  hash.update(header.data(), header.size());
  std::vector<char> piece(std::size_t{1} << 20);
  for (std::uint64_t at = data_; at < file_.size(); at += piece.size()) {
    const Bytes bytes = std::min<std::uint64_t>(piece.size(), file_.size() - at);
    file_.read(at, piece.data(), bytes);
    hash.update(piece.data(), bytes);
  }
  if (hash.digest() != carried.mapped())
    fail(ErrorCode::format, file_.path().string(), " is damaged: its content hashes to ",
         hash.digest(), ", expected ", shown(carried.mapped()), "; use another copy");
}

void write_safetensors(const std::filesystem::path& path, const std::vector<NamedView>& tensors,
                       const SafetensorsMetadata& metadata) {
  std::vector<const NamedView*> order;
  order.reserve(tensors.size());
  for (const NamedView& tensor : tensors) order.push_back(&tensor);
  std::sort(order.begin(), order.end(), [](const NamedView* a, const NamedView* b) {
    return std::pair(size_of(b->view.dtype), std::string_view(a->name)) <
           std::pair(size_of(a->view.dtype), std::string_view(b->name));
  });
  std::vector<SafetensorsEntry> entries;
  std::uint64_t end = 0;
  for (const NamedView* tensor : order) {
    const std::uint64_t begin = std::exchange(end, end + tensor->view.bytes());
    entries.push_back({tensor->name, stored_as(tensor->view.dtype).name, tensor->view.dtype,
                       tensor->view.shape, begin, end});
  }
  std::sort(entries.begin(), entries.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  for (std::size_t i = 0; i < entries.size(); ++i)
    if (entries[i].name == "__metadata__" || (i > 0 && entries[i].name == entries[i - 1].name))
      fail(ErrorCode::argument, "cannot write ", path.string(), ": the tensor's name ",
           shown(entries[i].name), " is used twice or reserved; rename it");

  SafetensorsMetadata complete = metadata;
  complete.erase(std::string(hash_key));
  Hash hash;
  std::string header = compose(entries, complete);
  hash.update(header.data(), header.size());
  for (const NamedView* tensor : order) hash.update(tensor->view.data, tensor->view.bytes());
  complete[std::string(hash_key)] = hash.digest();
  header = compose(entries, complete);
  header.resize((header.size() + 7) / 8 * 8, ' ');

  AtomicFile file(path);
  const std::uint64_t length = header.size();
  file.write(&length, sizeof length);
  file.write(header);
  for (const NamedView* tensor : order) file.write(tensor->view.data, tensor->view.bytes());
  file.commit();
}

}  // namespace framefold
