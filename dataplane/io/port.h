// SPDX-License-Identifier: Apache-2.0
//
// One port: a device of any DPDK driver, found by what the configuration calls it, set up with as
// many queue pairs as there are workers where the device can, and asked about its state.
//
// Thread safety: control, but for PollLink, link_up and link_changes (any thread) and the queues, which
// workers use directly.
#pragma once

#include <rte_ethdev.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "dataplane/base/ip_address.h"
#include "dataplane/config/steering.h"
#include "dataplane/io/device.h"
#include "dataplane/io/kernel_link.h"
#include "dataplane/io/port_options.h"
#include "dataplane/io/rss.h"

namespace tandem::io {

struct PortStatus {
  std::string driver;
  MacAddress mac{};
  uint16_t mtu = 0;
  bool promiscuous = false;
  bool link_up = false;
  uint32_t link_changes = 0;
  bool full_duplex = false;
  uint32_t speed_mbps = 0;  // 0: unknown
  rte_eth_stats stats{};
};

class Port {
 public:
  // Finds the device, which a virtual one is created for. Errors name the port and the device.
  // REQUIRES: EAL; 1 <= workers.
  static absl::StatusOr<std::unique_ptr<Port>> Open(const PortOptions& options, unsigned workers);
  ~Port();
  Port(const Port&) = delete;
  Port& operator=(const Port&) = delete;

  // Configures and starts it, after Stop again. Things the device cannot do but that can be done without
  // are told in notes().
  absl::Status Start(const config::Steering& steering, rte_mempool* pool);
  void Stop();

  // Unicast MACs to receive beside its own: filtered by the NIC, or promiscuous where it cannot.
  void SetExtraMacs(const std::vector<MacAddress>& macs);
  // Reads the link. By one thread at a time, which may be another one.
  void PollLink();
  PortStatus Status() const;

  const PortOptions& options() const { return options_; }
  uint16_t id() const { return id_; }
  int node() const;
  uint16_t rx_queues() const { return rx_queues_; }
  uint16_t tx_queues() const { return tx_queues_; }
  uint16_t reta_size() const { return info_.reta_size; }
  bool one_ended_rss() const { return rss_.one_ended; }
  bool takes_chains() const { return takes_chains_; }
  const MacAddress& mac() const { return mac_; }
  const std::atomic<bool>& link_up() const { return link_up_; }
  // So often it has come or gone.
  uint32_t link_changes() const { return link_changes_.load(std::memory_order_relaxed); }
  const std::vector<std::string>& notes() const { return notes_; }

 private:
  Port(const PortOptions& options, uint16_t id)
      : options_(options), id_(id), kernel_link_(KernelInterface(options.device)) {}
  absl::Status Inspect(unsigned workers);
  absl::Status Configure(const config::Steering& steering);
  absl::Status SetUpQueues(rte_mempool* pool);
  rte_eth_conf ConfFor(std::array<uint8_t, config::kRssKeySize>& key) const;
  uint16_t MtuMax() const;
  absl::Status ApplyMtu();
  void ApplyReta(const config::Steering& steering);
  void ApplyFilters();
  void SetPromiscuous();
  absl::Status Error(const std::string& what, int code) const;
  void Note(const std::string& text) { notes_.push_back(text); }

  PortOptions options_;
  uint16_t id_;
  rte_eth_dev_info info_{};
  RssPlan rss_;
  uint16_t rx_queues_ = 1;
  uint16_t tx_queues_ = 1;
  bool takes_chains_ = false;
  bool needs_promiscuous_ = false;
  bool started_ = false;
  MacAddress mac_{};
  std::vector<MacAddress> extra_macs_;
  KernelLink kernel_link_;
  std::atomic<bool> link_up_{false};
  std::atomic<uint32_t> link_changes_{0};
  std::atomic<uint64_t> link_{0};  // an rte_eth_link
  std::vector<std::string> notes_;
  size_t lasting_notes_ = 0;  // the first of them, which are not Start's
};

}  // namespace tandem::io
