#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <limits>
#include <memory>

#include "command.h"
#include "engine/sampler.h"
#include "files.h"
#include "model_options.h"
#include "prompt_logits.h"

namespace ingle {
namespace {

constexpr uint32_t kDefaultWindow = 512;
constexpr uint32_t kMinWindow = 4;

struct Options {
  ModelOptions model;
  std::string file;
  bool as_json = false;
};

// Of the tokens that were scored.
struct Losses {
  uint64_t count = 0;
  double sum = 0, sum_of_squares = 0;  // negative log-likelihoods in nats

  void add(double nll) {
    count++;
    sum += nll;
    sum_of_squares += nll * nll;
  }
  double mean() const { return sum / static_cast<double>(count); }
  double perplexity() const { return std::exp(mean()); }
  // Standard error of the perplexity, by that of the mean.
  double perplexity_error() const {
    if (count < 2) return 0;
    const double variance = std::max(0.0, sum_of_squares / static_cast<double>(count) - mean() * mean());
    return perplexity() * std::sqrt(variance / static_cast<double>(count - 1));
  }
};

// The second half of the window's tokens, each given all before it in the window.
Status score_window(Engine& engine, const std::vector<TokenId>& window, Losses& losses) {
  Sampler sampler(engine.info().vocab);
  const size_t first = window.size() / 2;
  return for_each_prompt_logits(engine, window, [&](uint32_t position, std::span<const float> logits) -> Status {
    const size_t next = size_t{position} + 1;
    if (next >= first && next < window.size()) losses.add(-double{sampler.logprobs(logits, window[next], 0).token});
    return {};
  });
}

Status score_text(Engine& engine, std::string_view text, uint32_t window_tokens, Console& console, Losses& losses,
                  uint64_t& windows) {
  const Tokenizer& tokenizer = engine.tokenizer();
  const std::vector<TokenId> ids = tokenizer.encode(text, {.add_special = false, .parse_special = false});
  const size_t prefix = tokenizer.adds_bos() ? 1 : 0;
  if (ids.size() + prefix < kMinWindow) {
    return Error{ErrorCode::kInvalidData, "the text is too short to be scored", ""};
  }
  // A text shorter than a window is a window; the rest of a longer one that fills none is left out.
  const size_t step = std::min<size_t>(window_tokens - prefix, ids.size());
  const size_t total = ids.size() / step;
  for (size_t i = 0; i < total; i++) {
    std::vector<TokenId> window(prefix + step, tokenizer.bos());
    std::copy_n(ids.begin() + static_cast<ptrdiff_t>(i * step), step, window.begin() + static_cast<ptrdiff_t>(prefix));
    RETURN_IF_ERROR(score_window(engine, window, losses));
    windows++;
    console.progress("scoring", static_cast<double>(i + 1) / static_cast<double>(total));
  }
  console.end_progress();
  return {};
}

Status run(Options options, Console& console) {
  if (options.file == "-") tell_if_stdin_is_slow(console);
  ASSIGN_OR_RETURN(const std::string text, read_input(options.file));
  if (options.model.engine.context == 0) options.model.engine.context = kDefaultWindow;
  ASSIGN_OR_RETURN(const LoadedEngine loaded, load_engine(options.model, console));
  const uint32_t window_tokens = std::min(options.model.engine.context, loaded.engine->info().context);
  Losses losses;
  uint64_t windows = 0;
  RETURN_IF_ERROR(score_text(*loaded.engine, text, window_tokens, console, losses, windows));
  if (options.as_json) {
    const boost::json::object out{{"perplexity", losses.perplexity()},
                                  {"standard_error", losses.perplexity_error()},
                                  {"nats_per_token", losses.mean()},
                                  {"tokens", losses.count},
                                  {"windows", windows},
                                  {"window_tokens", window_tokens}};
    console.write(boost::json::serialize(out) + "\n");
  } else {
    console.write(fmt::format("perplexity {:.4f} +- {:.4f} ({} tokens scored, {} windows of {})\n", losses.perplexity(),
                              losses.perplexity_error(), losses.count, windows, window_tokens));
  }
  return {};
}

}  // namespace

void add_eval_perplexity(CLI::App& eval, Console& console, Action& action) {
  CLI::App* command = eval.add_subcommand("perplexity", "How well a model predicts a text");
  command->footer(
      "The text is cut into windows of --context tokens (default 512), each beginning with the model's BOS "
      "where it has one. The second half of every window is scored.");
  auto options = std::make_shared<Options>();
  add_model_options(*command, options->model);
  command->get_option("--context")->check(CLI::Range(kMinWindow, std::numeric_limits<uint32_t>::max()).description(""));
  command->add_option("FILE", options->file, "The text (- for stdin)")->type_name("")->required();
  command->add_flag("--json", options->as_json, "For programs");
  command->callback([options, &console, &action] { action = [options, &console] { return run(*options, console); }; });
}

}  // namespace ingle
