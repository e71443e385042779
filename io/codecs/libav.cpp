#include "io/codecs/libav.h"

#include <array>

#include "kernels/error.h"

namespace framefold {
namespace {

thread_local std::array<char, 200> detail{};

void keep_detail(void* context, int level, const char* format, va_list arguments) {
  int prefix = 0;
  if (level <= AV_LOG_ERROR)
    av_log_format_line2(context, level, format, arguments, detail.data(),
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
void forget_log() { detail[0] = 0; }

std::string last_log() {
  std::string said(detail.data());
  while (!said.empty() && (said.back() == '\n' || said.back() == ' ')) said.pop_back();
  return said;
}

void refuse(const std::string& path, const std::string& what, int code) {
  std::array<char, AV_ERROR_MAX_STRING_SIZE> words{};
  av_strerror(code, words.data(), words.size());
  std::string said = last_log();
  if (!said.empty()) said = " (" + said + ")";
  fail(code == AVERROR(ENOMEM) ? ErrorCode::memory : ErrorCode::format, path, ": ", what, ": ",
       words.data(), said);
}

}  // namespace framefold
