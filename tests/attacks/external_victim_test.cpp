// Victims that are a command or a server.
#include "attacks/external_victim.h"

#include "attacks/catalogue.h"
#include "attacks/tiny_scorer.h"
#include "base/expect_error.h"
#include "base/temp_folder.h"
#include "stats/parse_label_scale.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <httplib.h>
#include <signal.h>
#include <sys/socket.h>
#include <torch/torch.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

namespace steadyiqa::attacks {
namespace {

using ::steadyiqa::testing::error_message;
using ::steadyiqa::testing::tiny_images;

torch::Tensor some_image() { return tiny_images(1)[0]; }

double seconds_of(const std::function<void()>& run) {
  const auto begin = std::chrono::steady_clock::now();
  run();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

class Command : public testing::TempFolder {
 protected:
  /// A victim that is a shell script of these lines.
  [[nodiscard]] CommandVictim victim(const std::string& lines, const ExternalOptions& options = {},
                                     std::vector<std::string> arguments = {}) const {
    const auto path = folder() / "score.sh";
    std::ofstream(path) << "#!/bin/sh\n" << lines << "\n";
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    arguments.insert(arguments.begin(), path.string());
    return CommandVictim(std::move(arguments), options);
  }
  [[nodiscard]] double score(const std::string& lines) const { return victim(lines).raw(some_image()).item<double>(); }
  [[nodiscard]] std::string failure(const std::string& lines, const ExternalOptions& options = {}) const {
    return error_message(ErrorKind::kInput,
                         [&] { static_cast<void>(victim(lines, options).raw(some_image()).item<double>()); });
  }
};

TEST_F(Command, PrintsItsScoreLast) {
  EXPECT_EQ(score("echo 63.25"), 63.25);
  EXPECT_EQ(score("echo loading 2 models; echo 'score: -1.5 (of 5)'; echo"), -1.5);
  EXPECT_EQ(score("printf '{\"image\": \"a.png\", \"score\": 4e1}'"), 40);
}

TEST_F(Command, SeesTheImageInEightBits) {
  auto copier = victim("cp \"$1\" " + (folder() / "seen.png").string() + "; echo 1");
  const auto pixels = some_image() * 0.97 + 0.01;  // between levels
  static_cast<void>(copier.raw(pixels));
  const auto seen = data::to_tensor(image::read_image(folder() / "seen.png").value());
  EXPECT_LE((seen - pixels[0]).abs().max().item<double>(), 0.5 / 255 + 1e-6);
}

TEST_F(Command, TakesThePathWhereItIsWanted) {
  auto given = victim("test -f \"${2#file=}\" && test $# = 3 && echo 7", {}, {"--image", "file={}", "--quiet"});
  EXPECT_EQ(given.raw(some_image()).item<double>(), 7);
}

TEST_F(Command, IsRunWithoutAShell) {
  auto given = victim("test \"$1\" = '$(exit 3); *' && echo 7", {}, {"$(exit 3); *"});
  EXPECT_EQ(given.raw(some_image()).item<double>(), 7);
}

TEST_F(Command, FailsWithItsStatusAndLastWords) {
  const auto message = failure("echo 50; echo no such model >&2; exit 3");
  EXPECT_NE(message.find("status 3"), std::string::npos) << message;
  EXPECT_NE(message.find("no such model"), std::string::npos) << message;
  EXPECT_NE(failure("kill -9 $$").find("signal 9"), std::string::npos);
}

TEST_F(Command, FailsWithoutANumber) {
  EXPECT_NE(failure("echo 50; echo failed").find("no finite number"), std::string::npos);
  EXPECT_NE(failure("echo nan").find("no finite number"), std::string::npos);
  EXPECT_NE(failure("true").find("no finite number"), std::string::npos);
}

TEST_F(Command, FailsWhenItIsLateOrSaysTooMuch) {
  std::string message;
  const double seconds = seconds_of([&] { message = failure("sleep 20", {.timeout = 0.1}); });
  EXPECT_NE(message.find("in time"), std::string::npos) << message;
  EXPECT_LT(seconds, 5);
  EXPECT_NE(failure("yes").find("more than"), std::string::npos);
}

TEST_F(Command, KillsWhatIsLeftRunning) {
  const auto alive = folder() / "alive";
  EXPECT_EQ(score("(sleep 0.3; touch " + alive.string() + ") & echo 5"), 5);
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  EXPECT_FALSE(std::filesystem::exists(alive));
}

TEST_F(Command, MustExist) {
  const auto message = error_message(ErrorKind::kInput, [&] {
    static_cast<void>(CommandVictim({(folder() / "missing").string()}, {}).raw(some_image()));
  });
  EXPECT_NE(message.find("missing"), std::string::npos) << message;
  error_message(ErrorKind::kUsage, [] { static_cast<void>(CommandVictim({}, {})); });
}

TEST_F(Command, LeavesNoFileBehind) {
  const auto path_file = (folder() / "path").string();
  static_cast<void>(victim("echo \"$1\" > " + path_file + "; echo 1").raw(some_image()));
  std::string path;
  std::getline(std::ifstream(path_file), path);
  EXPECT_NE(path, "");
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_FALSE(std::filesystem::exists(std::filesystem::path(path).parent_path()));
}

TEST_F(Command, AnswersNoMoreThanItsLimit) {
  auto limited = victim("echo 1", {.max_queries = 3});
  static_cast<void>(limited.raw(torch::cat({some_image(), some_image()})));
  EXPECT_EQ(limited.queries_left(), 1);
  static_cast<void>(limited.raw(some_image()));
  const auto message = error_message(ErrorKind::kInput, [&] { static_cast<void>(limited.raw(some_image())); });
  EXPECT_NE(message.find("limit of 3 queries"), std::string::npos) << message;
  EXPECT_EQ(limited.queries(), 3);
}

TEST_F(Command, IsAskedNoFasterThanItsRate) {
  auto slow = victim("echo 1", {.rate = 10});
  const double seconds = seconds_of([&] {
    for (int i = 0; i < 4; ++i) {
      static_cast<void>(slow.raw(some_image()));
    }
  });
  EXPECT_GE(seconds, 3 / 10.0);
}

TEST_F(Command, ScoreRangeGivesTheCalibration) {
  const auto line = victim("echo 1", {.score_range = "5:1"}).calibration();  // 1 is the best, as for PSNR-like ranks
  EXPECT_DOUBLE_EQ(line(5), 0);
  EXPECT_DOUBLE_EQ(line(2), 75);
  for (const auto* text : {"5", "1:1", "a:b", "0:inf", ":", "0:nan", "-1e308:1e308"}) {
    const auto message = error_message(ErrorKind::kUsage, [&] { static_cast<void>(stats::parse_label_scale(text)); });
    EXPECT_NE(message.find("WORST:BEST"), std::string::npos) << text;
  }
}

TEST_F(Command, IsAttackedWithinItsLimit) {
  // The score is the size of the PNG file: noise raises it.
  auto sized = victim("test -s \"$1\" || exit 1\nwc -c < \"$1\"", {.score_range = "0:20000", .max_queries = 12});
  const auto result = make_attack(AttackSpec::parse("square:queries=1000"))
                          ->run(sized, some_image(), {.epsilon = 4.0 / 255, .direction = Direction::kUp});
  EXPECT_EQ(sized.queries(), 12);
  EXPECT_EQ(result.model_calls, 12);
  const auto size = image::encode_png(data::to_image(result.attacked)).size();
  EXPECT_EQ(result.attacked_raw, static_cast<double>(size));
  EXPECT_GT(result.attacked_raw, result.clean_raw);
}

TEST_F(Command, HasNoGradientForWhiteBoxAttacks) {
  auto given = victim("echo 1");
  const auto message =
      error_message(ErrorKind::kUsage, [&] { static_cast<void>(make_attack({"fgsm"})->run(given, some_image(), {})); });
  EXPECT_NE(message.find("gradient"), std::string::npos) << message;
}

TEST(CommandLine, IsSplitAtBlanksOutsideQuotes) {
  EXPECT_EQ(split_command("  a 'b c'\td\"e f\"g '' \"'\" "), (std::vector<std::string>{"a", "b c", "de fg", "", "'"}));
  EXPECT_TRUE(split_command(" ").empty());
  error_message(ErrorKind::kUsage, [] { static_cast<void>(split_command("a 'b")); });
}

TEST(LastLineNumber, IsTheFirstOfTheLastLine) {
  EXPECT_EQ(last_line_number("1\n2 3\n\n  \n"), 2);
  EXPECT_EQ(last_line_number("/tmp/7/img2.png,+0.5e1,9\r\n"), 5);
  EXPECT_EQ(last_line_number("x=4"), 4);
  EXPECT_EQ(last_line_number("1\nnone"), std::nullopt);
  EXPECT_EQ(last_line_number(""), std::nullopt);
}

const std::vector<std::string>& hostile_answers() {
  static const std::vector<std::string> kAnswers = {"",
                                                    "nan",
                                                    R"({"score": "5"})",
                                                    R"({"score": null})",
                                                    R"({"score": 1e999})",
                                                    "[5]",
                                                    R"({"score": 5)",
                                                    "five",
                                                    "\xff\xfe\x01",
                                                    R"({"scores": [1, 2]})",
                                                    std::string(60000, '[')};
  return kAnswers;
}

class Http : public ::testing::Test {
 protected:
  Http() {
    port_ = server_.bind_to_any_port("127.0.0.1");
    server_.Post("/mean", [](const httplib::Request& request, httplib::Response& response) {
      const auto* data = reinterpret_cast<const std::byte*>(request.body.data());
      const auto image = image::decode({data, request.body.size()}, "posted");
      const double mean = 255 * data::to_tensor(image.value()).mean().item<double>();
      response.set_content(fmt::format(R"({{"model": "m", "score": {:.9f}}})", mean), "application/json");
    });
    server_.Post("/text", answer_with(" 42.5\n"));
    server_.Post("/redirect", [](const httplib::Request& /*request*/, httplib::Response& response) {
      response.set_redirect("/text");
    });
    server_.Post("/error", [](const httplib::Request& /*request*/, httplib::Response& response) {
      response.status = 503;
      response.set_content("42", "text/plain");
    });
    server_.Post("/drip", [](const httplib::Request& /*request*/, httplib::Response& response) {
      response.set_chunked_content_provider("text/plain", [](std::size_t /*offset*/, httplib::DataSink& sink) {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        return sink.write("4", 1);
      });
    });
    server_.Post(R"(/hostile/(\d+))", [](const httplib::Request& request, httplib::Response& response) {
      response.set_content(hostile_answers().at(std::stoul(request.matches[1])), "application/json");
    });
    server_.Post("/long", answer_with(std::string(1 << 20, '4')));
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    while (!server_.is_running()) {
      std::this_thread::yield();
    }
  }
  ~Http() override {
    server_.stop();
    thread_.join();
  }
  static httplib::Server::Handler answer_with(const std::string& text) {
    return [text](const httplib::Request& /*request*/, httplib::Response& response) {
      response.set_content(text, "text/plain");
    };
  }
  [[nodiscard]] std::string url(const std::string& path) const {
    return fmt::format("http://127.0.0.1:{}{}", port_, path);
  }
  [[nodiscard]] std::string failure(const std::string& path, const ExternalOptions& options = {}) const {
    return error_message(ErrorKind::kInput,
                         [&] { static_cast<void>(HttpVictim(url(path), options).raw(some_image())); });
  }

  httplib::Server server_;
  int port_ = 0;
  std::thread thread_;
};

TEST_F(Http, ScoresThePostedPng) {
  HttpVictim victim(url("/mean"), {});
  const auto pixels = torch::cat({some_image(), tiny_images(3)[2]});
  const auto scores = victim.raw(pixels);
  EXPECT_NEAR(scores[0].item<double>(), 255 * pixels[0].mean().item<double>(), 1e-4);
  EXPECT_NEAR(scores[1].item<double>(), 255 * pixels[1].mean().item<double>(), 1e-4);
  EXPECT_EQ(victim.queries(), 2);
}

TEST_F(Http, MayAnswerInPlainText) { EXPECT_EQ(HttpVictim(url("/text"), {}).raw(some_image()).item<double>(), 42.5); }

TEST_F(Http, HostileAnswersAreErrors) {
  for (std::size_t i = 0; i < hostile_answers().size(); ++i) {
    EXPECT_NE(failure(fmt::format("/hostile/{}", i)).find("no number"), std::string::npos) << i;
  }
  EXPECT_NE(failure("/long").find("longer than"), std::string::npos);
  EXPECT_NE(failure("/error").find("status 503"), std::string::npos);
  EXPECT_NE(failure("/redirect").find("status 302"), std::string::npos);
  EXPECT_NE(failure("/missing").find("status 404"), std::string::npos);
}

TEST_F(Http, AnAnswerThatNeverEndsIsLate) {
  std::string message;
  const double seconds = seconds_of([&] { message = failure("/drip", {.timeout = 0.2}); });
  EXPECT_NE(message.find("in time"), std::string::npos) << message;
  EXPECT_LT(seconds, 5);
}

TEST_F(Http, NobodyThereIsAnError) {
  server_.stop();
  EXPECT_NE(failure("/text").find("no answer"), std::string::npos);
}

TEST_F(Http, IsAttackedWithinItsLimit) {
  HttpVictim victim(url("/mean"), {.score_range = "0:255", .max_queries = 15});
  const auto result = make_attack(AttackSpec::parse("parsimonious:queries=1000"))
                          ->run(victim, some_image(), {.epsilon = 4.0 / 255, .direction = Direction::kBoth});
  EXPECT_EQ(victim.queries(), 15);
  EXPECT_GT(std::abs(result.attacked_raw - result.clean_raw), 1);
}

TEST(HttpServer, ThatHangsUpAtOnceIsAnErrorNotASignal) {
  const auto usual = ::signal(SIGPIPE, SIG_DFL);  // httplib's servers ignore it for the whole process
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
  socklen_t length = sizeof(address);
  ASSERT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&address), length), 0);
  ASSERT_EQ(::listen(listener, 1), 0);
  ASSERT_EQ(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length), 0);
  std::thread server([&] { ::close(::accept(listener, nullptr, nullptr)); });
  torch::manual_seed(1);
  HttpVictim victim(fmt::format("http://127.0.0.1:{}/", ntohs(address.sin_port)), {.timeout = 2});
  // Noise, so that the file of about 6 MB is more than the sockets' buffers hold.
  const auto message = error_message(ErrorKind::kInput, [&] {
    static_cast<void>(victim.raw(torch::rand({1, 3, 1400, 1400})));
  });
  EXPECT_NE(message.find("no answer"), std::string::npos) << message;
  server.join();
  ::close(listener);
  ::signal(SIGPIPE, usual);
}

TEST(HttpUrl, IsOfThisMachineUnlessAllowed) {
  for (const auto* url : {"http://example.org/", "http://10.0.0.1:80/", "http://127.0.0.1.example.org/",
                          "http://[::2]/", "http://0.0.0.0/"}) {
    const auto message = error_message(ErrorKind::kUsage, [&] { static_cast<void>(HttpVictim(url, {})); });
    EXPECT_NE(message.find("not on this machine"), std::string::npos) << url;
    EXPECT_NO_THROW(HttpVictim(url, {}, Reach::kAnywhere)) << url;
  }
  for (const auto* url : {"http://localhost", "http://127.3.2.1:8080/a?b=c", "http://[::1]:80/"}) {
    EXPECT_NO_THROW(HttpVictim(url, {})) << url;
  }
}

TEST(HttpUrl, IsCheckedBeforeAnythingIsSent) {
  for (const auto* url :
       {"https://localhost/", "localhost", "http://", "http://localhost:0/", "http://localhost:70000/",
        "http://localhost:8a/", "http://me@localhost/", "http://localhost/a b", "http://localhost/\r\nX: y"}) {
    error_message(ErrorKind::kUsage, [&] { static_cast<void>(HttpVictim(url, {}, Reach::kAnywhere)); });
  }
}

}  // namespace
}  // namespace steadyiqa::attacks
