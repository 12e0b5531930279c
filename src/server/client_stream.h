// The bytes of one client, plain or under TLS, with one set of timeouts for both. Network thread only. One read and one
// write may be under way at the same time. To Boost.Beast it is an AsyncReadStream and an AsyncWriteStream.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <optional>
#include <utility>

namespace ingle {

class ClientStream {
 public:
  using executor_type = boost::beast::tcp_stream::executor_type;

  // Under TLS if there is a context, which must outlive it.
  ClientStream(boost::asio::ip::tcp::socket socket, boost::asio::ssl::context* tls) : tcp_(std::move(socket)) {
    if (tls != nullptr) tls_.emplace(tcp_, *tls);
  }
  ClientStream(const ClientStream&) = delete;
  ClientStream& operator=(const ClientStream&) = delete;

  bool is_tls() const { return tls_.has_value(); }
  executor_type get_executor() { return tcp_.get_executor(); }
  boost::asio::ip::tcp::socket& socket() { return tcp_.socket(); }
  bool is_open() const { return tcp_.socket().is_open(); }
  // As those of boost::beast::tcp_stream; also the waits below count.
  template <typename Duration>
  void expires_after(Duration duration) {
    tcp_.expires_after(duration);
  }
  template <typename Time>
  void expires_at(Time time) {
    tcp_.expires_at(time);
  }
  void expires_never() { tcp_.expires_never(); }
  // Ends what is under way.
  void cancel() { tcp_.cancel(); }

  template <typename Buffers, typename Token>
  auto async_read_some(const Buffers& buffers, Token&& token) {
    if (tls_) return tls_->async_read_some(buffers, std::forward<Token>(token));
    return tcp_.async_read_some(buffers, std::forward<Token>(token));
  }
  template <typename Buffers, typename Token>
  auto async_write_some(const Buffers& buffers, Token&& token) {
    if (tls_) return tls_->async_write_some(buffers, std::forward<Token>(token));
    return tcp_.async_write_some(buffers, std::forward<Token>(token));
  }
  // Under TLS only.
  template <typename Token>
  auto async_handshake(Token&& token) {
    return tls_->async_handshake(boost::asio::ssl::stream_base::server, std::forward<Token>(token));
  }
  template <typename Token>
  auto async_shutdown(Token&& token) {
    return tls_->async_shutdown(std::forward<Token>(token));
  }

 private:
  boost::beast::tcp_stream tcp_;
  std::optional<boost::asio::ssl::stream<boost::beast::tcp_stream&>> tls_;
};

}  // namespace ingle
