// libav's objects, owned, and its errors, thrown. Included by the codecs' library alone.
#pragma once

#include <memory>
#include <string>
#include <type_traits>

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/display.h>
#include <libavutil/hwcontext.h>
#include <libavutil/imgutils.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
}

namespace framefold {

template <auto free>
struct Free {
  template <class T>
  void operator()(T* object) const {
    if constexpr (std::is_invocable_v<decltype(free), T**>)
      free(&object);
    else
      free(object);
  }
};
using OwnedBytestream = std::unique_ptr<AVIOContext, Free<avio_closep>>;
using OwnedFormat = std::unique_ptr<AVFormatContext, Free<avformat_close_input>>;
using OwnedDecoder = std::unique_ptr<AVCodecContext, Free<avcodec_free_context>>;
using OwnedPacket = std::unique_ptr<AVPacket, Free<av_packet_free>>;
using OwnedFrame = std::unique_ptr<AVFrame, Free<av_frame_free>>;
using OwnedBuffer = std::unique_ptr<AVBufferRef, Free<av_buffer_unref>>;
using OwnedScaler = std::unique_ptr<SwsContext, Free<sws_freeContext>>;

// Nothing that libav logs is printed. A thread listens to one of libav's objects, and to what
// belongs to it; null: to all. heard() is the first error it logged since.
void keep_log();
void listen(const void* object);
std::string heard();

std::string words_of(int code);  // libav's for an error
// Throws what could not be done with `path`, libav's words for it, and the detail if there is one.
[[noreturn]] void refuse(const std::string& path, const std::string& what, int code,
                         const std::string& detail = {});

extern const char* const allowed_demuxers;
extern const char* const allowed_decoders;

}  // namespace framefold
