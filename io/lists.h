// Lists of videos: what there is to read, where it lies, and its class.
//
//   folders    a directory; each directory in it is a class, in the order of names
//   videomae   PATH LABEL, a video; mmaction2's video lists and UCF101's own code write the same
//   videomae2  PATH START TOTAL: a video (START 0, TOTAL -1), or a directory of pictures
//   rawframes  DIRECTORY [START] TOTAL LABEL, pictures (mmaction2); START as in videomae2
//   ucf101     trainlistNN.txt (PATH LABEL, from 1 on) and testlistNN.txt (PATH alone),
//   classInd.txt
//              beside them
//   kinetics   csv headed label,youtube_id,time_start,time_end,..., or lines PATH,LABEL
//   ssv2       Something-Something's json, its ...labels.json beside it; ID.webm or ID.mp4
//   jsonl      a JSON object a line: path (or video), optional label, a number or a name
//   tar        WebDataset: KEY.mp4 (or another video) with KEY.cls or KEY.json {"label": ...}
//   npy        mnist_test_seq.npy and its like: u8 [T, N, H, W], N clips without classes
//
// Paths may hold spaces; those that are not absolute begin at `root`, the list's own directory
// where that is empty. Labels count from 0; names become labels in the order of names, or as the
// file of classes says. START is the number in the name of the first picture, as files count.
//
// A list is not trusted: its size, lines, labels and counts have a cap, text is UTF-8 without NUL.
// What is wrong in it, and a file that is not there, is Error(format) with the list's name and the
// line's number (the entry's for ssv2). Files are not opened, tars are read by their headers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/tensor.h"

namespace framefold {

enum class ListFormat : std::uint8_t {
  folders,
  videomae,
  videomae2,
  rawframes,
  ucf101,
  kinetics,
  ssv2,
  jsonl,
  tar,
  npy,
};
ListFormat list_format(std::string_view name);
std::string_view name_of(ListFormat format);

struct ListEntry {
  enum class Kind : std::uint8_t { video, pictures, member, array };
  Kind kind = Kind::video;
  std::string path;               // the file, of pictures their directory
  std::string name;               // for people; empty: the path
  Index label = -1;               // -1: none
  Index first = -1, frames = -1;  // pictures: START or -1, TOTAL or -1 for all there are
  std::uint64_t offset = 0;       // member, array: where its bytes begin in the file
  std::uint64_t bytes = 0;        // member: how many; array: from one frame to the next
  Index line = 0;                 // in the list, from 1 on; 0: there is none

  const std::string& shown() const { return name.empty() ? path : name; }
};

struct MissingFile {
  std::string path, message;
};

struct VideoList {
  std::string path;
  ListFormat format = ListFormat::folders;
  std::vector<ListEntry> entries;    // at least one
  std::vector<std::string> classes;  // the labels' names, where they have any
  Shape frame;                       // npy: [H, W]; of other formats empty
  std::vector<MissingFile> missing;  // with skip_missing

  Index labels() const;  // 1 + the largest label, or the number of classes; 0: unlabelled
};

struct ListOptions {
  std::string path;           // the list, or a directory
  std::string format;         // empty: detected from path and content
  std::string root;           // where relative paths begin; empty: beside the list
  bool skip_missing = false;  // leave files out that are not there
};

VideoList read_list(const ListOptions& options);

// The pictures of an entry, in the order of names: from number `first` on, `frames` of them.
std::vector<std::string> pictures_of(const ListEntry& entry);

}  // namespace framefold
