#include "base/permits.h"

#include "base/check.h"

namespace ingle {
namespace {

thread_local Permits* mine = nullptr;  // whose permit the thread has

}  // namespace

void Permits::take() {
  std::unique_lock lock(mutex_);
  given_.wait(lock, [this] { return free_ > 0; });
  free_--;
}

void Permits::give() {
  const std::lock_guard lock(mutex_);
  free_++;
  given_.notify_one();
}

Permits::Work::Work(Permits& permits) : permits_(permits) {
  CHECK(mine == nullptr);
  permits_.take();
  mine = &permits_;
}

Permits::Work::~Work() {
  mine = nullptr;
  permits_.give();
}

Permits::Lent::Lent() : permits_(mine) {
  if (permits_ == nullptr) return;
  mine = nullptr;
  permits_->give();
}

Permits::Lent::~Lent() {
  if (permits_ == nullptr) return;
  permits_->take();
  mine = permits_;
}

}  // namespace ingle
