// SPDX-License-Identifier: Apache-2.0
//
// The servers behind the device. A frame is answered in its own buffer, from what it carries: nothing is
// kept of a connection, so that millions cost nothing and any loss is the clients' to repair. The server's
// sequence numbers are the client's, shifted; a reply is as long as its request.
//
// What is kept of a flow, 24 bytes, is for finding mistakes: which of its requests have come, and to which
// server they went.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "dataplane/base/hash.h"
#include "dataplane/base/time.h"
#include "dataplane/net/frame.h"
#include "tools/pktgen/arrival.h"
#include "tools/pktgen/counters.h"
#include "tools/pktgen/histogram.h"
#include "tools/pktgen/huge_pages.h"
#include "tools/pktgen/sequence_tracker.h"

namespace tandem::pktgen {

// A server's sequence number is the client's plus this.
inline constexpr uint32_t kServerSequenceShift = 0x5a000000;

class ServerAddresses {
 public:
  static constexpr size_t kMax = 65534;

  explicit ServerAddresses(std::vector<IpAddress> addresses);
  // 0 for an address that no server has; else counted from 1.
  uint16_t NumberOf(const AddressWords& address) const noexcept {
    for (size_t at = PlaceOf(address);; ++at) {
      const Entry& entry = table_[at & mask_];
      if (entry.number == 0 || entry.address == address) return entry.number;
    }
  }
  uint16_t NumberOf(const IpAddress& address) const noexcept { return NumberOf(WordsOf(address)); }
  bool Contains(const IpAddress& address) const noexcept { return NumberOf(address) != 0; }
  const std::vector<IpAddress>& sorted() const { return sorted_; }

 private:
  struct Entry {
    AddressWords address;
    uint16_t number = 0;  // 0: empty
  };

  size_t PlaceOf(const AddressWords& address) const noexcept {
    return HashPair(address.high, address.low, 0) & mask_;
  }

  std::vector<IpAddress> sorted_;
  // By hash, a quarter full at most, linear probing.
  std::vector<Entry> table_;
  size_t mask_ = 0;
};

class Servers {
 public:
  static constexpr size_t kBytesPerFlow = 24;

  Servers(std::vector<IpAddress> addresses, const RunKey& run);

  // A frame that Inspect took for UDP or TCP. True: it is an answer now, of the same length, with its
  // addresses turned round, and is to be sent back; the caller may set another link header.
  bool Answer(net::Packet& packet, const Arrival& arrival, Nanos now) noexcept;

  // `flow` will be looked at soon. It may lie on two cache lines.
  void Prefetch(uint32_t flow) const noexcept {
    __builtin_prefetch(&flows_[flow], 1);
    __builtin_prefetch(reinterpret_cast<const char*>(&flows_[flow] + 1) - 1, 1);
  }

  // Counts from zero; requests of earlier phases are late from here on.
  void StartPhase(uint8_t phase);

  const ServerAddresses& addresses() const { return addresses_; }
  // Of the flow's requests in this phase, how many have come.
  uint32_t requests_of(uint32_t flow) const { return flows_[flow].requests.distinct(); }
  Counters& counters() { return counters_; }
  const Counters& counters() const { return counters_; }
  const Histogram& to_server() const { return to_server_; }

 private:
  struct Flow {
    SequenceTracker requests;
    uint32_t initial_sequence = 0;  // of its connection, TCP
    uint16_t server = 0;            // 0: not seen yet
    uint8_t generation = 0;
  };

  static_assert(sizeof(Flow) == kBytesPerFlow);

  bool NoteRequest(Flow& flow, const Arrival& arrival, uint16_t server, Nanos now);
  bool AnswerTcp(net::Packet& packet, const Arrival& arrival, Flow& flow, uint16_t server,
                 Nanos now);
  void NoteServer(Flow& flow, uint16_t server);

  RunKey run_;
  ServerAddresses addresses_;
  HugePageVector<Flow> flows_;
  uint8_t phase_ = 0;
  Counters counters_;
  Histogram to_server_;
};

}  // namespace tandem::pktgen
