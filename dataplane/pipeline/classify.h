// SPDX-License-Identifier: Apache-2.0
//
// What a parsed packet is to this device: the interface it is on, whether its MAC is ours, and
// whether it is the device's own business.
#pragma once

#include <rte_byteorder.h>

#include "dataplane/base/mac_word.h"
#include "dataplane/mirror/frame.h"
#include "dataplane/pipeline/context.h"

namespace tandem::pipeline {

enum class Business : uint8_t {
  kDone,       // answered, consumed or dropped
  kTraffic,    // has a flow key: look it up
  kIcmpError,  // about a flow
};

// Sets work.interface. Parse drops end here, too.
Business Classify(Context& context, Work& work) noexcept;

// What heartbeats of other devices are sent to. REQUIRES: parsed.kind is kTcp or kUdp.
template <class Key>
bool IsControlPort(const Key& key) noexcept {
  return key.destination_port == RTE_BE16(mirror::kControlPort);
}

// The same of what net::ParseCommon took. Looks for itself only at what is nearly always so.
[[gnu::always_inline]] inline Business ClassifyCommon(Context& context, Work& work) noexcept {
  const net::Parsed& parsed = work.parsed;
  const config::InterfaceId id = context.snapshot->InterfaceOf(work.packet.port, parsed.vlan);
  const config::Interface* const interface = context.snapshot->interfaces.data() + id;
  const MacWord mac = LoadDestination(work.packet.data);
  // (No frame is for the MAC of a hole.)
  const bool is_usual = (mac == interface->mac_word || (mac == context.snapshot->masquerade_mac &&
                                                        id != 0 && !context.roles.any_silent())) &&
                        !IsControlPort(parsed.key4);
  if (!is_usual) [[unlikely]]
    return Classify(context, work);
  work.interface = interface;
  if (interface->is_watched) [[unlikely]]
    context.counters.heard_at[id].Set(context.now);
  return Business::kTraffic;
}

}  // namespace tandem::pipeline
