#include "io/event_file.h"

#include <gtest/gtest.h>

#include <cstring>

#include "tests/temporary.h"

namespace framefold {
namespace {

using namespace std::string_literals;

// RFC 3720, appendix B.4, and the usual check value.
TEST(EventFile, Crc32c) {
  EXPECT_EQ(crc32c("123456789"), 0xE3069283U);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAU);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62A8AB43U);
  EXPECT_EQ(crc32c(""), 0U);
}

// The first bytes of every event file that TensorFlow writes.
TEST(EventFile, BeginsLikeEveryEventFile) {
  const std::string record = event_record(version_event(0));
  EXPECT_EQ(record.size(), 40U);
  EXPECT_EQ(record.substr(0, 12), "\x18\0\0\0\0\0\0\0\xa3\x7f\x4b\x22"s);
  EXPECT_EQ(record.substr(12, 24),
            "\x09\0\0\0\0\0\0\0\0\x1a\x0d"
            "brain.Event:2"s);
}

TEST(EventFile, EncodesAScalar) {
  // wall_time 1.0; step 300; summary { value { tag "loss", simple_value 0.5 } }
  EXPECT_EQ(scalar_event(1, 300, "loss", 0.5),
            "\x09\0\0\0\0\0\0\xf0\x3f"
            "\x10\xac\x02"
            "\x2a\x0d\x0a\x0b\x0a\x04loss\x15\0\0\0\x3f"s);
}

TEST(EventFile, EncodesAPicture) {
  EXPECT_EQ(picture_event(0, 1, "a", {.width = 4, .height = 3, .channels = 1, .png = "xyz"}),
            "\x09\0\0\0\0\0\0\0\0"
            "\x10\x01"
            "\x2a\x12\x0a\x10\x0a\x01"
            "a\x22\x0b\x08\x03\x10\x04\x18\x01\x22\x03xyz"s);
}

// Walks the records: lengths lead to the end, the process's start names its step.
TEST(EventFile, WritesRecords) {
  const TemporaryDirectory directory;
  EventFile file(directory.path(), 40);
  file.scalar("loss", 41, 0.25);
  const std::string content = read_file(file.path(), 10000);
  std::vector<std::string> events;
  for (std::size_t at = 0; at < content.size();) {
    std::uint64_t length = 0;
    ASSERT_LE(at + 16, content.size());
    std::memcpy(&length, content.data() + at, 8);
    ASSERT_LE(at + 16 + length, content.size());
    events.push_back(content.substr(at + 12, length));
    EXPECT_EQ(content.substr(at, 16 + length), event_record(events.back()));
    at += 16 + length;
  }
  ASSERT_EQ(events.size(), 3U);
  EXPECT_EQ(events[1].substr(9), "\x10\x28\x3a\x02\x08\x01"s);
  EXPECT_EQ(events[2].substr(9), scalar_event(0, 41, "loss", 0.25).substr(9));
  EXPECT_EQ(file.path().filename().string().rfind("events.out.tfevents.", 0), 0U);
  EXPECT_NE(EventFile(directory.path()).path(), file.path());
}

}  // namespace
}  // namespace framefold
