// SPDX-License-Identifier: Apache-2.0
//
// The result as JSON: by its schema, with numbers that are numbers, nothing left out.
#include <google/protobuf/util/json_util.h>

#include <catch2/catch.hpp>
#include <memory>
#include <string>

#include "proto/pktgen_result.pb.h"
#include "tools/pktgen/result.h"

namespace tandem::pktgen {
namespace {

bool Says(const std::string& json, const std::string& text) {
  return json.find(text) != std::string::npos;
}

TEST_CASE("result: the schema has every counter by its name, and no other", "[pktgen]") {
  const google::protobuf::Descriptor& schema = *v1::Counts::descriptor();
  CHECK(schema.field_count() == static_cast<int>(kCounters));
  for (size_t i = 0; i < kCounters; ++i) {
    const char* const name = NameOf(static_cast<Counter>(i));
    INFO(name);
    const google::protobuf::FieldDescriptor* const field = schema.FindFieldByName(name);
    REQUIRE(field != nullptr);
    CHECK(field->type() == google::protobuf::FieldDescriptor::TYPE_DOUBLE);
  }
}

TEST_CASE("result: what the JSON says is what was counted", "[pktgen]") {
  const auto result = std::make_unique<Result>();
  constexpr uint64_t kLarge = (uint64_t{1} << 53) - 1;
  result->options.seed = UINT64_MAX;
  result->measured = 1500 * kMillisecond;
  result->offered = result->started = kLarge;
  result->busy = kSecond;
  result->clients.Add(Counter::kRequestsSent, 3'000'000'000);
  result->servers.Add(Counter::kTransmitFull, 7);
  result->round_trip.Add(1234);
  const std::string json = ToJson(*result);
  v1::Result message;
  REQUIRE(google::protobuf::util::JsonStringToMessage(json, &message).ok());
  CHECK(message.options().seed() == UINT64_MAX);
  CHECK(message.measured_s() == 1.5);
  CHECK(message.started() == static_cast<double>(kLarge));
  CHECK(message.kept_rate());
  CHECK(message.per_second().requests_sent() == 2e9);
  CHECK(message.clients().requests_sent() == 3e9);
  CHECK(message.servers().transmit_full() == 7);
  CHECK(message.round_trip_ns().p99_99() == 1234);
  CHECK(message.busy_ns_per_request() == Approx(1.0 / 3));
  // As programs that know no schema read it.
  CHECK(Says(json, "\"requests_sent\": 3000000000,"));
  CHECK(Says(json, "\"count\": 1,"));
  CHECK(Says(json, "\"p99_9\": 1234,"));
  CHECK(Says(json, "\"replies_received\": 0,"));
  CHECK(Says(json, "\"stopped_early\": false,"));
  CHECK(Says(json, "\"virtual\": "));
}

TEST_CASE("result: why there is none, in any words", "[pktgen]") {
  const std::string why = "--flows \"many\"\n\\: \x01";
  v1::Failure failure;
  REQUIRE(google::protobuf::util::JsonStringToMessage(ErrorJson(why), &failure).ok());
  CHECK(failure.error() == why);
  CHECK(Says(ErrorJson("\xff"), "\"error\": "));
}

}  // namespace
}  // namespace tandem::pktgen
