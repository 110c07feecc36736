// SPDX-License-Identifier: Apache-2.0
#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include "tools/pktgen/result.h"

namespace tandem::pktgen {
namespace {

std::string Quoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (byte < 0x20) {
      absl::StrAppendFormat(&quoted, "\\u%04x", static_cast<unsigned>(byte));
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

// One object, its members in the order of their adding, one a line.
class Object {
 public:
  explicit Object(int depth) : indent_(static_cast<size_t>(depth) * 2, ' ') {}

  void Raw(const char* name, const std::string& value) {
    absl::StrAppend(&text_, text_.empty() ? "" : ",", "\n", indent_, "  \"", name, "\": ", value);
  }
  void Text(const char* name, std::string_view value) { Raw(name, Quoted(value)); }
  void Number(const char* name, uint64_t value) { Raw(name, absl::StrCat(value)); }
  void Fraction(const char* name, double value) { Raw(name, absl::StrFormat("%.3f", value)); }
  void Bool(const char* name, bool value) { Raw(name, value ? "true" : "false"); }
  std::string Done() const { return absl::StrCat("{", text_, "\n", indent_, "}"); }

 private:
  std::string indent_;
  std::string text_;
};

std::string HistogramJson(const Histogram& histogram, int depth) {
  Object object(depth);
  object.Number("count", histogram.count());
  object.Number("min", histogram.min_ns());
  object.Fraction("mean", histogram.mean_ns());
  object.Number("p50", histogram.Quantile(0.5));
  object.Number("p90", histogram.Quantile(0.9));
  object.Number("p99", histogram.Quantile(0.99));
  object.Number("p99_9", histogram.Quantile(0.999));
  object.Number("p99_99", histogram.Quantile(0.9999));
  object.Number("max", histogram.max_ns());
  return object.Done();
}

std::string CountersJson(const Counters& counters, int depth) {
  Object object(depth);
  for (size_t i = 0; i < kCounters; ++i) {
    const auto counter = static_cast<Counter>(i);
    object.Number(NameOf(counter), counters[counter]);
  }
  return object.Done();
}

std::string OptionsJson(const Options& options, int depth) {
  Object object(depth);
  object.Text("protocol", options.is_tcp ? "tcp" : "udp");
  object.Text("virtual", options.virtual_server.address.ToString());
  object.Number("virtual_port", options.virtual_server.port);
  object.Number("flows", options.flows);
  object.Fraction("zipf_exponent", options.zipf_exponent);
  object.Number("frame_size_low", options.sizes.low());
  object.Number("frame_size_high", options.sizes.high());
  object.Number("rate_pps", options.rate_pps);
  object.Number("new_per_second", options.new_per_second);
  object.Number("requests_per_connection", options.requests_per_connection);
  object.Fraction("duration_s", static_cast<double>(options.duration) / 1e9);
  object.Number("seed", options.seed);
  object.Text("pcap", options.pcap);
  return object.Done();
}

std::string LossJson(const Result& result, int depth) {
  Object object(depth);
  object.Number("total", result.lost());
  object.Number("to_server", result.lost_to_server);
  object.Number("to_client", result.lost_to_client);
  object.Number("control_to_server", result.control_lost_to_server);
  object.Number("control_to_client", result.control_lost_to_client);
  object.Number("flows_used", result.flows_used);
  object.Number("flows_affected", result.flows_with_loss);
  object.Number("by_one_flow_max", result.lost_by_one_flow_max);
  return object.Done();
}

std::string RatesJson(const Result& result, int depth) {
  Object object(depth);
  object.Fraction("offered", result.PerSecond(result.offered));
  object.Fraction("started", result.PerSecond(result.started));
  object.Fraction("requests_sent", result.PerSecond(result.clients[Counter::kRequestsSent]));
  object.Fraction("requests_received",
                  result.PerSecond(result.servers[Counter::kRequestsReceived]));
  object.Fraction("replies_received", result.PerSecond(result.clients[Counter::kRepliesReceived]));
  object.Fraction("connections_opened",
                  result.PerSecond(result.clients[Counter::kConnectionsOpened]));
  object.Fraction("connections_closed",
                  result.PerSecond(result.clients[Counter::kConnectionsClosed]));
  return object.Done();
}

std::string OpeningJson(const Result& result, int depth) {
  Object object(depth);
  object.Fraction("took_s", static_cast<double>(result.opening_took) / 1e9);
  object.Number("started", result.opening[Counter::kConnectionsStarted]);
  object.Number("opened", result.opening[Counter::kConnectionsOpened]);
  object.Number("syn_repeated", result.opening[Counter::kSynRepeated]);
  object.Number("resets", result.opening[Counter::kConnectionsReset]);
  object.Number("timed_out", result.opening[Counter::kConnectionsTimedOut]);
  object.Number("open_flows", result.open_flows);
  object.Number("left_open", result.flows_left_open);
  return object.Done();
}

}  // namespace

std::string ErrorJson(std::string_view why) {
  Object object(0);
  object.Text("error", why);
  return object.Done() + "\n";
}

std::string ToJson(const Result& result) {
  Object object(0);
  object.Raw("options", OptionsJson(result.options, 1));
  object.Bool("stopped_early", result.was_stopped);
  object.Fraction("measured_s", static_cast<double>(result.measured) / 1e9);
  object.Number("offered", result.offered);
  object.Number("started", result.started);
  object.Bool("kept_rate", result.kept_rate());
  object.Raw("per_second", RatesJson(result, 1));
  object.Raw("lost", LossJson(result, 1));
  object.Number("corrupt", result.corrupt());
  object.Number("misdelivered", result.misdelivered());
  object.Raw("round_trip_ns", HistogramJson(result.round_trip, 1));
  object.Raw("to_server_ns", HistogramJson(result.to_server, 1));
  object.Raw("to_client_ns", HistogramJson(result.to_client, 1));
  object.Raw("loop_gap_ns", HistogramJson(result.loop_gaps, 1));
  object.Fraction("busy_s", static_cast<double>(result.busy) / 1e9);
  object.Fraction("busy_ns_per_request", result.BusyPerRequest());
  object.Raw("opening", OpeningJson(result, 1));
  object.Raw("clients", CountersJson(result.clients, 1));
  object.Raw("servers", CountersJson(result.servers, 1));
  return object.Done() + "\n";
}

}  // namespace tandem::pktgen
