// The tensors by which a file does not fit what is wanted of it, told in one sentence.
#pragma once

#include <string>

#include "io/safetensors.h"

namespace framefold {

class Misfits {
 public:
  void missing(const std::string& name) { missing_.add(name); }
  void misshapen(const std::string& name, const SafetensorsEntry& stored,
                 const std::string& expected) {
    misshapen_.add(text(name, " is ", stored.stored, ' ', stored.shape, ", expected ", expected));
  }
  void unknown(const std::string& name) { unknown_.add(name); }

  // "; missing: a, b; misshapen: c is F32 [2], expected f32 [3]", the first of each kind; empty
  // where all fit.
  std::string list() const {
    return missing_.told("missing") + misshapen_.told("misshapen") + unknown_.told("unknown");
  }

 private:
  class Kind {
   public:
    void add(const std::string& line) {
      if (++count_ <= most) lines_ += (count_ == 1 ? " " : ", ") + line.substr(0, longest);
    }
    std::string told(const char* title) const {
      if (count_ == 0) return "";
      const std::string rest = count_ > most ? text(" and ", count_ - most, " more") : "";
      return text("; ", title, ":", lines_, rest);
    }

   private:
    static constexpr int most = 8;
    static constexpr std::size_t longest = 240;
    std::string lines_;
    int count_ = 0;
  };

  Kind missing_, misshapen_, unknown_;
};

}  // namespace framefold
