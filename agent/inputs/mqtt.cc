#include "agent/inputs/mqtt.h"

#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <random>

#include "agent/inputs/files.h"
#include "agent/inputs/json_reader.h"
#include "agent/inputs/number.h"
#include "agent/inputs/schedule.h"
#include "agent/inputs/streams.h"
#include "agent/inputs/text.h"
#include "dunlin/transport.h"

namespace dunlin::agent {

namespace {

constexpr std::size_t kPayloadBytesMax = 64 * 1024;
constexpr std::size_t kQueueMessagesMax = 10'000;
constexpr std::size_t kQueueBytesMax = 4 << 20;

struct Message {
  std::string topic, payload;
  Stamp stamp;
};

// Between the transport's thread and the driver's: bounded, the newest lose.
class Mailbox final : public TransportEvents {
 public:
  Mailbox(InputSink& sink, bool retained) : sink_(sink), retained_(retained) {}

  void on_connected() override {}
  void on_disconnected(const Error& reason) override {
    const std::lock_guard lock(mutex_);
    problem_ = reason;
    filled_.notify_one();
  }
  void on_message(std::string_view topic, ByteView payload, bool retained) override {
    if (retained && !retained_) return;
    const Stamp stamp = sink_.now();
    const std::lock_guard lock(mutex_);
    if (messages_.size() >= kQueueMessagesMax || bytes_ + payload.size() > kQueueBytesMax) {
      ++lost_;
    } else {
      bytes_ += payload.size();
      messages_.push_back({std::string(topic), std::string(as_text(payload)), stamp});
    }
    filled_.notify_one();
  }

  struct Content {
    std::deque<Message> messages;
    std::uint64_t lost = 0;
    std::optional<Error> problem;
  };
  // Waits for something, or for stop.
  Content take(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    filled_.wait(lock, stop, [&] { return !messages_.empty() || lost_ > 0 || problem_; });
    bytes_ = 0;
    return {std::exchange(messages_, {}), std::exchange(lost_, 0),
            std::exchange(problem_, std::nullopt)};
  }

 private:
  InputSink& sink_;
  const bool retained_;
  std::mutex mutex_;
  std::condition_variable_any filled_;
  std::deque<Message> messages_;
  std::size_t bytes_ = 0;
  std::uint64_t lost_ = 0;
  std::optional<Error> problem_;
};

// Two clients of one name throw each other out, so each has its own.
std::string fresh_client_id() {
  std::random_device entropy;
  return "dunlin-input-" + std::to_string(getpid()) + "-" + std::to_string(entropy());
}

class MqttInput final : public Input {
 public:
  struct Options {
    TransportOptions transport;
    std::string password_file;
    std::vector<std::string> topics;
    StreamTemplate stream;
    JsonReader reader;
    bool retained = false;
  };
  explicit MqttInput(Options options) : options_(std::move(options)) {}

  Result<void> run(InputSink& sink, std::stop_token stop) override {
    TransportOptions transport_options = options_.transport;
    transport_options.plain = true;  // a sensor speaks as it can: its readings are worth no more
    if (!options_.password_file.empty()) {
      DUNLIN_ASSIGN(const std::string secret, read_small_file(options_.password_file));
      transport_options.password = secret.substr(0, secret.find_first_of("\r\n"));
    }
    DUNLIN_ASSIGN(const std::unique_ptr<Transport> transport,
                  make_transport(std::move(transport_options)));
    std::vector<Transport::Subscription> subscriptions;
    for (const std::string& topic : options_.topics) subscriptions.push_back({topic, 0});
    Mailbox mailbox(sink, options_.retained);
    DUNLIN_TRY(transport->start(mailbox, std::move(subscriptions), Will{}));
    Result<void> state = drain(mailbox, sink, stop);
    transport->stop(true);
    return unless_closed(state);
  }

 private:
  Result<void> drain(Mailbox& mailbox, InputSink& sink, const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      const Mailbox::Content content = mailbox.take(stop);
      if (content.problem) sink.report(options_.transport.url, *content.problem);
      if (content.lost > 0) {
        sink.report(options_.transport.url,
                    {Errc::backpressure, std::to_string(content.lost) +
                                             " messages were lost: they "
                                             "came faster than the log takes them"});
      }
      for (const Message& message : content.messages) {
        Result<void> taken = take(message, sink);
        if (taken.ok()) continue;
        if (taken.error().code == Errc::closed) return taken;
        sink.report("topic " + excerpt(message.topic), taken.error());
      }
      DUNLIN_TRY(streams_.flush(sink));
    }
    return {};
  }

  Result<void> take(const Message& message, InputSink& sink) {
    if (message.payload.empty()) return {};  // how a retained message is cleared
    if (message.payload.size() > kPayloadBytesMax) {
      return {Errc::too_large, "a payload longer than 64 KiB"};
    }
    reading_.clear();
    DUNLIN_ASSIGN(reading_.stream, options_.stream.name(message.topic));
    DUNLIN_TRY(options_.reader.read(message.payload, false, reading_));
    return streams_.add(reading_, message.stamp, sink);
  }

  Options options_;
  SelfDefiningStreams streams_;
  Reading reading_;
};

}  // namespace

Result<StreamTemplate> StreamTemplate::from(std::string_view text) {
  StreamTemplate out;
  while (!text.empty()) {
    const std::size_t open = std::min(text.find('{'), text.size());
    if (open > 0) out.parts_.push_back({kLiteral, std::string(text.substr(0, open))});
    text.remove_prefix(open);
    if (text.empty()) break;
    const std::size_t close = text.find('}');
    if (close == std::string_view::npos) return Error{Errc::invalid_argument, "{ without its }"};
    const std::string_view name = text.substr(1, close - 1);
    const auto level = parse_integer(name);
    if (name == "topic") {
      out.parts_.push_back({kTopic, ""});
    } else if (level && *level >= 0 && *level < 1000) {
      out.parts_.push_back({static_cast<int>(*level), ""});
    } else {
      return Error{Errc::invalid_argument, "{" + std::string(name.substr(0, 32)) +
                                               "} is neither {topic} nor {0}, {1}, ..."};
    }
    text.remove_prefix(close + 1);
  }
  return out;
}

Result<std::string> StreamTemplate::name(std::string_view topic) const {
  std::string out;
  for (const Part& part : parts_) {
    if (part.level == kLiteral) {
      out += part.literal;
      continue;
    }
    std::string_view piece = topic;
    if (part.level != kTopic) {
      for (int i = 0; i < part.level; ++i) {
        const std::size_t slash = piece.find('/');
        if (slash == std::string_view::npos) {
          return Error{Errc::malformed, "the topic has no level " + std::to_string(part.level)};
        }
        piece.remove_prefix(slash + 1);
      }
      piece = piece.substr(0, piece.find('/'));
    }
    out += piece;
  }
  out = stream_name_from(out);
  if (out.empty()) return Error{Errc::malformed, "the topic gives no name for a stream"};
  return out;
}

Result<std::unique_ptr<Input>> make_mqtt_input(config::Table& table) {
  MqttInput::Options options{.transport = {},
                             .password_file = table.text("password_file"),
                             .topics = table.texts("topics"),
                             .stream = {},
                             .reader = JsonReader::from(table, ""),
                             .retained = table.boolean("retained", false)};
  options.transport.url = table.required_text("url");
  options.transport.client_id = table.text("client_id");
  if (options.transport.client_id.empty()) options.transport.client_id = fresh_client_id();
  options.transport.username = table.text("username");
  options.transport.ca_file = table.text("ca_file");
  options.transport.cert_file = table.text("cert_file");
  options.transport.key_file = table.text("key_file");
  options.transport.protocol = static_cast<int>(table.integer("protocol", 5, 4, 5));
  options.transport.seed = std::random_device{}();
  if (options.topics.empty()) table.mistake("topics", "at least one topic filter is needed");
  auto stream = StreamTemplate::from(table.text("stream", "{topic}"));
  if (stream.ok()) {
    options.stream = std::move(stream).value();
  } else {
    table.mistake("stream", stream.error().context);
  }
  if (options.transport.url.empty() || options.topics.empty() || !stream.ok()) {
    return Error{Errc::config, table.where("type") + ": the mqtt input cannot be made"};
  }
  return std::unique_ptr<Input>(std::make_unique<MqttInput>(std::move(options)));
}

}  // namespace dunlin::agent
