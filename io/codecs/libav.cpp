#include "io/codecs/libav.h"

#include <array>

#include "kernels/error.h"

namespace framefold {
namespace {

thread_local std::array<char, 200> detail{};
thread_local const void* listened_to = nullptr;

// Whether the object, or one that it belongs to, is listened to.
bool is_listened_to(const void* object) {
  if (listened_to == nullptr || object == listened_to) return true;
  if (object == nullptr) return false;
  const AVClass* kind = *static_cast<const AVClass* const*>(object);
  if (kind == nullptr || kind->parent_log_context_offset == 0) return false;
  const auto* parent = static_cast<const char*>(object) + kind->parent_log_context_offset;
  const void* holder = *reinterpret_cast<const void* const*>(parent);
  return holder != nullptr && is_listened_to(holder);
}

void keep_detail(void* object, int level, const char* format, va_list arguments) {
  if (level > AV_LOG_ERROR || detail[0] != 0 || !is_listened_to(object)) return;
  int prefix = 0;
  av_log_format_line2(object, level, format, arguments, detail.data(),
                      static_cast<int>(detail.size()), &prefix);
}

}  // namespace

const char* const allowed_demuxers =
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,mpegvideo,flv,asf,ogg,gif,h264,hevc,"
    "yuv4mpegpipe,jpeg_pipe,png_pipe,webp_pipe,bmp_pipe,tiff_pipe";
const char* const allowed_decoders =
    "h264,hevc,mpeg4,msmpeg4,msmpeg4v1,msmpeg4v2,mpeg1video,mpeg2video,h263,flv,wmv1,wmv2,wmv3,"
    "vc1,vp8,vp9,libdav1d,av1,theora,mjpeg,ffv1,huffyuv,ffvhuff,prores,rawvideo,gif,png,webp,bmp,"
    "tiff";

void keep_log() { av_log_set_callback(keep_detail); }
void listen(const void* object) {
  listened_to = object;
  detail[0] = 0;
}

std::string heard() {
  std::string said(detail.data());
  while (!said.empty() && (said.back() == '\n' || said.back() == ' ')) said.pop_back();
  return said;
}

std::string words_of(int code) {
  std::array<char, AV_ERROR_MAX_STRING_SIZE> words{};
  av_strerror(code, words.data(), words.size());
  return words.data();
}

void refuse(const std::string& path, const std::string& what, int code, const std::string& detail) {
  fail(code == AVERROR(ENOMEM) ? ErrorCode::memory : ErrorCode::format, path, ": ", what, ": ",
       words_of(code), detail.empty() ? "" : " (" + detail + ")");
}

}  // namespace framefold
