#include "cli/pca.h"

#include <Eigen/Dense>
#include <cmath>
#include <vector>

namespace framefold {
namespace {

constexpr Index most_numbers = 4096;

// Calls use(rows) on blocks of clips as matrices of pixels from 0 to 1.
template <class Use>
void for_blocks(const Dataset& dataset, Index count, Use&& use) {
  const Index size = dataset.shape().size();
  std::vector<std::uint8_t> clip(static_cast<std::size_t>(size));
  for (Index first = 0; first < count; first += 512) {
    Eigen::MatrixXf rows(std::min<Index>(512, count - first), size);
    for (Index row = 0; row < rows.rows(); ++row) {
      dataset.read(first + row, {}, {clip.data(), DType::u8, dataset.shape()});
      for (Index p = 0; p < size; ++p)
        rows(row, p) = static_cast<float>(clip[static_cast<std::size_t>(p)]) / 255;
    }
    use(rows);
  }
}

}  // namespace

Quality pca(const Dataset& train, const Dataset& held_out, Index held_out_clips, Index k) {
  const Index size = train.shape().size();
  if (size > most_numbers)
    fail(ErrorCode::argument, "pca: a clip has ", size, " numbers, expected at most ", most_numbers,
         "; use smaller frames, or leave out --pca");
  if (k < 1 || k > size)
    fail(ErrorCode::argument, "pca: ", k, " components, expected from 1 to ", size);

  Eigen::VectorXf mean = Eigen::VectorXf::Zero(size);
  for_blocks(train, train.size(), [&](const Eigen::MatrixXf& rows) {
    mean += rows.colwise().sum().transpose() / static_cast<float>(train.size());
  });
  Eigen::MatrixXf covariance = Eigen::MatrixXf::Zero(size, size);
  for_blocks(train, train.size(), [&](Eigen::MatrixXf& rows) {
    rows.rowwise() -= mean.transpose();
    covariance.selfadjointView<Eigen::Lower>().rankUpdate(rows.transpose());
  });
  // Eigenvalues come in rising order.
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXf> solver(covariance);
  const Eigen::MatrixXf basis = solver.eigenvectors().rightCols(k);

  Quality total;
  for_blocks(held_out, clips_of(held_out, held_out_clips), [&](Eigen::MatrixXf& rows) {
    const Eigen::MatrixXf centred = rows.rowwise() - mean.transpose();
    const Eigen::MatrixXf made =
        ((centred * basis) * basis.transpose()).rowwise() + mean.transpose();
    std::vector<float> clip(static_cast<std::size_t>(size));
    std::vector<std::uint8_t> original(clip.size());
    for (Index row = 0; row < rows.rows(); ++row) {
      for (Index p = 0; p < size; ++p) {
        clip[static_cast<std::size_t>(p)] = made(row, p);
        original[static_cast<std::size_t>(p)] =
            static_cast<std::uint8_t>(std::lround(255 * rows(row, p)));
      }
      total += Quality::of_clip(frame_quality({original.data(), DType::u8, held_out.shape()},
                                              {clip.data(), DType::f32, held_out.shape()}));
    }
  });
  return total;
}

}  // namespace framefold
