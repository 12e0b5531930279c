#include "grammar/grammars.h"

#include <fmt/format.h>
#include <xgrammar/xgrammar.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <list>
#include <map>
#include <mutex>
#include <new>
#include <optional>
#include <set>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/permits.h"
#include "base/thread_priority.h"
#include "base/thread_time.h"
#include "grammar/ebnf.h"
#include "grammar/grammar_text.h"
#include "grammar/json_schema.h"
#include "grammar/regex.h"
#include "text/utf8.h"

// What xgrammar has to say: errors are exceptions, which none of the functions here lets out; warnings are for nobody.
namespace xgrammar {

[[noreturn]] void LogFatalImpl(const std::string& file, int line, const std::string& message);
void LogMessageImpl(const std::string& file, int line, int level, const std::string& message);

void LogFatalImpl(const std::string&, int, const std::string& message) { throw std::runtime_error(message); }
void LogMessageImpl(const std::string&, int, int, const std::string&) {}

}  // namespace xgrammar

namespace ingle {
namespace {

constexpr size_t kMaxChoices = 1000;
constexpr size_t kMaxChoiceBytes = 64 * 1024;

Error failure(ErrorCode code, const std::string& what) {
  std::string line = replace_each_invalid_byte(what.substr(0, 300));
  for (char& c : line) {
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  }
  return {code, "the grammar can't be used: " + line, ""};
}

class GrammarConstraint final : public Grammar {
 public:
  GrammarConstraint(xgrammar::GrammarMatcher matcher, uint32_t vocab) : matcher_(std::move(matcher)), vocab_(vocab) {}

  std::unique_ptr<Constraint> clone() const override {
    return std::make_unique<GrammarConstraint>(matcher_.Fork(), vocab_);
  }

  bool has(std::span<const Piece> pieces) const override {
    size_t bytes = 0;
    try {
      xgrammar::GrammarMatcher matcher = matcher_.Fork();
      for (const Piece& piece : pieces) {
        bytes += piece.text.size();
        if (bytes > kMaxTextBytes) return false;
        if (!(piece.token == kNoToken ? matcher.AcceptString(piece.text) : matcher.AcceptToken(piece.token)))
          return false;
      }
      return matcher.IsCompleted();
    } catch (const std::exception&) {
      return false;
    }
  }

  Status accept(TokenId token) override {
    try {
      if (matcher_.AcceptToken(token)) return {};
      return failure(ErrorCode::kInternal, fmt::format("it has no place for token {}", token));
    } catch (const std::exception& error) {
      return failure(ErrorCode::kInternal, error.what());
    }
  }

  Status rollback(uint32_t tokens) override {
    try {
      matcher_.Rollback(static_cast<int>(tokens));
      return {};
    } catch (const std::exception& error) {
      return failure(ErrorCode::kInternal, error.what());
    }
  }

  Status allowed(std::span<uint32_t> mask) override {
    CHECK(mask.size() == mask_words(vocab_));
    auto words = static_cast<int64_t>(mask.size());
    DLTensor tensor = {.data = mask.data(),
                       .device = {kDLCPU, 0},
                       .ndim = 1,
                       .dtype = {kDLInt, 32, 1},
                       .shape = &words,
                       .strides = nullptr,
                       .byte_offset = 0};
    try {
      matcher_.FillNextTokenBitmask(&tensor);
    } catch (const std::exception& error) {
      return failure(ErrorCode::kInternal, error.what());
    }
    if (vocab_ % 32 != 0) mask.back() &= (uint32_t{1} << (vocab_ % 32)) - 1;
    return {};
  }

 private:
  xgrammar::GrammarMatcher matcher_;
  const uint32_t vocab_;
};

// The tokens as the bytes that they stand for in grammars.
xgrammar::TokenizerInfo tokenizer_info(const Tokenizer& tokenizer, uint32_t vocab) {
  std::vector<std::string> bytes(vocab);
  std::vector<int32_t> ends;
  for (uint32_t i = 0; i < vocab; i++) {
    const auto id = static_cast<TokenId>(i);
    if (!tokenizer.is_valid(id)) break;
    if (tokenizer.is_eog(id)) ends.push_back(id);
    bytes[i] = tokenizer.is_control(id) ? GrammarText::token_bytes(id) : std::string(tokenizer.token_bytes(id));
  }
  return {bytes, xgrammar::VocabType::RAW, static_cast<int>(vocab), ends};
}

Error no_longer_awaited() { return {ErrorCode::kCancelled, "no grammars are compiled any more", ""}; }
Error others_compile() {
  return {ErrorCode::kResourceExhausted, "other grammars are still being compiled", "try again later"};
}

}  // namespace

struct Grammars::Shared {
  using Clock = std::chrono::steady_clock;
  // One that is being compiled, and those who wait for it.
  struct Job {
    std::optional<ThreadTime> time;  // of the thread, once it has begun
    bool given_up = false;           // it took too long
    std::optional<Compiled> result;
  };
  struct Kept {
    std::string text;
    std::shared_ptr<const Grammar> constraint;
    size_t bytes = 0;
  };

  Shared(const Tokenizer& given, uint32_t width, size_t cache) : tokenizer(given), vocab(width), cache_bytes(cache) {}

  std::shared_ptr<const Grammar> find(const std::string& text);
  void keep(const std::string& text, const std::shared_ptr<const Grammar>& constraint, size_t bytes);
  void compile(const std::string& text, Job& job);
  Compiled wait(const Job& job, std::unique_lock<std::mutex>& lock, const GrammarsOptions& options,
                Clock::time_point begin, std::optional<uint64_t> ticket);
  bool has_place(const GrammarsOptions& options);
  // Until when a ticket's holder may wait who is not to do so after `last`.
  Clock::time_point last_moment(uint64_t ticket, Clock::time_point last, const GrammarsOptions& options) const {
    const auto before = std::distance(tickets.begin(), tickets.find(ticket));
    return before < options.max_waiting ? last : std::min(last, progress + options.standstill);
  }

  const Tokenizer& tokenizer;
  const uint32_t vocab;
  const size_t cache_bytes;
  std::mutex mutex;  // of what follows
  std::condition_variable changed;
  std::unordered_map<std::string, std::shared_ptr<Job>> jobs;
  bool ended = false;                    // nobody waits
  uint32_t compiling = 0, given_up = 0;  // the latter: threads that go on with what nobody waits for
  std::set<uint64_t> tickets;            // of those that wait, by when they came
  uint64_t next_ticket = 0;
  Clock::time_point progress;  // when the first of those that wait came, or a place was free since
  std::list<Kept> kept;        // last used first
  std::unordered_map<std::string, std::list<Kept>::iterator> kept_by_text;
  size_t kept_bytes = 0;
  std::optional<xgrammar::TokenizerInfo> info;  // once the first grammar is wanted
};

// One that waits, with the mutex locked at its beginning and end.
class Grammars::Waiting {
 public:
  explicit Waiting(Shared& shared) : ticket(shared.next_ticket++), shared_(shared) {
    if (shared.tickets.empty()) shared.progress = Shared::Clock::now();
    shared.tickets.insert(ticket);
  }
  ~Waiting() { shared_.tickets.erase(ticket); }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;

  const uint64_t ticket;

 private:
  Shared& shared_;
};

std::shared_ptr<const Grammar> Grammars::Shared::find(const std::string& text) {
  const auto found = kept_by_text.find(text);
  if (found == kept_by_text.end()) return nullptr;
  kept.splice(kept.begin(), kept, found->second);
  return found->second->constraint;
}

// One larger than the cache would drive out all others, and then itself.
void Grammars::Shared::keep(const std::string& text, const std::shared_ptr<const Grammar>& constraint, size_t bytes) {
  bytes += 2 * text.size();
  if (bytes > cache_bytes) return;
  kept.push_front({text, constraint, bytes});
  kept_by_text[text] = kept.begin();
  kept_bytes += kept.front().bytes;
  while (kept_bytes > cache_bytes) {
    kept_bytes -= kept.back().bytes;
    kept_by_text.erase(kept.back().text);
    kept.pop_back();
  }
}

// On a thread of its own. Running answers have the machine first, but for what others wait for under the mutex.
void Grammars::Shared::compile(const std::string& text, Job& job) {
  std::optional<Compiled> result;
  size_t bytes = 0;
  try {
    std::optional<xgrammar::TokenizerInfo> vocabulary;
    {
      const std::lock_guard lock(mutex);
      if (!info) info = tokenizer_info(tokenizer, vocab);
      vocabulary = info;
      job.time.emplace();
    }
    changed.notify_all();  // who ends the grammars waits for no more than this
    lower_this_threads_priority();
    xgrammar::GrammarCompiler compiler(*vocabulary, 1, false);
    const xgrammar::CompiledGrammar compiled = compiler.CompileGrammar(text);
    bytes = compiled.MemorySizeBytes();
    result = Compiled(std::make_shared<GrammarConstraint>(xgrammar::GrammarMatcher(compiled), vocab));
  } catch (const std::bad_alloc&) {
    result = Compiled(failure(ErrorCode::kResourceExhausted, "there is no memory for it"));
  } catch (const std::exception& error) {
    result = Compiled(failure(ErrorCode::kInvalidArgument, error.what()));
  }
  const std::lock_guard lock(mutex);
  if (result->ok()) keep(text, **result, bytes);
  job.result = std::move(result);
  progress = Clock::now();
  jobs.erase(text);
  (job.given_up ? given_up : compiling)--;
  changed.notify_all();
}

Grammars::Grammars(const Tokenizer& tokenizer, uint32_t vocab, GrammarsOptions options)
    : options_(options), shared_(std::make_shared<Shared>(tokenizer, vocab, options.cache_bytes)) {}

// Threads that still compile use the tokenizer at their beginning only, under the mutex.
Grammars::~Grammars() {
  std::unique_lock lock(shared_->mutex);
  shared_->changed.wait_for(lock, options_.deadline, [this] { return shared_->compiling == 0 || shared_->info; });
}

Grammars::Compiled Grammars::compile(const std::string& grammar) {
  const auto begin = Shared::Clock::now();
  {
    const std::lock_guard lock(shared_->mutex);
    if (std::shared_ptr<const Grammar> known = shared_->find(grammar)) return known;
  }
  const Permits::Lent lent;  // until after the lock
  std::unique_lock lock(shared_->mutex);
  if (std::shared_ptr<const Grammar> known = shared_->find(grammar)) return known;
  const Waiting waiting(*shared_);
  std::shared_ptr<Shared::Job> job;
  bool is_own = false;
  while (job == nullptr) {
    if (shared_->ended) return no_longer_awaited();
    const auto same = shared_->jobs.find(grammar);
    if (same != shared_->jobs.end()) {
      job = same->second;
    } else if (shared_->has_place(options_)) {
      job = std::make_shared<Shared::Job>();
      try {
        std::thread([shared = shared_, grammar, job] { shared->compile(grammar, *job); }).detach();
      } catch (const std::system_error&) {
        return Error{ErrorCode::kResourceExhausted, "the system has no thread to compile the grammar",
                     "try again later"};
      }
      shared_->jobs.emplace(grammar, job);
      shared_->compiling++;
      is_own = true;
    } else {
      const auto last = shared_->last_moment(waiting.ticket, begin + options_.deadline, options_);
      if (Shared::Clock::now() >= last) return others_compile();
      shared_->changed.wait_until(lock, last);
    }
  }
  // Whoever had it begun waits to its end.
  return shared_->wait(*job, lock, options_, begin, is_own ? std::nullopt : std::optional(waiting.ticket));
}

void Grammars::end_waits() {
  const std::lock_guard lock(shared_->mutex);
  shared_->ended = true;
  shared_->changed.notify_all();
}

// With the mutex locked. Nobody computes faster than the clock goes, so nothing is missed until it is looked at again.
Grammars::Compiled Grammars::Shared::wait(const Job& job, std::unique_lock<std::mutex>& lock,
                                          const GrammarsOptions& options, Clock::time_point begin,
                                          std::optional<uint64_t> ticket) {
  while (!job.result) {
    if (ended) return no_longer_awaited();
    const Clock::time_point now = Clock::now(), patience = begin + options.patience;
    const Clock::time_point last = ticket ? last_moment(*ticket, patience, options) : patience;
    const auto left = options.deadline - (job.time ? job.time->used() : std::chrono::nanoseconds(0));
    if (left <= std::chrono::nanoseconds(0)) {
      has_place(options);  // and who waits for one is told
      return Error{ErrorCode::kInvalidArgument,
                   fmt::format("the grammar takes more than {} s to compile", options.deadline.count() / 1000),
                   "ask for something simpler"};
    }
    if (now >= patience) {
      return Error{ErrorCode::kResourceExhausted, "the machine is too busy to compile the grammar", "try again later"};
    }
    if (now >= last) return others_compile();
    changed.wait_until(lock, std::min<Clock::time_point>(last, now + left));
  }
  return *job.result;
}

// With the mutex locked: whether another one may be compiled. Threads can't be stopped; those that have taken too long
// give others their place, as long as they are not many.
bool Grammars::Shared::has_place(const GrammarsOptions& options) {
  for (const auto& [text, job] : jobs) {
    const bool overdue = job->time && job->time->used() >= options.deadline;
    if (!overdue || job->given_up || given_up == options.max_compiling) continue;
    job->given_up = true;
    given_up++;
    compiling--;
    progress = Clock::now();
    changed.notify_all();
  }
  return compiling < options.max_compiling;
}

Grammars::Compiled Grammars::json_object() {
  GrammarText text;
  ASSIGN_OR_RETURN(const std::string grammar, text.finish(any_json_object(text)));
  return compile(grammar);
}

Grammars::Compiled Grammars::json_schema(const jinja::Value& schema) {
  GrammarText text;
  ASSIGN_OR_RETURN(const GrammarText::Expression root, json_schema_grammar(text, schema));
  ASSIGN_OR_RETURN(const std::string grammar, text.finish(root));
  return compile(grammar);
}

Grammars::Compiled Grammars::regex(std::string_view pattern) {
  ASSIGN_OR_RETURN(const GrammarText::Expression root, regex_grammar(pattern, RegexUse::kWholeText));
  ASSIGN_OR_RETURN(const std::string grammar, GrammarText().finish(root));
  return compile(grammar);
}

Result<GrammarText::Expression> choice_grammar(std::span<const std::string> texts) {
  std::vector<GrammarText::Expression> options;
  size_t bytes = 0;
  for (const std::string& text : texts) {
    bytes += text.size();
    if (text.empty() || !is_valid_utf8(text)) {
      return Error{ErrorCode::kInvalidArgument, "one of the choices is empty or not UTF-8", ""};
    }
    options.push_back(GrammarText::literal(text));
  }
  if (texts.empty() || texts.size() > kMaxChoices || bytes > kMaxChoiceBytes) {
    return Error{ErrorCode::kInvalidArgument,
                 fmt::format("there must be from 1 to {} choices, of {} KiB together at most", kMaxChoices,
                             kMaxChoiceBytes / 1024),
                 ""};
  }
  return GrammarText::choice(options);
}

Grammars::Compiled Grammars::choice(std::span<const std::string> texts) {
  ASSIGN_OR_RETURN(const GrammarText::Expression root, choice_grammar(texts));
  ASSIGN_OR_RETURN(const std::string grammar, GrammarText().finish(root));
  return compile(grammar);
}

Grammars::Compiled Grammars::ebnf(std::string_view grammar) {
  RETURN_IF_ERROR(check_ebnf(grammar));
  return compile(std::string(grammar));
}

}  // namespace ingle
