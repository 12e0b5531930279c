// What the engine's loop has to say to the reader of one answer, and the reader's wish to stop. Shared by both; any
// thread. What has not been read yet is kept as one event, so memory is bounded by the answer's length.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <utility>

#include "engine/request.h"

namespace ingle {

class Mailbox {
 public:
  // `on_event`, if set, is called after every post until close().
  explicit Mailbox(std::function<void()> on_event) : on_event_(std::move(on_event)) {}

  // The loop's side. An event with a finish is the last and comes with the stats.
  void post(TokenEvent event);
  void post_last(TokenEvent event, const RequestStats& stats);
  // Calls `callback` unless the reader has cancelled; close() waits for it.
  void call(const std::function<void()>& callback);
  bool cancelled() const { return cancelled_.load(std::memory_order_acquire); }

  // The reader's side.
  TokenEvent take();
  std::optional<TokenEvent> try_take();
  void cancel() { cancelled_.store(true, std::memory_order_release); }
  // cancel(), and no callback runs any more when it returns.
  void close();
  RequestStats stats() const;

 private:
  void add(TokenEvent& event);
  void announce();
  bool has_news() const { return has_unread_ || end_.finish != FinishReason::kNone; }
  TokenEvent take_news();

  std::atomic<bool> cancelled_{false};
  std::mutex callback_;             // held during a callback
  std::function<void()> on_event_;  // guarded by callback_; none once closed
  mutable std::mutex mutex_;
  std::condition_variable arrived_;
  TokenEvent unread_;
  bool has_unread_ = false;
  TokenEvent end_;  // finish and error of the last event, for those who go on asking
  RequestStats stats_;
};

}  // namespace ingle
