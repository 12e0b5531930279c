#include "engine/mask_worker.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <iterator>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/thread_time.h"

namespace ingle {
namespace {

constexpr uint32_t kMaxThreads = 32;
constexpr std::chrono::milliseconds kLong{20};                // of CPU time, for an order's masks
constexpr std::chrono::milliseconds kHelpAfter{20};           // of waiting for a job that nobody has begun
constexpr std::chrono::milliseconds kLongestInQueue{20'000};  // of waiting for one that nobody begins
constexpr std::chrono::seconds kLastWait{2};                  // of the destructor, for threads that are still at work

// How long a job took for its last order. Threads at work on those that may take for ever are bounded by kind, so that
// neither new answers nor those that were slow before can take all of them.
enum class Pace : uint8_t { kQuick, kUnknown, kSlow };
constexpr uint32_t kMostAtWork[] = {kMaxThreads, 8, 8};

// `computed`: most of the time, so that it is no busy machine's fault.
Error takes_too_long(std::chrono::milliseconds most, bool computed) {
  return {computed ? ErrorCode::kInvalidArgument : ErrorCode::kResourceExhausted,
          fmt::format("the grammar took more than {} ms to say which token may come next", most.count()),
          "simplify it"};
}

Error busy() { return {ErrorCode::kResourceExhausted, "the server is busy with other grammars", "try again later"}; }

}  // namespace

// Guarded by Shared::mutex, but for what belongs to the thread while the job runs.
struct MaskWorker::Job {
  enum class State : uint8_t { kQueued, kRunning, kReady };
  // What the answer goes on with, and may go on with.
  struct Order {
    std::vector<TokenId> tokens, guesses;
  };

  Order order;                  // the next one
  uint32_t ready = 0;           // masks of the last order
  std::optional<Error> failed;  // why there are no more of them
  State state = State::kReady;
  bool has_new_order = false;  // while it runs
  bool ended = false;          // nobody wants more of it
  Pace pace = Pace::kUnknown;
  Clock::time_point began;         // the order that it is at work on
  std::optional<ThreadTime> time;  // of the thread, since then
  // Of the mask that is asked for and isn't there yet.
  std::optional<Clock::time_point> wanted;
  Clock::time_point help_at;
  // The thread's. Between orders the constraint has accepted their tokens, but none of the guesses.
  std::unique_ptr<Constraint> constraint;
  std::vector<std::vector<uint32_t>> masks;  // those that are ready may be read
  std::optional<Error> broken;               // the constraint can't be told any more
};

struct MaskWorker::Shared {
  std::mutex mutex;
  std::condition_variable work, done;
  std::deque<std::shared_ptr<Job>> queue;
  uint32_t threads = 0, idle = 0;
  uint32_t at_work[std::size(kMostAtWork)] = {};  // of the threads, by the pace of their jobs
  bool stop = false;
  std::function<void()> on_mask;

  static void start_thread(const std::shared_ptr<Shared>& shared);
  void run();
  uint32_t& at_work_on(Pace pace) { return at_work[static_cast<size_t>(pace)]; }
  bool may_begin(const Job& job) { return at_work_on(job.pace) < kMostAtWork[static_cast<size_t>(job.pace)]; }
  std::deque<std::shared_ptr<Job>>::iterator find_next();
  void work_on(const std::shared_ptr<Job>& job, std::unique_lock<std::mutex>& lock);
  void tell();
  void fulfil(Job& job, std::unique_lock<std::mutex>& lock);
  void enqueue(const std::shared_ptr<Job>& job);
};

// Under the mutex. Detached, since a thread may be stuck in a constraint when the engine ends. Where the system has no
// thread to give now, who waits tries again.
void MaskWorker::Shared::start_thread(const std::shared_ptr<Shared>& shared) {
  try {
    std::thread([shared] { shared->run(); }).detach();
    shared->threads++;
  } catch (const std::system_error&) {
  }
}

void MaskWorker::Shared::run() {
  std::unique_lock lock(mutex);
  while (!stop) {
    const auto next = find_next();
    if (next == queue.end()) {
      if (idle > 0) break;  // one that waits is enough
      idle++;
      work.wait(lock, [this] { return stop || find_next() != queue.end(); });
      idle--;
      continue;
    }
    const std::shared_ptr<Job> job = *next;
    queue.erase(next);
    work_on(job, lock);
  }
  threads--;
  done.notify_all();
}

// The first quick one in the queue, or else the first that may begin.
std::deque<std::shared_ptr<MaskWorker::Job>>::iterator MaskWorker::Shared::find_next() {
  const auto quick = std::ranges::find_if(queue, [](const auto& job) { return job->pace == Pace::kQuick; });
  return quick != queue.end() ? quick
                              : std::ranges::find_if(queue, [this](const auto& job) { return may_begin(*job); });
}

void MaskWorker::Shared::work_on(const std::shared_ptr<Job>& job, std::unique_lock<std::mutex>& lock) {
  job->time.emplace();
  job->began = Clock::now();
  job->state = Job::State::kRunning;
  at_work_on(job->pace)++;
  fulfil(*job, lock);
  at_work_on(job->pace)--;
  job->pace = job->time->used() > kLong ? Pace::kSlow : Pace::kQuick;
  job->state = Job::State::kReady;
  tell();
  if (std::exchange(job->has_new_order, false)) enqueue(job);
}

// Under the mutex, as the destructor says that it has begun.
void MaskWorker::Shared::tell() {
  done.notify_all();
  if (on_mask && !stop) on_mask();
}

// The masks of the job's order, one after the other, as long as somebody wants them, there is no other order and the
// engine is there, which constraints may use. Under the mutex, but for the constraint's work.
void MaskWorker::Shared::fulfil(Job& job, std::unique_lock<std::mutex>& lock) {
  const Job::Order order = std::move(job.order);
  while (job.masks.size() <= order.guesses.size()) job.masks.emplace_back(job.masks[0].size());
  const auto unlocked = [&lock](const auto& step) {
    lock.unlock();
    Status status = step();
    lock.lock();
    return status;
  };
  Status status = job.broken ? Status(*job.broken) : Status();
  const auto is_over = [&] { return job.ended || stop; };
  const auto is_wanted = [&] { return !job.has_new_order && !is_over(); };
  for (size_t i = 0; i < order.tokens.size() && status.ok() && !is_over(); i++) {
    status = unlocked([&] { return job.constraint->accept(order.tokens[i]); });
  }
  if (!status.ok()) job.broken = status.error();
  uint32_t accepted = 0;  // guesses
  while (status.ok() && is_wanted()) {
    std::vector<uint32_t>& mask = job.masks[accepted];
    status = unlocked([&] { return job.constraint->allowed(mask); });
    if (!status.ok() || !is_wanted()) break;
    job.ready = accepted + 1;
    tell();
    if (accepted == order.guesses.size() || !mask_has(mask, order.guesses[accepted])) break;
    status = unlocked([&] { return job.constraint->accept(order.guesses[accepted]); });
    if (status.ok()) accepted++;
  }
  if (!status.ok() && !job.has_new_order) job.failed = status.error();
  if (accepted == 0 || is_over()) return;
  const Status taken_back = unlocked([&] { return job.constraint->rollback(accepted); });
  if (!taken_back.ok()) job.broken = taken_back.error();
}

// Under the mutex.
void MaskWorker::Shared::enqueue(const std::shared_ptr<Job>& job) {
  job->state = Job::State::kQueued;
  queue.push_back(job);
  work.notify_one();
}

MaskWorker::MaskWorker(uint32_t vocab, Milliseconds patience, std::function<void()> on_mask)
    : vocab_(vocab), patience_(patience), shared_(std::make_shared<Shared>()) {
  shared_->on_mask = std::move(on_mask);
}

MaskWorker::~MaskWorker() {
  std::unique_lock lock(shared_->mutex);
  shared_->stop = true;
  shared_->queue.clear();
  shared_->work.notify_all();
  shared_->done.wait_for(lock, kLastWait, [this] { return shared_->threads == 0; });
}

std::shared_ptr<MaskWorker::Job> MaskWorker::begin(std::unique_ptr<Constraint> constraint) {
  auto job = std::make_shared<Job>();
  job->constraint = std::move(constraint);
  job->masks.emplace_back(mask_words(vocab_));
  advance(job, {}, {});
  return job;
}

void MaskWorker::advance(const std::shared_ptr<Job>& job, std::span<const TokenId> tokens,
                         std::span<const TokenId> guesses) {
  const std::lock_guard lock(shared_->mutex);
  CHECK(job->state != Job::State::kQueued && !job->has_new_order);
  job->order = {.tokens = {tokens.begin(), tokens.end()}, .guesses = {guesses.begin(), guesses.end()}};
  job->ready = 0;
  job->failed.reset();
  job->wanted.reset();
  if (job->state == Job::State::kRunning) {
    job->has_new_order = true;  // it is at work on guesses that came to nothing
    return;
  }
  if (shared_->threads == 0) Shared::start_thread(shared_);
  shared_->enqueue(job);
}

std::optional<Result<MaskWorker::Mask>> MaskWorker::wait(const std::shared_ptr<Job>& job, uint32_t guesses,
                                                         Clock::time_point until) {
  std::unique_lock lock(shared_->mutex);
  Clock::time_point now = Clock::now();
  if (!job->wanted) {
    job->wanted = now;
    job->help_at = now + kHelpAfter;
  }
  for (; job->ready <= guesses && job->state != Job::State::kReady; now = Clock::now()) {
    // What others' grammars take is not its own fault, and a guess that came to nothing is to end no answer.
    const bool begun = job->state == Job::State::kRunning;
    const Milliseconds most = begun && !job->has_new_order ? patience_ : kLongestInQueue;
    const Clock::time_point asked = begun ? std::max(*job->wanted, job->began) : *job->wanted;
    const Clock::time_point deadline = asked + most;
    if (now >= deadline) return begun ? takes_too_long(most, 2 * job->time->used() >= most) : busy();
    if (now >= job->help_at) help(*job);
    if (now >= until) {
      help(*job);  // the next step may take longer than the patience
      return std::nullopt;
    }
    shared_->done.wait_until(lock, std::min({until, deadline, job->help_at}));
  }
  job->wanted.reset();
  if (job->ready > guesses) return Mask(job->masks[guesses]);
  CHECK(job->failed);
  return *job->failed;
}

// Under the mutex. The threads there are may be stuck with other jobs.
void MaskWorker::help(Job& job) {
  job.help_at = Clock::now() + kHelpAfter;
  if (job.state != Job::State::kQueued || shared_->idle > 0 || shared_->threads == kMaxThreads) return;
  if (shared_->may_begin(job)) Shared::start_thread(shared_);
}

void MaskWorker::end(const std::shared_ptr<Job>& job) {
  const std::lock_guard lock(shared_->mutex);
  std::erase(shared_->queue, job);
  job->has_new_order = false;
  job->ended = true;
}

}  // namespace ingle
