#include "engine/mask_worker.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "base/check.h"

namespace ingle {
namespace {

constexpr uint32_t kMaxThreads = 8;
constexpr std::chrono::milliseconds kHelpAfter{20};  // of waiting for a job that nobody has begun
constexpr std::chrono::seconds kLastWait{2};         // of the destructor, for threads that are still at work

}  // namespace

struct MaskWorker::Job {
  enum class State : uint8_t { kQueued, kRunning, kReady };

  std::unique_ptr<Constraint> constraint;
  std::optional<TokenId> picked;  // to be accepted first
  std::vector<uint32_t> mask;
  Status status;
  State state = State::kReady;  // guarded by Shared::mutex; the fields above belong to the thread while it runs
};

struct MaskWorker::Shared {
  std::mutex mutex;
  std::condition_variable work, done;
  std::deque<std::shared_ptr<Job>> queue;
  uint32_t threads = 0, idle = 0;
  bool stop = false;

  static void start_thread(const std::shared_ptr<Shared>& shared);
  void run();
};

// Under the mutex. Detached, since a thread may be stuck in a constraint when the engine ends; all it uses is its own.
void MaskWorker::Shared::start_thread(const std::shared_ptr<Shared>& shared) {
  shared->threads++;
  std::thread([shared] { shared->run(); }).detach();
}

void MaskWorker::Shared::run() {
  std::unique_lock lock(mutex);
  while (!stop) {
    if (queue.empty()) {
      if (idle > 0) break;  // one that waits is enough
      idle++;
      work.wait(lock, [this] { return stop || !queue.empty(); });
      idle--;
      continue;
    }
    const std::shared_ptr<Job> job = std::move(queue.front());
    queue.pop_front();
    job->state = Job::State::kRunning;
    lock.unlock();
    job->status = job->picked ? job->constraint->accept(*job->picked) : Status();
    if (job->status.ok()) job->status = job->constraint->allowed(job->mask);
    lock.lock();
    job->state = Job::State::kReady;
    done.notify_all();
  }
  threads--;
  done.notify_all();
}

MaskWorker::MaskWorker(uint32_t vocab, Milliseconds patience)
    : vocab_(vocab), patience_(patience), shared_(std::make_shared<Shared>()) {}

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
  job->mask.resize(mask_words(vocab_));
  enqueue(job);
  return job;
}

void MaskWorker::advance(const std::shared_ptr<Job>& job, TokenId token) {
  job->picked = token;
  enqueue(job);
}

void MaskWorker::enqueue(const std::shared_ptr<Job>& job) {
  const std::lock_guard lock(shared_->mutex);
  CHECK(job->state == Job::State::kReady);
  job->state = Job::State::kQueued;
  shared_->queue.push_back(job);
  if (shared_->threads == 0) Shared::start_thread(shared_);
  shared_->work.notify_one();
}

Result<std::span<const uint32_t>> MaskWorker::wait(const std::shared_ptr<Job>& job) {
  const auto deadline = std::chrono::steady_clock::now() + patience_;
  const auto ready = [&] { return job->state == Job::State::kReady; };
  std::unique_lock lock(shared_->mutex);
  while (!shared_->done.wait_until(lock, std::min(deadline, std::chrono::steady_clock::now() + kHelpAfter), ready)) {
    // The threads there are may be stuck with other jobs.
    const bool untouched = job->state == Job::State::kQueued;
    if (untouched && shared_->idle == 0 && shared_->threads < kMaxThreads) Shared::start_thread(shared_);
    if (std::chrono::steady_clock::now() < deadline) continue;
    if (untouched) std::erase(shared_->queue, job);
    return Error{ErrorCode::kResourceExhausted,
                 fmt::format("the grammar took more than {} ms to say which token may come next", patience_.count()),
                 "simplify it"};
  }
  lock.unlock();
  if (!job->status.ok()) return job->status.error();
  return std::span<const uint32_t>(job->mask);
}

}  // namespace ingle
