#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>
#include <optional>

#include "base/format_units.h"
#include "command.h"
#include "files.h"
#include "model_options.h"
#include "repl.h"
#include "session.h"

namespace ingle {
namespace {

struct Options {
  ModelOptions model;
  GenerationOptions generation;
  std::vector<std::string> prompt;
  std::string system;
  bool raw = false, verbose = false;
};

// Is there a text on stdin that somebody meant for us? A terminal is not, nor is /dev/null, nor a closed stdin.
bool stdin_has_text() {
  struct stat info {};
  return ::fstat(0, &info) == 0 && (S_ISREG(info.st_mode) || S_ISFIFO(info.st_mode) || S_ISSOCK(info.st_mode));
}

// The prompt of the command line and the text on stdin, a blank line between them; nothing for a chat.
Result<std::optional<std::string>> one_prompt(const Options& options, Console& console) {
  std::string prompt;
  for (const std::string& word : options.prompt) prompt += (prompt.empty() ? "" : " ") + word;
  if (stdin_has_text()) {
    tell_if_stdin_is_slow(console);
    ASSIGN_OR_RETURN(std::string text, read_stdin());
    while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
    if (!prompt.empty() && !text.empty()) prompt += "\n\n";
    prompt += text;
  } else if (prompt.empty() && options.prompt.empty() && ::isatty(0) == 1) {
    return std::optional<std::string>();
  }
  if (prompt.empty()) {
    return Error{ErrorCode::kInvalidArgument, "the prompt is empty", "give one as an argument or on stdin"};
  }
  return std::optional<std::string>(std::move(prompt));
}

Status run(const Options& options, Console& console) {
  ASSIGN_OR_RETURN(const std::optional<std::string> prompt, one_prompt(options, console));
  ASSIGN_OR_RETURN(const LoadedEngine loaded, load_engine(options.model, console));
  Engine& engine = *loaded.engine;
  if (!engine.info().generates) {
    return Error{ErrorCode::kUnsupported, options.model.model + " makes embeddings, it can't generate text",
                 "serve it: `ingle serve` answers at /v1/embeddings"};
  }
  SessionOptions session_options;
  session_options.system = options.system;
  session_options.raw = options.raw;
  session_options.verbose = options.verbose;
  ASSIGN_OR_RETURN(session_options.settings, options.generation.settings(engine.info().default_sampling));
  ASSIGN_OR_RETURN(Session session, Session::create(engine, std::move(session_options), console));
  if (options.verbose) {
    const ModelInfo& info = engine.info();
    console.note(fmt::format("model:       {} {}, {} parameters, {}", info.architecture, info.quantization,
                             format_count(info.parameters), format_bytes(info.file_bytes)));
    console.note(fmt::format("engine:      {}, context {} tokens in {} of KV pages", info.backend, info.context,
                             format_bytes(info.kv_bytes)));
    console.note("load:        " + format_duration_ms(loaded.load_ms));
  }
  const std::string& context_note = engine.info().context_note;
  if (options.model.engine.context == 0 && !context_note.empty()) console.note("Note: " + context_note);
  if (prompt) return session.answer(*prompt, nullptr);
  return chat(session, console);
}

}  // namespace

void add_run(CLI::App& app, Console& console, Action& action) {
  CLI::App* command = app.add_subcommand("run", "Answer a prompt, or chat");
  command->footer(
      "Without a PROMPT: the text on stdin is the prompt; on a terminal, a chat. With both, the text follows "
      "the prompt.");
  auto options = std::make_shared<Options>();
  add_model_options(*command, options->model);
  add_speculation_option(*command, options->model);
  command->add_option("PROMPT", options->prompt, "What to ask")->type_name("");
  CLI::Option* raw = command->add_flag("--raw", options->raw, "Continue the prompt as it is, without a chat template");
  command->add_option("--system", options->system, "What the model is told before everything else")
      ->type_name("TEXT")
      ->excludes(raw);
  command->add_flag("--verbose", options->verbose, "Print counts, times and rates to stderr");
  options->generation.add_to(*command);
  command->callback([options, &console, &action] { action = [options, &console] { return run(*options, console); }; });
}

}  // namespace ingle
