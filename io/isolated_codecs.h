// Codecs that work in child processes: what crashes, hangs or takes too much memory there is an
// Error(format) of the one read that asked for it, and a new child takes the next.
//
//   parent  isolated_codecs()   asks, over a socket; frames come through memory that both map
//   child   serve_codecs()      framefold-decoder, a program of its own beside the command
//
// A child decodes one file at a time; there are as many as readers were open at once. It may take
// `memory` bytes of addresses beside the shared ones (not checked under the address sanitizer),
// may not write any file, and ends with its parent, however that ends; the shared memory has no
// name and goes with the two. It is not confined otherwise: it may open what its user may open.
//
// The shared memory of a child keeps to `shared` bytes, which is also the most that one read may
// deliver. A read counts as hung when no packet was read and no answer came for `seconds`. What a
// child answers is checked like a file. Decoded bits are those of codecs().
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "io/codecs.h"

namespace framefold {

struct Isolation {
  std::vector<std::string> command;  // the child's program and words; empty: framefold-decoder
  double seconds = 30;
  Bytes memory = Bytes{1} << 32;
  Bytes shared = Bytes{1} << 32;
  Hardware hardware = Hardware::off;
  Announce announce;
};

// Error(unavailable) where there is no such program.
std::shared_ptr<const Codecs> isolated_codecs(Isolation isolation = {});

// The child's main(): serves until the parent is gone; the exit status. `words`: its arguments.
// `open` makes the codecs that serve.
using OpenCodecs =
    std::function<std::shared_ptr<const Codecs>(Hardware hardware, const Announce& announce)>;
int serve_codecs(const std::vector<std::string>& words, const OpenCodecs& open);

}  // namespace framefold
