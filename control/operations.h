// SPDX-License-Identifier: Apache-2.0
//
// What operating a running device needs of it: the narrow waist between the daemon, which owns
// configuration, workers and ports, and the admin socket's request handlers. The daemon implements
// it; tests implement it over a unit::Unit without EAL.
//
// Thread safety: control thread only.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include "dataplane/base/ip_address.h"
#include "dataplane/base/time.h"
#include "dataplane/unit/unit.h"
#include "proto/config.pb.h"

namespace tandem::control {

class ConfigSync;
class TakeoverControl;

// Of a port, as the driver reports it; counts since start.
struct PortReport {
  std::string name;
  std::string device;  // as configured
  std::string driver;
  MacAddress mac{};
  uint16_t mtu = 0;
  bool promiscuous = false;
  bool link_up = false;
  uint64_t link_changes = 0;
  bool full_duplex = false;
  uint32_t speed_mbps = 0;  // 0: unknown, as virtual devices say
  uint64_t rx_packets = 0;
  uint64_t rx_bytes = 0;
  uint64_t rx_errors = 0;
  uint64_t rx_missed = 0;     // no descriptor was free when the packet came
  uint64_t rx_no_buffer = 0;  // no mbuf was free
  uint64_t tx_packets = 0;
  uint64_t tx_bytes = 0;
  uint64_t tx_errors = 0;
};

// What the executable was built to be.
struct Software {
  std::string version;
  uint32_t stream_version = 0;  // of what it mirrors by: mirror/frame.h
};

struct Facts {
  Software software;
  std::string dpdk_version;
  std::string config_path;  // what Reload reads and Save writes
  Nanos started = 0;        // in the clock of Now()
  uint32_t flows_ipv4_per_worker = 0;
  uint32_t flows_ipv6_per_worker = 0;
};

class Operations {
 public:
  virtual ~Operations() = default;

  virtual unit::Unit& unit() = 0;
  // A monotonic clock: the one workers' turns are given.
  virtual Nanos Now() const = 0;
  virtual const Facts& facts() const = 0;
  virtual std::vector<PortReport> Ports() const = 0;

  // The configuration that runs now.
  virtual const config::v1::Config& running() const = 0;
  // Validates `next` as a whole against the running device and, unless `check_only`, publishes it.
  // On an error nothing has changed.
  virtual absl::Status Apply(const config::v1::Config& next, bool check_only) = 0;
  // The same from text format. `name` stands for the file in file:line:column of the errors.
  virtual absl::Status ApplyText(std::string_view text, std::string_view name, bool check_only) = 0;
  // ApplyText of the file at facts().config_path.
  virtual absl::Status Reload(bool check_only) = 0;
  // Writes running() to facts().config_path, atomically.
  virtual absl::Status Save() = 0;
  // nullptr: there is no device group; roles are as configured.
  virtual TakeoverControl* takeover() { return nullptr; }
  // nullptr: nothing is mirrored.
  virtual ConfigSync* config_sync() { return nullptr; }
};

}  // namespace tandem::control
