#include "io/lists.h"

#include <gtest/gtest.h>

#include "io/file.h"
#include "io/list_parts.h"
#include "kernels/error.h"
#include "tests/temporary.h"

namespace framefold {
namespace {

namespace fs = std::filesystem;
using Kind = ListEntry::Kind;

class Lists : public testing::Test {
 protected:
  VideoList read(const std::string& name, const std::string& format = {}) const {
    return read_list({.path = (directory_ / name).string(), .format = format});
  }
  void write(const std::string& name, const std::string& content = "x") const {
    directory_.write(name, content);
  }
  // "name=label" of each entry, names below the directory.
  std::string shown(const VideoList& list) const {
    std::string all;
    for (const ListEntry& entry : list.entries)
      all += text(
          all.empty() ? "" : " ",
          fs::path(entry.path).lexically_normal().lexically_relative(directory_.path()).string(),
          '=', entry.label);
    return all;
  }
  const TemporaryDirectory directory_;
};

TEST_F(Lists, Folders) {
  for (const char* name :
       {"b/2.mp4", "b/1.avi", "a/deep/x.MKV", "a/y.txt", "c/.hidden.mp4", "z.mp4"})
    write(name);
  const VideoList list = read("");
  EXPECT_EQ(list.format, ListFormat::folders);
  EXPECT_EQ(shown(list), "a/deep/x.MKV=0 b/1.avi=1 b/2.mp4=1 z.mp4=-1");
  EXPECT_EQ(list.classes, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(list.labels(), 2);
  EXPECT_ERROR(ErrorCode::format, "no video is listed", read("c"));
  EXPECT_ERROR(ErrorCode::file, "No such file", read("d"));
}

TEST_F(Lists, VideoMae) {
  write("a.mp4");
  write("with some space.mp4");
  write("sub/\xC3\xA9.mp4");
  write("list.txt", "a.mp4 3\r\n\nwith some space.mp4 0\n" +
                        (directory_ / "sub/\xC3\xA9.mp4").string() + "\t12");
  const VideoList list = read("list.txt");
  EXPECT_EQ(list.format, ListFormat::videomae);
  EXPECT_EQ(shown(list), "a.mp4=3 with some space.mp4=0 sub/\xC3\xA9.mp4=12");
  EXPECT_EQ(list.entries[1].line, 3);
  EXPECT_EQ(list.labels(), 13);
  write("bad.txt", "a.mp4 3\na.mp4 three\n");
  EXPECT_ERROR(ErrorCode::format, "bad.txt:2: \"a.mp4 three\"", read("bad.txt"));
  EXPECT_ERROR(ErrorCode::format, "bad.txt:2: \"a.mp4 three\" is not \"PATH LABEL\"",
               read("bad.txt", "videomae"));
  write("bad.txt", "a.mp4 -1\n");
  EXPECT_ERROR(ErrorCode::format, "bad.txt:1: the label is -1", read("bad.txt"));
  write("bad.txt", "a.mp4 1\n\xC0\xAF 1\n");
  EXPECT_ERROR(ErrorCode::format, "bad.txt:2: the line is no UTF-8", read("bad.txt"));
  write("bad.txt", std::string("a.mp4\0 1", 8));
  EXPECT_ERROR(ErrorCode::format, "bad.txt:1: the line is no UTF-8", read("bad.txt"));
  write("bad.txt", std::string(100000, 'a') + " 1");
  EXPECT_ERROR(ErrorCode::format, "bad.txt:1: the line has 100002 bytes", read("bad.txt"));
  write("bad.txt", "");
  EXPECT_ERROR(ErrorCode::format, "no video is listed", read("bad.txt"));
}

TEST_F(Lists, NestedTooDeep) {
  const std::string deep = std::string(30000, '[') + std::string(30000, ']');
  write("deep.jsonl", "{\"path\": " + deep + "}");
  EXPECT_ERROR(ErrorCode::format, "deep.jsonl:1: no JSON: nested more than 100 deep",
               read("deep.jsonl"));
  write("deep.json", deep);
  EXPECT_ERROR(ErrorCode::format, "deep.json: no JSON: nested more than 100", read("deep.json"));
}

TEST_F(Lists, MissingFiles) {
  write("a.mp4");
  write("list.txt", "a.mp4 3\nb.mp4 1\n");
  EXPECT_ERROR(ErrorCode::format, "list.txt:2: there is no file", read("list.txt"));
  const VideoList list =
      read_list({.path = (directory_ / "list.txt").string(), .skip_missing = true});
  EXPECT_EQ(shown(list), "a.mp4=3");
  ASSERT_EQ(list.missing.size(), 1U);
  EXPECT_NE(list.missing[0].message.find("b.mp4"), std::string::npos);
  write("lists/other.txt", "a.mp4 2\n");
  EXPECT_EQ(shown(read_list({.path = (directory_ / "lists/other.txt").string(),
                             .root = directory_.path().string()})),
            "a.mp4=2");
}

TEST_F(Lists, VideoMae2AndRawframes) {
  write("v.mp4");
  for (int i = 1; i <= 5; ++i) {
    write(text("f/img_0000", i, ".jpg"));
    write(text("f/flow_x_0000", i, ".jpg"));
  }
  write("pre.txt", "v.mp4 0 -1\nf 2 3\n");
  const VideoList pre = read("pre.txt");
  EXPECT_EQ(pre.format, ListFormat::videomae2);
  EXPECT_EQ(shown(pre), "v.mp4=-1 f=-1");
  EXPECT_EQ(pre.entries[0].kind, Kind::video);
  ASSERT_EQ(pre.entries[1].kind, Kind::pictures);
  const auto pictures = pictures_of(pre.entries[1]);
  ASSERT_EQ(pictures.size(), 3U);
  EXPECT_EQ(fs::path(pictures[0]).filename(), "img_00002.jpg");

  write("raw.txt", "f 5 7\nf 4 2\n");
  const VideoList raw = read("raw.txt");
  EXPECT_EQ(raw.format, ListFormat::rawframes);
  EXPECT_EQ(shown(raw), "f=7 f=2");
  EXPECT_EQ(pictures_of(raw.entries[0]).size(), 5U);
  EXPECT_EQ(pictures_of(raw.entries[1]).size(), 4U);
  write("offset.txt", "f 3 2 9\n");
  const VideoList offset = read("offset.txt");
  EXPECT_EQ(shown(offset), "f=9");
  EXPECT_EQ(fs::path(pictures_of(offset.entries[0])[0]).filename(), "img_00003.jpg");
  write("more.txt", "f 3 9 9\n");
  EXPECT_ERROR(ErrorCode::format, "there are 3 pictures from number 3 on",
               pictures_of(read("more.txt").entries[0]));
  write("unclear.txt", "f 1 5\n");
  EXPECT_ERROR(ErrorCode::format, "name its format", read("unclear.txt"));
  EXPECT_EQ(read("unclear.txt", "videomae2").entries[0].frames, 5);
  write("bad.txt", "f 5 7\nf 0 7\n");
  EXPECT_ERROR(ErrorCode::format, "bad.txt:2:", read("bad.txt", "rawframes"));
  write("bad.txt", "v.mp4 0 -1\nv.mp4 0 -2\n");
  EXPECT_ERROR(ErrorCode::format, "bad.txt:2:", read("bad.txt"));
}

TEST_F(Lists, Ucf101) {
  write("classInd.txt", "1 Archery\r\n2 Bow ling\r\n");
  write("UCF-101/Archery/a.avi");
  write("UCF-101/Bow ling/b.avi");
  write("trainlist01.txt", "Bow ling/b.avi 2\nArchery/a.avi 1\n");
  write("testlist01.txt", "Archery/a.avi\nBow ling/b.avi\n");
  EXPECT_EQ(shown(read("trainlist01.txt")), "UCF-101/Bow ling/b.avi=1 UCF-101/Archery/a.avi=0");
  EXPECT_EQ(shown(read("testlist01.txt")), "UCF-101/Archery/a.avi=0 UCF-101/Bow ling/b.avi=1");
  EXPECT_EQ(read("testlist01.txt").classes[1], "Bow ling");
  write("trainlist02.txt", "Archery/a.avi 2\n");
  EXPECT_ERROR(ErrorCode::format, "trainlist02.txt:1: the label is 2, but",
               read("trainlist02.txt"));
  write("trainlist02.txt", "Archery/a.avi 3\n");
  EXPECT_ERROR(ErrorCode::format, "expected 1 to 2", read("trainlist02.txt"));
  write("testlist02.txt", "Diving/a.avi\n");
  EXPECT_ERROR(ErrorCode::format, "no class of classInd.txt", read("testlist02.txt"));
  write("classInd.txt", "1 Archery\n3 Bow\n");
  EXPECT_ERROR(ErrorCode::format, "classInd.txt:2:", read("testlist01.txt"));
}

TEST_F(Lists, Kinetics) {
  write("riding a bike/abc_000010_000020.mp4");
  write("\xC3\xA4rger/x-y_000000_000010.mkv");
  write("flat_000001_000011.mp4");
  write("train.csv",
        "label,youtube_id,time_start,time_end,split,is_cc\n"
        "\"riding a bike\",abc,10,20,train,0\nriding a bike,flat,1,11,train,0\n"
        "\xC3\xA4rger,x-y,0,10,train,1\n");
  const VideoList list = read("train.csv");
  EXPECT_EQ(list.format, ListFormat::kinetics);
  EXPECT_EQ(shown(list),
            "riding a bike/abc_000010_000020.mp4=0 flat_000001_000011.mp4=0 "
            "\xC3\xA4rger/x-y_000000_000010.mkv=1");
  write("test.csv", "youtube_id,time_start,time_end,split\nflat,1,11,test\n");
  EXPECT_EQ(shown(read("test.csv")), "flat_000001_000011.mp4=-1");
  write("plain.csv", "flat_000001_000011.mp4,4\n");
  EXPECT_EQ(shown(read("plain.csv")), "flat_000001_000011.mp4=4");
  write("bad.csv", "youtube_id,time_start,time_end\nflat,1\n");
  EXPECT_ERROR(ErrorCode::format, "bad.csv:2: there are 2 fields", read("bad.csv"));
  write("bad.csv", "youtube_id,time_start,time_end\nflat,9,1\n");
  EXPECT_ERROR(ErrorCode::format, "bad.csv:2: the times", read("bad.csv"));
  write("bad.csv", "youtube_id,time_start,time_end\n\"flat,1,2\n");
  EXPECT_ERROR(ErrorCode::format, "not closed", read("bad.csv"));
  write("bad.csv", "a,b,c\n");
  EXPECT_ERROR(ErrorCode::format, "bad.csv:1:", read("bad.csv"));
}

TEST_F(Lists, SomethingSomething) {
  write("78687.webm");
  write("videos/42.webm");
  write("train.json",
        R"([{"id": "78687", "label": "holding cup", "template": "Holding [something]"},
            {"id": 42, "template": "Dropping [something] onto [something]"}])");
  EXPECT_EQ(shown(read("train.json")), "78687.webm=1 videos/42.webm=0");
  write("labels.json", R"({"Holding something": "0", "Dropping something onto something": "1"})");
  const VideoList list = read("train.json");
  EXPECT_EQ(shown(list), "78687.webm=0 videos/42.webm=1");
  EXPECT_EQ(list.classes[0], "Holding something");
  write("bad.json", R"([{"id": "78687"}, {"id": "78687", "template": "Eating [something]"}])");
  EXPECT_ERROR(ErrorCode::format, "entry 2: there is no class", read("bad.json"));
  write("bad.json", R"([{"id": "78687"}, {"label": "x"}])");
  EXPECT_ERROR(ErrorCode::format, "entry 2: there is no \"id\"", read("bad.json"));
  write("bad.json", "[{\"id\": \"78687\"},\n oh]");
  EXPECT_ERROR(ErrorCode::format, "line 2", read("bad.json"));
  write("bad.json", std::string(1 << 20, '['));
  EXPECT_ERROR(ErrorCode::format, "no JSON", read("bad.json"));
  write("labels.json", R"({"Holding something": "0", "Dropping": "0"})");
  EXPECT_ERROR(ErrorCode::format, "expected each number from 0 to 1 once", read("train.json"));
}

TEST_F(Lists, Jsonl) {
  write("a b.mp4");
  write("c.mp4");
  write("list.jsonl",
        "{\"path\": \"a b.mp4\", \"label\": \"z\"}\n{\"video\": \"c.mp4\", \"label\": \"a\"}\n"
        "{\"path\": \"c.mp4\"}\n");
  EXPECT_EQ(shown(read("list.jsonl")), "a b.mp4=1 c.mp4=0 c.mp4=-1");
  write("number.jsonl", "{\"path\": \"c.mp4\", \"label\": 5}\n");
  EXPECT_EQ(shown(read("number.jsonl")), "c.mp4=5");
  write("bad.jsonl",
        "{\"path\": \"c.mp4\", \"label\": 5}\n{\"path\": \"c.mp4\", \"label\": \"x\"}\n");
  EXPECT_ERROR(ErrorCode::format, "bad.jsonl:2: the label is a name", read("bad.jsonl"));
  write("bad.jsonl", "\n{\"path\": \"c.mp4\"\n");
  EXPECT_ERROR(ErrorCode::format, "bad.jsonl:2: no JSON", read("bad.jsonl"));
  write("bad.jsonl", "{\"path\": 3}\n");
  EXPECT_ERROR(ErrorCode::format, "bad.jsonl:1: \"path\" is no text", read("bad.jsonl"));
  write("bad.jsonl", "{\"path\": \"c\\u0000\"}\n");
  EXPECT_ERROR(ErrorCode::format, "holds a NUL", read("bad.jsonl"));
}

// A member of a tar file as POSIX's ustar has it.
std::string member(const std::string& name, const std::string& content, char type = '0') {
  std::string header(512, '\0');
  header.replace(0, name.size(), name);
  const auto octal = [&](std::size_t at, std::size_t width, std::size_t value) {
    for (std::size_t i = width; i-- > 0; value /= 8)
      header[at + i] = static_cast<char>('0' + value % 8);
  };
  octal(124, 11, content.size());
  header[156] = type;
  header.replace(257, 5, "ustar");
  header.replace(148, 8, "        ");
  std::size_t sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  octal(148, 6, sum);
  header[154] = '\0';
  return header + content + std::string((512 - content.size() % 512) % 512, '\0');
}

TEST_F(Lists, Tar) {
  const std::string end(1024, '\0'), long_name = std::string(120, 'n') + ".mp4";
  write("a.tar",
        member("d/1.cls", "7\n") + member("d/1.mp4", std::string(700, 'v')) +
            member("d/2.mp4", "w") + member("d/2.json", "{\"label\": 3}") + member("README", "x") +
            member("PaxHeader", text(long_name.size() + 10, " path=", long_name, "\n"), 'x') +
            member("short", "abc") + end);
  const VideoList list = read("a.tar");
  ASSERT_EQ(list.entries.size(), 3U);
  EXPECT_EQ(shown(list), "a.tar=7 a.tar=3 a.tar=-1");
  EXPECT_EQ(list.entries[0].bytes, 700U);
  EXPECT_EQ(list.entries[0].offset, 3 * 512U);
  EXPECT_EQ(list.entries[2].bytes, 3U);
  EXPECT_NE(list.entries[2].name.find(long_name), std::string::npos);
  write("named.tar", member("1.mp4", "v") + member("1.json", "{\"label\": \"jump\"}"));
  EXPECT_EQ(read("named.tar").classes, std::vector<std::string>{"jump"});
  write("bad.tar", member("1.mp4", std::string(700, 'v')).substr(0, 900));
  EXPECT_ERROR(ErrorCode::format, "ends within a member", read("bad.tar"));
  std::string broken = member("1.mp4", "v");
  broken[0] = '2';
  write("bad.tar", broken);
  EXPECT_ERROR(ErrorCode::format, "no tar header", read("bad.tar"));
  write("bad.tar", member("1.mp4", "v") + member("1.avi", "v"));
  EXPECT_ERROR(ErrorCode::format, "two videos", read("bad.tar"));
  write("bad.tar", member("1.cls", "x\xFF") + member("1.mp4", "v"));
  EXPECT_ERROR(ErrorCode::format, "the class is no text", read("bad.tar"));
}

std::string npy(const std::string& shape, std::size_t values, const std::string& type = "|u1") {
  std::string header =
      "{'descr': '" + type + "', 'fortran_order': False, 'shape': " + shape + ", }";
  header += std::string(63 - (10 + header.size()) % 64, ' ') + "\n";
  std::string file("\x93NUMPY\x01\x00", 8);
  file += static_cast<char>(header.size());
  file += '\0';
  file += header;
  for (std::size_t i = 0; i < values; ++i) file += static_cast<char>(i);
  return file;
}

TEST_F(Lists, Npy) {
  write("a.npy", npy("(3, 5, 2, 4)", 120));
  const VideoList list = read("a.npy");
  ASSERT_EQ(list.entries.size(), 5U);
  EXPECT_EQ(list.frame, (Shape{2, 4}));
  EXPECT_EQ(list.entries[1].frames, 3);
  EXPECT_EQ(list.entries[1].offset, 128 + 8U);
  EXPECT_EQ(list.entries[1].bytes, 40U);
  write("bad.npy", npy("(3, 5, 2, 4)", 119));
  EXPECT_ERROR(ErrorCode::format, "its header says 120", read("bad.npy"));
  write("bad.npy", npy("(3, 5, 2)", 30));
  EXPECT_ERROR(ErrorCode::format, "expected u8 [T, N, H, W]", read("bad.npy"));
  write("bad.npy", npy("(3, 5, 2, 4)", 120, "<f4"));
  EXPECT_ERROR(ErrorCode::format, "expected u8 [T, N, H, W]", read("bad.npy"));
  write("bad.npy", npy("(67000000, 67000000, 67000000, 67000000)", 120));
  EXPECT_ERROR(ErrorCode::format, "copy it again", read("bad.npy"));
  write("bad.npy", "\x93NUMPY");
  EXPECT_ERROR(ErrorCode::format, "too short", read("bad.npy"));
}

// One wrong line among good ones of three columns is what is told, not another format.
TEST_F(Lists, WrongLinesOfManyColumns) {
  write("a/1.jpg");
  write("frames.txt", "a 10 0\na 10 1\na 7\na 10 2\n");
  EXPECT_ERROR(ErrorCode::format, "frames.txt:3: \"a 7\" is not \"DIRECTORY [START] TOTAL LABEL\"",
               read("frames.txt"));
  write("v.mp4");
  write("whole.txt", "v.mp4 0 -1\nv.mp4 0 -1\nv.mp4 -1\n");
  EXPECT_ERROR(ErrorCode::format, "whole.txt:3: \"v.mp4 -1\" is not \"PATH 0 -1\"",
               read("whole.txt"));
  write("none.txt", "v.mp4 0\nv.mp4\n");
  EXPECT_ERROR(ErrorCode::format,
               "none.txt:2: \"v.mp4\" does not end with a label, expected \"PATH LABEL\"",
               read("none.txt"));
}

TEST_F(Lists, NamesAndErrors) {
  for (const char* name : {"folders", "videomae", "videomae2", "rawframes", "ucf101", "kinetics",
                           "ssv2", "jsonl", "tar", "npy"})
    EXPECT_EQ(name_of(list_format(name)), name);
  EXPECT_ERROR(ErrorCode::argument, "there is no list format \"x\"", list_format("x"));
  EXPECT_ERROR(ErrorCode::file, "not a directory", (write("x"), read("x", "folders")));
}

TEST(ListParts, Utf8) {
  for (const char* good : {"", "abc", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x8E\xA5"})
    EXPECT_TRUE(lists::is_utf8(good)) << good;
  for (const char* bad : {"\x80", "\xC3", "\xC0\x80", "\xE0\x80\x80", "\xED\xA0\x80",
                          "\xF4\x90\x80\x80", "\xF8\x88\x80\x80\x80", "a\xE2\x82"})
    EXPECT_FALSE(lists::is_utf8(bad));
}

// Every prefix and every changed byte of an archive is read or refused, never worse.
TEST_F(Lists, ArchivesCutAndBent) {
  const std::string tar = member("1.mp4", "v") + member("1.cls", "2") + member("2.mp4", "w");
  for (const auto& [name, whole] :
       {std::pair<std::string, std::string>{"a.tar", tar}, {"a.npy", npy("(3, 5, 2, 4)", 120)}})
    for (std::size_t i = 0; i < whole.size(); i += 7) {
      std::string bent = whole;
      bent[i] = static_cast<char>(bent[i] ^ (1 << (i % 8)));
      for (const std::string& content : {whole.substr(0, i), bent}) {
        write(name, content);
        try {
          EXPECT_FALSE(read(name).entries.empty());
        } catch (const Error& error) {
          EXPECT_NE(std::string(error.what()).find(name), std::string::npos);
        }
      }
    }
}

}  // namespace
}  // namespace framefold
