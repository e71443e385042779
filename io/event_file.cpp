#include "io/event_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <bit>
#include <chrono>

#include "kernels/error.h"

namespace framefold {
namespace {

static_assert(std::endian::native == std::endian::little);

// Castagnoli's polynomial, reflected.
constexpr std::array<std::uint32_t, 256> crc_table = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t value = byte;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? 0x82F63B78U : 0U);
    table[byte] = value;
  }
  return table;
}();

template <class T>
std::string bytes_of(T value) {
  const auto bytes = std::bit_cast<std::array<char, sizeof(T)>>(value);
  return {bytes.data(), bytes.size()};
}

std::string varint(std::uint64_t value) {
  std::string out;
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  return out += static_cast<char>(value);
}

// Protobuf fields: the key holds the field's number and how its value is written.
std::string number_field(unsigned number, Index value) {
  return varint(number << 3) + varint(static_cast<std::uint64_t>(value));
}
std::string double_field(unsigned number, double value) {
  return varint(number << 3 | 1) + bytes_of(value);
}
std::string float_field(unsigned number, double value) {
  return varint(number << 3 | 5) + bytes_of(static_cast<float>(value));
}
std::string bytes_field(unsigned number, std::string_view value) {
  return varint(number << 3 | 2) + varint(value.size()) + std::string(value);
}

std::uint32_t masked_crc(std::string_view data) {
  const std::uint32_t crc = crc32c(data);
  return ((crc >> 15) | (crc << 17)) + 0xA282EAD8U;
}

// Event: wall_time 1, step 2, file_version 3, summary 5, session_log 7.
std::string event(double time, Index step) { return double_field(1, time) + number_field(2, step); }

// Summary: value 1; Value: tag 1, simple_value 2, image 4.
std::string summary_event(double time, Index step, std::string_view tag, const std::string& value) {
  return event(time, step) + bytes_field(5, bytes_field(1, bytes_field(1, tag) + value));
}

double now() {
  using namespace std::chrono;
  return duration<double>(system_clock::now().time_since_epoch()).count();
}

}  // namespace

std::uint32_t crc32c(std::string_view data) {
  std::uint32_t crc = ~0U;
  for (const char c : data)
    crc = (crc >> 8) ^ crc_table[(crc ^ static_cast<unsigned char>(c)) & 0xFF];
  return ~crc;
}

std::string event_record(std::string_view event) {
  const std::string length = bytes_of(static_cast<std::uint64_t>(event.size()));
  return length + bytes_of(masked_crc(length)) + std::string(event) + bytes_of(masked_crc(event));
}

std::string version_event(double time) {
  return double_field(1, time) + bytes_field(3, "brain.Event:2");
}

std::string start_event(double time, Index step) {
  return event(time, step) + bytes_field(7, number_field(1, 1));
}

std::string scalar_event(double time, Index step, std::string_view tag, double value) {
  return summary_event(time, step, tag, float_field(2, value));
}

// Image: height 1, width 2, colorspace 3 (its channels), encoded_image_string 4.
std::string picture_event(double time, Index step, std::string_view tag,
                          const EncodedPicture& picture) {
  return summary_event(
      time, step, tag,
      bytes_field(4, number_field(1, picture.height) + number_field(2, picture.width) +
                         number_field(3, picture.channels) + bytes_field(4, picture.png)));
}

EventFile::EventFile(const std::filesystem::path& directory, std::optional<Index> start) {
  static std::atomic<int> serial = 0;
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) host = {"localhost"};
  path_ = directory / text("events.out.tfevents.", static_cast<Index>(now()), '.', host.data(), '.',
                           ::getpid(), '.', serial++);
  file_ =
      Descriptor(::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666));
  if (file_.number() < 0) fail_file("create", path_);
  append(version_event(now()));
  if (start) append(start_event(now(), *start));
}

void EventFile::scalar(std::string_view tag, Index step, double value) {
  append(scalar_event(now(), step, tag, value));
}

void EventFile::picture(std::string_view tag, Index step, const EncodedPicture& picture) {
  append(picture_event(now(), step, tag, picture));
}

void EventFile::append(std::string_view event) {
  const std::string record = event_record(event);
  std::string_view left = record;
  while (!left.empty()) {
    const ssize_t written = ::write(file_.number(), left.data(), left.size());
    if (written < 0 && errno != EINTR) fail_file("write", path_);
    if (written > 0) left.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace framefold
