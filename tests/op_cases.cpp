// The three modes share one subject and its checks, so they stand together in one long file.
#include "tests/op_cases.h"
#include "kernels/vendor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <memory>
#include <numeric>
#include <regex>
#include <set>

#include "tests/data.h"
#include "tests/simt/runtime.h"

namespace framefold::test {

std::vector<OpCases*>& op_case_tables() {
  static std::vector<OpCases*> tables;
  return tables;
}

std::vector<void (*)()>& device_programs() {
  static std::vector<void (*)()> programs;
  return programs;
}

OpCases::OpCases(std::string op, void (*define)(OpCases&)) : op_(std::move(op)), define_(define) {
  op_case_tables().push_back(this);
}

const std::vector<OpCase>& OpCases::list() {
  if (cases_.empty()) define_(*this);
  return cases_;
}

namespace {

constexpr std::uint64_t seed = 20170612;

// Where a run's tensors stand. Device memory is the host runtime's, which checks every access.
struct Home {
  static constexpr int none = -2;
  static constexpr int all = -1;
  Device device;
  int skewed = none;  // who misses the alignment that fast kernels want: also one tensor of a run,
                      // by its number in the order that they are made
};

// Memory of exactly the wanted size (the address checker sees one byte too many), followed by
// guard bytes that the checks look at in every build.
class Block {
 public:
  Block(const Device& device, Bytes bytes, Bytes skew = 0) {
    if (device.kind == Device::Kind::cuda) {
      device_ = std::make_unique<simt::DeviceMemory>(bytes + skew);
      data_ = static_cast<std::byte*>(device_->data) + skew;
      return;
    }
    host_.reset(static_cast<std::byte*>(std::aligned_alloc(64, Workspace::padded(bytes + guard))));
    data_ = host_.get();
    guarded_ = data_ + bytes;
    std::memset(guarded_, 0x5A, guard);
  }
  void* data() const { return data_; }
  bool intact() const {
    return !guarded_ || std::all_of(guarded_, guarded_ + guard,
                                    [](std::byte b) { return b == std::byte{0x5A}; });
  }

 private:
  static constexpr Bytes guard = 64;
  struct Free {
    void operator()(std::byte* p) const { std::free(p); }
  };
  std::unique_ptr<simt::DeviceMemory> device_;
  std::unique_ptr<std::byte, Free> host_;
  std::byte* data_ = nullptr;
  std::byte* guarded_ = nullptr;
};

double get(View view, Index i) {
  switch (view.dtype) {
    case DType::f32: return static_cast<double>(view.as<float>()[i]);
    case DType::bf16: return static_cast<double>(view.as<bf16>()[i]);
    case DType::f64: return view.as<double>()[i];
    case DType::u8: return view.as<std::uint8_t>()[i];
    case DType::i32: return view.as<std::int32_t>()[i];
  }
  return 0;
}

void set(Tensor tensor, Index i, double value) {
  switch (tensor.dtype) {
    case DType::f32: tensor.as<float>()[i] = static_cast<float>(value); break;
    case DType::bf16: tensor.as<bf16>()[i] = bf16(value); break;
    case DType::f64: tensor.as<double>()[i] = value; break;
    case DType::u8: tensor.as<std::uint8_t>()[i] = static_cast<std::uint8_t>(value); break;
    case DType::i32: tensor.as<std::int32_t>()[i] = static_cast<std::int32_t>(value); break;
  }
}

using Numbers = std::vector<double>;

Numbers numbers(View view) {
  Numbers values(static_cast<std::size_t>(view.size()));
  for (Index i = 0; i < view.size(); ++i) values[static_cast<std::size_t>(i)] = get(view, i);
  return values;
}

void write(Tensor tensor, const Numbers& values) {
  for (Index i = 0; i < tensor.size(); ++i) set(tensor, i, values[static_cast<std::size_t>(i)]);
}

bool real(DType type) { return type != DType::u8 && type != DType::i32; }

void poison(Tensor tensor) {
  for (Index i = 0; i < tensor.size(); ++i)
    set(tensor, i, real(tensor.dtype) ? std::numeric_limits<double>::quiet_NaN() : 77);
}

// Tensors that own their memory, full of NaN.
class Tensors {
 public:
  Tensors(const Home& home, const Types& types, int& made) {
    for (const TensorType& type : types) {
      const int number = made++;
      const bool skewed = home.skewed == Home::all || home.skewed == number;
      blocks_.emplace_back(home.device, type.bytes(), skewed ? size_of(type.dtype) : 0);
      tensors_.push_back({blocks_.back().data(), type.dtype, type.shape});
      poison(tensors_.back());
    }
  }
  const std::vector<Tensor>& all() const { return tensors_; }
  const Tensor& operator[](std::size_t i) const { return tensors_[i]; }
  std::size_t size() const { return tensors_.size(); }
  void check(const char* what) const {
    for (std::size_t i = 0; i < blocks_.size(); ++i)
      EXPECT_TRUE(blocks_[i].intact()) << what << ' ' << i << ": written past its end";
  }

 private:
  std::vector<Block> blocks_;
  std::vector<Tensor> tensors_;
};

// Everything that one forward and backward produced, as doubles.
struct Result {
  std::vector<Numbers> out;
  std::vector<Numbers> din;      // empty where no gradient was wanted
  std::vector<Numbers> updated;  // empty where not updated
  int tensors = 0;               // that the run has made
};

struct Setting {
  DType type = DType::f64;
  Path path = Path::reference;
  int threads = 1;
  int only = -1;          // the one input whose gradient is wanted; -1: all
  bool in_place = false;  // use in_place and gradient_in_place where declared
  bool backward = true;
  Home home = {};
};

// One case's operation with its operands' values.
class Subject {
 public:
  explicit Subject(const OpCase& value) : case_(value) {
    Graph graph(case_.mode);
    std::vector<Value> handles;
    for (std::size_t i = 0; i < case_.in.size(); ++i)
      handles.push_back(graph.input(text("in", i), case_.in[i]));
    case_.build(graph, handles);
    if (graph.nodes().size() != 1 || !(graph.nodes()[0].in == handles))
      fail(ErrorCode::argument, "a case builds one node that reads its operands in their order");
    op_ = graph.nodes()[0].op;
    const Types in(case_.in.begin(), case_.in.end());
    const Types out = op_->infer(in);
    needs_ = op_->needs(Stream{}, in, out);
    for (std::size_t i = 0; i < in.size(); ++i) values_.push_back(draw(static_cast<int>(i)));
    for (std::size_t o = 0; o < out.size(); ++o) {
      Numbers cotangent(static_cast<std::size_t>(out[o].shape.size()));
      for (std::size_t i = 0; i < cotangent.size(); ++i)
        cotangent[i] = static_cast<double>(Random{seed, stream_of(2, o)}.normal(i));
      cotangents_.push_back(cotangent);
    }
  }

  const Op& op() const { return *op_; }
  double flops() const {
    const Types in(case_.in.begin(), case_.in.end());
    return op_->forward_flops(in, op_->infer(in));
  }
  const Needs& needs() const { return needs_; }
  std::vector<Numbers>& values() { return values_; }
  const std::vector<Numbers>& cotangents() const { return cotangents_; }
  std::size_t elements() const {  // of the operands
    return std::accumulate(values_.begin(), values_.end(), std::size_t{0},
                           [](std::size_t sum, const Numbers& v) { return sum + v.size(); });
  }

  // What stands in a parameter's gradient before backward adds to it.
  Numbers prefill(std::size_t input) const {
    Numbers fill(values_[input].size());
    for (std::size_t i = 0; i < fill.size(); ++i)
      fill[i] = static_cast<double>(Random{seed, stream_of(3, input)}.uniform(i));
    return fill;
  }

  // Input types in a run of `type`: parameters and running statistics keep their master type.
  Types types_in(DType type) const {
    Types types(case_.in.begin(), case_.in.end());
    for (std::size_t i = 0; i < types.size(); ++i) {
      const int n = static_cast<int>(i);
      const bool master = needs_.accumulates.has(n) || needs_.updates.has(n);
      if (real(types[i].dtype)) types[i].dtype = master && type == DType::bf16 ? DType::f32 : type;
    }
    return types;
  }

  static void round(Numbers& numbers, DType type) {
    for (double& value : numbers) {
      if (type == DType::bf16) value = static_cast<double>(bf16(value));
      if (type == DType::f32) value = static_cast<double>(static_cast<float>(value));
    }
  }

  // Rounds every value and cotangent as a run of `type` sees it.
  void round_to(DType type) {
    const Types in = types_in(type);
    const Types out = op_->infer(in);
    for (std::size_t i = 0; i < in.size(); ++i) round(values_[i], in[i].dtype);
    for (std::size_t o = 0; o < out.size(); ++o) round(cotangents_[o], out[o].dtype);
  }

  Result run(const Setting& setting) const {
    Stream stream{.device = setting.home.device, .threads = setting.threads, .path = setting.path};
    const Device& space = setting.home.device;
    const Types in_types = types_in(setting.type);
    const Types out_types = op_->infer(in_types);
    const Needs needs = op_->needs(stream, in_types, out_types);
    const bool view = needs.alias_of >= 0;
    const auto root = static_cast<std::size_t>(std::max(needs.alias_of, 0));
    int made = 0;
    const Tensors in(setting.home, in_types, made);
    const Tensors own_out(setting.home, out_types, made);
    const Tensors saved(setting.home, needs.saved, made);
    for (std::size_t i = 0; i < in.size(); ++i) write(in[i], values_[i]);

    std::vector<Tensor> out = own_out.all();
    const bool shared = view || (setting.in_place && needs.in_place);
    if (shared) out[0].data = in[root].data;

    const Block forward_space(space, needs.forward_workspace);
    const Random random{seed, stream_of(5)};
    Run forward{stream,
                in.all(),
                out,
                saved.all(),
                {},
                {},
                Workspace(forward_space.data(), needs.forward_workspace),
                random};
    if (!view) {
      const simt::HostKeepsOut keeps_out;
      op_->forward(forward);
    }
    EXPECT_TRUE(forward_space.intact()) << "forward's workspace: written past its end";
    in.check("input");
    own_out.check("output");
    saved.check("saved");

    Result result;
    result.tensors = made;
    for (const Tensor& tensor : out) result.out.push_back(numbers(tensor));
    for (std::size_t i = 0; i < in.size(); ++i)
      result.updated.push_back(needs.updates.has(static_cast<int>(i)) ? numbers(in[i]) : Numbers{});
    if (!setting.backward || needs.differentiable.empty()) return result;

    // What backward does not declare, it does not see.
    const bool keeps_shared = needs.reads_inputs.has(0) || needs.reads_outputs.has(0);
    for (std::size_t i = 0; i < in.size(); ++i)
      if (!needs.reads_inputs.has(static_cast<int>(i)) && !(shared && i == root && keeps_shared))
        poison(in[i]);
    for (std::size_t o = 0; o < out.size(); ++o)
      if (!needs.reads_outputs.has(static_cast<int>(o)) && !(shared && o == 0 && keeps_shared))
        poison(out[o]);

    const Tensors dout(setting.home, out_types, made);
    for (std::size_t o = 0; o < dout.size(); ++o) write(dout[o], cotangents_[o]);
    const Tensors own_din(setting.home, in_types, made);
    std::vector<Tensor> din = own_din.all();
    // An operation's parameters are wanted all or none.
    const bool parameters = setting.only < 0 || needs.accumulates.has(setting.only);
    for (std::size_t i = 0; i < din.size(); ++i) {
      const int n = static_cast<int>(i);
      const bool parameter = needs.accumulates.has(n);
      if (parameter) write(din[i], prefill(i));
      const bool wanted = parameter ? parameters : setting.only < 0 || setting.only == n;
      if (!needs.differentiable.has(n) || !wanted) din[i].data = nullptr;
    }
    if (setting.in_place && needs.gradient_in_place && din[0]) din[0].data = dout[0].data;

    if (view) {
      write(din[root], numbers(dout[0]));
    } else {
      const Block backward_space(space, needs.backward_workspace);
      Run backward{stream,
                   in.all(),
                   out,
                   saved.all(),
                   dout.all(),
                   din,
                   Workspace(backward_space.data(), needs.backward_workspace),
                   random};
      {
        const simt::HostKeepsOut keeps_out;
        op_->backward(backward);
      }
      EXPECT_TRUE(backward_space.intact()) << "backward's workspace: written past its end";
    }
    result.tensors = made;
    own_din.check("gradient");
    dout.check("cotangent");
    for (const Tensor& tensor : din) result.din.push_back(tensor ? numbers(tensor) : Numbers{});
    return result;
  }

 private:
  Numbers draw(int input) const {
    const Operand& operand = case_.in[static_cast<std::size_t>(input)];
    const Random random{seed, stream_of(1, static_cast<std::uint64_t>(input))};
    Numbers values(static_cast<std::size_t>(operand.shape.size()));
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (case_.fill)
        values[i] = case_.fill(input, static_cast<Index>(i), random);
      else if (operand.dtype == DType::u8)
        values[i] = random.below(i, 256);
      else if (operand.dtype == DType::i32)
        values[i] = random.below(i, 2);
      else
        values[i] = static_cast<double>(random.normal(i));
    }
    return values;
  }

  const OpCase& case_;
  OpPtr op_;
  Needs needs_;
  std::vector<Numbers> values_;
  std::vector<Numbers> cotangents_;
};

std::string describe(const OpCase& value) {
  std::string line = value.name;
  for (const Operand& operand : value.in)
    line += text(line.empty() ? "" : " ", operand.dtype, operand.shape);
  return line;
}

double dot(const Numbers& a, const Numbers& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

double root_mean_square(const Numbers& a) {
  return a.empty() ? 0 : std::sqrt(dot(a, a) / static_cast<double>(a.size()));
}

Numbers minus(const Numbers& a, const Numbers& b) {
  Numbers difference(a.size());
  std::transform(a.begin(), a.end(), b.begin(), difference.begin(), std::minus<>());
  return difference;
}

void compare(const Numbers& given, const Numbers& expected, double tolerance,
             const std::string& what) {
  ASSERT_EQ(given.size(), expected.size()) << what;
  const double scale = std::max(root_mean_square(expected), 1e-3);
  double worst = 0;
  std::size_t where = 0;
  for (std::size_t i = 0; i < given.size() && !std::isnan(worst); ++i) {
    const double error = std::abs(given[i] - expected[i]) / scale;
    if (given[i] == expected[i] || error <= worst) continue;
    worst = error;
    where = i;
  }
  EXPECT_LE(worst, tolerance) << what << " at element " << where << ": " << given[where]
                              << ", expected " << expected[where] << "; the root mean square is "
                              << scale;
}

void compare_all(const Result& given, const Result& expected, double tolerance,
                 const std::string& what) {
  for (std::size_t i = 0; i < expected.out.size(); ++i)
    compare(given.out[i], expected.out[i], tolerance, text(what, ": output ", i));
  for (std::size_t i = 0; i < expected.updated.size(); ++i)
    compare(given.updated[i], expected.updated[i], tolerance, text(what, ": state ", i));
  for (std::size_t i = 0; i < expected.din.size(); ++i)
    compare(given.din[i], expected.din[i], tolerance, text(what, ": gradient of input ", i));
}

void check_gradient(const OpCase& value) {
  Subject subject(value);
  if (subject.needs().differentiable.empty()) return;
  const Result result = subject.run({});
  // The objective sum(y v) and the sum of its terms' magnitudes, which bounds its rounding.
  const auto objective = [&] {
    const Result forward = subject.run({.backward = false});
    std::pair<double, double> sum;
    for (std::size_t o = 0; o < forward.out.size(); ++o)
      for (std::size_t e = 0; e < forward.out[o].size(); ++e) {
        const double term = forward.out[o][e] * subject.cotangents()[o][e];
        sum.first += term;
        sum.second += std::abs(term);
      }
    return sum;
  };
  constexpr double step = 1e-5;
  const double rounding = 1e-15 * objective().second / step;
  for (std::size_t i = 0; i < subject.values().size(); ++i) {
    const int n = static_cast<int>(i);
    if (!subject.needs().differentiable.has(n)) continue;
    const Numbers gradient = subject.needs().accumulates.has(n)
                                 ? minus(result.din[i], subject.prefill(i))
                                 : result.din[i];
    const Numbers before = subject.values()[i];
    const auto check = [&](const Numbers& direction, const std::string& what) {
      Numbers& values = subject.values()[i];
      const auto at = [&](double by) {
        for (std::size_t e = 0; e < values.size(); ++e) values[e] = before[e] + by * direction[e];
        const double there = objective().first;
        values = before;
        return there;
      };
      const double numeric = (at(step) - at(-step)) / (2 * step);
      double scale = 0;
      for (std::size_t e = 0; e < direction.size(); ++e)
        scale += std::abs(gradient[e] * direction[e]);
      EXPECT_NEAR(dot(gradient, direction), numeric, value.gradient_tolerance * scale + rounding)
          << "input " << i << ", " << what;
    };
    Numbers direction(before.size());
    for (std::size_t e = 0; e < direction.size(); ++e)
      direction[e] = static_cast<double>(Random{seed, stream_of(7, i)}.normal(e));
    check(direction, "random direction");
    for (std::uint64_t draw = 0; draw < 4 && !before.empty(); ++draw) {
      const std::size_t e =
          Random{seed, stream_of(8, i)}.below(draw, static_cast<std::uint32_t>(before.size()));
      std::fill(direction.begin(), direction.end(), 0.0);
      direction[e] = 1;
      check(direction, text("element ", e));
    }
  }
}

void check_parity(const OpCase& value) {
  Subject subject(value);
  subject.round_to(DType::f32);
  const Result expected = subject.run({});
  for (const Path path : {Path::reference, Path::native, Path::vendor, Path::automatic})
    for (const int threads : {1, 2, 3}) {
      const Setting setting{.type = DType::f32, .path = path, .threads = threads};
      compare_all(subject.run(setting), expected, value.parity_tolerance,
                  text("path ", static_cast<int>(path), ", ", threads, " threads"));
      if (testing::Test::HasFailure()) return;
    }
  const Setting automatic{.type = DType::f32, .path = Path::automatic, .threads = 2};
  const Result first = subject.run(automatic);
  compare_all(subject.run(automatic), first, 0, "the same run again");
  if (subject.needs().in_place || subject.needs().gradient_in_place) {
    Setting in_place = automatic;
    in_place.in_place = true;
    compare_all(subject.run(in_place), first, 0, "in place");
  }
  for (std::size_t i = 0; i < value.in.size(); ++i) {
    if (!subject.needs().differentiable.has(static_cast<int>(i)) || subject.needs().alias_of >= 0)
      continue;
    Setting alone = automatic;
    alone.only = static_cast<int>(i);
    compare(subject.run(alone).din[i], first.din[i], value.parity_tolerance,
            text("gradient of input ", i, " wanted alone"));
  }
}

// Against the double reference on unrounded operands, a run in bf16 may err at most reduced_factor
// times as much as double arithmetic between rounded operands and rounded results.
void check_reduced(const OpCase& value, const Setting& setting) {
  if (!value.bf16) return;
  const Subject exact(value);
  const Result truth = exact.run({});
  Subject rounded(value);
  rounded.round_to(DType::bf16);
  const Result naive = rounded.run({});
  const Result given = rounded.run(setting);
  const Types in = exact.types_in(DType::bf16);
  const Types out = exact.op().infer(in);
  const auto check = [&](const Numbers& got, Numbers plain, const Numbers& exactly, DType type,
                         const std::string& what) {
    ASSERT_EQ(got.size(), exactly.size()) << what;
    Subject::round(plain, type);
    const double limit = std::max(value.reduced_factor * root_mean_square(minus(plain, exactly)),
                                  0x1p-9 * root_mean_square(exactly));
    EXPECT_LE(root_mean_square(minus(got, exactly)), limit) << what;
  };
  for (std::size_t o = 0; o < out.size(); ++o)
    check(given.out[o], naive.out[o], truth.out[o], out[o].dtype, text("output ", o));
  for (std::size_t i = 0; i < truth.din.size(); ++i)
    check(given.din[i], naive.din[i], truth.din[i], in[i].dtype, text("gradient of input ", i));
}

void check_reduced(const OpCase& value) {
  check_reduced(value, {.type = DType::bf16, .path = Path::automatic, .threads = 2});
}

// Where a device's vendor has paths beside ours: they too, and the same bits twice.
void check_vendor(const OpCase& value, const Result& expected) {
  if (vendor_libraries({.device = Device::cuda(0)}).empty()) return;
  const Setting vendor{
      .type = DType::f32, .path = Path::vendor, .home = {.device = Device::cuda(0)}};
  Subject subject(value);
  subject.round_to(DType::f32);
  const Result first = subject.run(vendor);
  compare_all(first, expected, value.parity_tolerance, "the vendor's path");
  compare_all(subject.run(vendor), first, 0, "the vendor's path again");
  Setting reduced = vendor;
  reduced.type = DType::bf16;
  check_reduced(value, reduced);
}

// The CUDA kernels, executed on the host or on a device, against the double reference: in several
// orders of their threads, which must not matter, on aligned and on skewed memory. Cases of much
// arithmetic run in one random order only.
void check_device(const OpCase& value) {
  Subject subject(value);
  subject.round_to(DType::f32);
  const Result expected = subject.run({});
  const auto setting = [](DType type, int skewed) {
    return Setting{.type = type,
                   .path = Path::automatic,
                   .home = {.device = Device::cuda(0), .skewed = skewed}};
  };
  if (subject.flops() > 1e6) {
    simt::set_schedule(1);
    compare_all(subject.run(setting(DType::f32, Home::none)), expected, value.parity_tolerance,
                "f32");
    check_reduced(value, setting(DType::bf16, Home::all));
    return check_vendor(value, expected);
  }
  Result first;
  for (const std::uint64_t schedule : {0, 1, 2}) {
    simt::set_schedule(schedule);
    const Result given = subject.run(setting(DType::f32, Home::none));
    compare_all(given, expected, value.parity_tolerance, text("schedule ", schedule));
    if (schedule == 0)
      first = given;
    else
      compare_all(given, first, 0, text("schedule ", schedule, " against schedule 0"));
    if (testing::Test::HasFailure()) return;
  }
  Setting in_place = setting(DType::f32, Home::none);
  in_place.in_place = true;
  if (subject.needs().in_place || subject.needs().gradient_in_place)
    compare_all(subject.run(in_place), first, 0, "in place");
  compare_all(subject.run(setting(DType::f32, Home::all)), expected, value.parity_tolerance,
              "skewed");
  simt::set_schedule(0);
  const bool small = subject.elements() < 4096;
  for (int tensor = 0; small && tensor < first.tensors; ++tensor)
    compare_all(subject.run(setting(DType::f32, tensor)), expected, value.parity_tolerance,
                text("tensor ", tensor, " skewed"));
  check_reduced(value, setting(DType::bf16, Home::none));
  check_reduced(value, setting(DType::bf16, Home::all));
  check_vendor(value, expected);
}

// Every kernel that a source declares, and every instance of one that a launcher can choose, has
// run on the host. Where the tests above have not run in this process, their cases run here.
class EveryKernelRuns : public testing::Test {
 public:
  void TestBody() override {
    for (void (*program)() : device_programs())
      if (!all_ran()) program();
    for (OpCases* table : op_case_tables())
      for (const OpCase& value : table->list())
        if (!all_ran()) check_device(value);
    for (const std::string& kernel : simt::known_kernels())
      EXPECT_TRUE(ran(kernel)) << kernel << ": no case runs it";

    const std::regex declaration(
        R"(__global__\s+(?:inline\s+)?void\s+(?:__launch_bounds__\([^)]*\)\s+)?(\w+)\()");
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(source_file("kernels"))) {
      if (entry.path().extension() != ".cuh" && entry.path().extension() != ".cu") continue;
      std::ifstream file(entry.path());
      const std::string source(std::istreambuf_iterator<char>(file), {});
      for (std::sregex_iterator at(source.begin(), source.end(), declaration), end; at != end; ++at)
        EXPECT_TRUE(launched((*at)[1])) << entry.path() << ": no case runs " << (*at)[1];
    }
  }

 private:
  static bool ran(const std::string& kernel) {
    return simt::executed_kernels().contains(kernel) || simt::is_probe(kernel);
  }
  static bool all_ran() {
    return std::all_of(simt::known_kernels().begin(), simt::known_kernels().end(), ran);
  }
  static bool launched(const std::string& kernel) {
    const std::regex name("::" + kernel + "(<.*)?");
    return std::any_of(simt::executed_kernels().begin(), simt::executed_kernels().end(),
                       [&](const std::string& run) { return std::regex_search(run, name); });
  }
};

class ModeTest : public testing::Test {
 public:
  ModeTest(OpCases& table, void (*mode)(const OpCase&)) : table_(table), mode_(mode) {}
  void TestBody() override {
    if (const std::string why = simt::why_no_device(); mode_ == check_device && !why.empty())
      GTEST_SKIP() << why;
    ASSERT_FALSE(table_.list().empty()) << table_.op() << " has an empty table";
    for (const OpCase& value : table_.list()) {
      SCOPED_TRACE(table_.op() + ": " + describe(value));
      mode_(value);
      if (HasFailure()) return;
    }
  }

 private:
  OpCases& table_;
  void (*mode_)(const OpCase&);
};

}  // namespace

void register_op_tests() {
  const auto add = [](const char* suite, OpCases* table, void (*mode)(const OpCase&)) {
    testing::RegisterTest(suite, table->op().c_str(), nullptr, nullptr, __FILE__, __LINE__,
                          [=]() -> testing::Test* { return new ModeTest(*table, mode); });
  };
  for (OpCases* table : op_case_tables()) {
    add("OpGradient", table, check_gradient);
    add("OpParity", table, check_parity);
    add("OpReduced", table, check_reduced);
    add("OpDevice", table, check_device);
  }
  testing::RegisterTest("Kernels", "EveryOneRunsOnTheHost", nullptr, nullptr, __FILE__, __LINE__,
                        []() -> EveryKernelRuns* { return new EveryKernelRuns; });
}

TEST(Registry, EveryOperationHasCases) {
  std::set<std::string, std::less<>> covered;
  for (OpCases* table : op_case_tables())
    for (const OpCase& value : table->list())
      covered.insert(std::string(Subject(value).op().name()));
  std::set<std::string, std::less<>> registered;
  for (const OpInfo& info : registered_ops()) registered.insert(std::string(info.name));
  EXPECT_EQ(covered, registered);
}

TEST(Registry, IsAlphabetical) {
  const auto ops = registered_ops();
  EXPECT_TRUE(std::is_sorted(ops.begin(), ops.end(),
                             [](const OpInfo& a, const OpInfo& b) { return a.name < b.name; }));
}

}  // namespace framefold::test
