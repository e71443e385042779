#include "io/idx_pictures.h"

#include <cstring>
#include <system_error>

#include "io/idx.h"
#include "kernels/error.h"

namespace framefold {
namespace {

namespace fs = std::filesystem;

class IdxPictures final : public Dataset {
 public:
  explicit IdxPictures(const fs::path& path) : path_(path), pictures_(read_idx(path)) {
    if (pictures_.shape.rank() != 3 || pictures_.shape.size() == 0)
      fail(ErrorCode::format, path.string(), " has shape ", pictures_.shape,
           ", expected pictures [N, h, w]; name the file of images, not of labels");
  }

  Index size() const override { return pictures_.shape[0]; }
  Shape shape() const override { return {1, pictures_.shape[1], pictures_.shape[2], 1}; }
  std::string name(Index index) const override { return text(path_.string(), " picture ", index); }
  std::string description() const override { return text(size(), " pictures of ", path_.string()); }

 private:
  void do_read(Index index, Random, Tensor clip) const override {
    std::memcpy(clip.data, pictures_.data.data() + index * clip.size(), clip.bytes());
  }

  fs::path path_;
  Idx pictures_;
};

fs::path only_idx3_in(const fs::path& directory) {
  fs::path found;
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->path().filename().string().find("idx3") == std::string::npos) continue;
    if (!found.empty())
      fail(ErrorCode::file, directory.string(), " holds more than one file with idx3 in its name, ",
           found.filename().string(), " and ", entry->path().filename().string(), "; name one");
    found = entry->path();
  }
  if (error)
    fail(ErrorCode::file, "cannot search ", directory.string(), ": ", error.message(),
         "; check data.path and who may read it");
  if (found.empty())
    fail(ErrorCode::file, directory.string(), " holds no file with idx3 in its name; name a file");
  return found;
}

}  // namespace

Split idx_pictures(const fs::path& path, double held_out) {
  std::error_code ignored;
  const fs::path file = fs::is_directory(path, ignored) ? only_idx3_in(path) : path;
  return split(std::make_shared<IdxPictures>(file), held_out);
}

}  // namespace framefold
