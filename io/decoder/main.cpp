// framefold-decoder: the child of io/isolated_codecs.h, started by the program that decodes.
#include <cstdio>

#include "io/isolated_codecs.h"
#include "kernels/error.h"

// NOLINTNEXTLINE(bugprone-exception-escape): what is thrown before the first request ends it
int main(int argc, char** argv) {
  const int status = framefold::serve_codecs({argv + 1, argv + argc}, framefold::codecs_with);
  if (status != 0) std::fputs("framefold-decoder is started by framefold, not by hand\n", stderr);
  return status;
}
