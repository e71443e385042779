#include "kernels/lstm.cuh"

namespace framefold {
namespace gpu {
namespace {

LstmExtent extent_of(const Shape& h, View lengths) {
  return {h[0], h[1], h[2], lengths ? lengths.as<std::int32_t>() : nullptr};
}

template <class T>
const T* data_of(View view) {
  return view ? view.as<T>() : nullptr;
}

template <class T>
T* data_of(Tensor tensor) {
  return tensor ? tensor.as<T>() : nullptr;
}

Grid grid_of(const LstmExtent& s, Index columns) {
  return {{blocks_of(divide_up(s.batch, tile_side)),
           static_cast<unsigned>(divide_up(columns, tile_side))},
          {tile_threads}};
}

void lstm_steps(const Stream& stream, const LstmOutputs& out, Workspace, const LstmInputs& in) {
  const LstmExtent s = extent_of(out.h.shape, in.lengths);
  for_device_float(in.x.dtype, [&]<class T>(T) {
    const T* h0 = data_of<T>(in.h0);
    const T* c0 = data_of<T>(in.c0);
    for (Index t = 0; t < s.steps; ++t)
      launch<&lstm_step<T>>(stream, grid_of(s, 4 * s.hidden), s, t, out.h.as<T>(),
                            out.gates.as<float>(), out.cells.as<float>(), in.wh.as<float>(),
                            data_of<float>(in.peepholes), h0, c0);
    launch<&lstm_last<T>>(
        stream, {{blocks_of(divide_up(s.batch * s.hidden, tile_threads))}, {tile_threads}}, s,
        out.h_last.as<T>(), out.c_last.as<T>(), out.h.as<T>(), out.cells.as<float>(), h0, c0);
  });
}

void lstm_dgates(const Stream& stream, Tensor dgates, Tensor dh0, Tensor dc0, Workspace workspace,
                 const LstmInputs& in, const LstmResults& results) {
  const LstmExtent s = extent_of(results.h.shape, in.lengths);
  for_device_float(in.x.dtype, [&]<class T>(T) {
    const LstmBackward<T> all{.s = s,
                              .dgates = dgates.as<float>(),
                              .dc = workspace.take<float>(s.batch * s.hidden),
                              .dh0 = data_of<T>(dh0),
                              .dc0 = data_of<T>(dc0),
                              .gates = results.gates.as<float>(),
                              .cells = results.cells.as<float>(),
                              .weight = in.wh.as<float>(),
                              .peepholes = data_of<float>(in.peepholes),
                              .c0 = data_of<T>(in.c0),
                              .dh = data_of<T>(results.dh),
                              .dh_last = data_of<T>(results.dh_last),
                              .dc_last = data_of<T>(results.dc_last)};
    const Index first = dh0 || dc0 ? -1 : 0;
    for (Index t = s.steps - 1; t >= first; --t)
      launch<&lstm_step_back<T>>(stream, grid_of(s, s.hidden), all, t);
  });
}

void lstm_peephole_wgrad(const Stream& stream, Tensor dpeepholes, Workspace workspace, View dgates,
                         View cells, View c0) {
  const Shape& c = cells.shape;
  const auto add = [&](const auto* start) {
    sum_columns(stream,
                PeepholeTerms<std::remove_cvref_t<decltype(*start)>>{c[1], c[2], dgates.as<float>(),
                                                                     cells.as<float>(), start},
                AddPeepholes{dpeepholes.as<float>(), c[2]}, {1, c[0] * c[1], c[2]}, workspace);
  };
  if (c0 && c0.dtype == DType::bf16) return add(c0.as<bf16>());
  add(data_of<float>(c0));
}

const OnDevice<&framefold::lstm_steps> steps_path(lstm_steps);
const OnDevice<&framefold::lstm_dgates> dgates_path(lstm_dgates);
const OnDevice<&framefold::lstm_peephole_wgrad> peephole_path(lstm_peephole_wgrad);

}  // namespace
}  // namespace gpu
}  // namespace framefold
