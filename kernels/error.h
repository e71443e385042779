// The one error of Framefold: a code for programs, a sentence for people.
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace framefold {

enum class ErrorCode {
  argument,     // a value outside its range
  shape,        // a tensor's shape or type does not fit
  config,       // a configuration's key or value
  file,         // the operating system refused a file operation
  format,       // a file's content is not what it claims to be
  memory,       // not enough memory
  numeric,      // a NaN or an infinity
  interrupted,  // a signal asked to stop
  unavailable,  // this build or machine lacks something
};

class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ErrorCode code() const { return code_; }

 private:
  ErrorCode code_;
};

// text("x is ", shape, ", expected ", n): every part through operator<<.
template <class... Parts>
std::string text(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

template <class... Parts>
[[noreturn]] void fail(ErrorCode code, const Parts&... parts) {
  throw Error(code, text(parts...));
}

}  // namespace framefold
