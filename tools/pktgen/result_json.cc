// SPDX-License-Identifier: Apache-2.0
#include <google/protobuf/util/json_util.h>

#include <string>

#include "proto/pktgen_result.pb.h"
#include "tools/pktgen/result.h"

namespace tandem::pktgen {
namespace {

std::string JsonOf(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.always_print_primitive_fields = true;
  options.preserve_proto_field_names = true;
  std::string json;
  // It fails for text that is not UTF-8, as a path may be.
  if (!google::protobuf::util::MessageToJsonString(message, &json, options).ok())
    return "{\"error\": \"the result has text that is not UTF-8\"}\n";
  return json;
}

double Number(uint64_t value) {
  return static_cast<double>(value);
}

double Seconds(Nanos time_ns) {
  return static_cast<double>(time_ns) / 1e9;
}

void Set(v1::Times& times, const Histogram& histogram) {
  times.set_count(Number(histogram.count()));
  times.set_min(Number(histogram.min_ns()));
  times.set_mean(histogram.mean_ns());
  times.set_p50(Number(histogram.Quantile(0.5)));
  times.set_p90(Number(histogram.Quantile(0.9)));
  times.set_p99(Number(histogram.Quantile(0.99)));
  times.set_p99_9(Number(histogram.Quantile(0.999)));
  times.set_p99_99(Number(histogram.Quantile(0.9999)));
  times.set_max(Number(histogram.max_ns()));
}

// Every counter has a field of its name: the schema's list and counters.h are held together by a test.
void Set(v1::Counts& counts, const Counters& counters) {
  const google::protobuf::Descriptor& schema = *counts.GetDescriptor();
  const google::protobuf::Reflection& access = *counts.GetReflection();
  for (size_t i = 0; i < kCounters; ++i) {
    const auto counter = static_cast<Counter>(i);
    const google::protobuf::FieldDescriptor* const field = schema.FindFieldByName(NameOf(counter));
    if (field != nullptr) access.SetDouble(&counts, field, Number(counters[counter]));
  }
}

void Set(v1::RunOptions& to, const Options& options) {
  to.set_protocol(options.is_tcp ? "tcp" : "udp");
  to.set_virtual_(options.virtual_server.address.ToString());
  to.set_virtual_port(options.virtual_server.port);
  to.set_flows(options.flows);
  to.set_zipf_exponent(options.zipf_exponent);
  to.set_frame_size_low(options.sizes.low());
  to.set_frame_size_high(options.sizes.high());
  to.set_rate_pps(Number(options.rate_pps));
  to.set_new_per_second(Number(options.new_per_second));
  to.set_requests_per_connection(options.requests_per_connection);
  to.set_duration_s(Seconds(options.duration));
  to.set_seed(options.seed);
  to.set_pcap(options.pcap);
}

void SetLoss(v1::Loss& loss, const Result& result) {
  loss.set_total(Number(result.lost()));
  loss.set_to_server(Number(result.lost_to_server));
  loss.set_to_client(Number(result.lost_to_client));
  loss.set_control_to_server(Number(result.control_lost_to_server));
  loss.set_control_to_client(Number(result.control_lost_to_client));
  loss.set_flows_used(result.flows_used);
  loss.set_flows_affected(result.flows_with_loss);
  loss.set_by_one_flow_max(result.lost_by_one_flow_max);
}

void SetRates(v1::Rates& rates, const Result& result) {
  const Counters& clients = result.clients;
  rates.set_offered(result.PerSecond(result.offered));
  rates.set_started(result.PerSecond(result.started));
  rates.set_requests_sent(result.PerSecond(clients[Counter::kRequestsSent]));
  rates.set_requests_received(result.PerSecond(result.servers[Counter::kRequestsReceived]));
  rates.set_replies_received(result.PerSecond(clients[Counter::kRepliesReceived]));
  rates.set_connections_opened(result.PerSecond(clients[Counter::kConnectionsOpened]));
  rates.set_connections_closed(result.PerSecond(clients[Counter::kConnectionsClosed]));
}

void SetOpening(v1::Opening& opening, const Result& result) {
  opening.set_took_s(Seconds(result.opening_took));
  opening.set_started(Number(result.opening[Counter::kConnectionsStarted]));
  opening.set_opened(Number(result.opening[Counter::kConnectionsOpened]));
  opening.set_syn_repeated(Number(result.opening[Counter::kSynRepeated]));
  opening.set_resets(Number(result.opening[Counter::kConnectionsReset]));
  opening.set_timed_out(Number(result.opening[Counter::kConnectionsTimedOut]));
  opening.set_open_flows(result.open_flows);
  opening.set_left_open(result.flows_left_open);
}

}  // namespace

std::string ErrorJson(std::string_view why) {
  v1::Failure failure;
  failure.set_error(std::string(why));
  return JsonOf(failure);
}

std::string ToJson(const Result& result) {
  v1::Result message;
  Set(*message.mutable_options(), result.options);
  message.set_stopped_early(result.was_stopped);
  message.set_measured_s(Seconds(result.measured));
  message.set_offered(Number(result.offered));
  message.set_started(Number(result.started));
  message.set_kept_rate(result.kept_rate());
  SetRates(*message.mutable_per_second(), result);
  SetLoss(*message.mutable_lost(), result);
  message.set_corrupt(Number(result.corrupt()));
  message.set_misdelivered(Number(result.misdelivered()));
  Set(*message.mutable_round_trip_ns(), result.round_trip);
  Set(*message.mutable_to_server_ns(), result.to_server);
  Set(*message.mutable_to_client_ns(), result.to_client);
  Set(*message.mutable_loop_gap_ns(), result.loop_gaps);
  message.set_busy_s(Seconds(result.busy));
  message.set_busy_ns_per_request(result.BusyPerRequest());
  SetOpening(*message.mutable_opening(), result);
  Set(*message.mutable_clients(), result.clients);
  Set(*message.mutable_servers(), result.servers);
  return JsonOf(message);
}

}  // namespace tandem::pktgen
