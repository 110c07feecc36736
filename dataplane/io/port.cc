// SPDX-License-Identifier: Apache-2.0
#include "dataplane/io/port.h"

#include <rte_dev.h>
#include <rte_ether.h>

#include <algorithm>
#include <cstring>

#include <absl/strings/str_cat.h>

#include "dataplane/io/device.h"
#include "dataplane/io/eal.h"

namespace tandem::io {
namespace {

constexpr uint64_t kRxChecksums =
    RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM | RTE_ETH_RX_OFFLOAD_TCP_CKSUM;

uint64_t ChecksumsOf(const rte_eth_dev_info& device) {
  // A paravirtual device with checksum offload delivers packets of its host with no checksum in
  // them at all, which could not be forwarded.
  const bool paravirtual = std::strstr(device.driver_name, "virtio") != nullptr ||
                           std::strstr(device.driver_name, "vhost") != nullptr;
  return paravirtual ? 0 : kRxChecksums & device.rx_offload_capa;
}

rte_ether_addr ToDpdk(const MacAddress& mac) {
  rte_ether_addr address;
  std::memcpy(address.addr_bytes, mac.data(), mac.size());
  return address;
}

bool IsUnsupported(int code) {
  return code == -ENOTSUP || code == -ENOSYS || code == -EOPNOTSUPP;
}

absl::Status Refusal(const PortOptions& options, absl::StatusCode code, const std::string& reason) {
  return absl::Status(
      code, absl::StrCat(options.where, options.where.empty() ? "" : ": ", "port '", options.name,
                         "': device '", options.device, "': ", reason));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Port>> Port::Open(const PortOptions& options, unsigned workers) {
  const absl::StatusOr<uint16_t> id =
      FindDevice(CompleteDevice(options.device, options.rx_descriptors, options.mtu));
  if (!id.ok()) {
    return Refusal(options, id.status().code(), std::string(id.status().message()));
  }
  std::unique_ptr<Port> port(new Port(options, *id));
  if (absl::Status status = port->Inspect(workers); !status.ok()) return status;
  return port;
}

absl::Status Port::Inspect(unsigned workers) {
  if (const int code = rte_eth_dev_info_get(id_, &info_); code != 0) {
    return Error("reading its properties", code);
  }
  rte_ether_addr address;
  if (const int code = rte_eth_macaddr_get(id_, &address); code != 0) {
    return Error("reading its MAC address", code);
  }
  std::memcpy(mac_.data(), address.addr_bytes, mac_.size());
  if (info_.max_rx_queues == 0 || info_.max_tx_queues == 0) {
    return Refusal(options_, absl::StatusCode::kFailedPrecondition,
                   "it cannot both receive and transmit");
  }
  rx_queues_ = static_cast<uint16_t>(std::min<unsigned>(workers, info_.max_rx_queues));
  tx_queues_ = static_cast<uint16_t>(std::min<unsigned>(workers, info_.max_tx_queues));
  if (rx_queues_ < workers) {
    Note(absl::StrCat("has ", rx_queues_, " receive queues for ", workers,
                      " workers: the others get its packets by way of these"));
  }
  if (rx_queues_ > 1) rss_ = PlanRss(info_, options_.facing);
  lasting_notes_ = notes_.size();
  return absl::OkStatus();
}

Port::~Port() {
  Stop();
  rte_eth_dev_close(id_);
}

absl::Status Port::Start(const config::Steering& steering, rte_mempool* pool) {
  notes_.resize(lasting_notes_);
  if (absl::Status status = Configure(steering); !status.ok()) return status;
  if (absl::Status status = SetUpQueues(pool); !status.ok()) return status;
  if (absl::Status status = ApplyMtu(); !status.ok()) return status;
  if (const int code = rte_eth_dev_start(id_); code != 0) return Error("starting", code);
  started_ = true;
  ApplyReta(steering);
  ApplyFilters();
  PollLink();
  return absl::OkStatus();
}

void Port::Stop() {
  if (!started_) return;
  rte_eth_dev_stop(id_);
  link_up_.store(false, std::memory_order_relaxed);
  started_ = false;
}

rte_eth_conf Port::ConfFor(std::array<uint8_t, config::kRssKeySize>& key) const {
  rte_eth_conf conf{};
  conf.rxmode.offloads = ChecksumsOf(info_);
  conf.rxmode.mtu = std::min(options_.mtu, MtuMax());
  conf.txmode.offloads = RTE_ETH_TX_OFFLOAD_MULTI_SEGS & info_.tx_offload_capa;
  if (rss_.fields != 0) {
    conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
    conf.rx_adv_conf.rss_conf.rss_hf = rss_.fields;
    if (rss_.key_size != 0) {
      conf.rx_adv_conf.rss_conf.rss_key = key.data();
      conf.rx_adv_conf.rss_conf.rss_key_len = rss_.key_size;
    }
  }
  conf.intr_conf.lsc = info_.dev_flags != nullptr && (*info_.dev_flags & RTE_ETH_DEV_INTR_LSC) != 0;
  return conf;
}

absl::Status Port::Configure(const config::Steering& steering) {
  std::array<uint8_t, config::kRssKeySize> key;
  std::copy(steering.key().begin(), steering.key().end(), key.begin());
  rte_eth_conf conf = ConfFor(key);
  takes_chains_ = conf.txmode.offloads != 0;
  const int code = rte_eth_dev_configure(id_, rx_queues_, tx_queues_, &conf);
  return code == 0 ? absl::OkStatus() : Error("configuring", code);
}

absl::Status Port::SetUpQueues(rte_mempool* pool) {
  uint16_t rx_descriptors = options_.rx_descriptors;
  uint16_t tx_descriptors = options_.tx_descriptors;
  if (const int code = rte_eth_dev_adjust_nb_rx_tx_desc(id_, &rx_descriptors, &tx_descriptors);
      code != 0) {
    return Error("choosing its numbers of descriptors", code);
  }
  rte_eth_rxconf rx = info_.default_rxconf;
  rx.offloads = ChecksumsOf(info_);
  for (uint16_t queue = 0; queue < rx_queues_; ++queue) {
    const int code = rte_eth_rx_queue_setup(
        id_, queue, rx_descriptors, static_cast<unsigned>(rte_eth_dev_socket_id(id_)), &rx, pool);
    if (code != 0) return Error(absl::StrCat("receive queue ", queue), code);
  }
  rte_eth_txconf tx = info_.default_txconf;
  tx.offloads = takes_chains_ ? RTE_ETH_TX_OFFLOAD_MULTI_SEGS : 0;
  for (uint16_t queue = 0; queue < tx_queues_; ++queue) {
    const int code = rte_eth_tx_queue_setup(id_, queue, tx_descriptors,
                                            static_cast<unsigned>(rte_eth_dev_socket_id(id_)), &tx);
    if (code != 0) return Error(absl::StrCat("transmit queue ", queue), code);
  }
  return absl::OkStatus();
}

// The largest MTU the driver can be asked for.
uint16_t Port::MtuMax() const {
  constexpr uint32_t kHeaders = RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN;
  if (info_.max_mtu != UINT16_MAX) return info_.max_mtu;
  const uint32_t frame = std::max(info_.max_rx_pktlen, kHeaders);
  return static_cast<uint16_t>(std::min<uint32_t>(frame - kHeaders, UINT16_MAX));
}

absl::Status Port::ApplyMtu() {
  uint16_t now = 0;
  if (rte_eth_dev_get_mtu(id_, &now) == 0 && now == options_.mtu) return absl::OkStatus();
  const bool is_virtual = !IsPciDevice(options_.device) && !IsBusDevice(options_.device);
  if (is_virtual && options_.mtu > MtuMax()) {
    // af_packet declares frames of 1518 bytes, yet carries what its rings and the kernel do.
    Note(absl::StrCat("the driver cannot set an MTU of ", options_.mtu,
                      ": the network interface behind it needs it"));
    return absl::OkStatus();
  }
  const int code = rte_eth_dev_set_mtu(id_, options_.mtu);
  // Memory and file devices have none and take what comes.
  if (code == 0 || (is_virtual && IsUnsupported(code))) return absl::OkStatus();
  return Error(absl::StrCat("setting its MTU to ", options_.mtu), code);
}

void Port::ApplyReta(const config::Steering& steering) {
  if (rss_.fields == 0 || info_.reta_size == 0) return;
  std::vector<rte_eth_rss_reta_entry64> table = RetaFor(steering, info_.reta_size, rx_queues_);
  const int code = rte_eth_dev_rss_reta_update(id_, table.data(), info_.reta_size);
  if (code != 0) Note(absl::StrCat("keeps its own redirection table: ", rte_strerror(-code)));
}

void Port::ApplyFilters() {
  // Neighbour discovery comes to multicast addresses, one for each address of ours.
  if (rte_eth_allmulticast_enable(id_) != 0) needs_promiscuous_ = true;
  const std::vector<MacAddress> macs = std::exchange(extra_macs_, {});
  SetExtraMacs(macs);
  SetPromiscuous();
}

void Port::SetExtraMacs(const std::vector<MacAddress>& macs) {
  for (const MacAddress& mac : extra_macs_) {
    if (std::find(macs.begin(), macs.end(), mac) != macs.end()) continue;
    rte_ether_addr address = ToDpdk(mac);
    rte_eth_dev_mac_addr_remove(id_, &address);
  }
  for (const MacAddress& mac : macs) {
    if (mac == mac_) continue;
    rte_ether_addr address = ToDpdk(mac);
    if (rte_eth_dev_mac_addr_add(id_, &address, 0) != 0) needs_promiscuous_ = true;
  }
  extra_macs_ = macs;
  SetPromiscuous();
}

void Port::SetPromiscuous() {
  if (!started_ || (!options_.promiscuous && !needs_promiscuous_)) return;
  if (rte_eth_promiscuous_get(id_) == 1) return;
  const int code = rte_eth_promiscuous_enable(id_);
  if (code != 0 && options_.promiscuous) {
    Note(absl::StrCat("cannot be promiscuous: ", rte_strerror(-code)));
  }
}

void Port::PollLink() {
  rte_eth_link link{};
  // A driver that does not know its link has none to lose.
  const bool is_known = rte_eth_link_get_nowait(id_, &link) == 0;
  if (is_known) link_.store(std::bit_cast<uint64_t>(link), std::memory_order_relaxed);
  const bool up = (!is_known || link.link_status == RTE_ETH_LINK_UP) && kernel_link_.IsUp();
  if (link_up_.exchange(up, std::memory_order_relaxed) != up)
    link_changes_.fetch_add(1, std::memory_order_relaxed);
}

PortStatus Port::Status() const {
  PortStatus status;
  status.driver = info_.driver_name;
  status.mac = mac_;
  status.mtu = options_.mtu;
  status.promiscuous = rte_eth_promiscuous_get(id_) == 1;
  status.link_up = link_up_.load(std::memory_order_relaxed);
  status.link_changes = link_changes();
  const auto link = std::bit_cast<rte_eth_link>(link_.load(std::memory_order_relaxed));
  status.full_duplex = link.link_duplex == RTE_ETH_LINK_FULL_DUPLEX;
  status.speed_mbps = link.link_speed == RTE_ETH_SPEED_NUM_UNKNOWN ? 0 : link.link_speed;
  rte_eth_stats_get(id_, &status.stats);
  return status;
}

int Port::node() const {
  return rte_eth_dev_socket_id(id_);
}

absl::Status Port::Error(const std::string& what, int code) const {
  const std::string detail = TakeEalError();
  return Refusal(options_, absl::StatusCode::kFailedPrecondition,
                 absl::StrCat(what, ": ", rte_strerror(-code),
                              detail.empty() ? "" : absl::StrCat(" (", detail, ")")));
}

}  // namespace tandem::io
