// ingle: reads the command line, runs one command, and gives its exit code: 0 done, 1 failed, 2 usage.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <exception>
#include <new>
#include <optional>
#include <string>
#include <vector>

#include "base/near_name.h"
#include "command.h"

namespace ingle {
namespace {

constexpr int kFailed = 1;
constexpr int kUsage = 2;

// A program started without stdin, stdout or stderr would get their numbers for the next files it opens. What is put in
// their place can't be used in their direction, so that writing to a closed stdout fails as it should.
void reserve_standard_files() {
  for (const int fd : {0, 1, 2}) {
    if (::fcntl(fd, F_GETFD) < 0) (void)::open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
  }
}

void describe(CLI::App& app, Console& console, Action& action) {
  app.description("Runs language models on this machine.");
  app.name("ingle");
  app.set_version_flag("--version", "ingle " INGLE_VERSION, "Print the version");
  app.require_subcommand(1);
  app.get_formatter()->column_width(34);
  app.footer(
      "MODEL is a name in the store or a path to a .gguf file. Results go to stdout, the rest to stderr.\n"
      "Exit codes: 0 done, 1 failed, 2 usage. `ingle COMMAND --help` tells more.");
  add_run(app, console, action);
  add_serve(app, console, action);
  add_import(app, console, action);
  add_list(app, console, action);
  add_show(app, console, action);
  add_rm(app, console, action);
  add_tokenize(app, console, action);
  add_template(app, console, action);
  add_eval(app, console, action);
  add_bench(app, console, action);
  add_completions(app, console, action);
}

int finish(Console& console, const Status& status) {
  const Status written = console.flush();
  if (console.reader_gone()) return kFailed;
  if (!status.ok() || !written.ok()) {
    console.error(status.ok() ? written.error() : status.error());
    return kFailed;
  }
  return 0;
}

// The command that the words named, as far as they did: "ingle eval logprobs".
std::string command_name(const CLI::App& app) {
  std::string name = "ingle";
  const CLI::App* at = &app;
  while (!at->get_subcommands().empty()) {
    at = at->get_subcommands().front();
    name += " " + at->get_name();
  }
  return name;
}

// CLI11 would only say that a subcommand is missing where a word in its place is none.
std::optional<Error> unknown_command(const CLI::App& app, const std::vector<std::string>& words) {
  const CLI::App* at = &app;
  std::string path = "ingle";
  for (const std::string& word : words) {
    std::vector<std::string> names;
    const CLI::App* next = nullptr;
    for (const CLI::App* sub : at->get_subcommands([](const CLI::App*) { return true; })) {
      names.push_back(sub->get_name());
      if (sub->get_name() == word) next = sub;
    }
    if (names.empty()) break;
    if (word.starts_with('-')) {
      if (at->get_option_no_throw(word) != nullptr) continue;
      return Error{ErrorCode::kInvalidArgument, path + " has no option " + word, path + " --help shows how"};
    }
    if (next == nullptr) {
      const std::optional<std::string> meant = near_name(word, names);
      return Error{ErrorCode::kInvalidArgument, path + " has no command " + word,
                   (meant ? "did you mean " + *meant + "? " : "") + path + " --help lists them"};
    }
    at = next;
    path += " " + word;
  }
  return std::nullopt;
}

int run(int argc, char** argv, Console& console) {
  CLI::App app;
  Action action;
  describe(app, console, action);
  if (const std::optional<Error> unknown = unknown_command(app, {argv + 1, argv + argc})) {
    console.error(*unknown);
    return kUsage;
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    console.write(app.help());
    return finish(console, {});
  } catch (const CLI::Success& version) {
    console.write(std::string(version.what()) + "\n");
    return finish(console, {});
  } catch (const CLI::ParseError& error) {
    console.error({ErrorCode::kInvalidArgument, error.what(), command_name(app) + " --help shows how"});
    return kUsage;
  }
  return finish(console, action());
}

}  // namespace
}  // namespace ingle

int main(int argc, char** argv) {
  ingle::reserve_standard_files();
  std::signal(SIGPIPE, SIG_IGN);  // a reader that has gone is an error of write()
  ingle::Console console;
  try {
    return ingle::run(argc, argv, console);
  } catch (const std::bad_alloc&) {
    console.error({ingle::ErrorCode::kResourceExhausted, "out of memory", ""});
  } catch (const std::exception& error) {
    console.error({ingle::ErrorCode::kInternal, error.what(), ""});
  }
  return ingle::kFailed;
}
