// SPDX-License-Identifier: Apache-2.0
//
// What a run found, as JSON for programs and as text for people.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tools/pktgen/counters.h"
#include "tools/pktgen/histogram.h"
#include "tools/pktgen/options.h"

namespace tandem::pktgen {

struct Result {
  Options options;
  bool was_stopped = false;  // by a signal, before the end
  Nanos measured = 0;        // how long new work was offered

  // New work: requests, connections with --new_per_second, frames with --pcap.
  uint64_t offered = 0;  // the rate times the time; without a rate, as many as were sent
  uint64_t started = 0;

  Counters opening;  // clients', of the phase before
  uint32_t open_flows = 0;
  Nanos opening_took = 0;
  Counters clients;
  Counters servers;
  uint64_t lost_to_server = 0;  // requests that no server saw
  uint64_t lost_to_client = 0;  // replies that no client saw
  // TCP segments without data: SYN, ACK, FIN.
  uint64_t control_lost_to_server = 0;
  uint64_t control_lost_to_client = 0;
  uint32_t flows_used = 0;  // that sent a request
  uint32_t flows_with_loss = 0;
  uint32_t lost_by_one_flow_max = 0;
  uint32_t flows_left_open = 0;

  Histogram round_trip;
  Histogram to_server;
  Histogram to_client;
  Histogram loop_gaps;  // between two polls of the generator's own loop
  Nanos busy = 0;       // the sum of those in which a frame was received or sent

  uint64_t lost() const {
    return lost_to_server + lost_to_client + control_lost_to_server + control_lost_to_client;
  }
  uint64_t corrupt() const;
  uint64_t misdelivered() const;
  // Whether the generator did what it was asked to, to a thousandth.
  bool kept_rate() const { return offered - started <= offered / 1000; }
  double PerSecond(uint64_t count) const;
  // What a request and its reply took of the generator's core, all told; 0 without requests. In small bursts,
  // as when it waits for the device, it is more than at the generator's limit.
  double BusyPerRequest() const;
  double BusyShare() const {
    return measured == 0 ? 0 : static_cast<double>(busy) / static_cast<double>(measured);
  }
};

std::string ToJson(const Result& result);
// Of a run that could not be made: its only member is "error".
std::string ErrorJson(std::string_view why);
std::string ToText(const Result& result);

}  // namespace tandem::pktgen
