#include "server/connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/read.hpp>
#include <chrono>
#include <mutex>
#include <utility>

#include "server/digest.h"

namespace ingle {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;
using tcp = asio::ip::tcp;
using Clock = std::chrono::steady_clock;

namespace {

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr size_t kReadBytes = 16384;
constexpr uint32_t kMaxHeaderBytes = 32768;
constexpr size_t kMaxBufferedBytes = 131072;  // read ahead: headers, and what a client sends before its answer is there
constexpr std::chrono::seconds kLinger{2};
constexpr std::chrono::milliseconds kLookAfter{200};  // for a client's end that can't be read
constexpr size_t kLingerBytes = size_t{64} << 20;
constexpr std::chrono::milliseconds kLookForRoom{20};
constexpr uint64_t kSmallBodyBytes = 65536;  // is taken whatever bodies there are: large ones shut no small ones out
constexpr size_t kSlowestBytesPerS = 16384;  // of a client that reads its answer

// What to say of headers or a body that can't be read; 0: the client has gone or was too slow, and hears nothing.
unsigned status_of(const error_code& error) {
  if (error == http::error::body_limit) return 413;
  if (error == http::error::header_limit || error == http::error::buffer_overflow) return 431;
  if (error == http::error::end_of_stream || error == http::error::partial_message) return 0;
  return error.category() == http::make_error_code(http::error::bad_method).category() ? 400 : 0;
}

std::string describe(unsigned status, uint64_t max_body_bytes) {
  if (status == 413) return "the body is larger than " + std::to_string(max_body_bytes) + " bytes";
  if (status == 431) return "the headers are larger than " + std::to_string(kMaxHeaderBytes) + " bytes";
  return "the request is not HTTP";
}

// A client whose machine or network has gone says nothing. While it is owed nothing the system has to ask whether it is
// there, and sooner than its default of hours; while something is on its way, it must not be sent again for a quarter
// of an hour.
void notice_vanished(tcp::socket& socket, std::chrono::milliseconds timeout) {
  error_code ignored;
  socket.set_option(asio::socket_base::keep_alive(true), ignored);
  const auto set = [&](int option, int64_t value) {
    const int number = static_cast<int>(std::max<int64_t>(value, 1));
    (void)::setsockopt(socket.native_handle(), IPPROTO_TCP, option, &number, sizeof number);
  };
  constexpr int kQuestions = 3;
  const int64_t seconds = std::chrono::ceil<std::chrono::seconds>(timeout).count();
#ifdef TCP_KEEPIDLE
  set(TCP_KEEPIDLE, seconds / 2);
#else
  set(TCP_KEEPALIVE, seconds / 2);
#endif
  set(TCP_KEEPINTVL, seconds / 2 / kQuestions);
  set(TCP_KEEPCNT, kQuestions);
#ifdef TCP_USER_TIMEOUT
  set(TCP_USER_TIMEOUT, timeout.count());
#endif
}

// Assigning an empty one would keep the memory.
void free_text(std::string& text) { std::string().swap(text); }

}  // namespace

// Takes word from any thread to the connection, once per turn of the network thread. It does not keep it alive.
class Connection::Waker : public std::enable_shared_from_this<Waker> {
 public:
  Waker(asio::io_context& network, std::weak_ptr<Connection> connection)
      : network_(&network), connection_(std::move(connection)) {}
  void wake() {
    const std::lock_guard lock(mutex_);
    if (posted_ || network_ == nullptr) return;
    posted_ = true;
    asio::post(*network_, [self = shared_from_this()] { self->arrive(); });
  }
  void close() {
    const std::lock_guard lock(mutex_);
    network_ = nullptr;
  }

 private:
  void arrive() {
    {
      const std::lock_guard lock(mutex_);
      posted_ = false;
    }
    if (const std::shared_ptr<Connection> connection = connection_.lock()) connection->signal();
  }

  std::mutex mutex_;
  asio::io_context* network_;  // guarded by mutex_, as is the next
  bool posted_ = false;
  const std::weak_ptr<Connection> connection_;
};

Connection::Connection(tcp::socket socket, ServerState& server)
    : server_(server),
      stream_(std::move(socket), server.options.tls.get()),
      buffer_(kMaxBufferedBytes),
      news_timer_(server.network) {
  server_.connections.insert(this);
}

Connection::~Connection() {
  charge(0);
  server_.connections.erase(this);
  if (server_.on_connection_end) server_.on_connection_end();
}

void Connection::start() {
  waker_ = std::make_shared<Waker>(server_.network, weak_from_this());
  error_code ignored;
  stream_.socket().set_option(tcp::no_delay(true), ignored);
  notice_vanished(stream_.socket(), server_.options.vanished_timeout);
  stream_.socket().non_blocking(true, ignored);
  const auto run_it = [self = shared_from_this()]() -> asio::awaitable<void> { co_await self->run(); };
  asio::co_spawn(server_.network, run_it, asio::detached);
}

void Connection::drain() {
  draining_ = true;
  if (idle_) close();
}

void Connection::stop_answer() {
  stopping_ = true;
  signal();
}

void Connection::close() {
  error_code ignored;
  stream_.socket().close(ignored);
  client_gone_ = true;
  signal();
}

void Connection::stop_listening() {
  if (waker_) waker_->close();
}

asio::awaitable<void> Connection::run() {
  // A failure while an answer is written (no memory) ends this connection alone, and the answer's generation with it.
  try {
    bool more = true;
    if (stream_.is_tls()) more = co_await begin_tls();
    while (more && !draining_) more = co_await serve_one();
  } catch (const std::exception&) {
    answer_.reset();
    co_return close();
  }
  answer_.reset();
  if (stream_.is_tls()) co_await end_tls();
  close();
}

asio::awaitable<bool> Connection::begin_tls() {
  stream_.expires_after(server_.options.header_timeout);
  const auto [error] = co_await stream_.async_handshake(kAwait);
  co_return !error;
}

// Says that nothing follows, so that the client knows that nothing was cut off.
asio::awaitable<void> Connection::end_tls() {
  if (watching_) {
    stream_.cancel();
    const bool done = co_await wait_for_watch();
    if (!done) co_return;
  } else if (client_gone_) {
    co_return;
  }
  stream_.expires_after(kLinger);
  co_await stream_.async_shutdown(kAwait);
}

// Until what watches the client under TLS has ended; false if that takes too long.
asio::awaitable<bool> Connection::wait_for_watch() {
  const auto deadline = std::chrono::steady_clock::now() + server_.options.idle_timeout;
  while (watching_ && std::chrono::steady_clock::now() < deadline && stream_.socket().is_open()) {
    news_timer_.expires_at(deadline);
    co_await news_timer_.async_wait(kAwait);
  }
  co_return !watching_;
}

// False when the connection has to end.
asio::awaitable<bool> Connection::serve_one() {
  const bool arrived = co_await wait_for_request();
  if (!arrived) co_return false;
  Parser parser;
  const bool has_head = co_await read_head(parser);
  if (!has_head) co_return false;
  HttpRequest request = request_of(parser);
  if (const std::string fault = framing_fault(request); !fault.empty()) {
    HttpResponse response = server_.api.malformed(request, 400, fault);
    co_await send_last(std::move(response), request);
    co_return false;
  }
  std::optional<HttpResponse> refused = server_.api.refuse(request);
  const bool no_body = parser.is_done();
  if (refused && !no_body) {
    co_await send_last(std::move(*refused), request);
    co_return false;
  }
  const bool has_body = co_await read_body(parser, request);
  if (!has_body) co_return false;
  const bool keep_alive = parser.get().keep_alive();
  if (refused) {
    const bool sent = co_await send_whole(std::move(*refused), request, keep_alive);
    co_return sent&& keep_alive;
  }
  request.body = std::move(parser.get().body());
  co_await make_answer(request);
  free_text(request.body);
  charge(0);
  const bool sent = co_await send_answer(request, keep_alive);
  answer_.reset();
  co_return sent&& keep_alive;
}

asio::awaitable<bool> Connection::wait_for_request() {
  if (buffer_.size() > 0) co_return true;
  idle_ = true;
  idle_since_ = std::chrono::steady_clock::now();
  // Under TLS the read that watched the client goes on, and takes what comes next.
  if (stream_.is_tls() && watching_) {
    const bool done = co_await wait_for_watch();
    idle_ = false;
    co_return done && !client_gone_;
  }
  if (buffer_.capacity() > kReadBytes) buffer_.shrink_to_fit();  // what a large request left
  stream_.expires_after(server_.options.idle_timeout);
  const auto [error, bytes] = co_await stream_.async_read_some(buffer_.prepare(kReadBytes), kAwait);
  idle_ = false;
  if (error) co_return false;
  buffer_.commit(bytes);
  co_return true;
}

asio::awaitable<bool> Connection::read_head(Parser& parser) {
  parser.header_limit(kMaxHeaderBytes);
  parser.body_limit(server_.options.max_body_bytes);
  stream_.expires_after(server_.options.header_timeout);
  const auto [error, bytes] = co_await http::async_read_header(stream_, buffer_, parser, kAwait);
  if (!error) co_return true;
  if (const unsigned status = status_of(error); status != 0) {
    const HttpRequest request = request_of(parser);
    HttpResponse response = server_.api.malformed(request, status, describe(status, server_.options.max_body_bytes));
    co_await send_last(std::move(response), request);
  }
  co_return false;
}

asio::awaitable<bool> Connection::read_body(Parser& parser, const HttpRequest& request) {
  if (!parser.is_done() && equal_ignoring_case(request.header("Expect"), "100-continue")) {
    const bool sent = co_await write("HTTP/1.1 100 Continue\r\n\r\n");
    if (!sent) co_return false;
  }
  stream_.expires_after(server_.options.body_timeout);
  parser.eager(true);  // all chunks that are there in one go: tiny ones would take a turn of the thread each
  while (!parser.is_done()) {
    const auto [error, bytes] = co_await http::async_read_some(stream_, buffer_, parser, kAwait);
    std::optional<HttpResponse> refused;
    if (error) {
      const unsigned status = status_of(error);
      if (status == 0) co_return false;
      refused = server_.api.malformed(request, status, describe(status, server_.options.max_body_bytes));
    } else if (!charge(parser.get().body().size())) {
      refused = server_.api.malformed(request, 503, "the server is busy with other large requests");
    }
    if (refused) {
      free_text(parser.get().body());
      co_await send_last(std::move(*refused), request);
      co_return false;
    }
  }
  co_return true;
}

HttpRequest Connection::request_of(const Parser& parser) {
  HttpRequest request;
  request.method = std::string(parser.get().method_string());
  set_target(request, {parser.get().target().data(), parser.get().target().size()});
  request.version = parser.get().version();
  for (const auto& field : parser.get()) request.headers.emplace_back(field.name_string(), field.value());
  const std::string_view id = request.header("x-request-id");
  request.id = is_sane_id(id) ? std::string(id) : "req_" + random_id();
  request.wake = [waker = waker_] { waker->wake(); };
  return request;
}

// Counts the bytes that this connection holds, of a body or of what it sends, in place of those before; false if that
// is too much for all together. Few do not count, which the number of connections bounds; one alone may have more.
bool Connection::charge(uint64_t bytes) {
  const uint64_t counted = bytes <= kSmallBodyBytes ? 0 : bytes;
  server_.buffered_bytes -= charged_bytes_;
  server_.buffered_bytes += counted;
  charged_bytes_ = counted;
  return counted == 0 || server_.buffered_bytes <= std::max(server_.options.max_buffered_bytes, counted);
}

// Charges what is to be sent, when there is room for it; false if there is none for a while.
asio::awaitable<bool> Connection::charge_in_time(uint64_t bytes) {
  const auto deadline = Clock::now() + server_.options.write_timeout / 6;
  asio::steady_timer pause(server_.network);
  while (!charge(bytes)) {
    charge(0);
    if (Clock::now() >= deadline) co_return false;
    pause.expires_after(kLookForRoom);
    co_await pause.async_wait(kAwait);
  }
  co_return true;
}

asio::awaitable<void> Connection::make_answer(const HttpRequest& request) {
  stream_.expires_never();
  if (!server_.api.is_slow(request)) {
    answer_ = server_.api.handle(request);
    co_return;
  }
  const auto handle = [this, &request]() -> asio::awaitable<std::unique_ptr<Answer>> {
    const Permits::Work work(server_.permits);
    co_return server_.api.handle(request);
  };
  answer_ = co_await asio::co_spawn(server_.handlers, handle, asio::use_awaitable);
}

asio::awaitable<Answer::Part> Connection::take_part() {
  if (!answer_->is_slow()) co_return answer_->take();
  const auto take = [this]() -> asio::awaitable<Answer::Part> {
    const Permits::Work work(server_.permits);
    co_return answer_->take();
  };
  co_return co_await asio::co_spawn(server_.handlers, take, asio::use_awaitable);
}

// False when the client has gone or the answer ends with the connection.
asio::awaitable<bool> Connection::send_answer(const HttpRequest& request, bool keep_alive) {
  const bool head_only = request.method == "HEAD", old = request.version < 11;
  bool started = false;
  // Once it has begun. What counts is what was sent: of news there may be many that say nothing yet.
  Clock::time_point heartbeat_at = Clock::time_point::max();
  while (!client_gone_) {
    if (stopping_) answer_->stop();
    Answer::Part part = co_await take_part();
    std::string out;
    const bool silent = Clock::now() >= heartbeat_at;
    if (silent && part.more.empty() && !part.last) part.more = answer_->heartbeat();
    if (part.start && part.last) {
      part.start->body += part.more;
      const bool sent = co_await send_whole(std::move(*part.start), request, keep_alive);
      co_return sent;
    }
    if (part.start) {
      started = true;
      server_.api.count(request, part.start->status);
      out = head_text(*part.start, request.id,
                      {.length = {},
                       .chunked = !old,
                       .keep_alive = keep_alive && !old && !draining_,
                       .more = server_.api.common_headers(request)});
      part.more.insert(0, part.start->body);
    }
    if (!part.more.empty() && !head_only) out += old ? part.more : chunk_text(part.more);
    if (part.last && started && !old) out += chunk_text("");
    if (!out.empty()) {
      part.start.reset();  // while it is sent once is enough
      free_text(part.more);
      charge(out.size());  // whatever it is: what a stream has begun it goes on with
      const bool sent = co_await write(out);
      charge(0);
      if (!sent) co_return false;
    }
    if (part.last) co_return !old;
    if (silent || !out.empty()) heartbeat_at = Clock::now() + server_.options.heartbeat_interval;
    co_await wait_for_news(heartbeat_at);
  }
  co_return false;
}

asio::awaitable<bool> Connection::send_whole(HttpResponse response, const HttpRequest& request, bool keep_alive) {
  const bool has_room = co_await charge_in_time(response.body.size());  // beside what slow clients have not taken
  if (!has_room) {
    response = server_.api.malformed(request, 503, "the server is busy with other large answers");
  }
  server_.api.count(request, response.status);
  std::string out = head_text(response, request.id,
                              {.length = response.body.size(),
                               .chunked = false,
                               .keep_alive = keep_alive && !draining_,
                               .more = server_.api.common_headers(request)});
  if (request.method != "HEAD") out += std::exchange(response.body, {});
  const bool sent = co_await write(out);
  charge(0);
  co_return sent;
}

// For an answer before the request was read to its end: what still comes is taken for a while, since closing on it
// would have the client's system throw our answer away.
asio::awaitable<void> Connection::send_last(HttpResponse response, const HttpRequest& request) {
  const bool sent = co_await send_whole(std::move(response), request, false);
  if (sent) co_await linger();
}

asio::awaitable<void> Connection::linger() {
  error_code ignored;
  if (!stream_.is_tls()) stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
  stream_.expires_after(kLinger);
  std::array<char, kReadBytes> thrown_away;
  for (size_t taken = 0; taken < kLingerBytes;) {
    const auto [error, bytes] = co_await stream_.async_read_some(asio::buffer(thrown_away), kAwait);
    if (error) co_return;
    taken += bytes;
  }
}

// The client has the timeout's time for each piece that it takes, and has to be faster than kSlowestBytesPerS on the
// whole: what its answer holds is not there for others.
asio::awaitable<bool> Connection::write(const std::string& bytes) {
  const auto timeout = server_.options.write_timeout;
  const auto deadline = Clock::now() + timeout + std::chrono::seconds(bytes.size() / kSlowestBytesPerS);
  bool sent = true;
  for (asio::const_buffer rest = asio::buffer(bytes); sent && rest.size() > 0;) {
    stream_.expires_at(std::min<Clock::time_point>(deadline, Clock::now() + timeout));
    const auto [error, taken] = co_await stream_.async_write_some(rest, kAwait);
    rest += taken;
    sent = !error;
  }
  stream_.expires_never();
  co_return sent;
}

asio::awaitable<void> Connection::wait_for_news(Clock::time_point deadline) {
  watch();
  while (!has_news_ && !client_gone_ && Clock::now() < deadline) {
    news_timer_.expires_at(watching_ ? deadline : std::min(deadline, Clock::now() + kLookAfter));
    co_await news_timer_.async_wait(kAwait);
    if (!watching_ && has_hung_up()) client_gone_ = true;
  }
  has_news_ = false;
}

void Connection::signal() {
  has_news_ = true;
  news_timer_.cancel();
}

void Connection::watch() {
  if (watching_ || !stream_.socket().is_open()) return;
  if (stream_.is_tls()) return watch_tls();
  watching_ = true;
  stream_.socket().async_wait(tcp::socket::wait_read, [self = shared_from_this()](error_code) {
    self->watching_ = false;
    self->on_readable();
  });
}

// By reading, since what the socket has need not be the client's word. It reads one piece and no more: until it has
// ended, nobody else may read or use the buffer.
void Connection::watch_tls() {
  if (buffer_.size() > 0) return;
  watching_ = true;
  stream_.async_read_some(buffer_.prepare(kReadBytes), [self = shared_from_this()](error_code error, size_t bytes) {
    self->watching_ = false;
    self->buffer_.commit(bytes);
    if (error) self->client_gone_ = true;
    self->signal();
  });
}

// Whether the client has closed its side, where that can't be read, since it comes behind more than is read ahead.
bool Connection::has_hung_up() {
#ifdef POLLRDHUP
  constexpr short kEnd = POLLRDHUP;
#else
  constexpr short kEnd = 0;  // then only the end of both sides is seen
#endif
  pollfd state{.fd = stream_.socket().native_handle(), .events = kEnd, .revents = 0};
  return ::poll(&state, 1, 0) > 0 && (state.revents & (kEnd | POLLHUP | POLLERR)) != 0;
}

// Something came while an answer is in the making: the client's end, or its next request, which is kept.
void Connection::on_readable() {
  if (!answer_ || client_gone_) return;
  const size_t room = kMaxBufferedBytes - buffer_.size();
  if (room == 0) {
    news_timer_.cancel();  // whoever waits looks for the client's end from now on
    return;
  }
  error_code error;
  const size_t bytes = stream_.socket().read_some(buffer_.prepare(std::min(room, kReadBytes)), error);
  if (error && error != asio::error::would_block) {
    client_gone_ = true;
    signal();
    return;
  }
  buffer_.commit(bytes);
  watch();
}

}  // namespace ingle
