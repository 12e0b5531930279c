#include "interrupts.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <utility>

namespace ingle {
namespace {

constexpr char kInterrupt = 'i';
constexpr char kEnd = 'e';

// A signal handler can reach nothing else than globals.
std::atomic<bool> interrupted{false};
std::atomic<int> pipe_write{-1};
pthread_t main_thread;

// Runs on the main thread, whose read of the terminal it is to wake; another thread that got the signal hands it on.
void on_interrupt(int) {
  const int saved_errno = errno;
  if (!::pthread_equal(::pthread_self(), main_thread)) {
    ::pthread_kill(main_thread, SIGINT);
  } else {
    interrupted = true;
    [[maybe_unused]] const ssize_t n = ::write(pipe_write, &kInterrupt, 1);
  }
  errno = saved_errno;
}

void set_handler(void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;  // without SA_RESTART: a read of the terminal has to return
  ::sigemptyset(&action.sa_mask);
  ::sigaction(SIGINT, &action, nullptr);
}

}  // namespace

Interrupts::Interrupts() {
  int ends[2];
  CHECK(::pipe(ends) == 0);
  for (const int fd : ends) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  pipe_read_ = ends[0];
  pipe_write = ends[1];
  main_thread = ::pthread_self();
  watcher_ = std::thread([this] { cancel_on_interrupt(); });
  set_handler(on_interrupt);
}

Interrupts::~Interrupts() {
  set_handler(SIG_DFL);
  const int write_end = pipe_write.exchange(-1);
  [[maybe_unused]] const ssize_t n = ::write(write_end, &kEnd, 1);
  watcher_.join();
  ::close(write_end);
  ::close(pipe_read_);
}

bool Interrupts::take() { return interrupted.exchange(false); }

void Interrupts::cancel_on_interrupt() {
  while (true) {
    char what = 0;
    const ssize_t n = ::read(pipe_read_, &what, 1);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0 || what == kEnd) return;
    const std::lock_guard lock(mutex_);
    if (stream_ != nullptr) stream_->cancel();
  }
}

Interrupts::Watch::Watch(Interrupts& interrupts, TokenStream& stream) : interrupts_(interrupts) {
  const std::lock_guard lock(interrupts_.mutex_);
  interrupts_.stream_ = &stream;
}

Interrupts::Watch::~Watch() {
  const std::lock_guard lock(interrupts_.mutex_);
  interrupts_.stream_ = nullptr;
}

}  // namespace ingle
