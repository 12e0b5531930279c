// What the commands share: how each puts itself on the command line, and the two ways in which they fail. A mistake in
// the words of the command line throws a CLI::ParseError while it is parsed (exit code 2); everything that goes wrong
// afterwards is a Status (exit code 1).
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

#include "base/result.h"
#include "console.h"

namespace ingle {

// Set by the command that was named; main() calls it.
using Action = std::function<Status()>;

void add_run(CLI::App& app, Console& console, Action& action);
void add_import(CLI::App& app, Console& console, Action& action);
void add_list(CLI::App& app, Console& console, Action& action);
void add_show(CLI::App& app, Console& console, Action& action);
void add_rm(CLI::App& app, Console& console, Action& action);
void add_serve(CLI::App& app, Console& console, Action& action);
void add_tokenize(CLI::App& app, Console& console, Action& action);
void add_template(CLI::App& app, Console& console, Action& action);
void add_eval(CLI::App& app, Console& console, Action& action);
void add_eval_logprobs(CLI::App& eval, Console& console, Action& action);
void add_eval_perplexity(CLI::App& eval, Console& console, Action& action);
void add_bench(CLI::App& app, Console& console, Action& action);
void add_completions(CLI::App& app, Console& console, Action& action);

}  // namespace ingle
