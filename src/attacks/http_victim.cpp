#include "attacks/external_victim.h"
#include "base/error.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <httplib.h>
#include <signal.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace steadyiqa::attacks {
namespace {

bool is_loopback(const std::string& host) {
  in_addr four{};
  if (::inet_pton(AF_INET, host.c_str(), &four) == 1) {
    return (ntohl(four.s_addr) >> 24U) == IN_LOOPBACKNET;
  }
  return host == "localhost" || host == "::1";
}

/// A server that hangs up while it is written to is an error, not the signal that would end this program.
class NoBrokenPipe {
 public:
  NoBrokenPipe() {
    ::sigemptyset(&pipe_);
    ::sigaddset(&pipe_, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  ~NoBrokenPipe() {
    const timespec at_once{};
    while (::sigtimedwait(&pipe_, nullptr, &at_once) < 0 && errno == EINTR) {
    }
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  NoBrokenPipe(const NoBrokenPipe&) = delete;
  NoBrokenPipe& operator=(const NoBrokenPipe&) = delete;
  NoBrokenPipe(NoBrokenPipe&&) = delete;
  NoBrokenPipe& operator=(NoBrokenPipe&&) = delete;

 private:
  sigset_t pipe_{};
  sigset_t before_{};
};

/// Stops a client at the deadline: its own time-outs begin anew with every byte that a slow server sends.
class Watchdog {
 public:
  Watchdog(httplib::Client& client, std::chrono::steady_clock::time_point deadline)
      : thread_([this, &client, deadline] {
          std::unique_lock lock(mutex_);
          late_ = !wake_.wait_until(lock, deadline, [this] { return done_; });
          if (late_) {
            client.stop();
          }
        }) {}
  ~Watchdog() { static_cast<void>(stop()); }
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;
  Watchdog(Watchdog&&) = delete;
  Watchdog& operator=(Watchdog&&) = delete;
  /// Whether the deadline had come before.
  [[nodiscard]] bool stop() {
    {
      const std::lock_guard lock(mutex_);
      done_ = true;
    }
    wake_.notify_one();
    if (thread_.joinable()) {
      thread_.join();
    }
    return late_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  bool done_ = false;
  bool late_ = false;
  std::thread thread_;
};

/// The score in a server's answer, or nothing.
std::optional<double> score_of(const std::string& body) {
  auto score = parse_number(body);
  if (!score) {
    const auto json = nlohmann::json::parse(body, nullptr, /*allow_exceptions=*/false);
    if (json.is_object() && json.contains("score") && json["score"].is_number()) {
      score = json["score"].get<double>();
    }
  }
  return score && std::isfinite(*score) ? score : std::nullopt;
}

}  // namespace

HttpVictim::HttpVictim(const std::string& url, const ExternalOptions& options, Reach reach)
    : ExternalVictim(options), url_(url) {
  constexpr std::string_view kScheme = "http://";
  const bool is_plain = std::all_of(url.begin(), url.end(), [](char c) { return c > ' ' && c < 127; });
  if (!url.starts_with(kScheme) || !is_plain) {
    fail_usage("victim '{}': expected http://HOST[:PORT][/PATH]", url);
  }
  const auto slash = std::min(url.find('/', kScheme.size()), url.size());
  auto host = url.substr(kScheme.size(), slash - kScheme.size());
  path_ = slash < url.size() ? url.substr(slash) : "/";
  const auto bracket = host.find(']');
  if (const auto colon = host.rfind(':');
      colon != std::string::npos && (bracket == std::string::npos || colon > bracket)) {
    const auto* end = host.data() + host.size();
    const auto [stop, error] = std::from_chars(host.data() + colon + 1, end, port_);
    if (error != std::errc() || stop != end || port_ < 1 || port_ > 65535) {
      fail_usage("victim '{}': '{}' is no port", url, host.substr(colon + 1));
    }
    host.resize(colon);
  }
  host_ = host.starts_with('[') && host.ends_with(']') ? host.substr(1, host.size() - 2) : host;
  if (host_.empty() || host_.find_first_of("@[]?#") != std::string::npos) {
    fail_usage("victim '{}': expected http://HOST[:PORT][/PATH]", url);
  }
  if (reach == Reach::kLoopback && !is_loopback(host_)) {
    fail_usage(
        "victim '{}' is not on this machine (localhost, 127.0.0.0/8, [::1]): images are sent elsewhere only when "
        "that is allowed",
        url);
  }
}

double HttpVictim::ask(std::span<const std::byte> png) {
  constexpr std::size_t kMostBytes = std::size_t{64} << 10U;
  httplib::Client client(host_, port_);
  const auto timeout = std::chrono::duration<double>(options().timeout);
  client.set_connection_timeout(std::chrono::duration_cast<std::chrono::microseconds>(timeout));
  client.set_read_timeout(std::chrono::duration_cast<std::chrono::microseconds>(timeout));
  client.set_write_timeout(std::chrono::duration_cast<std::chrono::microseconds>(timeout));
  client.set_decompress(false);
  httplib::Request request;
  request.method = "POST";
  request.path = path_;
  request.set_header("Content-Type", "image/png");
  request.body.assign(reinterpret_cast<const char*>(png.data()), png.size());
  std::string body;
  bool too_long = false;
  request.content_receiver = [&](const char* data, std::size_t count, std::uint64_t, std::uint64_t) {
    too_long = too_long || body.size() + count > kMostBytes;
    if (!too_long) {
      body.append(data, count);
    }
    return !too_long;
  };
  const NoBrokenPipe guard;
  Watchdog watchdog(client, deadline());
  const auto result = client.send(request);
  const bool late = watchdog.stop();
  if (too_long) {
    fail_input("victim {}: its answer is longer than {} bytes", url_, kMostBytes);
  }
  if (!result) {
    fail_input("victim {}: {}", url_, late ? "no answer in time" : "no answer: " + httplib::to_string(result.error()));
  }
  if (result->status < 200 || result->status > 299) {
    fail_input("victim {}: it answered with status {}", url_, result->status);
  }
  const auto score = score_of(body);
  if (!score) {
    constexpr std::size_t kShown = 80;
    fail_input("victim {}: no number, nor a JSON object with a finite number \"score\": '{}'", url_,
               body.substr(0, kShown));
  }
  return *score;
}

}  // namespace steadyiqa::attacks
