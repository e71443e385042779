// What a model has learnt: parameters, their gradients and its buffers, each one contiguous f32
// buffer; and its constants, which are filled at once. They live outside plans, so several plans
// (train and evaluate; discriminator and generator) share them.
//
// On a device kernels work on copies there. The host's are equal to them after upload() and
// download(); initialize and whatever loads a file upload, saving downloads.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/graph.h"
#include "engine/memory.h"

namespace framefold {

class Parameters {
 public:
  struct Entry {
    std::string name;
    Shape shape;
    Index offset = 0;  // in elements; entries start at multiples of 64 bytes, gaps stay zero
    Init init;
    bool decays = true;
  };

  // Takes every parameter, buffer and constant of the graphs, in the order of their first
  // appearance; the same name in two graphs is one tensor and must have one shape. With `gradients`
  // false no gradient buffer is held (evaluation).
  explicit Parameters(std::initializer_list<const Graph*> graphs, bool gradients = true,
                      const Device& device = Device::cpu());
  explicit Parameters(const Graph& graph, bool gradients = true,
                      const Device& device = Device::cpu())
      : Parameters({&graph}, gradients, device) {}

  // Draws every initial value: a function of (seed, name, element) alone.
  void initialize(std::uint64_t seed);

  const std::vector<Entry>& entries() const { return tables_.parameters.entries; }
  const std::vector<Entry>& buffer_entries() const { return tables_.buffers.entries; }
  Index count() const;  // of trained numbers, without gaps

  Tensor value(const std::string& name) const;     // of any of them, the host's; Error if unknown
  Tensor live(const std::string& name) const;      // the same where kernels find it
  Tensor gradient(const std::string& name) const;  // a parameter's, where kernels find it

  std::span<float> values() const { return values_.host(); }
  std::span<float> buffers() const { return buffer_values_.host(); }
  std::span<float> live_values() const { return values_.live(); }  // where kernels find them
  std::span<float> live_buffers() const { return buffer_values_.live(); }
  std::span<float> gradients() const { return gradients_.as<float>(); }

  const Device& device() const { return device_; }
  void upload() const;
  void download() const;

  Bytes bytes() const {
    return values_.bytes() + gradients_.bytes() + buffer_values_.bytes() + constant_values_.bytes();
  }

  // Bytes that Parameters of a graph hold, without holding them.
  static Bytes bytes_of(const Graph& graph, bool gradients = true);

 private:
  struct Table {
    std::vector<Entry> entries;
    std::map<std::string, std::size_t> index;
    Index size = 0;
    void add(const Graph::ValueInfo& info);
    void fill(std::span<float> values, std::uint64_t seed) const;
    Bytes bytes() const;
    const Entry* find(const std::string& name) const;
  };

  struct Tables {
    Table parameters, buffers, constants;
    void add(const Graph& graph);
  };

  Tensor find(const std::string& name, std::span<float> (Mirrored::*side)() const) const;

  Device device_;
  Tables tables_;
  Mirrored values_;
  Buffer gradients_;
  Mirrored buffer_values_;
  Mirrored constant_values_;
};

}  // namespace framefold
