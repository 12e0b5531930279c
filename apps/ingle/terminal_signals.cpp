#include "terminal_signals.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/select.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <utility>

#include "base/check.h"

namespace ingle {
namespace {

constexpr char kInterrupt = 'i';
constexpr char kEnd = 'e';
constexpr std::array kSignals{SIGINT, SIGWINCH, SIGCONT};

// A signal handler can reach nothing else than globals.
std::atomic<bool> interrupted{false};
std::atomic<bool> redraw{false};
std::atomic<int> pipe_write{-1};
pthread_t main_thread;

// Runs on the main thread, which it is to wake; another thread that got the signal hands it on.
void on_signal(int signal) {
  const int saved_errno = errno;
  if (!::pthread_equal(::pthread_self(), main_thread)) {
    ::pthread_kill(main_thread, signal);
  } else if (signal == SIGINT) {
    interrupted = true;
    [[maybe_unused]] const ssize_t n = ::write(pipe_write, &kInterrupt, 1);
  } else {
    redraw = true;
  }
  errno = saved_errno;
}

void set_handlers(void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;  // only wait_for_key() is to be woken
  ::sigemptyset(&action.sa_mask);
  for (const int signal : kSignals) ::sigaction(signal, &action, nullptr);
}

}  // namespace

TerminalSignals::TerminalSignals() {
  int ends[2];
  CHECK(::pipe(ends) == 0);
  for (const int fd : ends) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  pipe_read_ = ends[0];
  pipe_write = ends[1];
  main_thread = ::pthread_self();
  watcher_ = std::thread([this] { cancel_on_interrupt(); });
  set_handlers(on_signal);
}

TerminalSignals::~TerminalSignals() {
  set_handlers(SIG_DFL);
  const int write_end = pipe_write.exchange(-1);
  [[maybe_unused]] const ssize_t n = ::write(write_end, &kEnd, 1);
  watcher_.join();
  ::close(write_end);
  ::close(pipe_read_);
}

TerminalSignals::Event TerminalSignals::wait_for_key(int fd) {
  // The signals are held back but while pselect() sleeps: none can come between the look at the marks and the sleep.
  sigset_t held, open;
  ::sigemptyset(&held);
  for (const int signal : kSignals) ::sigaddset(&held, signal);
  ::pthread_sigmask(SIG_BLOCK, &held, &open);
  Event event = Event::kKey;
  while (true) {
    if (interrupted.exchange(false)) {
      event = Event::kInterrupt;
      break;
    }
    if (redraw.exchange(false)) {
      event = Event::kRedraw;
      break;
    }
    fd_set files;
    FD_ZERO(&files);
    FD_SET(fd, &files);
    // What fails otherwise fails again in the read, which tells it.
    if (::pselect(fd + 1, &files, nullptr, nullptr, nullptr, &open) >= 0 || errno != EINTR) break;
  }
  ::pthread_sigmask(SIG_SETMASK, &open, nullptr);
  return event;
}

void TerminalSignals::cancel_on_interrupt() {
  while (true) {
    char what = 0;
    const ssize_t n = ::read(pipe_read_, &what, 1);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0 || what == kEnd) return;
    const std::lock_guard lock(mutex_);
    if (stream_ != nullptr && interrupted) stream_->cancel();  // it may have been taken by a wait for a key
  }
}

TerminalSignals::Watch::Watch(TerminalSignals& signals, TokenStream& stream) : signals_(signals) {
  const std::lock_guard lock(signals_.mutex_);
  signals_.stream_ = &stream;
  if (interrupted) stream.cancel();
}

TerminalSignals::Watch::~Watch() {
  const std::lock_guard lock(signals_.mutex_);
  signals_.stream_ = nullptr;
  interrupted = false;
}

}  // namespace ingle
