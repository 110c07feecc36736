// SPDX-License-Identifier: Apache-2.0
//
// What the configuration means to io: EAL's and the ports' options.
#pragma once

#include <optional>
#include <vector>

#include "control/config_document.h"
#include "dataplane/base/ip_address.h"
#include "dataplane/io/eal_arguments.h"
#include "dataplane/io/port_options.h"
#include "proto/config.pb.h"

namespace tandem::control {

// REQUIRES of all: a valid configuration.

std::vector<io::PortOptions> PortOptionsOf(const Document& document);

// The mirroring port; nothing when nothing is mirrored.
std::optional<io::PortOptions> MirrorPortOptionsOf(const Document& document);

io::EalOptions EalOptionsOf(const config::v1::Config& config,
                            const std::vector<io::PortOptions>& ports,
                            const std::optional<io::PortOptions>& mirror_port);

// Masquerade MACs of all traffic groups: they may come in on any port.
std::vector<MacAddress> MasqueradeMacs(const config::v1::Config& config);

}  // namespace tandem::control
