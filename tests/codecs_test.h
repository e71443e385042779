// The base of tests that decode: skipped, with the reason, where the codecs cannot be opened.
#pragma once

#include <gtest/gtest.h>

#include "io/plugin.h"

namespace framefold {

inline Plugin codecs_plugin() { return open_plugin("libframefold_codecs.so", "framefold_codecs"); }

class NeedsCodecs : public testing::Test {
 protected:
  void SetUp() override {
    const Plugin plugin = codecs_plugin();
    if (plugin.symbol == nullptr) GTEST_SKIP() << plugin.reason;
  }
};

}  // namespace framefold
