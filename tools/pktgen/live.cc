// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/live.h"

#include <absl/strings/str_format.h>

namespace tandem::pktgen {
namespace {

double MicrosOf(Nanos time_ns) {
  return static_cast<double>(time_ns) / 1e3;
}

uint64_t Change(uint64_t now, uint64_t before) {
  return now >= before ? now - before : now;  // another phase counts from zero
}

// What was sent and has not come back yet, or never will.
uint64_t Outstanding(uint64_t sent, uint64_t came) {
  return sent > came ? sent - came : 0;
}

}  // namespace

Live::Totals Live::TotalsOf(const Generator& generator) {
  const Counters& clients = generator.clients().counters();
  const Counters& servers = generator.servers().counters();
  return {clients[Counter::kRequestsSent] + clients[Counter::kReplayed],
          servers[Counter::kRequestsReceived] + servers[Counter::kReplayReceived],
          clients[Counter::kRepliesReceived] + clients[Counter::kReplayReceived],
          clients[Counter::kConnectionsOpened],
          clients[Counter::kConnectionsClosed],
          generator.clients().round_trip().count()};
}

std::string Live::Line(const Generator& generator, const Totals& change,
                       const Totals& totals) const {
  const Histogram& round_trip = generator.clients().round_trip();
  return absl::StrFormat(
      "%6.0f s  %-8s  sent %9d/s  servers %9d/s  replies %9d/s  opened %7d/s  open %8d  "
      "missing %6d  p50 %7.1f us  p99 %7.1f us\n",
      static_cast<double>(last_ - began_) / 1e9, NameOf(generator.phase()), change.sent,
      change.at_servers, change.replies, change.opened, generator.clients().open_flows(),
      Outstanding(totals.sent, totals.replies), MicrosOf(round_trip.Quantile(0.5)),
      MicrosOf(round_trip.Quantile(0.99)));
}

std::string Live::View(const Generator& generator, const Totals& change, const Totals& totals) {
  const Histogram& round_trip = generator.clients().round_trip();
  const Counters& clients = generator.clients().counters();
  const Counters& servers = generator.servers().counters();
  std::string text = was_drawn_ ? "\x1b[7A" : "";
  was_drawn_ = true;
  const auto line = [&text](const std::string& content) { text += "\x1b[K" + content + "\n"; };
  line(absl::StrFormat("%s, %.0f s", NameOf(generator.phase()),
                       static_cast<double>(last_ - began_) / 1e9));
  line(absl::StrFormat("  requests  %12d/s sent  %12d/s at servers", change.sent,
                       change.at_servers));
  line(absl::StrFormat("  replies   %12d/s       missing %d", change.replies,
                       Outstanding(totals.sent, totals.replies)));
  line(absl::StrFormat("  flows     %12d open    opened %d/s, closed %d/s",
                       generator.clients().open_flows(), change.opened, change.closed));
  line(absl::StrFormat("  latency   p50 %.1f us, p99 %.1f us, p99.9 %.1f us, max %.1f us",
                       MicrosOf(round_trip.Quantile(0.5)), MicrosOf(round_trip.Quantile(0.99)),
                       MicrosOf(round_trip.Quantile(0.999)), MicrosOf(round_trip.max_ns())));
  line(absl::StrFormat("  misdelivered %d, moved %d, repeated %d, resets %d",
                       clients[Counter::kRepliesMisdelivered], servers[Counter::kFlowsMoved],
                       clients[Counter::kRequestsRepeated] + clients[Counter::kSynRepeated],
                       clients[Counter::kResetsReceived]));
  line(absl::StrFormat("  corrupt   IP %d, L4 %d, payload %d",
                       clients[Counter::kIpChecksumBad] + servers[Counter::kIpChecksumBad],
                       clients[Counter::kL4ChecksumBad] + servers[Counter::kL4ChecksumBad],
                       clients[Counter::kPayloadBad] + servers[Counter::kPayloadBad]));
  return text;
}

std::string Live::Text(const Generator& generator, Nanos now) {
  if (began_ == 0) began_ = last_ = now;
  if (now - last_ < kSecond) return {};
  last_ = now;
  const Totals totals = TotalsOf(generator);
  const Totals change = {
      Change(totals.sent, before_.sent),       Change(totals.at_servers, before_.at_servers),
      Change(totals.replies, before_.replies), Change(totals.opened, before_.opened),
      Change(totals.closed, before_.closed),   Change(totals.samples, before_.samples)};
  before_ = totals;
  return is_terminal_ ? View(generator, change, totals) : Line(generator, change, totals);
}

}  // namespace tandem::pktgen
