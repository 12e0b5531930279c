// The server over real sockets with an engine on a tiny model, and with time limits short enough to wait for: clients
// that are slow, silent, too many or gone, an engine that hangs, and the end.
#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <functional>
#include <future>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "engine/engine.h"
#include "server/http.h"
#include "server/server.h"
#include "server/tls.h"

#ifdef __linux__
#include <linux/filter.h>
#endif

namespace ingle {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kSlack{5000};  // of a busy machine

milliseconds since(Clock::time_point start) { return std::chrono::duration_cast<milliseconds>(Clock::now() - start); }

// A client as bytes see it.
class Peer {
 public:
  explicit Peer(uint16_t port, int receive_bytes = 0) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (receive_bytes > 0) ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    ::fcntl(fd_, F_SETFL, ::fcntl(fd_, F_GETFL) | O_NONBLOCK);
  }
  ~Peer() { ::close(fd_); }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  // False once the server takes no more.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent > 0) {
        bytes.remove_prefix(static_cast<size_t>(sent));
      } else if (errno != EAGAIN || !wait_for(POLLOUT, milliseconds(2000))) {
        return false;
      }
    }
    return true;
  }

  // What has come until `enough` of it has, the connection ends or the time is over.
  std::string read(milliseconds patience, const std::function<bool(const std::string&)>& enough = {}) {
    const Clock::time_point start = Clock::now();
    std::string out;
    char part[65536];
    while (since(start) < patience && !(enough && enough(out))) {
      const ssize_t bytes = ::recv(fd_, part, sizeof part, 0);
      if (bytes > 0) out.append(part, static_cast<size_t>(bytes));
      if (bytes == 0 || (bytes < 0 && errno != EAGAIN)) {
        ended_ = true;
        break;
      }
      if (bytes < 0) wait_for(POLLIN, milliseconds(20));
    }
    return out;
  }

  // Whether a read() came to the connection's end.
  bool ended() const { return ended_; }

#ifdef __linux__
  // From now on this side hears nothing and confirms nothing, as if its cable were cut.
  void vanish() {
    sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
    const sock_fprog filter{.len = 1, .filter = &nothing};
    EXPECT_EQ(::setsockopt(fd_, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter), 0);
  }
  // All that was sent has arrived.
  bool is_confirmed() const {
    tcp_info info{};
    socklen_t size = sizeof info;
    return ::getsockopt(fd_, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 && info.tcpi_unacked == 0;
  }
#endif

 private:
  bool wait_for(short what, milliseconds patience) const {
    pollfd one{.fd = fd_, .events = what, .revents = 0};
    return ::poll(&one, 1, static_cast<int>(patience.count())) > 0;
  }

  const int fd_;
  bool ended_ = false;
};

// A server on a thread of its own. Its end is as a service manager's: by a signal.
class LiveServer {
 public:
  explicit LiveServer(ServerOptions options = {}, milliseconds hung_after = kHungAfter) {
    EngineOptions engine_options;
    engine_options.threads = 1;
    Result<std::unique_ptr<Engine>> loaded =
        Engine::load(std::filesystem::path(INGLE_TESTS) / "models" / "tiny-llama.gguf", engine_options);
    EXPECT_TRUE(loaded.ok());
    engine = std::move(loaded).value();
    ServedModelOptions names;
    names.id = "tiny";
    names.max_open = 64;
    model = serve_engine(*engine, names).value();
    models_ = std::make_unique<OneModel>(model, nullptr, hung_after);
    api_ = std::make_unique<Api>(AccessOptions{}, *models_);
    options.port = 0;
    options_ = options;
    const auto port_known = std::make_shared<std::promise<uint16_t>>();
    std::future<uint16_t> known = port_known->get_future();
    done_ = std::async(std::launch::async, [this, port_known] {
      const Status status = run_server(options_, *api_, [&](const std::string& url) {
        port_known->set_value(static_cast<uint16_t>(std::stoi(url.substr(url.rfind(':') + 1))));
      });
      return status.ok();
    });
    port = known.get();
  }
  ~LiveServer() {
    release();
    if (!ends_within(milliseconds(0))) signal();
    EXPECT_TRUE(ends_within(milliseconds(60'000)));
  }

  // Not once it has ended: the signal would then end the test.
  void signal() { std::raise(SIGTERM); }
  // Whether it ends in time, and well.
  bool ends_within(milliseconds patience) const {
    return done_.wait_for(patience) == std::future_status::ready && done_.get();
  }

  // The engine's loop does not come back from its step until release(). Once.
  void hang() {
    const auto begun = std::make_shared<std::promise<void>>();
    Request request;
    request.prompt = {1, 2, 3};
    request.max_tokens = 1;
    request.on_prompt_logits = [begun, opened = gate_.get_future().share()](uint32_t position, std::span<const float>) {
      if (position == 0) begun->set_value();
      opened.wait();
    };
    stuck_ = engine->submit(std::move(request)).value();
    begun->get_future().wait();
  }
  void release() {
    if (stuck_ == nullptr) return;
    gate_.set_value();
    while (stuck_->next().finish == FinishReason::kNone) {
    }
    stuck_ = nullptr;
  }

  std::unique_ptr<Engine> engine;
  std::shared_ptr<ServedModel> model;
  uint16_t port = 0;

 private:
  ServerOptions options_;
  std::unique_ptr<OneModel> models_;
  std::unique_ptr<Api> api_;
  std::promise<void> gate_;
  std::unique_ptr<TokenStream> stuck_;
  std::shared_future<bool> done_;
};

std::string get(const std::string& path) { return "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n"; }

std::string post(const std::string& path, const std::string& body) {
  return "POST " + path + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

// The first line of the answer; empty if none comes.
std::string answer_to(uint16_t port, const std::string& request) {
  Peer peer(port);
  peer.send(request);
  const std::string said =
      peer.read(milliseconds(20'000), [](const std::string& out) { return out.find("\r\n") != std::string::npos; });
  return said.substr(0, said.find("\r\n"));
}

constexpr const char* kOk = "HTTP/1.1 200 OK";
constexpr const char* kBusy = "HTTP/1.1 503 Service Unavailable";

// Polls until the path has this answer; how long that took.
milliseconds wait_for_answer(uint16_t port, const std::string& path, const std::string& wanted) {
  const Clock::time_point start = Clock::now();
  while (answer_to(port, get(path)) != wanted && since(start) < milliseconds(30'000)) {
    std::this_thread::sleep_for(milliseconds(10));
  }
  return since(start);
}

TEST(LiveServer, HealthFailsWhileTheEngineHangsAndComesBackWithIt) {
  constexpr milliseconds kBound{1500};  // steps of a busy machine are shorter
  LiveServer server({}, kBound);
  EXPECT_EQ(answer_to(server.port, get("/health")), kOk);
  const Clock::time_point start = Clock::now();
  server.hang();
  wait_for_answer(server.port, "/health", kBusy);
  EXPECT_GE(since(start), kBound);
  EXPECT_LE(since(start), kBound + kSlack);
  EXPECT_EQ(answer_to(server.port, get("/ready")), kBusy);
  EXPECT_EQ(answer_to(server.port, get("/v1/models")), kOk) << "what needs no engine is answered";
  server.release();
  EXPECT_LE(wait_for_answer(server.port, "/health", kOk), kSlack);
  EXPECT_EQ(answer_to(server.port, get("/ready")), kOk);
  EXPECT_EQ(answer_to(server.port, post("/v1/completions", R"({"prompt":"a","max_tokens":2})")), kOk);
  // Nothing to do is no stall.
  std::this_thread::sleep_for(kBound + milliseconds(300));
  EXPECT_EQ(answer_to(server.port, get("/health")), kOk);
}

// Connects, says this and then something now and then until the server ends the connection; how long all that took.
milliseconds drip(uint16_t port, const std::string& says, const std::string& drop) {
  const Clock::time_point start = Clock::now();  // before any of the server's clocks
  Peer peer(port);
  peer.send(says);
  while (!peer.ended() && since(start) < milliseconds(30'000)) {
    if (!drop.empty()) peer.send(drop);
    peer.read(milliseconds(50));
  }
  return since(start);
}

TEST(LiveServer, RequestsThatDoNotComeToTheirEndAreEnded) {
  ServerOptions options;
  options.header_timeout = milliseconds(600);
  options.body_timeout = milliseconds(900);
  options.idle_timeout = milliseconds(1200);
  LiveServer server(options);
  struct Case {
    const char *says, *drop;
    milliseconds limit;
  };
  const std::string answered = get("/health");
  const Case cases[] = {
      {"G", "", options.header_timeout},
      {"GET /health HTTP/1.1\r\nHost: loc", "a", options.header_timeout},
      {"GET /health HTTP/1.1\r\nHost: localhost\r\n", "X: y\r\n", options.header_timeout},
      {"POST /tokenize HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n", "", options.body_timeout},
      {"POST /tokenize HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n", " ", options.body_timeout},
      {"POST /tokenize HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\n \r\n",
       options.body_timeout},
      {"", "", options.idle_timeout},
      {answered.c_str(), "", options.idle_timeout}};
  for (const Case& one : cases) {
    const milliseconds took = drip(server.port, one.says, one.drop);
    EXPECT_GE(took, one.limit) << one.says;
    EXPECT_LE(took, one.limit + kSlack) << one.says;
  }
}

// A certificate and its key, made now.
std::shared_ptr<boost::asio::ssl::context> some_tls() {
  EVP_PKEY* const key = EVP_EC_gen("P-256");
  X509* const certificate = X509_new();
  X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
  X509_set_pubkey(certificate, key);
  X509_sign(certificate, key, EVP_sha256());
  const auto text = [](const auto& write) {
    BIO* const memory = BIO_new(BIO_s_mem());
    write(memory);
    char* data = nullptr;
    const auto size = static_cast<size_t>(BIO_get_mem_data(memory, &data));
    std::string out(data, size);
    BIO_free(memory);
    return out;
  };
  const std::string chain = text([&](BIO* out) { PEM_write_bio_X509(out, certificate); });
  const std::string secret =
      text([&](BIO* out) { PEM_write_bio_PrivateKey(out, key, nullptr, nullptr, 0, nullptr, nullptr); });
  X509_free(certificate);
  EVP_PKEY_free(key);
  auto context = load_tls(chain, secret);
  EXPECT_TRUE(context.ok());
  return context.value();
}

TEST(LiveServer, TlsHandshakesThatDoNotComeToTheirEndAreEnded) {
  ServerOptions options;
  options.tls = some_tls();
  options.header_timeout = milliseconds(600);
  LiveServer server(options);
  // Nothing; and the beginning of a ClientHello of 512 bytes, a byte at a time.
  const std::string hello("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11);
  for (const std::string& drop : {std::string(), std::string(1, '\0')}) {
    const milliseconds took = drip(server.port, drop.empty() ? "" : hello, drop);
    EXPECT_GE(took, options.header_timeout);
    EXPECT_LE(took, options.header_timeout + kSlack);
  }
}

const std::string kLargeStream = post(
    "/v1/chat/completions",
    R"({"messages":[{"role":"user","content":"a"}],"max_tokens":480,"ignore_eos":true,"stream":true,"n":8,"logprobs":true,"top_logprobs":20})");

TEST(LiveServer, ClientsThatTakeNothingAreLeft) {
  ServerOptions options;
  options.write_timeout = milliseconds(700);
  LiveServer server(options);
  Peer peer(server.port, 4096);
  peer.send(kLargeStream);
  const Clock::time_point start = Clock::now();
  while (server.model->places->taken() == 0 && since(start) < kSlack) std::this_thread::sleep_for(milliseconds(1));
  EXPECT_EQ(server.model->places->taken(), 8u);
  while (server.model->places->taken() > 0 && since(start) < 4 * kSlack) std::this_thread::sleep_for(milliseconds(5));
  EXPECT_EQ(server.model->places->taken(), 0u);
  EXPECT_GE(since(start), options.write_timeout);
  EXPECT_EQ(peer.read(kSlack).find("data: [DONE]"), std::string::npos) << "the answer went to its end";
  EXPECT_TRUE(peer.ended());
}

size_t count_of(const std::string& part, const std::string& text) {
  size_t count = 0;
  for (size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) count++;
  return count;
}

TEST(LiveServer, StreamsThatHaveNothingToSayHaveAHeartbeat) {
  ServerOptions options;
  options.heartbeat_interval = milliseconds(150);
  LiveServer server(options);
  server.hang();
  const std::string prompt = R"({"stream":true,"max_tokens":4,"prompt":"a"})";
  const std::string chat = R"({"stream":true,"max_tokens":4,"messages":[{"role":"user","content":"a"}]})";
  const std::string comment = chunk_text(": keep-alive\n\n");
  const std::pair<std::string, std::string> cases[] = {
      {post("/v1/completions", prompt), comment},
      {post("/v1/chat/completions", chat), comment},
      {post("/v1/messages", chat), chunk_text("event: ping\ndata: {\"type\":\"ping\"}\n\n")},
      {post("/v1/responses", R"({"stream":true,"input":"a"})"), "\r\nevent: response.in_progress\ndata: "}};
  Peer whole(server.port), lines(server.port);
  whole.send(post("/v1/completions", R"({"max_tokens":4,"prompt":"a"})"));
  lines.send(post("/api/chat", chat));
  std::vector<std::unique_ptr<Peer>> peers;
  for (const auto& one : cases) {
    const Clock::time_point start = Clock::now();
    peers.push_back(std::make_unique<Peer>(server.port));
    peers.back()->send(one.first);
    const auto beats = [&](const std::string& said) { return count_of(one.second, said); };
    const std::string said = peers.back()->read(kSlack, [&](const std::string& so_far) { return beats(so_far) >= 3; });
    EXPECT_GE(beats(said), 3u) << said;
    EXPECT_GE(since(start), 3 * options.heartbeat_interval) << said;
  }
  EXPECT_EQ(whole.read(milliseconds(50)), "");
  EXPECT_TRUE(lines.read(milliseconds(50)).ends_with("\r\n\r\n")) << "more than the headers";
  server.release();
  const auto is_over = [](const std::string& said) { return said.ends_with("\r\n0\r\n\r\n"); };
  for (size_t i = 0; i < std::size(cases); i++) EXPECT_TRUE(is_over(peers[i]->read(kSlack, is_over))) << i;
  EXPECT_TRUE(is_over(lines.read(kSlack, is_over)));
}

TEST(LiveServer, HeartbeatsThatNobodyTakesAreNotPiledUp) {
  ServerOptions options;
  options.heartbeat_interval = milliseconds(1);
  options.write_timeout = milliseconds(700);
  LiveServer server(options);
  server.hang();
  Peer peer(server.port, 4096);
  // Each of its heartbeats repeats it.
  peer.send(
      post("/v1/responses", R"({"stream":true,"input":"a","safety_identifier":")" + std::string(5'000, 'x') + "\"}"));
  const Clock::time_point start = Clock::now();
  while (server.model->places->taken() == 0 && since(start) < kSlack) std::this_thread::sleep_for(milliseconds(1));
  EXPECT_EQ(server.model->places->taken(), 1u);
  while (server.model->places->taken() > 0 && since(start) < 4 * kSlack) std::this_thread::sleep_for(milliseconds(5));
  EXPECT_EQ(server.model->places->taken(), 0u);
  EXPECT_GE(since(start), options.write_timeout);
}

#ifdef __linux__
TEST(LiveServer, ClientsWhoseMachineIsGoneAreNoticed) {
  ServerOptions options;
  options.vanished_timeout = milliseconds(2000);
  LiveServer server(options);
  server.hang();
  const std::string waiting = post("/v1/completions", R"({"prompt":"a","max_tokens":4})");
  const std::string stream = post("/v1/completions", R"({"prompt":"a","max_tokens":4,"stream":true})");
  // One is owed nothing while it waits, the other never confirms the beginning of its stream. This one's time runs from
  // there on, so that it comes last.
  Peer silent(server.port), deaf(server.port);
  silent.send(waiting);
  const Clock::time_point begin = Clock::now();
  while ((server.model->places->taken() < 1 || !silent.is_confirmed()) && since(begin) < kSlack) {
    std::this_thread::sleep_for(milliseconds(1));
  }
  EXPECT_TRUE(silent.is_confirmed());
  deaf.vanish();
  const Clock::time_point start = Clock::now();
  deaf.send(stream);
  while (server.model->places->taken() < 2 && since(start) < kSlack) std::this_thread::sleep_for(milliseconds(1));
  silent.vanish();
  EXPECT_EQ(server.model->places->taken(), 2u);
  while (server.model->places->taken() > 0 && since(start) < 4 * kSlack) std::this_thread::sleep_for(milliseconds(10));
  EXPECT_EQ(server.model->places->taken(), 0u);
  EXPECT_GE(since(start), milliseconds(1000));
}
#endif

#ifdef POLLRDHUP
TEST(LiveServer, ClientsThatLeaveMoreBehindThanIsReadAheadAreNoticed) {
  LiveServer server;
  server.hang();
  const Clock::time_point start = Clock::now();
  {
    Peer talker(server.port);
    talker.send(post("/v1/completions", R"({"prompt":"a","max_tokens":4})") + std::string(140'000, 'x'));
    while (server.model->places->taken() < 1 && since(start) < kSlack) std::this_thread::sleep_for(milliseconds(1));
    EXPECT_EQ(server.model->places->taken(), 1u);
  }
  while (server.model->places->taken() > 0 && since(start) < 2 * kSlack) std::this_thread::sleep_for(milliseconds(10));
  EXPECT_EQ(server.model->places->taken(), 0u);
}
#endif

TEST(LiveServer, IdleConnectionsMakeRoom) {
  ServerOptions options;
  options.max_connections = 4;
  LiveServer server(options);
  std::vector<std::unique_ptr<Peer>> peers;
  for (int i = 0; i < 4; i++) {
    peers.push_back(std::make_unique<Peer>(server.port));
    // A request and its answer, so that it is known to have been taken in; the first is idle longest.
    peers.back()->send(get("/health"));
    EXPECT_NE(peers.back()->read(kSlack, [](const std::string& said) { return said.ends_with("}\n"); }), "");
  }
  EXPECT_EQ(answer_to(server.port, get("/health")), kOk);
  EXPECT_EQ(peers[0]->read(kSlack), "");
  EXPECT_TRUE(peers[0]->ended());
  // Those that have begun a request keep their places.
  peers.clear();
  for (int i = 0; i < 4; i++) {
    peers.push_back(std::make_unique<Peer>(server.port));
    // Behind another one, whose answer shows that the beginning has been read, too.
    peers.back()->send(get("/health") + "GET /health HTTP/1.1\r\n");
    EXPECT_NE(peers.back()->read(kSlack, [](const std::string& said) { return said.ends_with("}\n"); }), "");
  }
  EXPECT_EQ(answer_to(server.port, get("/health")), "");
  peers.back()->send("Host: localhost\r\n\r\n");
  EXPECT_EQ(peers.back()->read(kSlack, [](const std::string& said) { return said.ends_with("}\n"); }).find(kOk), 0u);
  EXPECT_EQ(answer_to(server.port, get("/health")), kOk);
}

TEST(LiveServer, OfABodyThatIsRefusedLittleIsRead) {
  LiveServer server;
  const std::string piece(1 << 20, 'x');
  for (const char* const length : {"Content-Length: 1073741824", "Transfer-Encoding: chunked"}) {
    Peer peer(server.port);
    peer.send("POST /tokenize HTTP/1.1\r\nHost: localhost\r\n" + std::string(length) + "\r\n\r\n");
    if (length[0] == 'T') peer.send("40000000\r\n");
    int taken_mib = 0;
    while (taken_mib < 1024 && peer.send(piece)) taken_mib++;
    // With what lies between: the buffers of both sockets.
    EXPECT_LT(taken_mib, 128) << length;
  }
  EXPECT_EQ(answer_to(server.port, get("/health")), kOk);
}

TEST(LiveServer, LargeBodiesShutNoSmallOnesOut) {
  ServerOptions options;
  options.max_body_bytes = options.max_buffered_bytes = 1 << 20;
  LiveServer server(options);
  const std::string another = post("/tokenize", std::string(500'000, ' '));
  // Another one finds no room once the server has read this one. Asked before that it may take this one's, so that both
  // begin again.
  std::unique_ptr<Peer> large;
  std::string answer;
  for (milliseconds pause{200}; answer != kBusy && pause < kSlack; pause *= 2) {
    large.reset();
    large = std::make_unique<Peer>(server.port);
    large->send("POST /tokenize HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1048576\r\n\r\n" +
                std::string((1 << 20) - 1, ' '));
    std::this_thread::sleep_for(pause);
    answer = answer_to(server.port, another);
  }
  EXPECT_EQ(answer, kBusy);
  EXPECT_EQ(answer_to(server.port, post("/tokenize", R"({"prompt":"a"})")), kOk);
  EXPECT_EQ(answer_to(server.port, another), kBusy) << "the first one is gone";
}

TEST(LiveServer, LargeAnswersThatNobodyReadsAreBounded) {
  // One answer and a body have room, two answers have not: each token, a character, is told in more than 8 bytes.
  constexpr size_t kTokens = 900'000;
  ServerOptions options;
  options.max_buffered_bytes = 13 * kTokens;
  options.write_timeout = milliseconds(12'000);
  LiveServer server(options);
  const std::string large =
      post("/tokenize", R"({"return_token_strs":true,"prompt":")" + std::string(kTokens, '\x7f') + "\"}");
  Peer slow(server.port, 4096);
  slow.send(large);
  const auto has_line = [](const std::string& out) { return out.find("\r\n") != std::string::npos; };
  ASSERT_TRUE(slow.read(milliseconds(20'000), has_line).starts_with(kOk));
  EXPECT_EQ(answer_to(server.port, large), kBusy);
  EXPECT_EQ(answer_to(server.port, post("/tokenize", R"({"prompt":"a"})")), kOk);
}

TEST(LiveServer, TheEndComesByTheDeadlineWhateverClientsDo) {
  ServerOptions options;
  options.drain_timeout = milliseconds(500);
  options.heartbeat_interval = milliseconds(20);
  LiveServer server(options);
  server.hang();
  std::vector<std::unique_ptr<Peer>> peers;
  const auto peer = [&](const std::string& says) -> Peer& {
    peers.push_back(std::make_unique<Peer>(server.port, 4096));
    peers.back()->send(says);
    return *peers.back();
  };
  Peer& stream = peer(post("/v1/completions", R"({"prompt":"a","stream":true})"));
  peer(post("/v1/completions", R"({"prompt":"a"})"));
  peer("");
  peer("GET /hea");
  peer("POST /tokenize HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n");
  peer(kLargeStream);
  const Clock::time_point start = Clock::now();
  while (server.model->places->taken() < 10 && since(start) < kSlack) std::this_thread::sleep_for(milliseconds(1));
  server.signal();
  EXPECT_TRUE(server.ends_within(milliseconds(500 + 2000) + kSlack));
  EXPECT_NE(stream.read(kSlack).find("shutting_down"), std::string::npos);
}

TEST(LiveServer, ASecondSignalEndsItAtOnce) {
  ServerOptions options;
  options.drain_timeout = milliseconds(60'000);
  LiveServer server(options);
  server.hang();
  Peer stream(server.port);
  stream.send(post("/v1/completions", R"({"prompt":"a","stream":true})"));
  EXPECT_NE(stream.read(kSlack, [](const std::string& said) { return !said.empty(); }), "");
  server.signal();
  EXPECT_FALSE(server.ends_within(milliseconds(300))) << "the stream is under way";
  server.signal();
  EXPECT_TRUE(server.ends_within(kSlack));
}

}  // namespace
}  // namespace ingle
