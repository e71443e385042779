// framefold probe TRAIN HELD_OUT: what stored features know.
#include <Eigen/Dense>
#include <algorithm>
#include <charconv>
#include <cmath>

#include "cli/command.h"
#include "cli/features.h"
#include "cli/print.h"
#include "engine/executor.h"
#include "engine/optimizer.h"
#include "engine/schedule.h"

namespace framefold {
namespace {

struct Arguments {
  std::string train, held_out;
  Index neighbours = 20, threads = 0;
  LinearProbe linear;
  bool regress = false, json = false;
};

void check_pair(const Features& train, const Features& held_out) {
  if (train.width() != held_out.width() || train.classes != held_out.classes)
    fail(ErrorCode::config, "rows of ", train.width(), " numbers and ", train.classes.size(),
         " classes to learn from, of ", held_out.width(), " and ", held_out.classes.size(),
         " to test; both must be of one model and one set of classes");
  for (const Features* part : {&train, &held_out})
    for (std::size_t row = 0; row < part->labels.size(); ++row)
      if (part->labels[row] < 0 || part->labels[row] >= static_cast<Index>(part->classes.size()))
        fail(ErrorCode::config, part->names[row],
             " has no class; features of labelled data are needed");
}

using Rows = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

// Rows of length 1; those of zeros stay.
Rows directions_of(const Features& features) {
  return Eigen::Map<const Rows>(features.values.data(), features.rows(), features.width())
      .rowwise()
      .normalized();
}

// Rows less the training rows' mean, by their deviation.
std::vector<float> standardized(const Features& features, const Features& train) {
  const Index width = train.width(), rows = train.rows();
  std::vector<double> sum(static_cast<std::size_t>(width)), squares(sum.size());
  for (Index row = 0; row < rows; ++row)
    for (Index i = 0; i < width; ++i) {
      const auto value =
          static_cast<double>(train.values[static_cast<std::size_t>(row * width + i)]);
      sum[static_cast<std::size_t>(i)] += value;
      squares[static_cast<std::size_t>(i)] += value * value;
    }
  std::vector<float> made(features.values.size());
  for (std::size_t at = 0; at < made.size(); ++at) {
    const std::size_t i = at % static_cast<std::size_t>(width);
    const double mean = sum[i] / static_cast<double>(rows);
    const double variance = squares[i] / static_cast<double>(rows) - mean * mean;
    made[at] = static_cast<float>((static_cast<double>(features.values[at]) - mean) /
                                  std::sqrt(std::max(variance, 0.0) + 1e-12));
  }
  return made;
}

// The number that each row's class is named by.
Eigen::VectorXd numbers_of(const Features& features) {
  std::vector<double> named;
  for (const std::string& name : features.classes) {
    const char* end = name.data() + name.size();
    double number = 0;
    const auto [read, error] = std::from_chars(name.data(), end, number);
    if (error != std::errc{} || read != end || !std::isfinite(number))
      fail(ErrorCode::config, "the class \"", name,
           "\" is no number; a regression needs classes that are named by numbers");
    named.push_back(number);
  }
  Eigen::VectorXd numbers(features.rows());
  for (Index row = 0; row < features.rows(); ++row)
    numbers[row] = named[static_cast<std::size_t>(features.labels[static_cast<std::size_t>(row)])];
  return numbers;
}

void regress(const Arguments& arguments, const Features& train, const Features& held_out) {
  const NumberProbe found = number_probe(train, held_out, arguments.linear.weight_decay);
  if (arguments.json)
    return print(Json{{"train", train.rows()},
                      {"held_out", held_out.rows()},
                      {"numbers", train.width()},
                      {"mse", found.mse},
                      {"r2", found.r2},
                      {"baseline_mean_mse", found.baseline_mse}});
  TextTable table({"", "MSE", "R2"});
  table.row({"linear regression", with_digits(found.mse, 4), with_digits(found.r2, 3)});
  table.row({"always the training rows' mean", with_digits(found.baseline_mse, 4), ""});
  print(text(train.rows(), " rows of ", train.width(), " numbers to learn from, ", held_out.rows(),
             " held out\n\n", table.text()));
}

void run(const Arguments& arguments) {
  const Features train = read_features(arguments.train);
  const Features held_out = read_features(arguments.held_out);
  check_pair(train, held_out);
  if (arguments.regress) return regress(arguments, train, held_out);
  TrainConfig threads;
  threads.threads = arguments.threads;
  const Index k = std::min(arguments.neighbours, train.rows());
  const double nearest = nearest_neighbours(train, held_out, k);
  const double linear = linear_probe(train, held_out, arguments.linear, stream_of(threads));
  std::vector<Index> counts(train.classes.size());
  for (const std::int32_t label : held_out.labels) ++counts[static_cast<std::size_t>(label)];
  const double largest =
      static_cast<double>(std::ranges::max(counts)) / static_cast<double>(held_out.rows());
  if (arguments.json)
    return print(Json{{"train", train.rows()},
                      {"held_out", held_out.rows()},
                      {"numbers", train.width()},
                      {"classes", train.classes.size()},
                      {"neighbours", k},
                      {"nearest_neighbours", nearest},
                      {"linear", linear},
                      {"baseline_largest_class", largest}});
  TextTable table({"", "top-1"});
  const auto percent = [](double share) { return with_digits(100 * share, 2) + " %"; };
  table.row({text(k, " nearest neighbours"), percent(nearest)});
  table.row({"linear probe", percent(linear)});
  table.row({"always the largest class", percent(largest)});
  print(text(train.rows(), " rows of ", train.width(), " numbers to learn from, ", held_out.rows(),
             " held out, ", train.classes.size(), " classes\n\n", table.text()));
}

}  // namespace

double nearest_neighbours(const Features& train, const Features& held_out, Index k) {
  constexpr double temperature = 0.07;
  constexpr Index piece = 256;  // rows whose cosines are held at once
  const Rows known = directions_of(train), asked = directions_of(held_out);
  std::vector<std::pair<float, Index>> near(static_cast<std::size_t>(train.rows()));
  Index right = 0;
  Rows cosines;
  for (Index row = 0; row < held_out.rows(); ++row) {
    if (row % piece == 0)
      cosines = asked.middleRows(row, std::min(piece, held_out.rows() - row)) * known.transpose();
    for (Index other = 0; other < train.rows(); ++other)
      near[static_cast<std::size_t>(other)] = {-cosines(row % piece, other), other};
    std::partial_sort(near.begin(), near.begin() + k, near.end());
    std::vector<double> votes(train.classes.size());
    for (Index i = 0; i < k; ++i) {
      const auto& [distance, other] = near[static_cast<std::size_t>(i)];
      votes[static_cast<std::size_t>(train.labels[static_cast<std::size_t>(other)])] +=
          std::exp((-static_cast<double>(distance) - 1) / temperature);
    }
    const auto said = std::ranges::max_element(votes) - votes.begin();
    right += said == held_out.labels[static_cast<std::size_t>(row)] ? 1 : 0;
  }
  return static_cast<double>(right) / static_cast<double>(held_out.rows());
}

double linear_probe(const Features& train, const Features& held_out, const LinearProbe& options,
                    const Stream& stream) {
  const auto classes = static_cast<Index>(train.classes.size());
  Graph graph;
  const Value loss = softmax_regression(graph, train.rows(), train.width(), classes).loss;
  Parameters parameters(graph);
  parameters.initialize(0);
  {
    Executor executor(std::make_shared<Plan>(compile(graph, {.loss = loss, .stream = stream})),
                      parameters);
    std::ranges::copy(standardized(train, train), executor.input("x").as<float>());
    const Tensor labels = executor.input("labels");
    std::fill_n(labels.as<float>(), labels.size(), 0.0F);
    for (std::size_t row = 0; row < train.labels.size(); ++row)
      labels.as<float>()[static_cast<Index>(row) * classes + train.labels[row]] = 1;
    Optimizer optimizer(
        parameters, {.kind = OptimizerKind::adamw, .weight_decay = options.weight_decay}, stream);
    const Schedule schedule{
        .kind = ScheduleKind::cosine, .rate = options.rate, .steps = options.steps};
    for (Index step = 0; step < options.steps; ++step) {
      optimizer.clear_gradients();
      executor.run({});
      optimizer.update(schedule.at(step), 0);
    }
  }
  Graph test(Mode::evaluate);
  const Value logits = softmax_regression(test, held_out.rows(), train.width(), classes).logits;
  Executor executor(std::make_shared<Plan>(compile(test, {.fetch = {logits}, .stream = stream})),
                    parameters);
  std::ranges::copy(standardized(held_out, train), executor.input("x").as<float>());
  executor.run({}, false);
  const auto* row = executor.value(logits).as<float>();
  Index right = 0;
  for (const std::int32_t label : held_out.labels) {
    right += std::max_element(row, row + classes) - row == label ? 1 : 0;
    row += classes;
  }
  return static_cast<double>(right) / static_cast<double>(held_out.rows());
}

NumberProbe number_probe(const Features& train, const Features& held_out, double decay) {
  const auto rows_of = [&](const Features& features) -> Eigen::MatrixXd {
    const std::vector<float> values = standardized(features, train);
    return Eigen::Map<const Rows>(values.data(), features.rows(), features.width()).cast<double>();
  };
  const Eigen::MatrixXd x = rows_of(train);
  const Eigen::VectorXd y = numbers_of(train), asked = numbers_of(held_out);
  const double mean = y.mean(), rows = static_cast<double>(asked.size());
  const Eigen::VectorXd centred = y.array() - mean;
  // Of the normal equations and their dual the smaller: x' (x x' + l)^-1 is (x' x + l)^-1 x'.
  const bool dual = x.cols() > x.rows();
  Eigen::MatrixXd gram = dual ? Eigen::MatrixXd(x * x.transpose()) : x.transpose() * x;
  gram.diagonal().array() += decay * static_cast<double>(x.rows()) + 1e-9;
  const Eigen::VectorXd weights = dual ? Eigen::VectorXd(x.transpose() * gram.ldlt().solve(centred))
                                       : gram.ldlt().solve(x.transpose() * centred);
  const Eigen::VectorXd said = (rows_of(held_out) * weights).array() + mean;
  const double variance = (asked.array() - asked.mean()).square().sum() / rows;
  NumberProbe found;
  found.mse = (said - asked).squaredNorm() / rows;
  found.r2 = 1 - found.mse / variance;
  found.baseline_mse = (asked.array() - mean).square().sum() / rows;
  return found;
}

void add_probe(CLI::App& app) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = subcommand(
      app, "probe", "Tell classes from stored features: nearest neighbours and a linear layer",
      "  framefold features runs/clips --part train --out train.safetensors\n"
      "  framefold features runs/clips --out held_out.safetensors\n"
      "  framefold probe train.safetensors held_out.safetensors --neighbours 20\n",
      arguments->json);
  const auto file = [&](const char* name, std::string& path, const char* help) {
    command->add_option(name, path, help)->required()->type_name("");
  };
  file("TRAIN", arguments->train, "Features to learn from (`framefold features`)");
  file("HELD_OUT", arguments->held_out, "Features to test on");
  command->add_flag("--regress", arguments->regress,
                    "Tell the number that a class is named by, by a linear layer alone");
  command->add_option("--neighbours", arguments->neighbours, "How many vote")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--steps", arguments->linear.steps, "Updates of the linear layer")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--rate", arguments->linear.rate, "Its highest learning rate")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--decay", arguments->linear.weight_decay, "Its weight decay")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_option("--threads", arguments->threads, "0: one a core")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->callback([arguments] { run(*arguments); });
}

}  // namespace framefold
