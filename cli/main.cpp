// framefold: trains, evaluates and runs video autoencoders.

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <new>
#include <sstream>

#include "cli/command.h"
#include "cli/exit.h"
#include "cli/run_directory.h"
#include "io/printable.h"
#include "kernels/nearest.h"

namespace framefold {
namespace {

constexpr const char* overview = R"(Examples:
  framefold train digits-dense             train a preset; pictures land in runs/digits-dense/
  framefold train clips --set data.path=DIR        the same on your own videos
  framefold plan clips --memory 8GiB       what a run takes, before it takes it
  framefold eval runs/digits-dense         quality on held-out clips, beside the baselines
  framefold COMMAND --help                 more on each

Exit codes:
  0 done   1 internal error   2 command line or configuration   3 file or data   4 memory
  5 numbers not finite   6 not available here   75 interrupted; saved, --resume continues
)";

int report(int code, const char* name, const std::string& message, bool json) {
  std::fprintf(stderr, "framefold: %s\n", printable(message).c_str());
  if (json) try {
      print(Json{{"error", {{"exit", code}, {"kind", name}, {"message", message}}}});
    } catch (const Error&) {  // standard output takes nothing: the message stands above
    }
  return code;
}

const char* name_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::argument: return "argument";
    case ErrorCode::shape: return "shape";
    case ErrorCode::config: return "config";
    case ErrorCode::file: return "file";
    case ErrorCode::format: return "format";
    case ErrorCode::memory: return "memory";
    case ErrorCode::numeric: return "numeric";
    case ErrorCode::interrupted: return "interrupted";
    case ErrorCode::unavailable: return "unavailable";
  }
  return "internal";
}

// What the parser says of an unknown subcommand names no known one.
std::string unknown_subcommand(const CLI::App& app, const std::string& given) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands({})) names.push_back(command->get_name());
  for (const std::string& name : names)
    if (name == given) return {};
  return text("there is no command \"", given, "\"; did you mean \"", nearest(given, names),
              "\"? (`framefold --help` lists all)");
}

// Where the parser met words that nobody asked for: the first that looks like an option, beside the
// nearest known one.
std::string unexpected(const CLI::App& app, const std::vector<std::string>& words) {
  const auto option =
      std::ranges::find_if(words, [](const std::string& word) { return word.starts_with("--"); });
  const CLI::App* command = &app;
  std::string name = app.get_name();
  while (!command->get_subcommands().empty()) {
    command = command->get_subcommands().front();
    name += ' ' + command->get_name();
  }
  if (option == words.end())
    return text("\"", words.back(), "\" was not expected (`", name, " --help` shows what is)");
  const std::string given = option->substr(0, option->find('='));
  std::vector<std::string> names;
  for (const CLI::Option* known : command->get_options()) names.push_back(known->get_name());
  std::erase_if(names, [](const std::string& name) { return !name.starts_with("--"); });
  return text("there is no option ", given, "; did you mean ", nearest(given, names), "? (`", name,
              " --help` lists all)");
}

int run(int argc, char** argv) {
  CLI::App app("Trains, evaluates and runs video autoencoders.", "framefold");
  app.set_version_flag("--version", version_text());
  app.require_subcommand(1);
  app.footer(overview);
  app.get_formatter()->column_width(26);
  for (const auto add :
       {add_train, add_eval, add_reconstruct, add_features, add_attention, add_probe, add_plan,
        add_bench, add_info, add_data, add_convert, add_models, add_ops, add_keys})
    add(app);
  bool json = false;
  for (int i = 1; i < argc; ++i) json |= std::string_view(argv[i]) == "--json";
  try {
    if (argc == 1)
      return report(exit_usage, "usage", "expected a command; `framefold --help` lists them", json);
    if (argv[1][0] != '-')
      if (const std::string message = unknown_subcommand(app, argv[1]); !message.empty())
        return report(exit_usage, "usage", message, json);
    try {
      app.parse(argc, argv);
    } catch (const CLI::Success& success) {  // help or version
      std::ostringstream out;
      app.exit(success, out, out);
      print(out.str());
    }
    return exit_done;
  } catch (const CLI::RuntimeError& result) {  // the command has said what there is to say
    return result.get_exit_code();
  } catch (const CLI::ExtrasError&) {
    return report(exit_usage, "usage", unexpected(app, app.remaining(true)), json);
  } catch (const CLI::ParseError& error) {
    return report(exit_usage, "usage", text(error.what(), " (--help shows what is expected)"),
                  json);
  } catch (const Error& error) {
    return report(exit_code(error.code()), name_of(error.code()), error.what(), json);
  } catch (const std::bad_alloc&) {
    return report(exit_memory, "memory", "out of memory; make train.batch smaller", json);
  } catch (const std::filesystem::filesystem_error& error) {
    return report(exit_data, "file", error.what(), json);
  } catch (const std::exception& error) {
    return report(exit_internal, "internal", text("internal error: ", error.what()), json);
  }
}

}  // namespace
}  // namespace framefold

// Outside of run's own handlers only a lack of memory for the parser throws.
// NOLINTNEXTLINE(bugprone-exception-escape)
int main(int argc, char** argv) {
  // A reader that has left and a limit on file sizes are what a write returns, not sudden ends.
  for (const int signal : {SIGPIPE, SIGXFSZ}) std::signal(signal, SIG_IGN);
  return framefold::run(argc, argv);
}
