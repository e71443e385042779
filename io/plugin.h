// Parts that need large libraries live in shared libraries of their own, opened when a run first
// needs them: the command starts fast, and who has no FFmpeg or OpenCV does without.
//
// Looked for in the directory that the variable FRAMEFOLD_PLUGINS names, then beside the program
// or library that holds this code, then in ../lib and ../bin from there; never in the working
// directory. Never closed.
#pragma once

#include <string>

namespace framefold {

// A file among those that come with the program; empty where it is in none of these places.
std::string find_part(const std::string& name);

struct Plugin {
  void* symbol = nullptr;  // null where there is none, or it does not load
  std::string reason;      // why, for people
};

Plugin open_plugin(const std::string& library, const char* symbol);

}  // namespace framefold
