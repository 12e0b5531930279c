#include "engine/mailbox.h"

#include <iterator>
#include <utility>

namespace ingle {
namespace {

template <typename T>
void append(std::vector<T>& to, std::vector<T>& from) {
  to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

}  // namespace

void Mailbox::post(TokenEvent event) {
  {
    const std::lock_guard lock(mutex_);
    add(event);
  }
  announce();
}

void Mailbox::post_last(TokenEvent event, const RequestStats& stats) {
  {
    const std::lock_guard lock(mutex_);
    stats_ = stats;
    end_.finish = event.finish;
    end_.error = event.error;
    add(event);
  }
  announce();
}

void Mailbox::add(TokenEvent& event) {
  append(unread_.tokens, event.tokens);
  append(unread_.logprobs, event.logprobs);
  append(unread_.top_logprobs, event.top_logprobs);
  append(unread_.prompt_scores, event.prompt_scores);
  unread_.text += event.text;
  if (!event.embedding.empty()) unread_.embedding = std::move(event.embedding);
  unread_.finish = event.finish;
  unread_.stop = event.stop;
  unread_.error = std::move(event.error);
  has_unread_ = true;
}

void Mailbox::call(const std::function<void()>& callback) {
  const std::lock_guard lock(callback_);
  if (!cancelled()) callback();
}

void Mailbox::announce() {
  arrived_.notify_all();
  const std::lock_guard lock(callback_);
  if (on_event_) on_event_();
}

TokenEvent Mailbox::take() {
  std::unique_lock lock(mutex_);
  arrived_.wait(lock, [this] { return has_news(); });
  return take_news();
}

std::optional<TokenEvent> Mailbox::try_take() {
  const std::lock_guard lock(mutex_);
  if (!has_news()) return std::nullopt;
  return take_news();
}

TokenEvent Mailbox::take_news() {
  if (!has_unread_) return end_;
  has_unread_ = false;
  return std::exchange(unread_, {});
}

void Mailbox::close() {
  cancel();
  const std::lock_guard lock(callback_);
  on_event_ = nullptr;
}

RequestStats Mailbox::stats() const {
  const std::lock_guard lock(mutex_);
  return stats_;
}

}  // namespace ingle
