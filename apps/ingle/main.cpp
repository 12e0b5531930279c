// ingle: reads the command line, runs one command, and gives its exit code: 0 done, 1 failed, 2 usage.
#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <exception>
#include <new>

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

int run(int argc, char** argv, Console& console) {
  CLI::App app;
  Action action;
  describe(app, console, action);
  if (argc > 1 && argv[1][0] != '-' &&
      app.get_subcommands([&](const CLI::App* sub) { return sub->get_name() == argv[1]; }).empty()) {
    console.error(
        {ErrorCode::kInvalidArgument, std::string("there is no command ") + argv[1], "ingle --help lists them"});
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
