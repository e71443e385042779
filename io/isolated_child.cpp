// The child of io/isolated_codecs.h.
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <thread>
#include <utility>

#include "io/bytes.h"
#include "io/isolated_codecs.h"
#include "io/isolation.h"
#include "kernels/error.h"

namespace framefold {
namespace isolation {

Memory::Memory(int file, Bytes offset, Bytes bytes)
    : address_(::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file,
                      static_cast<off_t>(offset))),
      bytes_(bytes) {
  if (address_ == MAP_FAILED) {
    address_ = nullptr;
    fail(ErrorCode::memory, "cannot map ", bytes >> 20, " MiB of memory to share");
  }
}

Memory::Memory(Memory&& other) noexcept
    : address_(std::exchange(other.address_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

Memory& Memory::operator=(Memory&& other) noexcept {
  std::swap(address_, other.address_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

Memory::~Memory() {
  if (address_ != nullptr) ::munmap(address_, bytes_);
}

}  // namespace isolation

namespace {

using namespace isolation;

void limit(__rlimit_resource resource, rlim_t most) {
  const rlimit both{most, most};
  ::setrlimit(resource, &both);
}

// The system's killer for lack of memory takes a child before its parent.
void be_first_to_go() {
  const int file = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (file < 0) return;
  [[maybe_unused]] const auto wrote = ::write(file, "1000", 4);
  ::close(file);
}

class Server {
 public:
  Server(const std::vector<std::string>& words, const OpenCodecs& open) : open_(open) {
    hardware_ = hardware_kind(words.at(0));
    memory_limit_ = std::strtoull(words.at(1).c_str(), nullptr, 10);
  }

  void answer(const Request& request) {
    Answer answer{-1, 0, 0};
    try {
      if (request.shared != memory_.bytes()) map(request.shared);
      // Its bytes are copied: the answer takes their place.
      const std::string own(reinterpret_cast<const char*>(memory_.data()),
                            std::min<Bytes>(request.bytes, memory_.bytes()));
      serve(request.kind, own, answer);
    } catch (const Error& error) {
      refuse(answer, error.code(), error.what());
    } catch (const std::exception& error) {
      refuse(answer, ErrorCode::memory, error.what());
    }
    if (::send(socket_number, &answer, sizeof answer, MSG_NOSIGNAL) != sizeof answer) ::_exit(1);
  }

 private:
  void map(Bytes bytes) {
    memory_ = {};
#if !defined(__SANITIZE_ADDRESS__)
    limit_addresses(bytes);
#endif
    memory_ = Memory(memory_number, page, bytes);
  }
  [[maybe_unused]] void limit_addresses(Bytes shared) const {
    rlimit now{};
    ::getrlimit(RLIMIT_AS, &now);
    now.rlim_cur = std::min<rlim_t>(now.rlim_max, memory_limit_ + shared);
    ::setrlimit(RLIMIT_AS, &now);
  }

  void refuse(Answer& answer, ErrorCode code, const char* words) const {
    answer.error = static_cast<std::int32_t>(code);
    const std::string_view all(words);
    answer.bytes = std::min<Bytes>({all.size(), most_words, memory_.bytes()});
    if (answer.bytes > 0) std::copy_n(all.data(), answer.bytes, memory_.data());
  }

  const Codecs& codecs() {
    if (!codecs_) codecs_ = open_(hardware_, [this](const std::string& why) { announced_ = why; });
    return *codecs_;
  }

  void put(const std::string& bytes, Answer& answer) const {
    if (bytes.size() > memory_.bytes())
      fail(ErrorCode::format, "an index of ", bytes.size() >> 20, " MiB, expected at most ",
           memory_.bytes() >> 20);
    std::copy(bytes.begin(), bytes.end(), memory_.data());
    answer.bytes = bytes.size();
  }

  void serve(Kind kind, const std::string& own, Answer& answer) {
    ByteReader in(own);
    std::string path;
    CodecLimits limits;
    if (kind == Kind::scan || kind == Kind::open_video || kind == Kind::open_frames) {
      in.get(path);
      in.get(limits);
      limits.progress = &first_page_.head().progress;
      video_.reset();
      frames_.reset();
    }
    switch (kind) {
      case Kind::hello: codecs(); break;
      case Kind::scan: return put(encode_index(codecs().scan(path, limits), {}), answer);
      case Kind::open_video: {
        VideoIndex index;
        std::string bytes;
        in.get(bytes);
        if (!decode_index(bytes, {}, index))
          fail(ErrorCode::argument, path, ": its index did not arrive");
        video_ = codecs().open(path, std::make_shared<const VideoIndex>(std::move(index)), limits);
        break;
      }
      case Kind::read_video: read_video(in, answer); break;
      case Kind::open_frames: {
        in.get(format_);
        frames_ = codecs().open(path, format_, limits);
        break;
      }
      case Kind::next_frame: {
        bool wanted = false;
        in.get(wanted);
        answer.number = frames_->next(wanted ? memory_.data() : nullptr) ? 1 : 0;
        return;
      }
    }
    if (!announced_.empty()) put(std::exchange(announced_, {}), answer);
  }

  void read_video(ByteReader& in, Answer& answer) {
    std::size_t count = 0;
    in.get(count);
    std::vector<ClipRequest> clips(std::min(count, in.left()));
    std::vector<std::vector<Index>> frames(clips.size());
    std::uint8_t* pixels = memory_.data();
    for (std::size_t i = 0; i < clips.size(); ++i) {
      in.get(clips[i].format);
      in.get(clips[i].crop);
      in.get(count);
      frames[i].resize(std::min(count, in.left()));
      for (Index& frame : frames[i]) in.get(frame);
      clips[i].frames = frames[i];
      clips[i].pixels = pixels;
      pixels += frames[i].size() * clips[i].format.bytes();
    }
    video_->read(clips);
    answer.number = video_->decoded();
  }

  const OpenCodecs& open_;
  Hardware hardware_ = Hardware::off;
  Bytes memory_limit_ = 0;
  Memory first_page_{memory_number, 0, page}, memory_;
  std::shared_ptr<const Codecs> codecs_;
  std::string announced_;
  std::unique_ptr<VideoReader> video_;
  std::unique_ptr<FrameReader> frames_;
  FrameFormat format_;
};

}  // namespace

int serve_codecs(const std::vector<std::string>& words, const OpenCodecs& open) {
  if (words.size() != 2) return 2;
  be_first_to_go();
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_FSIZE, 0);
  // Also while a codec hangs: when the parent is gone, so is this process.
  std::thread([] {
    pollfd parent{socket_number, POLLRDHUP, 0};
    while (::poll(&parent, 1, -1) < 0 && errno == EINTR) {
    }
    ::_exit(0);
  }).detach();
  Server server(words, open);
  Request request{};
  while (::recv(socket_number, &request, sizeof request, 0) == sizeof request)
    server.answer(request);
  ::_exit(0);
}

}  // namespace framefold
