#include "engine/scheduler.h"

#include <algorithm>

#include "base/check.h"
#include "base/checked.h"

namespace ingle {
namespace {

uint32_t pages_for(uint32_t tokens) { return ceil_div(tokens, kPageTokens); }

bool earlier(const Sequence* a, const Sequence* b) { return a->arrival < b->arrival; }

void insert_by_arrival(std::vector<Sequence*>& list, Sequence* sequence) {
  list.insert(std::lower_bound(list.begin(), list.end(), sequence, earlier), sequence);
}

}  // namespace

Scheduler::Scheduler(const SchedulerOptions& options) : options_(options), pool_(options.pages), cache_(pool_) {
  CHECK(options.pages >= 1 && options.prefill_chunk >= 1 && options.max_sequences >= 1);
}

Scheduler::~Scheduler() = default;

void Scheduler::add(Sequence* sequence) {
  CHECK(!sequence->tokens.empty() && sequence->pages.empty() && sequence->computed == 0);
  CHECK(pages_for(sequence->length()) <= pool_.size());
  insert_by_arrival(waiting_, sequence);
}

void Scheduler::remove(Sequence* sequence) {
  release(sequence);
  std::erase(waiting_, sequence);
  std::erase(running_, sequence);
}

// Gives the pages back, by way of the prefix cache where the request allows it.
void Scheduler::release(Sequence* sequence) {
  remember(sequence);
  for (const PageId page : sequence->pages) pool_.release(page);
  sequence->pages.clear();
  sequence->computed = 0;
}

void Scheduler::remember(Sequence* sequence) {
  if (!options_.prefix_cache || !sequence->use_prefix_cache) return;
  cache_.insert(std::span(sequence->tokens).first(sequence->computed), sequence->pages);
}

std::optional<PageId> Scheduler::acquire_page() {
  if (pool_.free() == 0) cache_.evict_one();
  return pool_.acquire();
}

void Scheduler::preempt_latest() {
  Sequence* latest = running_.back();
  running_.pop_back();
  release(latest);
  insert_by_arrival(waiting_, latest);
  preemptions_++;
}

void Scheduler::admit() {
  while (!waiting_.empty() && running_.size() < options_.max_sequences && try_admit(waiting_.front())) {
    insert_by_arrival(running_, waiting_.front());
    waiting_.erase(waiting_.begin());
  }
}

bool Scheduler::try_admit(Sequence* sequence) {
  // At least the last token is computed, since its logits are needed.
  const bool use_cache = options_.prefix_cache && sequence->use_prefix_cache;
  const std::span<const TokenId> cacheable = std::span(sequence->tokens).first(use_cache ? sequence->length() - 1 : 0);
  const PrefixCache::Peek known = cache_.peek(cacheable);
  // One page of room for each that runs, lest the newcomer be preempted at once.
  const uint64_t needed = uint64_t{pages_for(sequence->length())} - known.pages + running_.size();
  const uint64_t available = uint64_t{pool_.free()} + pool_.idle() - known.idle;
  if (needed > available) return false;

  sequence->pages = cache_.match(cacheable);
  sequence->computed = known.pages * kPageTokens;
  if (!sequence->admitted) sequence->cached_tokens = sequence->computed;
  sequence->admitted = true;
  while (sequence->pages.size() < pages_for(sequence->length())) {
    const std::optional<PageId> page = acquire_page();
    CHECK(page.has_value());
    sequence->pages.push_back(*page);
  }
  return true;
}

// Sees to it that every running sequence has the page of its last token, the earliest first.
void Scheduler::grow_decoding() {
  for (size_t i = 0; i < running_.size(); i++) {
    Sequence* sequence = running_[i];
    while (i < running_.size() && sequence->pages.size() < pages_for(sequence->length())) {
      if (const std::optional<PageId> page = acquire_page()) {
        sequence->pages.push_back(*page);
      } else {
        preempt_latest();  // perhaps this one
      }
    }
  }
}

// tokens[i] of running_[i] in this step: whole slices, beginning after the sequence that had the last one.
void Scheduler::plan_prefill(std::vector<uint32_t>& tokens) {
  const size_t count = running_.size();
  const size_t first = std::upper_bound(running_.begin(), running_.end(), last_prefilled_,
                                        [](uint64_t arrival, const Sequence* s) { return arrival < s->arrival; }) -
                       running_.begin();
  uint32_t budget = options_.prefill_chunk;
  for (size_t k = 0; k < count && budget > 0; k++) {
    const size_t i = (first + k) % count;
    if (running_[i]->pending() == 1) continue;
    tokens[i] = std::min(running_[i]->pending(), budget);
    budget -= tokens[i];
    last_prefilled_ = running_[i]->arrival;
  }
}

const Step& Scheduler::next() {
  step_.batch.tokens.clear();
  step_.batch.sequences.clear();
  step_.batch.output_rows.clear();
  step_.sequences.clear();
  step_.rows.clear();

  grow_decoding();
  admit();
  CHECK(!running_.empty() || waiting_.empty());  // a sequence alone always fits
  std::vector<uint32_t> tokens(running_.size(), 0);
  plan_prefill(tokens);
  for (size_t i = 0; i < running_.size(); i++) {
    // One token left is a decode token, also where it ends a prompt: it costs a step no more.
    if (running_[i]->pending() == 1) tokens[i] = 1;
    if (tokens[i] > 0) record(running_[i], tokens[i]);
  }
  return step_;
}

void Scheduler::record(Sequence* sequence, uint32_t tokens) {
  Batch& batch = step_.batch;
  const auto first_token = static_cast<uint32_t>(batch.tokens.size());
  const uint32_t begin = sequence->computed, end = begin + tokens;
  batch.tokens.insert(batch.tokens.end(), sequence->tokens.begin() + begin, sequence->tokens.begin() + end);
  batch.sequences.push_back(
      {.first_token = first_token, .tokens = tokens, .position = begin, .pages = sequence->pages});
  step_.sequences.push_back(sequence);
  for (uint32_t position = begin; position < end; position++) {
    const OutputRow row = {
        .sequence = sequence,
        .position = position,
        .deliver =
            sequence->all_prompt_logits && position < sequence->prompt_tokens && position >= sequence->logits_delivered,
        .sample = position + 1 == sequence->length(),
    };
    if (!row.deliver && !row.sample) continue;
    batch.output_rows.push_back(first_token + position - begin);
    step_.rows.push_back(row);
  }
}

void Scheduler::commit() {
  for (size_t i = 0; i < step_.sequences.size(); i++) {
    Sequence* sequence = step_.sequences[i];
    const bool was_prefilling = sequence->computed < sequence->prompt_tokens;
    sequence->computed += step_.batch.sequences[i].tokens;
    if (sequence->all_prompt_logits) {
      sequence->logits_delivered =
          std::max(sequence->logits_delivered, std::min(sequence->computed, sequence->prompt_tokens));
    }
    // Others that wait with the same prompt find it at once.
    if (was_prefilling && sequence->computed >= sequence->prompt_tokens) remember(sequence);
  }
  step_.sequences.clear();
}

}  // namespace ingle
