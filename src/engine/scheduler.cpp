#include "engine/scheduler.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/check.h"
#include "kv/window.h"

namespace ingle {
namespace {

// Prompt tokens in a step beyond which more of them cost no less each: reading the weights hides behind them.
constexpr uint32_t kWorthwhile = 64;

// Prompt tokens that are worth a turn, where others have used most of a step.
constexpr uint32_t kLeastSlice = 8;

// Of so many slices of an owner's prompts one is of the prompt that had none for longest, however much it has left.
constexpr uint32_t kRound = 4;

bool earlier(const Sequence* a, const Sequence* b) { return a->arrival < b->arrival; }

void insert_by_arrival(std::vector<Sequence*>& list, Sequence* sequence) {
  list.insert(std::lower_bound(list.begin(), list.end(), sequence, earlier), sequence);
}

// Who is admitted first and preempted last.
bool goes_before(const Sequence* a, const Sequence* b) {
  if (a->overdue() || b->overdue()) return a->overdue() && (!b->overdue() || earlier(a, b));
  if (a->priority != b->priority) return a->priority < b->priority;
  if (a->account->served != b->account->served) return a->account->served < b->account->served;
  return earlier(a, b);
}

// Whose prompt has the first slice of a step: turns go round between owners. Among an owner's prompts the one with the
// least to compute goes first, since that makes for the shortest waits, unless it is time for the one that had none for
// longest.
bool has_turn_before(const Sequence* a, const Sequence* b) {
  if (a->overdue() || b->overdue()) return a->overdue() && (!b->overdue() || earlier(a, b));
  if (a->priority != b->priority) return a->priority < b->priority;
  if (a->account->last_turn != b->account->last_turn) return a->account->last_turn < b->account->last_turn;
  if (a->account != b->account) return a->account->owner < b->account->owner;
  if (a->account->turns % kRound == kRound - 1 && a->last_turn != b->last_turn) return a->last_turn < b->last_turn;
  return a->pending() != b->pending() ? a->pending() < b->pending() : earlier(a, b);
}

// Whether the sequence's pooling takes the hidden state of this position, and has not had it before a preemption.
bool pools(const Sequence& sequence, uint32_t position) {
  if (position < sequence.delivered) return false;
  switch (*sequence.pooling) {
    case Pooling::kMean:
      return true;
    case Pooling::kFirst:
      return position == 0;
    case Pooling::kLast:
      break;
  }
  return position + 1 == sequence.prompt_tokens;
}

}  // namespace

Scheduler::Scheduler(const SchedulerOptions& options) : options_(options), kv_(options.pages, options.windows) {
  CHECK(options.prefill_chunk >= 1 && options.max_sequences >= 1);
}

Scheduler::~Scheduler() = default;

void Scheduler::add(Sequence* sequence) {
  CHECK(!sequence->tokens.empty() && sequence->tables.empty() && sequence->computed == 0);
  CHECK(pages_for(sequence->length()) <= options_.pages);
  sequence->account = shares_.join({sequence->cache_owner, sequence->user});
  shares_.wait(sequence->account);
  insert_by_arrival(waiting_, sequence);
}

void Scheduler::remove(Sequence* sequence) {
  // What was left of its prompt when it was given up. After a preemption nobody knows.
  if (sequence->admitted && sequence->preempted == 0 && sequence->computed < sequence->prompt_tokens) {
    shares_.refund(sequence->account, sequence->prompt_tokens - sequence->computed);
  }
  release(sequence);
  std::erase(running_, sequence);
  if (std::erase(waiting_, sequence) > 0) shares_.end_wait(sequence->account);
  shares_.leave(sequence->account);
  sequence->account = nullptr;
}

// Gives the pages back, by way of the prefix cache where the request allows it.
void Scheduler::release(Sequence* sequence) {
  drop_guesses(sequence);
  if (sequence->computed > 0 && caches(*sequence)) {
    kv_.remember_all(std::span(sequence->tokens).first(sequence->computed), sequence->tables, sequence->cache_owner);
  }
  kv_.release(sequence->tables);
  sequence->computed = 0;
}

bool Scheduler::caches(const Sequence& sequence) const { return options_.prefix_cache && sequence.use_prefix_cache; }

// Of a sequence that holds pages: makes its first tokens known to others.
void Scheduler::remember(Sequence* sequence, uint32_t tokens) {
  if (!caches(*sequence)) return;
  kv_.remember(std::span(sequence->tokens).first(tokens), sequence->tables, sequence->cache_owner);
}

void Scheduler::preempt(Sequence* sequence) {
  std::erase(running_, sequence);
  release(sequence);
  insert_by_arrival(waiting_, sequence);
  shares_.wait(sequence->account);
  sequence->preempted++;
  preemptions_++;
}

void Scheduler::admit() {
  while (!waiting_.empty() && running_.size() < options_.max_sequences) {
    const auto first = std::min_element(waiting_.begin(), waiting_.end(), goes_before);
    Sequence* const sequence = *first;
    if (!try_admit(sequence)) return;
    // Between owners of one priority fairness sees to it that everybody's turn comes.
    if (sequence->priority < waiting_.front()->priority) waiting_.front()->passed_over++;
    waiting_.erase(first);
    shares_.end_wait(sequence->account);
    insert_by_arrival(running_, sequence);
  }
}

// What may be found in the cache: at least the last token is computed, since its logits are needed.
std::span<const TokenId> Scheduler::cacheable(const Sequence& sequence) const {
  return std::span(sequence.tokens).first(caches(sequence) ? sequence.length() - 1 : 0);
}

// Gives the sequence its pages; there is room for them.
void Scheduler::begin(Sequence* sequence, const PrefixCache::Peek& known) {
  sequence->computed = kv_.begin(cacheable(*sequence), sequence->tables, sequence->cache_owner);
  CHECK(kv_.cover(sequence->tables, sequence->length(), sequence->computed + 1));
  sequence->parting = known.known * kPageTokens;
}

// Before its prompt's first slice: while it had a place without one, others may have computed what it begins with.
void Scheduler::look_again(Sequence* sequence) {
  const PrefixCache::Peek known = kv_.peek(cacheable(*sequence), sequence->cache_owner);
  if (known.pages <= sequence->computed / kPageTokens) return;
  const uint32_t had = sequence->computed;
  kv_.release(sequence->tables);
  begin(sequence, known);
  if (sequence->preempted > 0) return;
  shares_.refund(sequence->account, sequence->computed - had);
  sequence->cached_tokens = sequence->computed;
}

bool Scheduler::try_admit(Sequence* sequence) {
  const PrefixCache::Peek known = kv_.peek(cacheable(*sequence), sequence->cache_owner);
  if (!has_room(*sequence, known)) return false;
  begin(sequence, known);
  sequence->begun = false;
  sequence->last_turn = shares_.newcomers_turn();
  shares_.admit(*sequence->account);
  if (!sequence->admitted) {
    sequence->cached_tokens = sequence->computed;
    // At once, lest an owner gets many places before it is charged for the first.
    shares_.charge(sequence->account, sequence->prompt_tokens - sequence->computed, 0);
    sequence->charged = sequence->prompt_tokens;
  }
  sequence->admitted = true;
  return true;
}

// For what was generated; what is computed once more after a preemption is not counted again.
void Scheduler::charge(Sequence* sequence) {
  if (sequence->computed <= sequence->charged) return;
  shares_.charge(sequence->account, 0, sequence->computed - sequence->charged);
  sequence->charged = sequence->computed;
}

// Whether the newcomer would not soon cost one that runs its place.
bool Scheduler::has_room(const Sequence& newcomer, const PrefixCache::Peek& known) const {
  // One page of room for each that runs, lest the newcomer be preempted at once.
  const uint64_t needed = uint64_t{pages_for(newcomer.length())} - known.pages + running_.size();
  const uint64_t available = uint64_t{kv_.pool(0).free()} + kv_.pool(0).idle() - known.idle;
  if (needed > available) return false;
  // Windows are filled as the prompts are computed, and shared ones part.
  for (uint32_t g = 1; g < kv_.groups(); g++) {
    uint64_t resting = kv_.resting_pages(g, newcomer.length());
    for (const Sequence* running : running_) resting += kv_.resting_pages(g, running->length());
    if (resting > kv_.pool(g).size()) return false;
  }
  return true;
}

std::vector<Sequence*> Scheduler::in_order() const {
  std::vector<Sequence*> order = running_;
  std::sort(order.begin(), order.end(), goes_before);
  return order;
}

// Sees to it that every running sequence has the pages of its next token, in order.
void Scheduler::grow_running() {
  std::vector<Sequence*> order = in_order();
  for (size_t i = 0; i < order.size(); i++) {
    Sequence* sequence = order[i];
    const uint32_t next = std::min(sequence->computed + 1, sequence->length());
    while (i < order.size() && !kv_.cover(sequence->tables, sequence->length(), next)) {
      preempt(order.back());  // perhaps this one
      order.pop_back();
    }
  }
}

// By all that it had to compute since it came: what is left of a long prompt is no short one.
bool Scheduler::fits_burst(const Sequence& sequence) const {
  const uint32_t begin = std::min(sequence.cached_tokens, sequence.computed);
  return cost_of(sequence, begin, sequence.length() - begin) <= kBurstPrompt &&
         cost_of(sequence, sequence.computed, sequence.pending()) <= burst_left_;
}

// Of its tokens [begin, begin + tokens).
double Scheduler::cost_of(const Sequence& sequence, uint32_t begin, uint32_t tokens) const {
  return options_.prompt_cost.of(begin, tokens, sequence.all_prompt_logits);
}

// Beside answers whose prompts came together with those that are left, these may have whole steps, as far as they fit
// what is left of the burst and nobody more urgent is kept waiting: then they alone are in `prompts`, and `budget` is
// theirs.
bool Scheduler::goes_on_with_burst(double& budget, std::vector<Sequence*>& prompts) {
  const auto first_long = std::partition(prompts.begin(), prompts.end(),
                                         [this](const Sequence* sequence) { return fits_burst(*sequence); });
  const std::span<Sequence* const> fitting(prompts.begin(), first_long), too_long(first_long, prompts.end());
  const auto is_outranked = [&](const Sequence* sequence) {
    return std::any_of(too_long.begin(), too_long.end(),
                       [&](const Sequence* other) { return other->overdue() || other->priority < sequence->priority; });
  };
  if (budget >= options_.prefill_chunk || fitting.empty() ||
      std::any_of(fitting.begin(), fitting.end(), is_outranked)) {
    burst_left_ = 0;
    return false;
  }
  prompts.erase(first_long, prompts.end());
  budget = burst_left_;
  return true;
}

// How many of the prompt's next `most` tokens go into a step that has `used` of other prompts, where what is left may
// cost `budget`. 0 if that is too little to be worth a turn.
uint32_t Scheduler::slice_of(const Sequence& sequence, uint32_t most, double budget, uint32_t used) const {
  const uint32_t fitting = options_.prompt_cost.fitting(sequence.computed, budget, sequence.all_prompt_logits);
  if (fitting >= most) return most;
  if (used > 0 && fitting < kLeastSlice) return 0;
  return std::max(StepPacer::fill_tiles(fitting, step_.decoding + used), 1u);
}

// tokens[i] of running_[i] in this step: whole slices, as the turns are, which cost no more than the budget. Where no
// answer waits for the step, and in a burst, it ends with the first prompt that it completes, so that this one's answer
// begins at once.
void Scheduler::plan_prefill(double budget, std::vector<uint32_t>& tokens) {
  std::vector<Sequence*> prompts;
  std::copy_if(running_.begin(), running_.end(), std::back_inserter(prompts),
               [](const Sequence* sequence) { return sequence->pending() > 1; });
  const bool one_by_one = !options_.whole_prompts && (step_.answers() == 0 || goes_on_with_burst(budget, prompts));
  uint32_t used = 0;
  Sequence* const earliest = prompts.empty() ? nullptr : *std::min_element(prompts.begin(), prompts.end(), earlier);
  int32_t most_urgent = kMostPriority;
  while (used < options_.prefill_chunk && !prompts.empty()) {
    const auto first = std::min_element(prompts.begin(), prompts.end(), has_turn_before);
    Sequence* const sequence = *first;
    // None overtakes it: it would wait for ever.
    if (options_.whole_prompts && sequence->pending() > options_.prefill_chunk - used) break;
    if (!sequence->begun) look_again(sequence);
    const uint32_t computed = sequence->computed;
    const uint32_t most = std::min(sequence->pending(), options_.prefill_chunk - used);
    const uint32_t fitting = slice_of(*sequence, most, budget, used);
    if (fitting == 0) break;
    prompts.erase(first);
    sequence->begun = true;
    const uint32_t slice = kv_.stretch(sequence->tables, computed + fitting) - computed;
    const bool completed = slice == sequence->pending();
    tokens[std::lower_bound(running_.begin(), running_.end(), sequence, earlier) - running_.begin()] = slice;
    const double cost = cost_of(*sequence, computed, slice);
    // Who could not have all that it wanted leaves nothing.
    budget = fitting < most ? 0 : std::max(budget - cost, 0.0);
    step_.prompt_cost += cost;
    used += slice;
    sequence->last_turn = sequence->account->last_turn = shares_.next_turn();
    sequence->account->turns++;
    most_urgent = std::min(most_urgent, sequence->priority);
    if (completed && one_by_one && used >= kWorthwhile) break;
  }
  burst_left_ = step_.answers() == 0 ? kBurst : std::max(burst_left_ - step_.prompt_cost, 0.0);
  const bool had_none = std::find(prompts.begin(), prompts.end(), earliest) != prompts.end();
  if (had_none && most_urgent < earliest->priority) earliest->passed_over++;
}

void Scheduler::guess(Sequence* sequence, std::span<const TokenId> tokens) {
  CHECK(sequence->pending() == 1 && sequence->guesses == 0 && tokens.size() <= kMaxGuesses);
  size_t room = tokens.size();
  for (const PageTable& table : sequence->tables) {
    const size_t held = table.pages.size() * kPageTokens;
    room = std::min(room, held > sequence->length() ? held - sequence->length() : 0);
  }
  // By value: they may be a part of what grows.
  const std::vector<TokenId> guesses(tokens.begin(), tokens.begin() + static_cast<ptrdiff_t>(room));
  sequence->tokens.insert(sequence->tokens.end(), guesses.begin(), guesses.end());
  sequence->guesses = static_cast<uint32_t>(room);
}

void Scheduler::drop_guesses(Sequence* sequence) {
  sequence->tokens.resize(sequence->length());
  sequence->guesses = 0;
}

void Scheduler::append(Sequence* sequence, TokenId token) {
  if (sequence->guesses > 0 && sequence->tokens[sequence->length()] == token) {
    sequence->guesses--;
    remember_step(sequence, sequence->computed++);
    return;
  }
  drop_guesses(sequence);
  sequence->tokens.push_back(token);
}

const Step& Scheduler::next(const StepPacer& pacer) {
  step_.batch.tokens.clear();
  step_.batch.sequences.clear();
  step_.batch.output_rows.clear();
  step_.batch.hidden_rows.clear();
  step_.sequences.clear();
  step_.rows.clear();
  step_.hidden.clear();

  grow_running();
  admit();
  CHECK(!running_.empty() || waiting_.empty());  // a sequence alone always fits
  std::vector<uint32_t> tokens(running_.size(), 0);
  // One token left is a decode token, also where it ends a prompt: it costs a step no more.
  const auto decodes = [](const Sequence* sequence) { return sequence->pending() == 1; };
  step_.decoding = 0;
  step_.picking = 0;
  for (const Sequence* sequence : running_) {
    step_.decoding += decodes(sequence) ? 1 + sequence->guesses : 0;
    step_.picking += sequence->pending() == 0;
  }
  step_.prompt_cost = 0;
  plan_prefill(options_.whole_prompts ? StepPacer::kUnlimited : pacer.slice(step_.answers()), tokens);
  for (size_t i = 0; i < running_.size(); i++) {
    if (decodes(running_[i])) tokens[i] = 1 + running_[i]->guesses;
    if (tokens[i] > 0) record(running_[i], tokens[i]);
  }
  step_.batch.copies = kv_.copies();
  return step_;
}

void Scheduler::record(Sequence* sequence, uint32_t tokens) {
  Batch& batch = step_.batch;
  const auto first_token = static_cast<uint32_t>(batch.tokens.size());
  const uint32_t begin = sequence->computed, end = begin + tokens;
  batch.tokens.insert(batch.tokens.end(), sequence->tokens.begin() + begin, sequence->tokens.begin() + end);
  batch.sequences.push_back(
      {.first_token = first_token, .tokens = tokens, .position = begin, .tables = sequence->tables});
  step_.sequences.push_back(sequence);
  for (uint32_t position = begin; position < end; position++) {
    if (sequence->pooling) {
      if (!pools(*sequence, position)) continue;
      batch.hidden_rows.push_back(first_token + position - begin);
      step_.hidden.push_back({.sequence = sequence, .position = position});
      continue;
    }
    const OutputRow row = {
        .sequence = sequence,
        .position = position,
        .deliver = sequence->all_prompt_logits && position < sequence->prompt_tokens && position >= sequence->delivered,
        .sample = position + 1 >= sequence->length(),
    };
    if (!row.deliver && !row.sample) continue;
    batch.output_rows.push_back(first_token + position - begin);
    step_.rows.push_back(row);
  }
}

// What is worth remembering of a sequence that was computed up to `begin` before the step, while it has the pages.
void Scheduler::remember_step(Sequence* sequence, uint32_t begin) {
  const uint32_t end = sequence->computed;
  if (const uint32_t every = kv_.kept_every(); every > 0) {
    for (uint32_t tokens = begin / every * every + every; tokens <= end; tokens += every) remember(sequence, tokens);
    if (begin < sequence->parting && sequence->parting <= end) remember(sequence, sequence->parting);
  }
  // Others that wait with the same prompt find it at once.
  if (begin < sequence->prompt_tokens && end >= sequence->prompt_tokens) remember(sequence, end);
}

void Scheduler::commit() {
  kv_.copies_made();
  for (size_t i = 0; i < step_.sequences.size(); i++) {
    Sequence* sequence = step_.sequences[i];
    const uint32_t begin = sequence->computed;
    sequence->computed += step_.batch.sequences[i].tokens - sequence->guesses;
    if (sequence->all_prompt_logits || sequence->pooling) {
      sequence->delivered = std::max(sequence->delivered, std::min(sequence->computed, sequence->prompt_tokens));
    }
    charge(sequence);
    remember_step(sequence, begin);
    kv_.move_on(sequence->tables, sequence->computed);
  }
  step_.sequences.clear();
}

}  // namespace ingle
