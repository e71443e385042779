// The clips of bench/bench_decode.cpp through OpenCV's VideoCapture, one thread: clips a second for
// each file named, of its two ways to a clip's first frame the faster: a seek in the file opened
// once, or opening it anew and grabbing up to there. Frames that are not wanted are grabbed only,
// wanted ones cropped about the middle and resized by area.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <opencv2/imgproc.hpp>
#include <opencv2/videoio.hpp>
#include <random>

namespace {

double clips_per_second(const char* file, bool seek) {
  cv::VideoCapture video(file, cv::CAP_FFMPEG);
  const int frames = static_cast<int>(video.get(cv::CAP_PROP_FRAME_COUNT));
  std::mt19937 random(1);
  cv::Mat frame, small;
  const auto begun = std::chrono::steady_clock::now();
  double seconds = 0;
  int clips = 0;
  for (; seconds < 2; ++clips) {
    const int start = static_cast<int>(random() % static_cast<unsigned>(std::max(1, frames - 61)));
    if (seek) {
      video.set(cv::CAP_PROP_POS_FRAMES, start);
    } else {
      video.open(file, cv::CAP_FFMPEG);
      for (int t = 0; t < start && video.grab(); ++t) {
      }
    }
    for (int t = 0; t <= 60 && video.grab(); ++t) {
      if (t % 4 != 0 || !video.retrieve(frame)) continue;
      const int side = std::min(frame.cols, frame.rows);
      const cv::Rect middle((frame.cols - side) / 2, (frame.rows - side) / 2, side, side);
      cv::resize(frame(middle), small, {224, 224}, 0, 0, cv::INTER_AREA);
      cv::cvtColor(small, small, cv::COLOR_BGR2RGB);
    }
    seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  }
  return clips / seconds;
}

}  // namespace

int main(int count, char** files) {
  cv::setNumThreads(1);
  ::setenv("OPENCV_FFMPEG_CAPTURE_OPTIONS", "threads;1", 1);
  for (int i = 1; i < count; ++i) {
    const char* slash = std::strrchr(files[i], '/');
    std::printf("opencv %s %.2f\n", slash ? slash + 1 : files[i],
                std::max(clips_per_second(files[i], true), clips_per_second(files[i], false)));
  }
}
