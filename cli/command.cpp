#include "cli/command.h"

#include <cerrno>
#include <cstdio>

#include "io/file.h"
#include "io/printable.h"

namespace framefold {

CLI::App* subcommand(CLI::App& app, const std::string& name, const std::string& summary,
                     const std::string& examples, bool& json) {
  CLI::App* command = app.add_subcommand(name, summary);
  command->add_flag("--json", json, "Print the result as JSON");
  command->footer("Examples:\n" + examples);
  return command;
}

void ConfigArguments::add_to(CLI::App& command, bool required) {
  command.add_option("CONFIG", file, "A preset's name (`framefold models`) or a TOML file")
      ->required(required)
      ->type_name("");
  command
      .add_option("--set", sets,
                  "section.key=value, over CONFIG and the environment; may be repeated "
                  "(`framefold keys` lists all)")
      ->type_name("KEY=VALUE")
      ->expected(1)
      ->take_all()
      ->allow_extra_args(false);
}

Config ConfigArguments::resolve() const {
  return framefold::resolve({.file = file, .environment = process_environment(), .sets = sets});
}

// A reader of standard output that has left (`| head`) is no error.
void print(const std::string& text) {
  const std::string shown = printable(text);
  const bool whole = std::fwrite(shown.data(), 1, shown.size(), stdout) == shown.size();
  if ((!whole || std::fflush(stdout) != 0) && errno != EPIPE) fail_file("write", "standard output");
}

void print(const Json& json) { print(dumped(json, 2, true) + '\n'); }

}  // namespace framefold
