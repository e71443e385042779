// TensorBoard event files: scalars and pictures by tag and step.
//
//   file    a sequence of records: length (u64), masked CRC32C of the length, data, masked CRC32C
//           of the data; all little-endian
//   data    one Event protobuf; the first is the file version, "brain.Event:2"
//
// A run that resumes says at which step it goes on (SessionLog START): readers then drop what older
// files of the directory hold from that step on.
// Source: tensorflow/core/lib/io/record_writer.h, util/event.proto, framework/summary.proto.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "io/file.h"

namespace framefold {

struct EncodedPicture {
  Index width = 0, height = 0, channels = 0;  // 1 gray, 3 colour
  std::string_view png;
};

class EventFile {
 public:
  // Creates events.out.tfevents.SECONDS.HOST.PROCESS.N in the directory.
  explicit EventFile(const std::filesystem::path& directory, std::optional<Index> start = {});

  // Every call appends one whole record.
  void scalar(std::string_view tag, Index step, double value);
  void picture(std::string_view tag, Index step, const EncodedPicture& picture);

  const std::filesystem::path& path() const { return path_; }

 private:
  void append(std::string_view event);

  std::filesystem::path path_;
  Descriptor file_;
};

// The parts, for tests. Times are seconds since 1970.
std::uint32_t crc32c(std::string_view data);
std::string event_record(std::string_view event);  // one event, framed
std::string version_event(double time);
std::string start_event(double time, Index step);
std::string scalar_event(double time, Index step, std::string_view tag, double value);
std::string picture_event(double time, Index step, std::string_view tag,
                          const EncodedPicture& picture);

}  // namespace framefold
