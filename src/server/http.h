// HTTP as the APIs see it: a request, and an answer that may take its time. No sockets, no Boost; plain data and one
// interface. The network's side is connection.h.
#pragma once

#include <ctime>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ingle {

class KeyAccount;

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

struct HttpRequest {
  std::string method;     // "POST"
  std::string path;       // as sent, without the query
  std::string query;      // as sent, behind the question mark
  std::string authority;  // of a target that was a whole URL; empty otherwise
  unsigned version = 11;  // 10: HTTP/1.0
  HttpHeaders headers;
  std::string body;
  std::string id;              // names the request in answers: the client's own, or one we made
  std::function<void()> wake;  // from any thread: the answer has something new; may be called at any time, or too often

  // Of its API key; set by Api::refuse().
  std::shared_ptr<KeyAccount> account;  // null if the key has no limits
  uint64_t cache_owner = 0;             // as Request has it
  bool may_manage = false;              // copy and delete models
  bool has_key = false;

  // The first header of this name, whatever its case; empty if there is none.
  std::string_view header(std::string_view name) const;
  // Whom the request is for, as "name:port": where the target says it, the Host header counts for nothing (RFC 9112,
  // 3.2.2).
  std::string_view host() const { return authority.empty() ? header("Host") : authority; }
};

struct HttpResponse {
  unsigned status = 200;
  std::string content_type = "application/json";
  HttpHeaders headers;  // besides Content-Type, Content-Length and Connection
  std::string body;
};

// The answer to one request. Used by one thread at a time. Dropping it cancels what it waits for.
class Answer {
 public:
  struct Part {
    std::optional<HttpResponse> start;  // once: status, headers and the first bytes of the body
    std::string more;                   // bytes of the body that follow
    bool last = false;                  // nothing follows
  };
  virtual ~Answer() = default;
  // What is new, which may be nothing; never blocks. The request's wake() tells when to ask again.
  virtual Part take() = 0;
  // Whether the next take() has so much to write that it belongs on a worker.
  virtual bool is_slow() { return false; }
  // Bytes of the body of a stream that has begun and has had nothing to say for long, so that nobody on the way takes
  // it for dead: they mean nothing, and may be none. Never after the last part.
  virtual std::string heartbeat() { return {}; }
  // The server goes down: the next take() gives the end, said in the API's own way.
  virtual void stop() = 0;
};

// As headers have it (RFC 9110, 5.6.7): "Sun, 06 Nov 1994 08:49:37 GMT".
std::string http_date(std::time_t seconds);

// An answer that is there already.
std::unique_ptr<Answer> answer_with(HttpResponse response);

// Sets the path and the authority by the target of the request's first line. Clients that think they talk to a proxy
// send a whole URL.
void set_target(HttpRequest& request, std::string_view target);

// What is wrong with the headers that say whom a request is for and where its body ends; empty if nothing is. What
// another server on the way could read in another way than we do is wrong (RFC 9112, 11.2).
std::string framing_fault(const HttpRequest& request);

// The first line and the headers, ready to be sent. `length`: of the body; without it the body is chunked, or, where
// the client knows no chunks (HTTP/1.0), ends with the connection.
struct HeadOptions {
  std::optional<size_t> length;
  bool chunked = false;
  bool keep_alive = true;
  HttpHeaders more = {};
};
std::string head_text(const HttpResponse& response, std::string_view request_id, const HeadOptions& options);
// One chunk of a chunked body; of no bytes, its end.
std::string chunk_text(std::string_view bytes);

bool equal_ignoring_case(std::string_view a, std::string_view b);  // ASCII
// Fit to be sent back in a header: 1 to 128 visible ASCII characters.
bool is_sane_id(std::string_view id);
// %XX decoded; nothing if a % is followed by something else.
std::optional<std::string> percent_decoded(std::string_view text);

}  // namespace ingle
