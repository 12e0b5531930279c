#include "load/simulation.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "engine/page_audit_test.h"
#include "kv/window.h"

namespace ingle {
namespace {

template <typename List, typename Value>
bool contains(const List& list, const Value& value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

std::vector<TokenId> random_prompt(SimulatedChance& chance, uint32_t tokens) {
  // Few beginnings, so that prompts share pages, and part somewhere.
  std::vector<TokenId> prompt(tokens, static_cast<TokenId>(chance.below(2)));
  if (chance.one_in(2)) prompt[chance.below(tokens)] = 2;
  return prompt;
}

}  // namespace

uint32_t SimulatedChance::below(uint32_t n) {
  state_ += 0x9e3779b97f4a7c15u;
  uint64_t x = state_;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return static_cast<uint32_t>((x ^ (x >> 31)) % n);
}

SimulationPlan random_plan(uint64_t seed) {
  SimulatedChance chance(seed);
  SimulationPlan plan;
  SchedulerOptions& options = plan.scheduler;
  options.pages = 3 + chance.below(chance.one_in(2) ? 12 : 60);
  const uint32_t chunks[] = {1, 8, 32, 100, 512}, sizes[] = {1, 17, 32, 40, 100, 1000};
  options.windows.resize(chance.below(3));
  for (WindowPool& pool : options.windows) {
    pool.window = sizes[chance.below(6)];
    pool.pages = std::min(options.pages, resting_pages(pool.window)) + chance.below(3) * chance.below(10);
  }
  options.prefill_chunk = chunks[chance.below(5)];
  options.max_sequences = 1 + chance.below(12);
  options.prefix_cache = !chance.one_in(4);
  if (chance.one_in(2)) options.prompt_cost.doubling = 50 + chance.below(1000);
  plan.max_step_ms = chance.one_in(3) ? 0 : 100;
  plan.weights_ms = 1 + chance.below(60);
  plan.token_ms = 0.1 * (1 + chance.below(100));

  const uint32_t capacity = options.pages * kPageTokens, owners = 1 + chance.below(5);
  const uint32_t count = 5 + chance.below(chance.one_in(8) ? 200 : 60), pause_ms = 1 + chance.below(500);
  const bool priorities = chance.one_in(2);
  double now_ms = 0;
  for (uint32_t i = 0; i < count; i++) {
    SimulatedClient client;
    client.sequence = std::make_unique<Sequence>();
    Sequence& sequence = *client.sequence;
    sequence.arrival = i + 1;
    sequence.tokens = random_prompt(chance, 1 + chance.below(chance.one_in(3) ? capacity : std::min(capacity, 90u)));
    sequence.prompt_tokens = sequence.length();
    sequence.all_prompt_logits = chance.one_in(10);
    sequence.use_prefix_cache = !sequence.all_prompt_logits && !chance.one_in(6);
    sequence.user = chance.below(owners);
    sequence.cache_owner = chance.below(2);
    sequence.priority = priorities ? static_cast<int32_t>(chance.below(3)) - 1 : 0;
    client.answer_tokens = 1 + chance.below(std::min(capacity - sequence.length() + 1, 150u));
    // Some come at once, as a crowd does.
    if (!chance.one_in(3)) now_ms += chance.below(pause_ms);
    client.comes_ms = now_ms;
    if (chance.one_in(5)) client.leaves_ms = now_ms + 1 + chance.below(chance.one_in(2) ? 200 : 5000);
    if (chance.one_in(4)) {
      client.late_every = 1 + chance.below(5);
      client.late_ms = 1 + chance.below(chance.one_in(2) ? 20 : 1000);
    }
    if (chance.one_in(2)) client.guesses_of_ten = 1 + chance.below(10);
    plan.clients.push_back(std::move(client));
  }
  return plan;
}

Simulation::Simulation(SimulationPlan plan)
    : plan_(std::move(plan)), scheduler_(plan_.scheduler), pacer_(plan_.max_step_ms) {
  // If every step computed one token, and everything were computed as often as those who are not overdue yet may be
  // preempted, and again as often for those who are.
  for (const SimulatedClient& client : plan_.clients) {
    step_limit_ += uint64_t{client.sequence->prompt_tokens + client.answer_tokens} * (2 * kMostPreempted + 2);
  }
}

std::string Simulation::run() {
  while (fault_.empty() && (next_ < plan_.clients.size() || !present_.empty())) {
    come_and_leave();
    pick_late();
    step();
  }
  if (!fault_.empty()) return fault_;
  if (!scheduler_.idle()) return "somebody is left";
  for (uint32_t g = 0; g < scheduler_.kv().groups(); g++) {
    const PagePool& pool = scheduler_.kv().pool(g);
    if (pool.free() + pool.idle() != pool.size()) return fmt::format("group {}: pages are held for nobody", g);
  }
  uint64_t preempted = 0;
  for (const SimulatedClient& client : plan_.clients) preempted += client.sequence->preempted;
  if (preempted != scheduler_.preemptions()) return "preemptions were miscounted";
  if (finished_ + left_ != plan_.clients.size()) return "not everybody's end was seen";
  return "";
}

void Simulation::fault(const std::string& what) {
  if (fault_.empty()) fault_ = fmt::format("step {}, {} ms: {}", steps_, now_ms_, what);
}

SimulatedClient& Simulation::client_of(const Sequence* sequence) { return plan_.clients[sequence->arrival - 1]; }

void Simulation::come_and_leave() {
  if (present_.empty() && next_ < plan_.clients.size()) now_ms_ = std::max(now_ms_, plan_.clients[next_].comes_ms);
  for (; next_ < plan_.clients.size() && plan_.clients[next_].comes_ms <= now_ms_; next_++) {
    scheduler_.add(plan_.clients[next_].sequence.get());
    present_.push_back(next_);
  }
  for (size_t i = present_.size(); i-- > 0;) {
    const double leaves_ms = plan_.clients[present_[i]].leaves_ms;
    if (leaves_ms == 0 || leaves_ms > now_ms_) continue;
    end(i);
    left_++;
  }
  audit();
}

void Simulation::end(size_t index) {
  Sequence* sequence = plan_.clients[present_[index]].sequence.get();
  scheduler_.remove(sequence);
  if (!sequence->tables.empty()) fault("a sequence that has ended holds pages");
  present_.erase(present_.begin() + static_cast<ptrdiff_t>(index));
}

void Simulation::pick_late() {
  for (size_t i = present_.size(); i-- > 0;) {
    SimulatedClient& client = plan_.clients[present_[i]];
    if (client.sequence->pending() > 0) client.picks_ms = 0;  // it was preempted and is computed again
    if (client.picks_ms == 0 || client.picks_ms > now_ms_) continue;
    client.picks_ms = 0;
    append(client.sequence.get());
  }
}

// At the next tokens of some that decode, now and then wrong.
void Simulation::guess() {
  uint32_t room = kMaxGuesses;
  for (Sequence* sequence : scheduler_.running()) {
    const SimulatedClient& client = client_of(sequence);
    const uint32_t to_come = sequence->prompt_tokens + client.answer_tokens - sequence->length();
    if (client.guesses_of_ten == 0 || sequence->pending() != 1 || to_come <= 1) continue;
    std::vector<TokenId> tokens(std::min(room, to_come - 1));
    for (uint32_t i = 0; i < tokens.size(); i++) {
      const uint32_t position = sequence->length() + i;
      const bool wrong = (sequence->arrival * 7 + position * 3) % 10 >= client.guesses_of_ten;
      tokens[i] = (token_at(*sequence, position) + wrong) % 3;
    }
    scheduler_.guess(sequence, tokens);
    room -= sequence->guesses;
  }
}

// There is nothing to compute for those who have a place before their tokens are picked.
void Simulation::wait_for_late() {
  if (scheduler_.running().empty()) return fault("nothing is done though somebody waits");
  double first_ms = std::numeric_limits<double>::infinity();
  for (const Sequence* running : scheduler_.running()) {
    if (running->pending() > 0) return fault("nothing is done though there is something to compute");
    first_ms = std::min(first_ms, client_of(running).picks_ms);
  }
  now_ms_ = first_ms;
}

void Simulation::step() {
  if (present_.empty()) return;
  const Before before = look();
  guess();
  const Step& step = scheduler_.next(pacer_);
  audit();
  check_victims(before);
  check_order(before);
  check_passes(before);
  check_step(step);
  check_turns(step);
  if (step.batch.tokens.empty()) return wait_for_late();
  if (++steps_ > step_limit_) return fault("it does not come to an end");
  const double ms = std::max(plan_.weights_ms, plan_.token_ms * (step.decoding + step.prompt_cost));
  const auto prompt_tokens = static_cast<uint32_t>(step.batch.tokens.size()) - step.decoding;
  pacer_.observe(step.decoding, prompt_tokens, step.prompt_cost, ms);
  now_ms_ += ms;
  const std::vector<OutputRow> rows = step.rows;
  scheduler_.commit();
  answer(rows);
  audit();
}

void Simulation::answer(const std::vector<OutputRow>& rows) {
  const Sequence* last = nullptr;
  for (const OutputRow& row : rows) {
    SimulatedClient& client = client_of(row.sequence);
    if (row.deliver && client.delivered++ != row.position) fault("a prompt's logits come twice or in the wrong order");
    if (!row.sample) continue;
    const bool first = std::exchange(last, row.sequence) != row.sequence;
    // Behind the end, a late token or a wrong guess nothing counts.
    const bool counts = !row.sequence->tables.empty() && client.picks_ms == 0 && row.sequence->pending() == 0;
    if (first && !counts) fault("a token is to be picked too early");
    if (!counts) continue;
    if (row.position + 1 != row.sequence->length()) fault("a row of another position");
    if (client.late_every > 0 && row.position % client.late_every == 0) {
      client.picks_ms = now_ms_ + client.late_ms;
      scheduler_.drop_guesses(row.sequence);
      late_++;
    } else {
      append(row.sequence);
    }
  }
}

// Any text will do, but the same whenever it is computed again.
TokenId Simulation::token_at(const Sequence& sequence, uint32_t position) const {
  return static_cast<TokenId>((sequence.arrival * 31 + position) % 3);
}

void Simulation::append(Sequence* sequence) {
  const uint32_t guesses = sequence->guesses;
  scheduler_.append(sequence, token_at(*sequence, sequence->length()));
  if (guesses > 0) (sequence->guesses > 0 || sequence->pending() == 0 ? right_guesses_ : wrong_guesses_)++;
  const SimulatedClient& client = client_of(sequence);
  if (sequence->length() < sequence->prompt_tokens + client.answer_tokens) return;
  if (client.delivered != (sequence->all_prompt_logits ? sequence->prompt_tokens : 0)) {
    fault("not all of a prompt's logits have come");
  }
  end(static_cast<size_t>(std::find(present_.begin(), present_.end(), sequence->arrival - 1) - present_.begin()));
  finished_++;
}

bool Simulation::Before::was_running(const Sequence* sequence) const { return contains(running, sequence); }

bool Simulation::Before::was_overdue(const Sequence* sequence) const { return contains(overdue, sequence->arrival); }

Simulation::Before Simulation::look() const {
  Before before;
  before.running.assign(scheduler_.running().begin(), scheduler_.running().end());
  for (const size_t i : present_) {
    const Sequence* sequence = plan_.clients[i].sequence.get();
    if (sequence->overdue()) before.overdue.push_back(sequence->arrival);
    if (sequence->tables.empty()) before.waiting.push_back(sequence);
  }
  return before;
}

// Who was admitted goes before everybody who still waits.
void Simulation::check_order(const Before& before) {
  for (const Sequence* admitted : scheduler_.running()) {
    if (before.was_running(admitted) || admitted->overdue()) continue;
    for (const size_t i : present_) {
      const Sequence* other = plan_.clients[i].sequence.get();
      if (!other->tables.empty()) continue;
      if (other->priority < admitted->priority) fault("a more urgent one was left waiting");
      if (before.was_overdue(other)) fault("an overdue one was left waiting");
      const bool same_owner = other->account == admitted->account && other->priority == admitted->priority;
      if (same_owner && other->arrival < admitted->arrival) fault("an owner's earlier one was left waiting");
    }
  }
}

// Who lost its pages comes after everybody who kept them.
void Simulation::check_victims(const Before& before) {
  for (const Sequence* victim : before.running) {
    if (contains(scheduler_.running(), victim)) continue;
    for (const Sequence* kept : scheduler_.running()) {
      if (!before.was_running(kept) || before.was_overdue(kept)) continue;
      if (before.was_overdue(victim)) fault("an overdue one was preempted before others");
      if (kept->priority > victim->priority) fault("a more urgent one was preempted");
    }
  }
}

// The one that has waited longest is not passed over for ever.
void Simulation::check_passes(const Before& before) {
  const Sequence* longest = before.waiting.empty() ? nullptr : before.waiting.front();
  for (const Sequence* victim : before.running) {
    if (contains(scheduler_.running(), victim)) continue;
    if (longest == nullptr || victim->arrival < longest->arrival) longest = victim;
  }
  if (longest == nullptr || !longest->tables.empty()) return;
  SimulatedClient& client = client_of(longest);
  for (const Sequence* admitted : scheduler_.running()) {
    if (!before.was_running(admitted) && admitted->priority < longest->priority) client.passes++;
  }
  most_passes_ = std::max(most_passes_, client.passes);
  if (client.passes > kMostPassedOver) fault("one was passed over too often");
}

void Simulation::check_step(const Step& step) {
  uint32_t prompt_tokens = 0;
  double longest = 0;  // cost of the prompts' slices
  for (const Sequence* running : scheduler_.running()) {
    if (running->pending() == 1 && !contains(step.sequences, running)) fault("an answer stands still");
  }
  for (size_t i = 0; i < step.sequences.size(); i++) {
    const BatchSequence& part = step.batch.sequences[i];
    const Sequence& sequence = *step.sequences[i];
    if (sequence.pending() > 1) {
      prompt_tokens += part.tokens;
      longest = std::max(longest, plan_.scheduler.prompt_cost.of(part.position, part.tokens));
    }
    if (part.position != sequence.computed) fault("a sequence goes on elsewhere than it stopped");
    const auto first = step.batch.tokens.begin() + part.first_token;
    if (!std::equal(first, first + part.tokens, sequence.tokens.begin() + part.position)) fault("other tokens");
    for (uint32_t j = part.position / kPageTokens; j <= (part.position + part.tokens - 1) / kPageTokens; j++) {
      for (uint32_t g = 0; g < scheduler_.kv().groups(); g++) {
        if (scheduler_.kv().pool(g).references(part.tables[g].pages[j]) != 1) fault("a shared page is written");
      }
    }
  }
  if (prompt_tokens > plan_.scheduler.prefill_chunk) fault("more of the prompts than a step may have");
  if (step.answers() == 0) burst_left_ = kBurst;
  if (prompt_tokens > 1 && step.prompt_cost > pacer_.slice(step.answers())) {
    if (step.prompt_cost > burst_left_ + 1e-6) fault("more of the prompts than the pacer allows");
    if (longest > kBurstPrompt) fault("answers wait for a long prompt");
    burst_left_ -= step.prompt_cost;
  }
}

// Slices go to the more urgent prompts first; among the others they go round between owners, and of an owner's every
// fourth goes round between its prompts.
void Simulation::check_turns(const Step& step) {
  const uint32_t most = 4 * 2 * plan_.scheduler.max_sequences * (plan_.scheduler.max_sequences + 1);
  for (Sequence* prompt : scheduler_.running()) {
    SimulatedClient& client = client_of(prompt);
    if (prompt->passed_over > kMostPassedOver) fault("a prompt was passed over too often");
    if (prompt->pending() <= 1 || contains(step.sequences, prompt)) {
      client.turns_lost = 0;
      continue;
    }
    for (const Sequence* other : step.sequences) {
      if (other->pending() == 1 || other->overdue()) continue;
      if (other->priority > prompt->priority) fault("a less urgent prompt had a slice");
      client.turns_lost += other->priority == prompt->priority;
    }
    if (client.turns_lost > most) fault("a prompt does not get its turn");
  }
}

void Simulation::audit() {
  std::vector<const Sequence*> sequences;
  for (const size_t i : present_) sequences.push_back(plan_.clients[i].sequence.get());
  if (const std::string found = audit_pages(scheduler_, sequences); !found.empty()) fault(found);
}

}  // namespace ingle
