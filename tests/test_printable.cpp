#include "io/printable.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace framefold {
namespace {

TEST(Printable, TextStaysAsItIs) {
  for (const std::string text :
       {"", "plain ~", "two\nlines\tand a tab", "\xC3\xA4\xE2\x82\xAC\xF0\x9F\x8E\x9E"}) {
    EXPECT_EQ(printable(text), text);
    EXPECT_TRUE(is_utf8(text));
  }
  EXPECT_EQ(printable("a\nb", ""), "a\\x0ab");
}

TEST(Printable, NothingActsOnATerminal) {
  EXPECT_EQ(printable(std::string("\0\x1b[31m\r\b\x7f", 9)), "\\x00\\x1b[31m\\x0d\\x08\\x7f");
  EXPECT_EQ(printable("\xC2\x9B"
                      "31m"),
            "\\u009b31m");
  EXPECT_EQ(printable("gpj.\xE2\x80\xAEtxt"), "gpj.\\u202etxt");
}

// Bytes that no character begins with, that are cut short, longer than they need be, surrogates,
// past the last character.
TEST(Printable, BytesThatAreNoTextAreNamed) {
  for (const auto& [bytes, shown] :
       {std::pair{"\xFF", "\\xff"}, std::pair{"a\x80z", "a\\x80z"},
        std::pair{"\xE2\x82", "\\xe2\\x82"}, std::pair{"\xC0\xAF", "\\xc0\\xaf"},
        std::pair{"\xE0\x80\xAF", "\\xe0\\x80\\xaf"}, std::pair{"\xED\xA0\x80", "\\xed\\xa0\\x80"},
        std::pair{"\xF4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"}}) {
    EXPECT_EQ(printable(bytes), shown);
    EXPECT_FALSE(is_utf8(bytes));
  }
}

TEST(Printable, JsonTakesAnyBytes) {
  const nlohmann::json json = {{"name", "a\xFF\x1b\xC3\xA4"}};
  EXPECT_EQ(dumped(json), "{\"name\":\"a\xEF\xBF\xBD\\u001b\xC3\xA4\"}");
  EXPECT_EQ(dumped(json, -1, true), "{\"name\":\"a\\ufffd\\u001b\\u00e4\"}");
}

}  // namespace
}  // namespace framefold
