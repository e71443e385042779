// Which files of a folder are taken for videos or pictures, and which for lists of them: by the
// ends of their names.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace framefold {

inline constexpr std::string_view video_endings =
    " .mp4 .m4v .mov .mkv .webm .avi .mpg .mpeg .ts .flv .wmv .ogv .gif .3gp .h264 .y4m ";
inline constexpr std::string_view picture_endings = " .png .jpg .jpeg .webp .bmp .tif .tiff ";
inline constexpr std::string_view list_endings = " .txt .csv .json .jsonl .tar .npy ";

// Of a path, in lower case.
std::string ending_of(const std::filesystem::path& path);
bool ends_in(std::string_view endings, const std::filesystem::path& path);

}  // namespace framefold
