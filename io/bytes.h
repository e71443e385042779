// Numbers and texts one after the other, as they lie in memory: what is written so never leaves its
// machine's kind. A reader that runs out of bytes says so and leaves what it should have filled.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace framefold {

class ByteWriter {
 public:
  template <class T>
  void put(T value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void put(const std::string& value) {
    put(value.size());
    bytes_ += value;
  }
  std::string& bytes() { return bytes_; }

 private:
  std::string bytes_;
};

class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : bytes_(bytes) {}
  template <class T>
  void get(T& value) {
    if (!take(sizeof value)) return;
    std::memcpy(&value, taken_.data(), sizeof value);
  }
  void get(bool& value) {
    std::uint8_t byte = 0;
    get(byte);
    value = byte != 0;
  }
  void get(std::string& value) {
    std::size_t size = 0;
    get(size);
    if (take(size)) value = taken_;
  }
  bool take(std::size_t size) {
    good_ = good_ && size <= bytes_.size();
    if (!good_) return false;
    taken_ = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return true;
  }
  std::size_t left() const { return good_ ? bytes_.size() : 0; }
  bool good() const { return good_; }

 private:
  std::string_view bytes_, taken_;
  bool good_ = true;
};

}  // namespace framefold
