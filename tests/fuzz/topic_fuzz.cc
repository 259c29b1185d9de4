// Topics, filters and addresses as text.
#include "agent/inputs/field_spec.h"
#include "agent/inputs/mqtt.h"
#include "common/runtime/topics.h"
#include "common/transport/mqtt/broker_url.h"
#include "common/transport/topic_filter.h"
#include "tests/fuzz/fuzz.h"

namespace dunlin::fuzz {

// The first line is a filter, a template or an address, the rest a topic.
void take(ByteView input) {
  const std::string_view text = as_text(input);
  const std::size_t end = std::min(text.find('\n'), text.size());
  const std::string_view first = text.substr(0, end);
  const std::string_view topic = text.substr(std::min(end + 1, text.size()));

  if (const auto parsed = runtime::parse_topic("fleet", topic)) {
    DUNLIN_CHECK(runtime::topic_name("fleet", parsed->cell, parsed->topic, parsed->node,
                                     parsed->reader) == topic);
  }
  if (is_valid_filter(first) && is_valid_topic(topic)) {
    const bool matches = topic_matches(first, topic);
    DUNLIN_CHECK(first != "#" || matches == !topic.starts_with('$'));
    DUNLIN_CHECK(first != topic || matches);
  }
  if (const auto names = agent::StreamTemplate::from(first); names.ok()) {
    const auto name = names->name(topic);
    DUNLIN_CHECK(!name.ok() || name->size() <= 128);
  }
  if (const auto url = BrokerUrl::parse(first); url.ok()) {
    const auto again = BrokerUrl::parse((url->tls ? "mqtts://" : "mqtt://") + url->address());
    DUNLIN_CHECK(again.ok() && again->address() == url->address());
  }
  if (const auto spec = agent::parse_field_spec(first); spec.ok()) {
    Rows rows(1);
    rows.begin_row(0);
    const Result<void> added = agent::add_value(rows, spec->field, topic);
    DUNLIN_CHECK(!added.ok() || rows.cell(0, 0).kind != Cell::Kind::text ||
                 rows.text(rows.cell(0, 0)) == topic);
  }
}

}  // namespace dunlin::fuzz
