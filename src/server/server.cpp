#include "server/server.h"

#include <sys/resource.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>
#include <exception>
#include <list>
#include <vector>

#include "server/connection.h"

namespace ingle {

namespace asio = boost::asio;
using boost::system::error_code;
using tcp = asio::ip::tcp;

namespace {

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr std::chrono::milliseconds kPauseAfterFailure{100};
constexpr rlim_t kOtherFiles = 256;            // besides connections: the model's, the system's
constexpr std::chrono::seconds kLastWords{2};  // for what ends streams to be sent

// Each connection is an open file, of which a process may have 1024 on most systems until it asks for more. How many
// connections there may be, so that files are left for what else the server does.
uint32_t allow_connections(uint32_t wanted) {
  const rlim_t files = wanted + kOtherFiles;
  rlimit limit;
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return wanted;
  if (limit.rlim_cur < files) {
    limit.rlim_cur = std::min(files, limit.rlim_max);
    (void)::setrlimit(RLIMIT_NOFILE, &limit);
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return wanted;
  }
  const rlim_t others = std::min(kOtherFiles, limit.rlim_cur / 2);
  return static_cast<uint32_t>(std::clamp<rlim_t>(limit.rlim_cur - others, 1, wanted));
}

class Server {
 public:
  Server(const ServerOptions& options, Api& api)
      : options_(options),
        max_connections_(allow_connections(options.max_connections)),
        state_(options, api),
        signals_(state_.network),
        deadline_(state_.network) {
    state_.on_connection_end = [this] { end_if_done(); };
    // Before anyone is told that the server listens, and may want it to end.
    error_code ignored;
    signals_.add(SIGINT, ignored);
    signals_.add(SIGTERM, ignored);
  }

  ~Server() { state_.on_connection_end = nullptr; }
  Status listen();
  std::vector<std::string> urls() const;
  void run();

 private:
  Status listen_at(const tcp::endpoint& endpoint);
  asio::awaitable<void> accept_all(tcp::acceptor& acceptor);
  bool take_in(tcp::socket socket);
  bool end_an_idle_one();
  asio::awaitable<void> watch_signals();
  asio::awaitable<void> drain();
  void end_if_done();

  const ServerOptions& options_;
  const uint32_t max_connections_;
  ServerState state_;
  std::list<tcp::acceptor> acceptors_;
  asio::signal_set signals_;
  asio::steady_timer deadline_;
};

Error bind_error(const std::string& where, const error_code& error) {
  const bool taken = error == asio::error::address_in_use;
  return {ErrorCode::kIo, "can't listen at " + where + ": " + error.message(),
          taken ? "another server is there; --port takes another one" : ""};
}

std::string url_of(const tcp::endpoint& endpoint, bool tls) {
  const std::string address = endpoint.address().to_string();
  const std::string host = endpoint.address().is_v6() ? "[" + address + "]" : address;
  return (tls ? "https://" : "http://") + host + ":" + std::to_string(endpoint.port());
}

Status Server::listen_at(const tcp::endpoint& endpoint) {
  error_code error;
  tcp::acceptor acceptor(state_.network);
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(asio::socket_base::reuse_address(true), error);
  if (!error && endpoint.address().is_v6()) acceptor.set_option(asio::ip::v6_only(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) return bind_error(url_of(endpoint, options_.tls != nullptr), error);
  acceptors_.push_back(std::move(acceptor));
  return {};
}

// All addresses of the host's name: "localhost" may be two.
Status Server::listen() {
  std::string host = options_.host;
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  error_code error;
  tcp::resolver resolver(state_.network);
  const auto found = resolver.resolve(host, std::to_string(options_.port),
                                      tcp::resolver::passive | tcp::resolver::numeric_service, error);
  if (error) {
    return Error{ErrorCode::kInvalidArgument, "--host " + options_.host + ": " + error.message(),
                 "give an address of this machine, such as 127.0.0.1 or 0.0.0.0"};
  }
  std::optional<Error> first_error;
  for (const auto& entry : found) {
    tcp::endpoint endpoint = entry.endpoint();
    if (!acceptors_.empty()) endpoint.port(acceptors_.front().local_endpoint(error).port());
    const Status status = listen_at(endpoint);
    if (!status.ok() && !first_error) first_error = status.error();
  }
  if (!acceptors_.empty()) return {};
  return first_error.value_or(Error{ErrorCode::kIo, "can't listen at " + options_.host, ""});
}

std::vector<std::string> Server::urls() const {
  std::vector<std::string> out;
  for (const tcp::acceptor& acceptor : acceptors_) {
    error_code ignored;
    out.push_back(url_of(acceptor.local_endpoint(ignored), options_.tls != nullptr));
  }
  return out;
}

asio::awaitable<void> Server::accept_all(tcp::acceptor& acceptor) {
  while (acceptor.is_open()) {
    auto [error, socket] = co_await acceptor.async_accept(kAwait);
    if (error == asio::error::operation_aborted) co_return;
    if (!error && take_in(std::move(socket))) continue;
    if (error == asio::error::no_descriptors && end_an_idle_one()) continue;
    // Others on this machine may have all files, or all memory; not for ever.
    asio::steady_timer pause(state_.network, kPauseAfterFailure);
    co_await pause.async_wait(kAwait);
  }
}

// Beyond the limit, in the place of one that asks for nothing; if all do, it is closed at once: to wait for their ends
// would let slow ones shut everybody out. False where the system has nothing left for it.
bool Server::take_in(tcp::socket socket) {
  if (state_.connections.size() >= max_connections_ && !end_an_idle_one()) return true;
  try {
    std::make_shared<Connection>(std::move(socket), state_)->start();
    return true;
  } catch (const std::exception&) {  // of TLS, too
    return false;
  }
}

// The one that has asked for nothing the longest; false if there is none.
bool Server::end_an_idle_one() {
  Connection* longest = nullptr;
  for (Connection* connection : state_.connections) {
    if (!connection->is_idle()) continue;
    if (longest == nullptr || connection->idle_since() < longest->idle_since()) longest = connection;
  }
  if (longest != nullptr) longest->close();
  return longest != nullptr;
}

asio::awaitable<void> Server::watch_signals() {
  const auto [error, signal] = co_await signals_.async_wait(kAwait);
  if (error) co_return;
  const auto drain_it = [this]() -> asio::awaitable<void> { co_await drain(); };
  asio::co_spawn(state_.network, drain_it, asio::detached);
  const auto [second_error, second] = co_await signals_.async_wait(kAwait);
  if (!second_error) state_.network.stop();
}

asio::awaitable<void> Server::drain() {
  state_.draining = true;
  state_.api.drain();
  error_code ignored;
  for (tcp::acceptor& acceptor : acceptors_) acceptor.close(ignored);
  // Closing may end a connection, which leaves the set, at any later time but not now.
  for (Connection* connection : state_.connections) connection->drain();
  end_if_done();
  deadline_.expires_after(options_.drain_timeout);
  co_await deadline_.async_wait(kAwait);
  for (Connection* connection : state_.connections) connection->stop_answer();
  deadline_.expires_after(kLastWords);
  co_await deadline_.async_wait(kAwait);
  state_.network.stop();
}

void Server::end_if_done() {
  if (state_.draining && state_.connections.empty()) state_.network.stop();
}

void Server::run() {
  for (tcp::acceptor& acceptor : acceptors_) {
    const auto accept = [this, &acceptor]() -> asio::awaitable<void> { co_await accept_all(acceptor); };
    asio::co_spawn(state_.network, accept, asio::detached);
  }
  const auto watch = [this]() -> asio::awaitable<void> { co_await watch_signals(); };
  asio::co_spawn(state_.network, watch, asio::detached);
  state_.network.run();
  state_.api.end_waits();
  state_.handlers.stop();
  state_.handlers.join();
  for (Connection* connection : state_.connections) connection->stop_listening();
}

}  // namespace

Status run_server(const ServerOptions& options, Api& api,
                  const std::function<void(const std::string& url)>& on_listening) {
  try {
    Server server(options, api);
    RETURN_IF_ERROR(server.listen());
    for (const std::string& url : server.urls()) on_listening(url);
    server.run();
    return {};
  } catch (const boost::system::system_error& error) {
    return Error{ErrorCode::kIo, std::string("the network failed: ") + error.what(), ""};
  }
}

}  // namespace ingle
