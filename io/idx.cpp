#include "io/idx.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <type_traits>

#include "io/file.h"
#include "kernels/error.h"

namespace framefold {
namespace {

std::string name_of_type(std::uint8_t type) {
  switch (type) {
    case 0x09: return "i8";
    case 0x0B: return "i16";
    case 0x0C: return "i32";
    case 0x0D: return "f32";
    case 0x0E: return "f64";
    default: return "unknown";
  }
}

// zlib reads plain files through the same calls.
class Reader {
 public:
  explicit Reader(const std::filesystem::path& path) : source_(path.string()) {
    { const InputFile regular(path); }  // refuses what is missing or no regular file
    file_.reset(::gzopen(path.c_str(), "rb"));
    if (!file_) fail_file("open", path);
  }

  // As many bytes as there are, at most `bytes`.
  Bytes read(void* data, Bytes bytes) {
    const int got = ::gzread(file_.get(), data, static_cast<unsigned>(bytes));
    int status = Z_OK;
    const char* reason = ::gzerror(file_.get(), &status);
    if (status == Z_ERRNO) fail_file("read", source_);
    if (got < 0 || (status != Z_OK && status != Z_STREAM_END))
      fail(ErrorCode::format, source_, ": its gzip compression is damaged or cut short (", reason,
           "); copy it again");
    return static_cast<Bytes>(got);
  }

 private:
  struct Close {
    void operator()(gzFile file) const { ::gzclose(file); }
  };
  std::string source_;
  std::unique_ptr<std::remove_pointer_t<gzFile>, Close> file_;
};

}  // namespace

Idx read_idx(const std::filesystem::path& path, Bytes cap) {
  const std::string source = path.string();
  Reader reader(path);
  std::array<std::uint8_t, 4> word{};
  const auto next_word = [&] {
    const Bytes got = reader.read(word.data(), word.size());
    if (got != word.size())
      fail(ErrorCode::format, source, " ends within its IDX header; copy it again");
  };

  next_word();
  const std::uint8_t type = word[2], rank = word[3];
  if (word[0] != 0 || word[1] != 0)
    fail(ErrorCode::format, source, " is no IDX file: it begins with bytes ", +word[0], ' ',
         +word[1], ", expected 0 0");
  if (type != 0x08)
    fail(ErrorCode::format, source, " holds elements of type ", name_of_type(type), " (", +type,
         "), only u8 (8) is supported; convert it");
  if (rank < 1 || rank > Shape::max_rank)
    fail(ErrorCode::format, source, " has rank ", +rank, ", expected 1 to ", Shape::max_rank);

  Idx idx;
  Bytes size = 1;
  for (int axis = 0; axis < rank; ++axis) {
    next_word();
    const std::uint32_t extent = std::uint32_t{word[0]} << 24U | std::uint32_t{word[1]} << 16U |
                                 std::uint32_t{word[2]} << 8U | word[3];
    idx.shape.push_back(extent);
    if (__builtin_mul_overflow(size, Bytes{extent}, &size) || size > cap)
      fail(ErrorCode::format, source, " claims the shape ", idx.shape, "..., more than the cap of ",
           cap, " elements");
  }

  constexpr Bytes step = Bytes{1} << 20;
  while (idx.data.size() < size) {
    const Bytes before = idx.data.size();
    const Bytes wanted = std::min(step, size - before);
    idx.data.resize(before + wanted);
    const Bytes got = reader.read(idx.data.data() + before, wanted);
    if (got < wanted)
      fail(ErrorCode::format, source, " holds ", before + got, " elements, its shape ", idx.shape,
           " has ", size, "; it was cut short, copy it again");
  }
  if (reader.read(word.data(), 1) != 0)
    fail(ErrorCode::format, source, " goes on after the ", size, " elements of its shape ",
         idx.shape, "; it is damaged");
  return idx;
}

}  // namespace framefold
