// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/result.h"

#include <algorithm>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

namespace tandem::pktgen {
namespace {

double Micros(Nanos time_ns) {
  return static_cast<double>(time_ns) / 1e3;
}

std::string LatencyLine(const char* name, const Histogram& histogram) {
  if (histogram.count() == 0) return {};
  return absl::StrFormat("  %-12s %10.1f %10.1f %10.1f %10.1f %10.1f %10.1f\n", name,
                         Micros(histogram.Quantile(0.5)), Micros(histogram.Quantile(0.9)),
                         Micros(histogram.Quantile(0.99)), Micros(histogram.Quantile(0.999)),
                         Micros(histogram.Quantile(0.9999)), Micros(histogram.max_ns()));
}

std::string RateLine(const Result& result, const char* name, uint64_t count) {
  return absl::StrFormat("  %-24s %14d  %12.0f/s\n", name, count, result.PerSecond(count));
}

std::string CounterLines(const char* side, const Counters& counters) {
  std::string text;
  for (size_t i = 0; i < kCounters; ++i) {
    const auto counter = static_cast<Counter>(i);
    if (counters[counter] == 0) continue;
    absl::StrAppendFormat(&text, "  %-8s %-24s %14d\n", side, NameOf(counter), counters[counter]);
  }
  return text;
}

// Why fewer were sent than were offered.
std::string ShortfallLines(const Result& result) {
  if (result.kept_rate()) return {};
  std::string text = absl::StrFormat("did not keep the rate: %d of %d offered were sent\n",
                                     result.started, result.offered);
  if (const uint64_t busy = result.clients[Counter::kFlowBusy]; busy > 0) {
    absl::StrAppendFormat(&text, "  %d not, since flows had too many requests under way\n", busy);
  }
  if (const uint64_t busy = result.clients[Counter::kTupleBusy]; busy > 0) {
    absl::StrAppendFormat(&text, "  %d not, since the next tuples were in use: more --flows\n",
                          busy);
  }
  return text;
}

std::string LossLines(const Result& result) {
  std::string text =
      absl::StrFormat("lost %d (%d on the way to servers, %d to clients) in %d of %d flows\n",
                      result.lost(), result.lost_to_server + result.control_lost_to_server,
                      result.lost_to_client + result.control_lost_to_client, result.flows_with_loss,
                      result.flows_used);
  absl::StrAppendFormat(&text, "corrupt %d, misdelivered %d\n", result.corrupt(),
                        result.misdelivered());
  return text;
}

}  // namespace

uint64_t Result::corrupt() const {
  uint64_t count = 0;
  for (const Counter counter :
       {Counter::kIpChecksumBad, Counter::kL4ChecksumBad, Counter::kPayloadBad}) {
    count += clients[counter] + servers[counter];
  }
  return count;
}

uint64_t Result::misdelivered() const {
  uint64_t count = 0;
  for (const Counter counter : {Counter::kRepliesMisdelivered, Counter::kWrongSide,
                                Counter::kServerUnknown, Counter::kFlowsMoved}) {
    count += clients[counter] + servers[counter];
  }
  return count;
}

double Result::PerSecond(uint64_t count) const {
  return measured == 0 ? 0 : static_cast<double>(count) * 1e9 / static_cast<double>(measured);
}

double Result::BusyPerRequest() const {
  const uint64_t requests = clients[Counter::kRequestsSent];
  return requests == 0 ? 0 : static_cast<double>(busy) / static_cast<double>(requests);
}

std::string ToText(const Result& result) {
  std::string text = absl::StrFormat("measured %.3f s%s\n", Micros(result.measured) / 1e6,
                                     result.was_stopped ? ", stopped early" : "");
  const Options& options = result.options;
  const bool stays = options.is_tcp && !options.has_connections() && options.pcap.empty();
  if (stays && result.open_flows < options.flows) {
    absl::StrAppendFormat(&text, "only %d of %d flows could be opened before\n", result.open_flows,
                          options.flows);
  }
  text += ShortfallLines(result);
  const Counters& clients = result.clients;
  if (!result.options.pcap.empty()) {
    text += RateLine(result, "frames replayed", clients[Counter::kReplayed]);
    text += RateLine(result, "frames received",
                     clients[Counter::kReplayReceived] + result.servers[Counter::kReplayReceived]);
    return text;
  }
  text += RateLine(result, "requests sent", clients[Counter::kRequestsSent]);
  text += RateLine(result, "requests received", result.servers[Counter::kRequestsReceived]);
  text += RateLine(result, "replies received", clients[Counter::kRepliesReceived]);
  if (result.options.has_connections()) {
    text += RateLine(result, "connections opened", clients[Counter::kConnectionsOpened]);
    text += RateLine(result, "connections closed", clients[Counter::kConnectionsClosed]);
  }
  text += LossLines(result);
  absl::StrAppendFormat(&text, "  %-12s %10s %10s %10s %10s %10s %10s\n", "latency, us", "p50",
                        "p90", "p99", "p99.9", "p99.99", "max");
  text += LatencyLine("round trip", result.round_trip);
  text += LatencyLine("to server", result.to_server);
  text += LatencyLine("to client", result.to_client);
  text += LatencyLine("own loop", result.loop_gaps);
  absl::StrAppendFormat(&text, "own core: %.0f ns a request, busy for %.1f %% of the time\n",
                        result.BusyPerRequest(), 100 * result.BusyShare());
  text += CounterLines("clients", clients);
  text += CounterLines("servers", result.servers);
  return text;
}

}  // namespace tandem::pktgen
