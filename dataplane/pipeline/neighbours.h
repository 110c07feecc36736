// SPDX-License-Identifier: Apache-2.0
//
// ARP and neighbour discovery on the wire, and the way news reaches the owner of the neighbour table:
// worker 0 acts at once, the others send a message.
#pragma once

#include "dataplane/neighbour/resolver.h"
#include "dataplane/pipeline/context.h"

namespace tandem::pipeline {

// Whether `address` is in one of the interface's networks, or link-local.
bool IsOnLink(const config::Interface& interface, const IpAddress& address) noexcept;
// Our own address, of the neighbour's family, to speak to it from: in its network if there is one. Unset:
// none.
IpAddress AddressTowards(const Context& context, const config::Interface& interface,
                         const IpAddress& neighbour) noexcept;

// Packets of kind kArp and kNd: answers for our addresses, learns from the rest. Consumes or drops.
void HandleArp(Context& context, const Work& work) noexcept;
void HandleNd(Context& context, const Work& work) noexcept;

// Asks for the MAC of `address`; the question goes out once, however many ask.
void AskNeighbour(Context& context, config::InterfaceId interface,
                  const IpAddress& address) noexcept;

// Worker 0: puts a question of the resolver on the wire.
void SendProbe(Context& context, const neighbour::Probe& probe) noexcept;

// Worker 0: takes in what others said, and lets the resolver look at `budget` entries.
void RunResolver(Context& context, unsigned budget) noexcept;

}  // namespace tandem::pipeline
