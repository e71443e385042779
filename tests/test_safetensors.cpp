#include "io/safetensors.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>

#include "tests/temporary.h"

namespace framefold {
namespace {

namespace fs = std::filesystem;

std::string length_of(std::uint64_t length) {
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes;
}

// A file made by hand: length, header, data.
std::string file_of(const std::string& header, const std::string& data = "") {
  return length_of(header.size()) + header + data;
}

void open_bytes(const std::string& bytes, SafetensorsLimits limits = {}) {
  const TemporaryDirectory directory;
  write_file(directory / "x.safetensors", bytes);
  const SafetensorsFile file(directory / "x.safetensors", limits);
}

void open_header(const std::string& header, const std::string& data = "") {
  open_bytes(file_of(header, data));
}

template <class T, std::size_t N>
View view(const std::array<T, N>& values, Shape shape) {
  return {values.data(), dtype_of<T>(), shape};
}

const std::array<float, 2> w{1.0F, -2.0F};
const std::array<std::int32_t, 1> x{-5};
const std::array<std::uint8_t, 3> b{7, 8, 9};

// Every type and size of alignment, a scalar, an empty tensor.
void write_example(const fs::path& path) {
  write_safetensors(path,
                    {{"b", view(b, {3})},
                     {"w", view(w, {2, 1})},
                     {"x", view(x, {})},
                     {"empty", View{w.data(), DType::f32, {0, 4}}}},
                    {{"step", "3"}});
}

// The hash was computed with the reference implementation's Python binding over the header without
// hash and padding, followed by the data.
TEST(Safetensors, ExactBytes) {
  const TemporaryDirectory directory;
  write_example(directory / "x.safetensors");
  std::string header =
      R"({"__metadata__":{"framefold.hash":"ae1436ae4d06438be100d8fecc95d6d7","step":"3"},)"
      R"("b":{"dtype":"U8","shape":[3],"data_offsets":[12,15]},)"
      R"("empty":{"dtype":"F32","shape":[0,4],"data_offsets":[0,0]},)"
      R"("w":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},)"
      R"("x":{"dtype":"I32","shape":[],"data_offsets":[8,12]}})";
  while (header.size() % 8 != 0) header += ' ';
  const std::string data("\0\0\x80\x3f\0\0\0\xc0\xfb\xff\xff\xff\x07\x08\x09", 15);
  EXPECT_EQ(read_file(directory / "x.safetensors", 1000), file_of(header, data));
}

TEST(Safetensors, RoundTrip) {
  const TemporaryDirectory directory;
  write_example(directory / "x.safetensors");
  const SafetensorsFile file(directory / "x.safetensors");
  file.verify();
  EXPECT_EQ(file.metadata().at("step"), "3");
  ASSERT_EQ(file.entries().size(), 4U);
  EXPECT_EQ(file.entries()[0].name, "b");
  EXPECT_EQ(file.entries()[0].stored, "U8");
  EXPECT_EQ(file.entries()[0].dtype, DType::u8);
  EXPECT_EQ(file.find("w")->shape, (Shape{2, 1}));
  EXPECT_EQ(file.find("nothing"), nullptr);

  std::array<float, 2> read_w{};
  std::array<std::int32_t, 1> read_x{};
  std::array<std::uint8_t, 3> read_b{};
  file.read("w", {read_w.data(), DType::f32, {2, 1}});
  file.read("x", {read_x.data(), DType::i32, {}});
  file.read("b", {read_b.data(), DType::u8, {3}});
  file.read("empty", {nullptr, DType::f32, {0, 4}});
  EXPECT_EQ(read_w, w);
  EXPECT_EQ(read_x, x);
  EXPECT_EQ(read_b, b);
}

TEST(Safetensors, OrderOfTensorsDoesNotMatter) {
  const TemporaryDirectory directory;
  write_safetensors(directory / "1", {{"w", view(w, {2})}, {"x", view(x, {1})}});
  write_safetensors(directory / "2", {{"x", view(x, {1})}, {"w", view(w, {2})}});
  EXPECT_EQ(read_file(directory / "1", 1000), read_file(directory / "2", 1000));
}

TEST(Safetensors, NamesOfAnyText) {
  const TemporaryDirectory directory;
  const std::string name = "Größe \"quoted\" \\ \n \xF0\x9F\x8E\x9E";
  write_safetensors(directory / "x", {{name, view(b, {3})}}, {{"", name}});
  const SafetensorsFile file(directory / "x");
  file.verify();
  EXPECT_NE(file.find(name), nullptr);
  EXPECT_EQ(file.metadata().at(""), name);
}

TEST(Safetensors, NothingAtAll) {
  open_header("{}");
  open_header("{}      ");
  const TemporaryDirectory directory;
  write_safetensors(directory / "x", {});
  const SafetensorsFile file(directory / "x");
  file.verify();
  EXPECT_TRUE(file.entries().empty());
}

// Types that no tensor of ours has are listed, and refused by name when read.
TEST(Safetensors, EveryTypeOfTheFormat) {
  const std::vector<std::pair<std::string, int>> types{
      {"BOOL", 8},        {"F4", 4},      {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"U8", 8},
      {"I8", 8},          {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8},
      {"F8_E5M2FNUZ", 8}, {"I16", 16},    {"U16", 16},    {"F16", 16},    {"BF16", 16},
      {"I32", 32},        {"U32", 32},    {"F32", 32},    {"C64", 64},    {"F64", 64},
      {"I64", 64},        {"U64", 64}};
  for (const auto& [name, bits] : types) {
    SCOPED_TRACE(name);
    const TemporaryDirectory directory;
    const std::string header =  // 8 elements of `bits` bits are `bits` bytes
        text(R"({"t":{"dtype":")", name, R"(","shape":[8],"data_offsets":[0,)", bits, "]}}");
    write_file(directory / "x", file_of(header, std::string(static_cast<std::size_t>(bits), '\0')));
    const SafetensorsFile file(directory / "x");
    EXPECT_EQ(file.entries().at(0).stored, name);
    std::vector<char> memory(64);
    const auto& type = file.entries().at(0).dtype;
    if (type) {
      EXPECT_EQ(size_of(*type) * 8, static_cast<std::size_t>(bits));
      file.read("t", {memory.data(), *type, {8}});
    } else {
      EXPECT_ERROR(ErrorCode::format, "tensor 't' is of type " + name + ", which is not supported",
                   file.read("t", {memory.data(), DType::u8, {8}}));
    }
  }
}

TEST(Safetensors, ReadRefusesAnotherTypeOrShape) {
  const TemporaryDirectory directory;
  write_example(directory / "x");
  const SafetensorsFile file(directory / "x");
  std::array<float, 2> out{};
  EXPECT_ERROR(ErrorCode::shape, "tensor 'w' is f32 [2, 1], expected f32 [2]",
               file.read("w", {out.data(), DType::f32, {2}}));
  EXPECT_ERROR(ErrorCode::shape, "tensor 'w' is f32 [2, 1], expected i32 [2, 1]",
               file.read("w", {out.data(), DType::i32, {2, 1}}));
  EXPECT_ERROR(ErrorCode::format, "has no tensor 'v' among its 4",
               file.read("v", {out.data(), DType::f32, {2}}));
}

TEST(Safetensors, EveryChangedByteIsFound) {
  const TemporaryDirectory directory;
  write_example(directory / "x");
  const std::string good = read_file(directory / "x", 1000);
  int found_by_hash = 0;
  for (std::size_t at = 0; at < good.size(); ++at) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    write_file(directory / "bad", bad);
    try {
      const SafetensorsFile file(directory / "bad");
      file.verify();
      ADD_FAILURE() << "byte " << at;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::format) << error.what();
      found_by_hash +=
          std::string(error.what()).find("is damaged: its content") != std::string::npos;
    }
  }
  EXPECT_GE(found_by_hash, 15 + 32);  // at least the data and the hash itself
}

TEST(Safetensors, VerifyWantsAHash) {
  const TemporaryDirectory directory;
  write_file(directory / "x", file_of("{}"));
  EXPECT_ERROR(ErrorCode::format, "carries no framefold.hash",
               SafetensorsFile(directory / "x").verify());
}

// Metadata copied from another file brings its hash along: it is replaced.
TEST(Safetensors, AGivenHashIsReplaced) {
  const TemporaryDirectory directory;
  write_safetensors(directory / "1", {{"w", view(w, {2})}});
  write_safetensors(directory / "2", {{"w", view(w, {2})}}, {{"framefold.hash", "stale"}});
  EXPECT_EQ(read_file(directory / "1", 1000), read_file(directory / "2", 1000));
}

TEST(Safetensors, WriterRefuses) {
  const TemporaryDirectory directory;
  const fs::path path = directory / "x";
  EXPECT_ERROR(ErrorCode::argument, "name 'w' is used twice",
               write_safetensors(path, {{"w", view(w, {2})}, {"w", view(x, {1})}}));
  EXPECT_ERROR(ErrorCode::argument, "reserved",
               write_safetensors(path, {{"__metadata__", view(w, {2})}}));
  EXPECT_ERROR(ErrorCode::argument, "not valid UTF-8",
               write_safetensors(path, {{"\xff", view(w, {2})}}));
  EXPECT_ERROR(ErrorCode::argument, "not valid UTF-8",
               write_safetensors(path, {}, {{"a", "\xc3"}}));
  EXPECT_TRUE(directory.names().empty());
}

// From here on: one hand-made file for every error of the reader.

TEST(SafetensorsHostile, Length) {
  EXPECT_ERROR(ErrorCode::format, "has 0 bytes", open_bytes(""));
  EXPECT_ERROR(ErrorCode::format, "has 7 bytes", open_bytes(std::string(7, '\0')));
  EXPECT_ERROR(ErrorCode::format, "claims a header of 3 bytes, but has 10",
               open_bytes(length_of(3) + "{}"));
  EXPECT_ERROR(ErrorCode::format, "claims a header of 18446744073709551615 bytes, expected at most",
               open_bytes(length_of(~std::uint64_t{0}) + "{}"));
  EXPECT_ERROR(ErrorCode::format, "claims a header of 100000001 bytes, expected at most 100000000",
               open_bytes(length_of(100'000'001) + "{}"));
  EXPECT_ERROR(ErrorCode::format, "claims a header of 12 bytes, expected at most 11",
               open_bytes(file_of("{}          "), {.header = 11}));
}

TEST(SafetensorsHostile, Json) {
  EXPECT_ERROR(ErrorCode::format, "does not begin with '{'", open_header(""));
  EXPECT_ERROR(ErrorCode::format, "does not begin with '{'", open_header(" {}"));
  EXPECT_ERROR(ErrorCode::format, "does not begin with '{'", open_header("\xEF\xBB\xBF{}"));
  EXPECT_ERROR(ErrorCode::format, "does not begin with '{'", open_header("[]"));
  EXPECT_ERROR(ErrorCode::format, "not valid JSON at its byte 2", open_header("{"));
  EXPECT_ERROR(ErrorCode::format, "not valid JSON at its byte 3", open_header("{}x"));
  EXPECT_ERROR(ErrorCode::format, "not valid JSON", open_header("{}{}"));
  EXPECT_ERROR(ErrorCode::format, "not valid JSON", open_header("{/**/}"));
  EXPECT_ERROR(ErrorCode::format, "not valid JSON at its byte 2",
               open_header(std::string("{}\0{", 4)));
  EXPECT_ERROR(ErrorCode::format, "not valid JSON", open_header(R"({"a":})"));
}

TEST(SafetensorsHostile, Utf8) {
  EXPECT_ERROR(ErrorCode::format, "not valid UTF-8 at its byte",
               open_header("{\"__metadata__\":{\"a\":\"\xff\"}}"));
  EXPECT_ERROR(ErrorCode::format, "not valid UTF-8",  // an overlong '/'
               open_header("{\"__metadata__\":{\"\xC0\xAF\":\"\"}}"));
  EXPECT_ERROR(ErrorCode::format, "not valid UTF-8",  // a surrogate
               open_header("{\"__metadata__\":{\"\xED\xA0\x80\":\"\"}}"));
}

TEST(SafetensorsHostile, RepeatedKeys) {
  const std::string entry = R"("a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]})";
  EXPECT_ERROR(ErrorCode::format, "repeats tensor 'a'",
               open_header("{" + entry + "," + entry + "}"));
  EXPECT_ERROR(
      ErrorCode::format, "repeats tensor 'a'",  // the same name, spelt otherwise
      open_header("{" + entry + R"(,"\u0061":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})"));
  EXPECT_ERROR(ErrorCode::format, "repeats __metadata__",
               open_header(R"({"__metadata__":{},"__metadata__":{}})"));
  EXPECT_ERROR(ErrorCode::format, "repeats 'k' in __metadata__",
               open_header(R"({"__metadata__":{"k":"1","k":"1"}})"));
  EXPECT_ERROR(ErrorCode::format, "tensor 'a' repeats shape",
               open_header(R"({"a":{"dtype":"U8","shape":[0],"shape":[0],"data_offsets":[0,0]}})"));
}

TEST(SafetensorsHostile, TooManyEntries) {
  const std::string two = R"({"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},)"
                          R"("b":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})";
  open_bytes(file_of(two), {.entries = 2});
  EXPECT_ERROR(ErrorCode::format, "lists more than 1 tensors",
               open_bytes(file_of(two), {.entries = 1}));
  EXPECT_ERROR(ErrorCode::format, "holds more than 1 texts",
               open_bytes(file_of(R"({"__metadata__":{"a":"","b":""}})"), {.entries = 1}));
}

TEST(SafetensorsHostile, Structure) {
  EXPECT_ERROR(ErrorCode::format, "has a number at 'a', expected an object",
               open_header(R"({"a":1})"));
  EXPECT_ERROR(ErrorCode::format, "has a text at 'a'", open_header(R"({"a":"x"})"));
  EXPECT_ERROR(ErrorCode::format, "has an array at 'a'", open_header(R"({"a":[]})"));
  EXPECT_ERROR(ErrorCode::format, "has null at 'a'", open_header(R"({"a":null})"));
  EXPECT_ERROR(ErrorCode::format, "has an array at '__metadata__'",
               open_header(R"({"__metadata__":[]})"));
  EXPECT_ERROR(ErrorCode::format, "has a number in __metadata__ at 'a', expected a text",
               open_header(R"({"__metadata__":{"a":1}})"));
  EXPECT_ERROR(ErrorCode::format, "has an object in __metadata__ at 'a'",
               open_header(R"({"__metadata__":{"a":{}}})"));
  EXPECT_ERROR(ErrorCode::format, "has an object in dtype", open_header(R"({"a":{"dtype":{}}})"));
  EXPECT_ERROR(ErrorCode::format, "tensor 'a' has 'more', expected dtype, shape and data_offsets",
               open_header(R"({"a":{"more":1}})"));
  EXPECT_ERROR(ErrorCode::format, "tensor 'a' lacks dtype",
               open_header(R"({"a":{"shape":[0],"data_offsets":[0,0]}})"));
  EXPECT_ERROR(ErrorCode::format, "tensor 'a' lacks shape",
               open_header(R"({"a":{"dtype":"U8","data_offsets":[0,0]}})"));
  EXPECT_ERROR(ErrorCode::format, "tensor 'a' lacks data_offsets",
               open_header(R"({"a":{"dtype":"U8","shape":[0]}})"));
  EXPECT_ERROR(ErrorCode::format, "has a text in shape",
               open_header(R"({"a":{"dtype":"U8","shape":"0","data_offsets":[0,0]}})"));
  EXPECT_ERROR(ErrorCode::format, "has an array in shape",
               open_header(R"({"a":{"dtype":"U8","shape":[[0]],"data_offsets":[0,0]}})"));
  EXPECT_ERROR(ErrorCode::format, "has a truth value in shape",
               open_header(R"({"a":{"dtype":"U8","shape":[true],"data_offsets":[0,0]}})"));
  EXPECT_ERROR(ErrorCode::format, "has a number in dtype, expected a text",
               open_header(R"({"a":{"dtype":1,"shape":[0],"data_offsets":[0,0]}})"));
}

TEST(SafetensorsHostile, Type) {
  EXPECT_ERROR(ErrorCode::format, "tensor 'a' is of type 'F128', which the format lacks",
               open_header(R"({"a":{"dtype":"F128","shape":[0],"data_offsets":[0,0]}})"));
  EXPECT_ERROR(ErrorCode::format, "tensor 'a' is of type 'f32'",
               open_header(R"({"a":{"dtype":"f32","shape":[0],"data_offsets":[0,0]}})"));
}

TEST(SafetensorsHostile, Extents) {
  const auto shaped = [](const std::string& shape) {
    open_header(R"({"a":{"dtype":"F32","shape":)" + shape + R"(,"data_offsets":[0,4]}})", "abcd");
  };
  shaped("[1,1]");
  shaped("[1,1,1,1,1,1,1,1]");
  EXPECT_ERROR(ErrorCode::format, "has more than 8 axes", shaped("[1,1,1,1,1,1,1,1,1]"));
  EXPECT_ERROR(ErrorCode::format, "has a negative number in shape", shaped("[-1]"));
  EXPECT_ERROR(ErrorCode::format, "a number that is no 64-bit integer in shape", shaped("[1.0]"));
  EXPECT_ERROR(ErrorCode::format, "a number that is no 64-bit integer in shape",
               shaped("[18446744073709551616]"));
  EXPECT_ERROR(ErrorCode::format, "the extent 9223372036854775808, more than fits 63 bits",
               shaped("[9223372036854775808]"));
  // 2^62 elements of 4 bytes are 2^64 bytes: 0 in careless arithmetic.
  EXPECT_ERROR(ErrorCode::format, "more than fits 64 bits", shaped("[4611686018427387904]"));
  EXPECT_ERROR(ErrorCode::format, "more than fits 64 bits", shaped("[4294967296,4294967296]"));
  EXPECT_ERROR(ErrorCode::format, "has 4 bytes, expected 64 / 8 for F32 [2]", shaped("[2]"));
  EXPECT_ERROR(ErrorCode::format, "has 4 bytes, expected 0 / 8", shaped("[0]"));
  EXPECT_ERROR(ErrorCode::format, "expected 12 / 8 for F4 [3]",  // one byte and a half
               open_header(R"({"a":{"dtype":"F4","shape":[3],"data_offsets":[0,1]}})", "a"));
}

TEST(SafetensorsHostile, Offsets) {
  const auto placed = [](const std::string& first, const std::string& second) {
    open_header(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":)" + first +
                    R"(},"b":{"dtype":"U8","shape":[4],"data_offsets":)" + second + "}}",
                "01234567");
  };
  placed("[0,4]", "[4,8]");
  placed("[4,8]", "[0,4]");
  EXPECT_ERROR(ErrorCode::format,
               "tensor 'b' begins at byte 2 of the data, expected 4 (two tensors",
               placed("[0,4]", "[2,6]"));
  EXPECT_ERROR(ErrorCode::format, "expected 4 (two tensors overlap)", placed("[0,4]", "[0,4]"));
  EXPECT_ERROR(ErrorCode::format,
               "tensor 'b' begins at byte 5 of the data, expected 4 (bytes of no",
               placed("[0,4]", "[5,9]"));
  EXPECT_ERROR(ErrorCode::format, "tensor 'a' begins at byte 1", placed("[1,5]", "[5,9]"));
  EXPECT_ERROR(ErrorCode::format, "ends at byte 0 before it begins at 4", placed("[4,0]", "[4,8]"));
  EXPECT_ERROR(ErrorCode::format, "ends at byte 3 before it begins at 18446744073709551615",
               placed("[0,4]", "[18446744073709551615,3]"));
  EXPECT_ERROR(ErrorCode::format, "has 1 data_offsets, expected 2", placed("[0]", "[4,8]"));
  EXPECT_ERROR(ErrorCode::format, "has 3 data_offsets, expected 2", placed("[0,4,8]", "[4,8]"));
  EXPECT_ERROR(ErrorCode::format, "has a negative number in data_offsets",
               placed("[-4,0]", "[4,8]"));
}

TEST(SafetensorsHostile, DataTooShortOrLong) {
  const std::string header = R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})";
  EXPECT_ERROR(ErrorCode::format, "3 bytes of data follow the header, expected 4; the file was cut",
               open_header(header, "abc"));
  EXPECT_ERROR(ErrorCode::format, "5 bytes of data follow the header, expected 4; the file is",
               open_header(header, "abcde"));
  EXPECT_ERROR(ErrorCode::format, "1 bytes of data follow the header, expected 0",
               open_header("{}", "a"));
}

TEST(SafetensorsHostile, CutShortAfterOpening) {
  const TemporaryDirectory directory;
  write_example(directory / "x");
  const SafetensorsFile file(directory / "x");
  fs::resize_file(directory / "x", fs::file_size(directory / "x") - 1);
  std::array<std::uint8_t, 3> out{};
  EXPECT_ERROR(ErrorCode::format, "was cut short", file.read("b", {out.data(), DType::u8, {3}}));
  EXPECT_ERROR(ErrorCode::format, "was cut short", file.verify());
}

// A message stays readable, and valid UTF-8, whatever a name holds.
TEST(SafetensorsHostile, LongNameIsCutInTheMessage) {
  std::string name = "a";
  for (int i = 0; i < 10000; ++i) name += "\xC3\xA4";
  try {
    open_header("{\"" + name + "\":1}");
    FAIL();
  } catch (const Error& error) {
    EXPECT_LT(std::strlen(error.what()), 500U);
    EXPECT_NE(std::string(error.what()).find("\xC3\xA4...'"), std::string::npos);
  }
}

}  // namespace
}  // namespace framefold
