#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <cstdio>
#include <memory>
#include <random>

#include "command.h"
#include "files.h"
#include "kv/kv_types.h"
#include "model_options.h"

namespace ingle {
namespace {

constexpr uint32_t kMaxUsers = 1024;
constexpr uint32_t kMaxTokens = 1u << 20;
constexpr uint32_t kMaxRepeats = 10'000;

struct Options {
  ModelOptions model;
  uint32_t prompt = 512, generate = 64, depth = 0, repeat = 5;
  std::vector<uint32_t> users{1, 2, 4};
  bool as_json = false, take_turns = false;
};

struct Rates {
  uint32_t users = 0;
  std::vector<double> prefill_tok_s, decode_tok_s;  // of all users together, by repeat; empty if not measured
};

// Pages a sequence of that many tokens takes, as tokens.
uint64_t page_tokens(uint64_t tokens) { return (tokens + kPageTokens - 1) / kPageTokens * kPageTokens; }

// Tokens of the context in which all users find room at once.
Result<uint32_t> context_for(const Options& options) {
  const uint64_t per_user =
      options.depth + page_tokens(std::max<uint64_t>(uint64_t{options.prompt} + 1, uint64_t{options.generate} + 1));
  const uint64_t all = per_user * *std::max_element(options.users.begin(), options.users.end());
  if (all > std::numeric_limits<int32_t>::max()) {
    return Error{ErrorCode::kInvalidArgument, "that many tokens for that many users fit no context", ""};
  }
  return static_cast<uint32_t>(all);
}

using Tokens = std::vector<TokenId>;

Tokens random_tokens(const Engine& engine, uint32_t count, std::mt19937& random) {
  std::uniform_int_distribution<TokenId> any_token(0, static_cast<TokenId>(engine.info().vocab) - 1);
  Tokens tokens(count);
  for (TokenId& token : tokens) token = any_token(random);
  return tokens;
}

// Seconds from handing in one request per prompt to the last token of all.
Result<double> time_requests(Engine& engine, const std::vector<Tokens>& prompts, uint32_t generate_tokens) {
  std::vector<Request> requests(prompts.size());
  for (size_t i = 0; i < prompts.size(); i++) {
    requests[i].prompt = prompts[i];
    requests[i].max_tokens = generate_tokens;
    requests[i].ignore_eos = true;
    requests[i].sampling.temperature = 0;
  }
  std::vector<std::unique_ptr<TokenStream>> streams;
  const auto start = std::chrono::steady_clock::now();
  for (Request& request : requests) {
    ASSIGN_OR_RETURN(std::unique_ptr<TokenStream> stream, engine.submit(std::move(request)));
    streams.push_back(std::move(stream));
  }
  for (const std::unique_ptr<TokenStream>& stream : streams) {
    while (true) {
      const TokenEvent event = stream->next();
      if (event.error) return *event.error;
      if (event.finish != FinishReason::kNone) break;
    }
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  return seconds.count();
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

// What each user has in the context before anything is measured. Its pages are in the prefix cache when this returns.
Result<std::vector<Tokens>> fill_contexts(Engine& engine, uint32_t users, uint32_t depth, Console& console) {
  std::mt19937 random(users);
  std::vector<Tokens> contexts(users);
  for (uint32_t i = 0; i < users && depth > 0; i++) {
    contexts[i] = random_tokens(engine, depth, random);
    RETURN_IF_ERROR(time_requests(engine, {contexts[i]}, 1));
    console.progress(fmt::format("{} tokens of context", depth), static_cast<double>(i + 1) / users);
  }
  console.end_progress();
  return contexts;
}

// For a program that measures another one in between, while this one waits.
Status wait_for_turn(Console& console) {
  console.note("ready");
  for (int c = std::getchar(); c != '\n'; c = std::getchar()) {
    if (c == EOF) return Error{ErrorCode::kCancelled, "the standard input ended before the last turn", ""};
  }
  return {};
}

// Tokens/s of each repeat, after one run that does not count.
Result<std::vector<double>> measure(Engine& engine, const std::vector<Tokens>& contexts, uint32_t prompt,
                                    uint32_t generate, const Options& options, Console& console) {
  const uint32_t repeat = options.repeat;
  const uint64_t counted = contexts.size() * (prompt > 1 ? prompt : uint64_t{generate});
  std::mt19937 random(static_cast<uint32_t>(contexts.size()) + 1);
  std::vector<double> rates;
  for (uint32_t i = 0; i <= repeat; i++) {
    std::vector<Tokens> prompts = contexts;
    for (Tokens& tokens : prompts) {
      const Tokens more = random_tokens(engine, prompt, random);
      tokens.insert(tokens.end(), more.begin(), more.end());
    }
    if (i > 0 && options.take_turns) RETURN_IF_ERROR(wait_for_turn(console));
    ASSIGN_OR_RETURN(const double seconds, time_requests(engine, prompts, generate));
    if (i > 0) rates.push_back(static_cast<double>(counted) / std::max(seconds, 1e-9));
    console.progress(fmt::format("{} user{}, {}", contexts.size(), contexts.size() == 1 ? "" : "s",
                                 prompt > 1 ? "prefill" : "decode"),
                     static_cast<double>(i + 1) / (repeat + 1));
  }
  console.end_progress();
  return rates;
}

Status run(Options options, Console& console) {
  options.depth = static_cast<uint32_t>(page_tokens(options.depth));
  const uint32_t max_users = *std::max_element(options.users.begin(), options.users.end());
  if (options.model.engine.context == 0) {
    ASSIGN_OR_RETURN(options.model.engine.context, context_for(options));
  }
  options.model.engine.max_sequences = max_users;
  options.model.engine.prefix_cache = options.depth > 0;
  options.model.engine.speculate = false;  // answers to random tokens go round in circles, which is easily guessed
  ASSIGN_OR_RETURN(const LoadedEngine loaded, load_engine(options.model, console));
  Engine& engine = *loaded.engine;
  const ModelInfo& info = engine.info();
  console.note(
      fmt::format("{} {}, {}", info.name.empty() ? options.model.model : info.name, info.quantization, info.backend));

  engine.settle();
  boost::json::array rows;
  if (!options.as_json) console.write("users  prefill tokens/s  decode tokens/s\n");
  for (const uint32_t users : options.users) {
    Rates rates{users, {}, {}};
    ASSIGN_OR_RETURN(const std::vector<Tokens> contexts, fill_contexts(engine, users, options.depth, console));
    if (options.prompt > 0) {
      ASSIGN_OR_RETURN(rates.prefill_tok_s, measure(engine, contexts, options.prompt, 1, options, console));
    }
    if (options.generate > 0) {
      ASSIGN_OR_RETURN(rates.decode_tok_s, measure(engine, contexts, 1, options.generate, options, console));
    }
    if (options.as_json) {
      rows.push_back(boost::json::object{{"users", rates.users},
                                         {"prefill_tok_s", median(rates.prefill_tok_s)},
                                         {"decode_tok_s", median(rates.decode_tok_s)},
                                         {"prefill_runs_tok_s", boost::json::value_from(rates.prefill_tok_s)},
                                         {"decode_runs_tok_s", boost::json::value_from(rates.decode_tok_s)}});
    } else {
      console.write(
          fmt::format("{:>5}  {:>16.1f}  {:>15.1f}\n", users, median(rates.prefill_tok_s), median(rates.decode_tok_s)));
      RETURN_IF_ERROR(console.flush());
    }
  }
  if (options.as_json) console.write(boost::json::serialize(rows) + "\n");
  return {};
}

}  // namespace

void add_bench(CLI::App& app, Console& console, Action& action) {
  CLI::App* command = app.add_subcommand("bench", "Measure how fast a model runs here");
  command->footer(
      "Tokens per second of all users together, medians of the repeats. Prefill: from handing in a prompt "
      "per user to the last first token. Decode: generation after a prompt of one token. Both follow --depth tokens of "
      "context, computed before and different for each user.");
  auto options = std::make_shared<Options>();
  add_model_options(*command, options->model);
  add_number(*command, "--prompt", options->prompt, 0, kMaxTokens, "Tokens of prompt (default: 512; 0: no prefill)");
  add_number(*command, "--generate", options->generate, 0, kMaxTokens,
             "Tokens to generate (default: 64; 0: no decode)");
  add_number(*command, "--depth", options->depth, 0, kMaxTokens,
             "Tokens of context before what is measured (default: 0; whole pages of 32)");
  command->add_option("--users", options->users, "How many ask at once, a list (default: 1,2,4)")
      ->delimiter(',')
      ->check(CLI::Range(1u, kMaxUsers).description(""))
      ->type_name("N,...");
  add_number(*command, "--repeat", options->repeat, 1, kMaxRepeats,
             "Measurements of each, of which the median counts (default: 5)");
  command->add_flag("--json", options->as_json, "For programs");
  command->add_flag("--take-turns", options->take_turns,
                    "Before each measurement, write a line to stderr and wait for one from stdin");
  command->callback([options, &console, &action] { action = [options, &console] { return run(*options, console); }; });
}

}  // namespace ingle
