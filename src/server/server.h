// Listens and answers: one thread for all connections, a few workers for what takes time (parsing, templates,
// tokenizing); the engine's thread only ever tells that there is news. A connection costs no thread.
#pragma once

#include <boost/asio/ssl/context.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "server/api.h"

namespace ingle {

struct ServerOptions {
  using Milliseconds = std::chrono::milliseconds;

  std::string host = "127.0.0.1";
  uint16_t port = 11434;                           // 0: one that is free
  std::shared_ptr<boost::asio::ssl::context> tls;  // plain HTTP without
  uint32_t workers = 2;                            // requests read and prompts made at the same time
  uint32_t max_handlers = 16;       // at the same time, with those that wait for a grammar to be compiled
  uint32_t max_connections = 4096;  // fewer where the system allows fewer open files
  uint64_t max_body_bytes = uint64_t{16} << 20;
  // Of the bodies of all requests, and of what clients have not taken of their answers, together; small ones aside.
  uint64_t max_buffered_bytes = uint64_t{256} << 20;
  Milliseconds idle_timeout{120'000};       // between two requests of a connection
  Milliseconds header_timeout{15'000};      // from a request's first byte to the last of its headers
  Milliseconds body_timeout{60'000};        // for the whole body
  Milliseconds write_timeout{30'000};       // for the client to take what it is sent
  Milliseconds heartbeat_interval{10'000};  // of a stream that has nothing to say
  Milliseconds vanished_timeout{60'000};    // for the client's machine to answer ours; whole seconds
  Milliseconds drain_timeout{30'000};       // for answers to finish once the server is told to end
};

// Answers until SIGTERM or SIGINT, then lets the answers that are under way finish, up to the deadline, and returns; a
// second signal ends them at once. `on_listening` is called with the addresses. Errors: kIo (the address can't be
// bound), kInvalidArgument (it is none).
Status run_server(const ServerOptions& options, Api& api,
                  const std::function<void(const std::string& url)>& on_listening);

}  // namespace ingle
