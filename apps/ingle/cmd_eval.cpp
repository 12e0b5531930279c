#include "command.h"

namespace ingle {

void add_eval(CLI::App& app, Console& console, Action& action) {
  CLI::App* command = app.add_subcommand("eval", "Measure what a model predicts");
  command->require_subcommand(1);
  add_eval_logprobs(*command, console, action);
  add_eval_perplexity(*command, console, action);
}

}  // namespace ingle
