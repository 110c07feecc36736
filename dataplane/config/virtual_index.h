// SPDX-License-Identifier: Apache-2.0
//
// Destination, source and port -> virtual server, for the first packet of a flow.
//
// Precedence is BIG-IP's: the most specific destination prefix first, then the most specific source
// prefix, then a port over any port, then a protocol over any protocol. A virtual that does not
// listen on the packet's interface is passed over; a disabled one is found (the caller refuses). Of
// two virtuals that agree in everything the one with the lower id wins.
//
// Theory of operation: virtuals that agree in (family, destination length, source length, port or
// any, protocol or any) form a class. There are few classes; they are tried from the most specific
// on, each with one hash probe of the packet's fields masked to the class.
//
// Immutable after Build; safe from any thread.
#pragma once

#include <cstdint>
#include <vector>

#include "dataplane/config/objects.h"

namespace tandem::config {

class VirtualIndex {
 public:
  struct Query {
    IpAddress source;
    IpAddress destination;
    uint16_t destination_port = 0;  // host byte order
    uint8_t protocol = 0;
    InterfaceId interface = 0;
  };

  // `virtuals` is indexed by id and may have holes; it must outlive the index.
  void Build(const std::vector<Virtual>& virtuals);

  const Virtual* Find(const Query& query) const noexcept;

 private:
  struct Entry {
    uint64_t hash = 0;  // of the masked fields, which are compared in full
    const Virtual* virtual_server = nullptr;
  };
  struct Class {
    bool v4 = true;
    uint8_t destination_length = 0;
    uint8_t source_length = 0;
    bool any_port = false;
    bool any_protocol = false;
    IpAddress::Halves destination_mask{};
    IpAddress::Halves source_mask{};
    // A hash table with linear probing, a power of two in size and at most half full. Several entries have
    // one hash only when they differ in interfaces, or collide.
    std::vector<Entry> entries;
  };

  static uint64_t HashOf(const Class& group, const Query& query) noexcept;
  static bool Matches(const Class& group, const Virtual& candidate, const Query& query) noexcept;
  static void Spread(Class& group);
  static const Virtual* FindIn(const Class& group, const Query& query) noexcept;
  Class& ClassOf(const Virtual& virtual_server);

  std::vector<Class> classes_;  // most specific first
};

}  // namespace tandem::config
