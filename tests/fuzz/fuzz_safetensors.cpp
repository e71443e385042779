// libFuzzer target: any bytes given to the safetensors reader end in an Error or in tensors that
// survive being written and read again. Built and run by scripts/fuzz.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "io/safetensors.h"
#include "kernels/error.h"
#include "tests/temporary.h"

namespace framefold {
namespace {

// A file in memory under a path of its own.
class MemoryFile {
 public:
  MemoryFile(const std::uint8_t* data, std::size_t size)
      : file_(::memfd_create("fuzz", MFD_CLOEXEC)) {
    if (::write(file_.number(), data, size) != static_cast<ssize_t>(size)) std::abort();
  }
  std::string path() const { return text("/proc/self/fd/", file_.number()); }

 private:
  Descriptor file_;
};

void require(bool condition) {
  if (!condition) std::abort();
}

void write_and_read_again(const SafetensorsFile& file) {
  std::vector<std::vector<char>> memory;
  std::vector<NamedView> tensors;
  for (const SafetensorsEntry& entry : file.entries()) {
    if (!entry.dtype) return;
    memory.emplace_back(static_cast<std::size_t>(entry.end - entry.begin));
    const Tensor tensor{memory.back().data(), *entry.dtype, entry.shape};
    file.read(entry.name, tensor);
    tensors.push_back({entry.name, tensor});
  }
  static const TemporaryDirectory directory;
  write_safetensors(directory / "again", tensors, file.metadata());
  const SafetensorsFile again(directory / "again");
  again.verify();
  require(again.entries().size() == tensors.size());
  for (const NamedView& tensor : tensors) {
    const SafetensorsEntry* entry = again.find(tensor.name);
    require(entry != nullptr && entry->dtype == tensor.view.dtype &&
            entry->shape == tensor.view.shape);
    std::vector<char> bytes(tensor.view.bytes());
    again.read(tensor.name, {bytes.data(), *entry->dtype, entry->shape});
    require(bytes.empty() || std::memcmp(bytes.data(), tensor.view.data, bytes.size()) == 0);
  }
}

}  // namespace
}  // namespace framefold

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace framefold;
  const MemoryFile bytes(data, size);
  try {
    const SafetensorsFile file(bytes.path());
    write_and_read_again(file);
    file.verify();
  } catch (const Error& error) {
    require(error.code() == ErrorCode::format);
  }
  return 0;
}

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most);

// Puts one quoted text of the file in place of another: repeated names, types and keys exchanged.
static std::string exchange_texts(const std::string& body, unsigned seed) {
  std::vector<std::size_t> quotes;
  for (std::size_t at = 0; at < body.size(); ++at)
    if (body[at] == '"') quotes.push_back(at);
  const std::size_t texts = quotes.size() / 2;
  if (texts < 2) return body;
  const std::size_t from = seed / 8 % texts * 2, to = seed / 8 / texts % texts * 2;
  const auto length = [&](std::size_t quote) { return quotes[quote + 1] - quotes[quote]; };
  return std::string(body).replace(quotes[to], length(to), body, quotes[from], length(from));
}

// Most inputs keep a length that fits their header, so that mutations reach what lies behind it.
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t most, unsigned seed) {
  if (size < 8 || most < 8 || seed % 8 == 0) return LLVMFuzzerMutate(data, size, most);
  if (seed % 8 == 1) {
    const std::string body = exchange_texts({data + 8, data + size}, seed);
    size = std::min(8 + body.size(), most);
    std::memcpy(data + 8, body.data(), size - 8);
  } else {
    size = 8 + LLVMFuzzerMutate(data + 8, size - 8, most - 8);
  }
  std::uint64_t length = size - 8;
  while (length > 0 && data[8 + length - 1] != '}') --length;
  std::memcpy(data, &length, 8);
  return size;
}
