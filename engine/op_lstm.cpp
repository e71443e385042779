#include "engine/ops.h"
#include "kernels/check.h"

namespace framefold {
namespace {

// Inputs x, wx, wh, bias and, where there are such, peepholes; h0, c0; lengths.
class LstmOp final : public Op {
 public:
  LstmOp(bool peepholes, bool start, bool lengths)
      : peepholes_(peepholes ? 4 : -1),
        start_(start ? 4 + peepholes : -1),
        lengths_(lengths ? 4 + peepholes + 2 * start : -1) {}

  std::string_view name() const override { return "lstm"; }

  Types infer(const Types& in) const override {
    const TensorType& x = in[0];
    expect_float(name(), "x", x.dtype);
    if (x.shape.rank() != 3 || x.shape[0] == 0 || x.shape[1] == 0)
      fail(ErrorCode::shape, name(), ": x is ", x, ", expected [B, T, I], B and T at least 1");
    const DType master = master_of(x.dtype);
    const Shape& wh = in[2].shape;
    if (in[2].dtype != master || wh.rank() != 2 || wh[0] == 0 || wh[1] != 4 * wh[0])
      fail(ErrorCode::shape, name(), ": wh is ", in[2], ", expected ", master, " [H, 4 H]");
    const Index hidden = wh[0];
    const TensorType state{x.dtype, {x.shape[0], hidden}};
    expect(name(), "wx", in[1], {master, {x.shape[2], 4 * hidden}},
           "to match the last axes of x and of wh");
    expect(name(), "bias", in[3], {master, {4 * hidden}}, "to match the last axis of wh");
    if (const TensorType* given = find(in, peepholes_))
      expect(name(), "peepholes", *given, {master, {3 * hidden}}, "to match the first axis of wh");
    if (const TensorType* given = find(in, start_)) {
      expect(name(), "h0", given[0], state, "to match the samples of x and the first axis of wh");
      expect(name(), "c0", given[1], state, "to match the samples of x and the first axis of wh");
    }
    if (const TensorType* given = find(in, lengths_))
      expect(name(), "lengths", *given, {DType::i32, {x.shape[0]}}, "to match the samples of x");
    return {{x.dtype, {x.shape[0], x.shape[1], hidden}}, state, state};
  }

  Needs needs(const Stream& stream, const Types& in, const Types& out) const override {
    const TensorType& x = in[0];
    const Index hidden = out[0].shape[2];
    const int reals = static_cast<int>(in.size()) - (lengths_ < 0 ? 0 : 1);
    const DType master = master_of(x.dtype);
    Types saved{{master, {x.shape[0], x.shape[1], 4 * hidden}}, {master, out[0].shape}};
    if (const Bytes reserve = lstm_reserve(stream, x, hidden, peepholes_ >= 0, lengths_ >= 0))
      saved.push_back({DType::u8, {static_cast<Index>(reserve)}});
    return {.saved = saved,
            .reads_inputs = Operands::first(static_cast<int>(in.size())),
            .reads_outputs = {0},
            .differentiable = Operands::first(reals),
            .accumulates = peepholes_ < 0 ? Operands{1, 2, 3} : Operands{1, 2, 3, 4},
            .forward_workspace = lstm_forward_workspace(stream, x, hidden),
            .backward_workspace = lstm_backward_workspace(stream, x, hidden)};
  }

  void forward(Run& run) const override {
    lstm_forward(run.stream,
                 {.h = run.out[0],
                  .h_last = run.out[1],
                  .c_last = run.out[2],
                  .gates = run.saved[0],
                  .cells = run.saved[1],
                  .reserve = reserve(run)},
                 run.workspace, inputs(run));
  }

  void backward(Run& run) const override {
    const LstmInputs in = inputs(run);
    const LstmResults results{.h = run.out[0],
                              .gates = run.saved[0],
                              .cells = run.saved[1],
                              .dh = run.dout[0],
                              .dh_last = run.dout[1],
                              .dc_last = run.dout[2],
                              .reserve = reserve(run)};
    lstm_backward(run.stream, run.din[0], at(run.din, start_), at(run.din, start_, 1),
                  {.wx = run.din[1],
                   .wh = run.din[2],
                   .bias = run.din[3],
                   .peepholes = at(run.din, peepholes_)},
                  run.workspace, in, results);
  }

  double forward_flops(const Types& in, const Types& out) const override {
    const Shape& h = out[0].shape;
    return 8.0 * static_cast<double>(h.size()) * static_cast<double>(in[0].shape[2] + h[2]);
  }

  std::optional<std::string> vendor_attributes(const Stream& stream,
                                               const Types& in) const override {
    Stream vendor = stream;
    vendor.path = Path::vendor;
    if (lstm_reserve(vendor, in[0], in[2].shape[0], peepholes_ >= 0, lengths_ >= 0) == 0)
      return std::nullopt;
    return start_ >= 0 ? "with a state at the start" : "";
  }
  bool one_path_both_ways() const override { return true; }

 private:
  static Tensor reserve(const Run& run) { return run.saved.size() > 2 ? run.saved[2] : Tensor{}; }
  static const TensorType* find(const Types& types, int input) {
    return input < 0 ? nullptr : &types[static_cast<std::size_t>(input)];
  }
  static Tensor at(std::span<const Tensor> tensors, int input, std::size_t further = 0) {
    return input < 0 ? Tensor{} : tensors[static_cast<std::size_t>(input) + further];
  }
  LstmInputs inputs(const Run& run) const {
    return {.x = run.in[0],
            .wx = run.in[1],
            .wh = run.in[2],
            .bias = run.in[3],
            .peepholes = at(run.in, peepholes_),
            .h0 = at(run.in, start_),
            .c0 = at(run.in, start_, 1),
            .lengths = at(run.in, lengths_)};
  }

  int peepholes_;  // input numbers, the first of a pair; -1 for none
  int start_;
  int lengths_;
};

}  // namespace

LstmSequence lstm(Graph& g, Value x, const LstmWeights& weights, LstmState start, Value lengths) {
  std::vector<Value> in{x, weights.wx, weights.wh, weights.bias};
  if (weights.peepholes) in.push_back(weights.peepholes);
  if (static_cast<bool>(start.h) != static_cast<bool>(start.c))
    fail(ErrorCode::argument, "lstm: h0 or c0 alone is given, expected both or neither");
  if (start.h) in.insert(in.end(), {start.h, start.c});
  if (lengths) in.push_back(lengths);
  const auto op = std::make_shared<LstmOp>(static_cast<bool>(weights.peepholes),
                                           static_cast<bool>(start.h), static_cast<bool>(lengths));
  const std::vector<Value> out = g.add(op, in);
  return {out[0], {out[1], out[2]}};
}

}  // namespace framefold
