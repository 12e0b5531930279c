// One client's connection: reads requests, sends answers, one after the other. Everything happens on the network
// thread but Api::handle(), which runs on a worker. It keeps itself alive while something is under way.
//
// While an answer is in the making the client is watched: one that leaves drops its answer, which cancels it. Every
// wait has an end: for the next request, its headers, its body, and the client's taking of what it is sent. A stream
// that has nothing to say, while its prompt waits or is computed, has a heartbeat.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "base/permits.h"
#include "server/client_stream.h"
#include "server/server.h"

namespace ingle {

class Connection;

// What all connections share; network thread.
struct ServerState {
  ServerState(const ServerOptions& given, Api& given_api)
      : options(given), api(given_api), network(1), handlers(given.max_handlers), permits(given.workers) {}

  const ServerOptions& options;
  Api& api;
  std::set<Connection*> connections;
  std::function<void()> on_connection_end;  // called after one has left the set
  uint64_t buffered_bytes = 0;              // of bodies that are read, and of what is sent
  bool draining = false;
  boost::asio::io_context network;  // after what its last handlers use as they die
  boost::asio::thread_pool handlers;
  Permits permits;  // of the handlers
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(boost::asio::ip::tcp::socket socket, ServerState& server);
  ~Connection();
  void start();

  // No further request; at once if none is under way.
  void drain();
  // Ends the answer that is under way.
  void stop_answer();
  void close();
  // Is open, and has not begun a request.
  bool is_idle() const { return idle_ && stream_.is_open(); }
  std::chrono::steady_clock::time_point idle_since() const { return idle_since_; }
  // The network thread has ended: the engine's word is not taken any more.
  void stop_listening();

 private:
  class Waker;
  using Parser = boost::beast::http::request_parser<boost::beast::http::string_body>;

  boost::asio::awaitable<void> run();
  boost::asio::awaitable<bool> serve_one();
  boost::asio::awaitable<bool> wait_for_request();
  boost::asio::awaitable<bool> read_head(Parser& parser);
  boost::asio::awaitable<bool> read_body(Parser& parser, const HttpRequest& request);
  boost::asio::awaitable<void> make_answer(const HttpRequest& request);
  boost::asio::awaitable<Answer::Part> take_part();
  boost::asio::awaitable<bool> send_answer(const HttpRequest& request, bool keep_alive);
  boost::asio::awaitable<bool> send_whole(HttpResponse response, const HttpRequest& request, bool keep_alive);
  boost::asio::awaitable<void> send_last(HttpResponse response, const HttpRequest& request);
  boost::asio::awaitable<bool> write(const std::string& bytes);
  boost::asio::awaitable<void> wait_for_news(std::chrono::steady_clock::time_point deadline);
  boost::asio::awaitable<void> linger();
  HttpRequest request_of(const Parser& parser);
  bool charge(uint64_t bytes);
  boost::asio::awaitable<bool> charge_in_time(uint64_t bytes);
  boost::asio::awaitable<bool> wait_for_watch();
  boost::asio::awaitable<bool> begin_tls();
  boost::asio::awaitable<void> end_tls();
  bool has_hung_up();
  void watch();
  void watch_tls();
  void on_readable();
  void signal();

  ServerState& server_;
  ClientStream stream_;
  boost::beast::flat_buffer buffer_;
  boost::asio::steady_timer news_timer_;  // cancelled when there are news
  std::shared_ptr<Waker> waker_;
  std::unique_ptr<Answer> answer_;
  uint64_t charged_bytes_ = 0;
  std::chrono::steady_clock::time_point idle_since_ = std::chrono::steady_clock::now();
  bool idle_ = true, draining_ = false, stopping_ = false;
  bool watching_ = false, has_news_ = false, client_gone_ = false;
};

}  // namespace ingle
