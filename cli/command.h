// The subcommands, one file each. A subcommand writes its result to standard output, as text or,
// with --json, as one JSON value and nothing else; progress and messages go to standard error.
// What goes wrong is thrown; main() turns it into a message and an exit code.
#pragma once

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/config.h"

namespace framefold {

using Json = nlohmann::ordered_json;

void add_train(CLI::App& app);
void add_eval(CLI::App& app);
void add_reconstruct(CLI::App& app);
void add_plan(CLI::App& app);
void add_bench(CLI::App& app);
void add_info(CLI::App& app);
void add_models(CLI::App& app);
void add_ops(CLI::App& app);
void add_keys(CLI::App& app);
void add_data(CLI::App& app);
void add_convert(CLI::App& app);
void add_attention(CLI::App& app);
void add_features(CLI::App& app);
void add_probe(CLI::App& app);

void add_data_verify(CLI::App& data);  // data's own

// A subcommand with what all have: --json and examples below its help.
CLI::App* subcommand(CLI::App& app, const std::string& name, const std::string& summary,
                     const std::string& examples, bool& json);

// CONFIG and --set.
struct ConfigArguments {
  std::string file;
  std::vector<std::string> sets;

  void add_to(CLI::App& command, bool required = true);
  Config resolve() const;  // with the process's environment
};

void print(const std::string& text);
void print(const Json& json);

}  // namespace framefold
