#include "io/isolated_codecs.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <mutex>
#include <string_view>
#include <thread>
#include <utility>

#include "io/bytes.h"
#include "io/file.h"
#include "io/isolation.h"
#include "io/plugin.h"
#include "kernels/error.h"

namespace framefold {
namespace {

using namespace isolation;
using Clock = std::chrono::steady_clock;

constexpr Bytes kept = Bytes{16} << 20;  // of the shared memory between two requests

[[noreturn]] void fail_start(const char* what) {
  fail(ErrorCode::unavailable, "decoding in a process of its own: cannot ", what, ": ",
       std::strerror(errno));
}

// Above the numbers that the child has them under, so that none is overwritten.
Descriptor moved_up(int number) {
  const Descriptor old(number);
  if (number < 0) fail_start("share memory");
  Descriptor high(::fcntl(number, F_DUPFD_CLOEXEC, 10));
  if (high.number() < 0) fail_start("open its files");
  return high;
}

// How a process ended, for people.
std::string ending_words(int status) {
  if (!WIFSIGNALED(status)) return text("ended with status ", WEXITSTATUS(status));
  const int number = WTERMSIG(status);
  const std::string name = text("signal ", number, ", ", ::strsignal(number));
  return number == SIGKILL ? text("was killed (", name, "), perhaps for lack of memory")
                           : text("crashed (", name, ")");
}

class Child {
 public:
  explicit Child(const Isolation& isolation) : isolation_(isolation) {
    file_ = moved_up(::memfd_create("framefold-frames", MFD_CLOEXEC));
    resize(std::min(usual, isolation.shared));
    first_page_ = Memory(file_.number(), 0, page);
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0)
      fail_start("make a socket");
    socket_ = moved_up(ends[0]);
    const Descriptor other = moved_up(ends[1]);
    start(other.number());
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() { end(); }

  bool alive() {
    int status = 0;
    if (id_ > 0 && ::waitpid(id_, &status, WNOHANG) != 0) id_ = 0;
    return id_ > 0;
  }

  // Sends a request about `path` and waits for its answer, an Error where that is one. The child
  // is dead after a crash or a hang.
  Answer ask(Kind kind, const std::string& own, Bytes answer, const std::string& path) {
    const Bytes wanted = std::max<Bytes>(own.size(), answer);
    if (wanted > isolation_.shared)
      fail(ErrorCode::memory, path, ": ", wanted >> 20, " MiB in one read, expected at most ",
           isolation_.shared >> 20, "; read fewer or smaller frames at once");
    if (wanted > memory_.bytes()) resize(wanted);
    std::copy(own.begin(), own.end(), memory_.data());
    const Request request{kind, own.size(), memory_.bytes()};
    Answer got{};
    const bool sent = ::send(socket_.number(), &request, sizeof request, MSG_NOSIGNAL) > 0;
    if (sent) wait(path);
    if (!sent || ::recv(socket_.number(), &got, sizeof got, 0) != sizeof got)
      fail(ErrorCode::format, path, ": its decoder ", ending_words(end()));
    if (got.error >= 0) refuse(got, path);
    return got;
  }

  const std::uint8_t* data() const { return memory_.data(); }
  std::string bytes(const Answer& answer) const {
    return {reinterpret_cast<const char*>(memory_.data()),
            std::min<Bytes>(answer.bytes, memory_.bytes())};
  }
  // Gives memory back that only a large answer needed.
  void tidy() {
    if (memory_.bytes() > usual) resize(std::min(usual, isolation_.shared));
    if (memory_.bytes() > kept)
      ::fallocate(file_.number(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, page + kept,
                  static_cast<off_t>(memory_.bytes() - kept));
  }

 private:
  void start(int socket) {
    posix_spawn_file_actions_t files{};
    posix_spawnattr_t attributes{};
    ::posix_spawn_file_actions_init(&files);
    ::posix_spawnattr_init(&attributes);
    for (const int number : {0, 1, 2})
      ::posix_spawn_file_actions_addopen(&files, number, "/dev/null", O_RDWR, 0);
    ::posix_spawn_file_actions_adddup2(&files, socket, socket_number);
    ::posix_spawn_file_actions_adddup2(&files, file_.number(), memory_number);
    // A group of its own: Ctrl-C is for the parent, which may want its batch.
    sigset_t all{}, none{};
    ::sigfillset(&all);
    ::sigemptyset(&none);
    ::posix_spawnattr_setsigdefault(&attributes, &all);
    ::posix_spawnattr_setsigmask(&attributes, &none);
    ::posix_spawnattr_setflags(
        &attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    std::vector<std::string> words = isolation_.command;
    words.emplace_back(name_of(isolation_.hardware));
    words.push_back(text(isolation_.memory));
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    const int code =
        ::posix_spawn(&id_, arguments[0], &files, &attributes, arguments.data(), environ);
    ::posix_spawn_file_actions_destroy(&files);
    ::posix_spawnattr_destroy(&attributes);
    if (code == 0) return;
    id_ = 0;
    errno = code;
    fail_start(("start " + words[0]).c_str());
  }

  void resize(Bytes bytes) {
    memory_ = {};
    if (::ftruncate(file_.number(), static_cast<off_t>(page + bytes)) != 0)
      fail_start("share memory");
    memory_ = Memory(file_.number(), page, bytes);
  }

  // Until there is an answer or the child has ended; ends it where nothing moves.
  void wait(const std::string& path) {
    const auto most = std::chrono::duration<double>(isolation_.seconds);
    const std::atomic<std::uint64_t>& progress = first_page_.head().progress;
    std::uint64_t known = progress;
    std::chrono::duration<double> still{};
    for (;;) {
      pollfd answer{socket_.number(), POLLIN, 0};
      const auto begun = Clock::now();
      if (::poll(&answer, 1, 50) > 0) return;
      // A second at most: both processes may have been stopped meanwhile.
      still +=
          std::min<std::chrono::duration<double>>(Clock::now() - begun, std::chrono::seconds(1));
      if (const std::uint64_t now = progress; now != known) {
        known = now;
        still = {};
      }
      if (still < most) continue;
      end();
      fail(ErrorCode::format, path, ": its decoder did not get on for ", isolation_.seconds,
           " seconds and was ended");
    }
  }

  // Kills the child, which has nothing to lose, and takes note of how it ended.
  int end() {
    int status = 0;
    if (id_ <= 0) return status;
    // One that crashed says how: its socket is closed a moment before it has ended.
    pollfd socket{socket_.number(), 0, 0};
    bool ended = false;
    if (::poll(&socket, 1, 0) > 0 && (socket.revents & POLLHUP) != 0)
      for (int i = 0; i < 200 && !ended; ++i) {
        ended = ::waitpid(id_, &status, WNOHANG) == id_;
        if (!ended) std::this_thread::sleep_for(std::chrono::milliseconds(i < 10 ? 1 : 10));
      }
    if (!ended) {
      ::kill(id_, SIGKILL);
      ::waitpid(id_, &status, 0);
    }
    id_ = 0;
    return status;
  }

  [[noreturn]] void refuse(const Answer& answer, const std::string& path) const {
    const auto code = static_cast<ErrorCode>(answer.error);
    std::string words = bytes({0, std::min<Bytes>(answer.bytes, most_words), 0});
    for (char& c : words)
      if (c == 0) c = ' ';
    switch (code) {
      case ErrorCode::argument:
      case ErrorCode::file:
      case ErrorCode::unavailable: throw Error(code, words);
      case ErrorCode::memory:
        fail(ErrorCode::format, path, ": decoding it takes more memory than the ",
             isolation_.memory >> 20, " MiB allowed (", words, ")");
      default: throw Error(ErrorCode::format, words);
    }
  }

  const Isolation& isolation_;
  Descriptor file_, socket_;
  Memory first_page_, memory_;
  pid_t id_ = 0;
};

// The children that nobody uses, and how to make more.
class Children {
 public:
  explicit Children(Isolation isolation) : isolation_(std::move(isolation)) {
    if (isolation_.command.empty()) isolation_.command = {find_part("framefold-decoder")};
    if (isolation_.command[0].empty())
      fail(ErrorCode::unavailable, "decoding in a process of its own needs framefold-decoder, ",
           "which is not beside the program; build it, or set data.isolate to false");
  }

  std::unique_ptr<Child> take() {
    {
      const std::lock_guard lock(mutex_);
      while (!idle_.empty()) {
        std::unique_ptr<Child> child = std::move(idle_.back());
        idle_.pop_back();
        if (child->alive()) return child;
      }
    }
    return std::make_unique<Child>(isolation_);
  }
  void give_back(std::unique_ptr<Child> child) {
    if (!child || !child->alive()) return;
    child->tidy();
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(child));
  }
  void announce(const std::string& why) {
    if (why.empty() || !isolation_.announce) return;
    const std::lock_guard lock(mutex_);
    if (!std::exchange(announced_, true)) isolation_.announce(why);
  }

 private:
  Isolation isolation_;  // before the children, which refer to it
  std::mutex mutex_;
  std::vector<std::unique_ptr<Child>> idle_;
  bool announced_ = false;
};

// A child for as long as somebody wants it.
class Lease {
 public:
  explicit Lease(std::shared_ptr<Children> children) : children_(std::move(children)) {}
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
  ~Lease() {
    try {
      children_->give_back(std::move(child_));
    } catch (...) {  // it ends with the lease
    }
  }

  // Whether there is a child that has not died.
  bool holds() { return child_ && child_->alive(); }
  void take() { child_ = children_->take(); }
  Child& operator*() { return *child_; }
  Child* operator->() { return child_.get(); }
  void announce(const std::string& why) { children_->announce(why); }

 private:
  std::shared_ptr<Children> children_;
  std::unique_ptr<Child> child_;
};

void put_file(ByteWriter& out, const std::string& path, CodecLimits limits) {
  limits.progress = nullptr;
  out.put(path);
  out.put(limits);
}

class IsolatedVideo final : public VideoReader {
 public:
  IsolatedVideo(std::shared_ptr<Children> children, const std::string& path,
                const VideoIndex& index, const CodecLimits& limits)
      : path_(path), lease_(std::move(children)) {
    ByteWriter out;
    put_file(out, path, limits);
    out.put(encode_index(index, {}));
    opening_ = std::move(out.bytes());
    open();
  }

  void read(std::span<const ClipRequest> clips) override {
    if (!lease_.holds()) open();
    ByteWriter out;
    out.put(clips.size());
    Bytes bytes = 0;
    for (const ClipRequest& clip : clips) {
      out.put(clip.format);
      out.put(clip.crop);
      out.put(clip.frames.size());
      for (const Index frame : clip.frames) out.put(frame);
      bytes += bytes_of(clip);
    }
    decoded_ = before_ + lease_->ask(Kind::read_video, out.bytes(), bytes, path_).number;
    const std::uint8_t* pixels = lease_->data();
    for (const ClipRequest& clip : clips) {
      std::copy_n(pixels, bytes_of(clip), clip.pixels);
      pixels += bytes_of(clip);
    }
  }
  Index decoded() const override { return decoded_; }

 private:
  // Checked here: the sizes say how much of the shared memory is copied.
  Bytes bytes_of(const ClipRequest& clip) const {
    const FrameFormat& format = clip.format;
    constexpr Index most = Index{1} << 30;
    if (format.height < 1 || format.width < 1 || format.channels < 1 || format.channels > 3 ||
        format.height > most / format.width)
      fail(ErrorCode::argument, path_, ": frames of ", format.height, " x ", format.width, " x ",
           format.channels, " were asked for");
    return clip.frames.size() * format.bytes();
  }
  void open() {
    lease_.take();
    before_ = decoded_;
    lease_.announce(lease_->bytes(lease_->ask(Kind::open_video, opening_, 0, path_)));
  }

  std::string path_, opening_;
  Lease lease_;
  Index decoded_ = 0, before_ = 0;  // in all; by children that have died
};

class IsolatedFrames final : public FrameReader {
 public:
  IsolatedFrames(std::shared_ptr<Children> children, const std::string& path,
                 const FrameFormat& format, const CodecLimits& limits)
      : path_(path), bytes_(format.bytes()), lease_(std::move(children)) {
    lease_.take();
    ByteWriter out;
    put_file(out, path, limits);
    out.put(format);
    lease_.announce(lease_->bytes(lease_->ask(Kind::open_frames, out.bytes(), 0, path)));
  }

  bool next(std::uint8_t* pixels) override {
    if (!lease_.holds()) fail(ErrorCode::format, path_, ": its decoder has ended");
    ByteWriter out;
    out.put(pixels != nullptr);
    const Bytes wanted = pixels != nullptr ? bytes_ : 0;
    if (lease_->ask(Kind::next_frame, out.bytes(), wanted, path_).number == 0) return false;
    std::copy_n(lease_->data(), wanted, pixels);
    return true;
  }

 private:
  std::string path_;
  Bytes bytes_;
  Lease lease_;
};

class Isolated final : public Codecs {
 public:
  explicit Isolated(Isolation isolation)
      : children_(std::make_shared<Children>(std::move(isolation))) {
    // What cannot be at all is said now: no libraries, no hardware.
    Lease lease(children_);
    lease.take();
    lease.announce(lease->bytes(lease->ask(Kind::hello, {}, 0, "framefold-decoder")));
  }

  VideoIndex scan(const std::string& path, const CodecLimits& limits) const override {
    Lease lease(children_);
    lease.take();
    ByteWriter out;
    put_file(out, path, limits);
    VideoIndex index;
    if (!decode_index(lease->bytes(lease->ask(Kind::scan, out.bytes(), 0, path)), {}, index))
      fail(ErrorCode::format, path, ": its decoder answered with no index");
    keep_limits(path, index, limits);
    return index;
  }
  std::unique_ptr<VideoReader> open(const std::string& path,
                                    std::shared_ptr<const VideoIndex> index,
                                    const CodecLimits& limits) const override {
    return std::make_unique<IsolatedVideo>(children_, path, *index, limits);
  }
  std::unique_ptr<FrameReader> open(const std::string& path, const FrameFormat& format,
                                    const CodecLimits& limits) const override {
    return std::make_unique<IsolatedFrames>(children_, path, format, limits);
  }

 private:
  std::shared_ptr<Children> children_;
};

}  // namespace

std::shared_ptr<const Codecs> isolated_codecs(Isolation isolation) {
  return std::make_shared<const Isolated>(std::move(isolation));
}

}  // namespace framefold
