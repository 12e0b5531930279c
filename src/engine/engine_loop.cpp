#include "engine/engine_loop.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/thread_name.h"
#include "base/thread_pool.h"

namespace ingle {
namespace {

// While there is nothing to compute: how long a cancelled answer, and one whose mask takes too long, may go unseen.
constexpr std::chrono::milliseconds kLookAgainAfter{10};

class Stream final : public TokenStream {
 public:
  explicit Stream(std::shared_ptr<Mailbox> mailbox) : mailbox_(std::move(mailbox)) {}
  ~Stream() override { mailbox_->close(); }
  TokenEvent next() override { return mailbox_->take(); }
  std::optional<TokenEvent> try_next() override { return mailbox_->try_take(); }
  void cancel() override { mailbox_->cancel(); }
  RequestStats stats() const override { return mailbox_->stats(); }

 private:
  const std::shared_ptr<Mailbox> mailbox_;
};

TokenEvent end_event(FinishReason finish) {
  TokenEvent event;
  event.finish = finish;
  return event;
}

double milliseconds(std::chrono::steady_clock::duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

double seconds(std::chrono::steady_clock::duration duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace

EngineLoop::Active::Active(const Tokenizer& tokenizer, Request given)
    : request(std::move(given)),
      detokenizer(tokenizer, {.at_start = !request.continues_text}, request.shown_control),
      stops(request.stop),
      is_over(request.begin_end ? request.begin_end() : nullptr),
      mailbox(std::make_shared<Mailbox>(std::move(request.on_event))) {
  sequence.tokens = std::move(request.prompt);
  sequence.prompt_tokens = sequence.length();
  sequence.all_prompt_logits = request.on_prompt_logits != nullptr || request.prompt_logprobs;
  sequence.cache_owner = request.cache_owner;
  sequence.user = request.user;
  sequence.priority = request.priority;
  if (request.embedding) {
    sequence.pooling = request.embedding->pooling;
    pooler.emplace(*request.embedding);
  }
  // What is found in the cache has no logits and hidden states any more.
  const bool wants_all = sequence.all_prompt_logits || (sequence.pooling && sequence.pooling != Pooling::kLast);
  sequence.use_prefix_cache = request.use_prefix_cache && !wants_all;
}

EngineLoop::EngineLoop(const EngineLoopOptions& options, std::unique_ptr<Backend> backend, const Tokenizer& tokenizer)
    : options_(options),
      backend_(std::move(backend)),
      tokenizer_(tokenizer),
      eog_(tokenizer.eog_tokens()),
      scheduler_(options.scheduler),
      pacer_(options.max_step_ms),
      sampler_(options.vocab),
      masks_(options.vocab, options.mask_patience, [this] { note_mask(); }) {
  CHECK(options.context >= 1 && options.context <= uint64_t{options.scheduler.pages} * kPageTokens);
  metrics_.pages = options.scheduler.pages;
  thread_ = std::thread([this] { run(); });
}

EngineLoop::~EngineLoop() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    for (const auto& active : inbox_) active->mailbox->cancel();
  }
  wake_.notify_all();
  thread_.join();
}

Result<std::unique_ptr<TokenStream>> EngineLoop::submit(Request request) {
  RETURN_IF_ERROR(validate(request));
  if (request.embedding && !request.embedding->pooling) request.embedding->pooling = options_.pooling;
  auto active = std::make_unique<Active>(tokenizer_, std::move(request));
  active->submitted = Clock::now();
  // The last token needs no place in the context, but an answer that is cut there would be longer than it.
  const uint32_t room = std::max(options_.context - active->sequence.prompt_tokens, 1u);
  active->limit = active->request.max_tokens == 0 ? room : std::min(active->request.max_tokens, room);
  if (active->request.constraint) active->mask = masks_.begin(active->request.constraint->clone());
  auto stream = std::make_unique<Stream>(active->mailbox);
  {
    const std::lock_guard lock(mutex_);
    if (unfinished_ >= options_.scheduler.max_sequences + kMaxWaiting) {
      return Error{ErrorCode::kResourceExhausted, fmt::format("{} requests are waiting already", kMaxWaiting),
                   "try again later"};
    }
    unfinished_++;
    metrics_.submitted++;
    active->sequence.arrival = ++arrivals_;
    inbox_.push_back(std::move(active));
  }
  wake_.notify_one();
  return std::unique_ptr<TokenStream>(std::move(stream));
}

std::chrono::milliseconds EngineLoop::stalled_for() const {
  const Clock::rep last = last_progress_.load(std::memory_order_relaxed);
  if (last == 0) return {};
  return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now().time_since_epoch() - Clock::duration(last));
}

void EngineLoop::note_progress() {
  last_progress_.store(Clock::now().time_since_epoch().count(), std::memory_order_relaxed);
}

void EngineLoop::run() {
  name_this_thread("ingle-engine");
  set_default_float_environment();
  bool computed = false;
  while (take_requests(!computed)) {
    drop_cancelled();
    pick_kept();
    computed = run_step();
    if (computed) note_progress();
  }
  while (!active_.empty()) finish(*active_.back(), end_event(FinishReason::kCancelled));
}

// On a thread of masks_.
void EngineLoop::note_mask() {
  const std::lock_guard lock(mutex_);
  mask_came_ = true;
  wake_.notify_one();
}

// Waits if there is nothing else to do: for requests, and for masks if answers wait for theirs. False when the engine
// ends.
bool EngineLoop::take_requests(bool nothing_to_compute) {
  std::vector<std::unique_ptr<Active>> arrived;
  bool stop;
  {
    std::unique_lock lock(mutex_);
    if (scheduler_.idle()) {
      last_progress_.store(0, std::memory_order_relaxed);
      wake_.wait(lock, [this] { return stop_ || !inbox_.empty(); });
      note_progress();
    } else if (nothing_to_compute) {
      wake_.wait_for(lock, kLookAgainAfter, [this] { return stop_ || !inbox_.empty() || mask_came_; });
    }
    mask_came_ = false;
    arrived.swap(inbox_);
    stop = stop_;
  }
  for (auto& active : arrived) {
    scheduler_.add(&active->sequence);
    active_.push_back(std::move(active));
  }
  return !stop;
}

void EngineLoop::drop_cancelled() {
  for (size_t i = active_.size(); i-- > 0;) {
    if (active_[i]->mailbox->cancelled()) finish(*active_[i], end_event(FinishReason::kCancelled));
  }
}

// Between steps: the tokens whose masks have come since their logits.
void EngineLoop::pick_kept() {
  picked_.clear();
  grace_left_ = {};
  for (const auto& active : active_) {
    if (active->kept_logits.empty()) continue;
    if (pick_next(*active, active->sequence.length() - 1, active->kept_logits)) active->kept_logits.clear();
  }
  deliver_picked();
}

// Beside few tokens of answers a few guesses cost little, since the weights are read once for all; beside prompts every
// token costs.
void EngineLoop::guess() {
  const std::span<Sequence* const> running = scheduler_.running();
  const auto computes_prompt = [](const Sequence* sequence) { return sequence->pending() > 1 || sequence->pooling; };
  const auto decodes = [](const Sequence* sequence) { return sequence->pending() == 1; };
  if (!options_.speculate || scheduler_.waiting() > 0) return;
  if (std::any_of(running.begin(), running.end(), computes_prompt)) return;
  auto tokens = static_cast<uint32_t>(std::count_if(running.begin(), running.end(), decodes));
  if (tokens == 0 || tokens > kMaxGuesses) return;
  const uint32_t each = (Speculation::kMaxTokens - 1) / tokens;
  for (Sequence* sequence : running) {
    if (!decodes(sequence)) continue;
    tokens += guess(find(sequence), tokens, std::min(each, Speculation::kMaxTokens - tokens));
  }
}

// How many guesses of the answer's next tokens go into the step, which has `tokens` already.
uint32_t EngineLoop::guess(Active& active, uint32_t tokens, uint32_t most) {
  if (active.guessed > 0) {
    active.guess_record.observe(active.guessed, active.right_guesses);
  } else {
    active.guess_record.forget_some();
  }
  const uint32_t to_come = active.limit - active.generated - 1;  // behind the one that is picked without a guess
  uint32_t wanted = speculation_.best(tokens, active.guess_record, std::min(most, to_come));
  if (active.mask != nullptr && active.not_masked.empty()) wanted = 0;  // its mask is being worked out without guesses
  scheduler_.guess(&active.sequence, active.lookup.guess(active.sequence.known(), wanted));
  active.right_guesses = 0;
  return active.guessed = active.sequence.guesses;
}

// While the step is computed, the masks of the tokens that it brings are worked out.
void EngineLoop::begin_masks() {
  for (const auto& active : active_) {
    if (active->not_masked.empty() || !active->kept_logits.empty()) continue;
    std::span<const TokenId> guesses = std::span(active->sequence.tokens).subspan(active->sequence.length());
    const auto end = std::find_if(guesses.begin(), guesses.end(), [&](TokenId id) { return tokenizer_.is_eog(id); });
    guesses = guesses.first(static_cast<size_t>(end - guesses.begin()));
    masks_.advance(active->mask, std::exchange(active->not_masked, {}), guesses);
  }
}

// False if there was nothing to compute.
bool EngineLoop::run_step() {
  guess();
  begin_masks();
  const Step& step = scheduler_.next(pacer_);
  for (const auto& active : active_) {
    if (active->sequence.pending() > 0) active->kept_logits.clear();  // preempted: they are computed again
  }
  count_places();
  if (step.batch.tokens.empty()) return false;
  const Clock::time_point now = Clock::now();
  for (const Sequence* sequence : step.sequences) {
    Active& active = find(sequence);
    if (active.started != Clock::time_point{}) continue;
    active.started = now;
    metrics_.queue.observe(seconds(now - active.submitted));
    if (!options_.scheduler.prefix_cache || !sequence->use_prefix_cache) continue;
    metrics_.cache_queries += sequence->prompt_tokens;
    metrics_.cache_hits += sequence->cached_tokens;
  }
  picked_.clear();
  pooled_.clear();
  grace_left_ = options_.mask_grace;
  const auto take_logits = [&](uint32_t first, uint32_t rows, const float* logits) {
    for (uint32_t r = 0; r < rows; r++) {
      pick_row(step.rows[first + r], {logits + size_t{r} * options_.vocab, options_.vocab});
    }
  };
  const auto take_hidden = [&](uint32_t first, uint32_t rows, const float* hidden) {
    for (uint32_t r = 0; r < rows; r++) {
      pool_row(step.hidden[first + r], {hidden + size_t{r} * options_.hidden_width, options_.hidden_width});
    }
  };
  const Clock::time_point begin = options_.step_clock();
  backend_->execute(step.batch, take_logits, take_hidden);
  const Clock::duration waited = options_.mask_grace - grace_left_, took = options_.step_clock() - begin - waited;
  const uint32_t prompt_tokens = static_cast<uint32_t>(step.batch.tokens.size()) - step.decoding;
  pacer_.observe(step.decoding, prompt_tokens, step.prompt_cost, milliseconds(took));
  if (prompt_tokens == 0) speculation_.observe(step.decoding, milliseconds(took));
  count_step(step.batch.tokens.size(), took);
  scheduler_.commit();
  deliver_picked();
  for (const auto& active : active_) {
    if (!active->kept_logits.empty()) scheduler_.drop_guesses(&active->sequence);
  }
  for (Active* active : pooled_) deliver_embedding(*active);
  return true;
}

void EngineLoop::deliver_picked() {
  for (size_t i = 0; i < picked_.size(); i++) {
    const Active* const active = picked_[i].active;
    if (deliver(picked_[i])) continue;
    while (i + 1 < picked_.size() && picked_[i + 1].active == active) i++;  // what would have followed its end
  }
}

void EngineLoop::pool_row(const OutputRow& row, std::span<const float> hidden) {
  Active& active = find(row.sequence);
  active.pooler->add(hidden);
  // The first token's is all there is to come of an encoder's prompt, which is whole in the step.
  const bool last = row.position + 1 == row.sequence->prompt_tokens || row.sequence->pooling == Pooling::kFirst;
  if (last) pooled_.push_back(&active);
}

void EngineLoop::deliver_embedding(Active& active) {
  Result<std::vector<float>> embedding = active.pooler->finish();
  TokenEvent event = end_event(embedding.ok() ? FinishReason::kStop : FinishReason::kError);
  if (embedding.ok()) {
    metrics_.prompt_tokens += active.sequence.prompt_tokens;
    event.embedding = std::move(embedding).value();
  } else {
    event.error = embedding.error();
  }
  finish(active, std::move(event));
}

// False if that was the answer's end.
bool EngineLoop::deliver(Picked& picked) {
  Active& active = *picked.active;
  if (!picked.token.ok()) {
    TokenEvent event = end_event(FinishReason::kError);
    event.error = picked.token.error();
    finish(active, std::move(event));
    return false;
  }
  const TokenId token = *picked.token;
  count_token(active);
  scheduler_.append(&active.sequence, token);

  TokenEvent event;
  event.tokens.push_back(token);
  event.prompt_scores = std::exchange(active.prompt_scores, {});
  if (active.request.logprobs || active.request.top_logprobs > 0) {
    event.logprobs.push_back(picked.logprobs.token);
    event.top_logprobs.push_back(std::move(picked.logprobs.top));
  }
  const bool ends = tokenizer_.is_eog(token);
  if (!ends) {
    event.text = active.detokenizer.push(token);
    // Stop strings are looked for where the answer may end.
    if (active.generated > active.request.min_tokens) event.text = active.stops.push(event.text);
  }
  if (!ends && active.stops.match()) event.stop = static_cast<uint32_t>(active.stops.match()->index);
  const bool may_end = !active.request.ignore_eos && active.generated >= active.request.min_tokens;
  const bool is_over = active.is_over && active.is_over(event.text) && may_end;
  if (ends || event.stop || is_over) {
    event.finish = FinishReason::kStop;
  } else if (active.generated >= active.limit) {
    event.finish = FinishReason::kLength;
  }
  if (event.finish != FinishReason::kNone) {
    finish(active, std::move(event));
    return false;
  }
  if (active.mask != nullptr) active.not_masked.push_back(token);
  active.mailbox->post(std::move(event));
  return true;
}

void EngineLoop::count_step(size_t tokens, Clock::duration took) {
  metrics_.steps++;
  metrics_.step.observe(seconds(took));
  metrics_.step_length.observe(static_cast<double>(tokens));
}

void EngineLoop::count_places() {
  const PagePool& pool = scheduler_.kv().pool(0);
  metrics_.running = static_cast<uint32_t>(scheduler_.running().size());
  metrics_.preemptions = scheduler_.preemptions();
  metrics_.pages_held = pool.size() - pool.free() - pool.idle();
}

void EngineLoop::count_token(Active& active) {
  const Clock::time_point now = Clock::now();
  if (active.generated++ == 0) {
    active.first_token = now;
    metrics_.first_token.observe(seconds(now - active.submitted));
    metrics_.prefill.observe(seconds(now - active.started));
    metrics_.prompt_tokens += active.sequence.prompt_tokens;
  } else {
    metrics_.between_tokens.observe(seconds(now - active.last_token));
  }
  active.last_token = now;
  metrics_.generated_tokens++;
}

// Ends a request with its last event; what was held back of the text comes with it.
void EngineLoop::finish(Active& active, TokenEvent last) {
  if (!active.stops.match()) {
    last.text += active.stops.push(active.detokenizer.finish());
    last.text += active.stops.finish();
  }
  scheduler_.remove(&active.sequence);
  if (active.mask != nullptr) masks_.end(active.mask);
  RequestStats stats;
  stats.prompt_tokens = active.sequence.prompt_tokens;
  stats.cached_tokens = active.sequence.cached_tokens;
  stats.generated_tokens = active.generated;
  if (active.generated > 0) {
    stats.prompt_ms = milliseconds(active.first_token - active.started);
    stats.generation_ms = milliseconds(active.last_token - active.first_token);
    metrics_.decode.observe(stats.generation_ms / 1000);
    metrics_.inference.observe((stats.prompt_ms + stats.generation_ms) / 1000);
    if (active.generated > 1) {
      metrics_.mean_between_tokens.observe(stats.generation_ms / 1000 / (active.generated - 1));
    }
  }
  metrics_.request.observe(seconds(Clock::now() - active.submitted));
  if (active.request.max_tokens > 0) metrics_.answer_limit.observe(active.request.max_tokens);
  metrics_.prompt_length.observe(stats.prompt_tokens);
  metrics_.answer_length.observe(stats.generated_tokens);
  metrics_.count_end(last.finish);
  count_places();
  active.mailbox->post_last(std::move(last), stats);
  std::erase_if(active_, [&](const auto& a) { return a.get() == &active; });
  const std::lock_guard lock(mutex_);
  unfinished_--;
}

EngineLoop::Active& EngineLoop::find(const Sequence* sequence) {
  const auto found = std::lower_bound(active_.begin(), active_.end(), sequence->arrival,
                                      [](const auto& a, uint64_t arrival) { return a->sequence.arrival < arrival; });
  CHECK(found != active_.end() && &(*found)->sequence == sequence);
  return **found;
}

}  // namespace ingle
