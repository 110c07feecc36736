// SPDX-License-Identifier: Apache-2.0
#include "control/admin_show.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "control/admin_takeover.h"
#include "control/admin_words.h"
#include "control/config_mirroring_key.h"
#include "control/text.h"

namespace tandem::control {

namespace v1 = admin::v1;

void Fail(v1::Response& response, v1::Response::Code code, std::string message) {
  response.Clear();
  response.set_code(code);
  response.set_message(std::move(message));
}

void ShowVersion(const AdminView& view, v1::Response& response) {
  Operations& operations = view.operations;
  v1::VersionResult& result = *response.mutable_version();
  result.set_version(operations.facts().software.version);
  result.set_dpdk_version(operations.facts().dpdk_version);
  result.set_device(operations.running().device().name());
  result.set_pid(static_cast<uint32_t>(::getpid()));
  result.set_uptime_seconds((operations.Now() - operations.facts().started) / kSecond);
  result.set_config_generation(view.snapshot().generation);
  result.set_workers(operations.unit().workers());
  result.set_config_path(operations.facts().config_path);
}

void ShowArp(const AdminView& view, v1::Response& response) {
  v1::ArpResult& result = *response.mutable_arp();
  const config::Snapshot& snapshot = view.snapshot();
  auto list = view.operations.unit().neighbours().List(TickOf(view.operations.Now()));
  std::ranges::sort(list, {}, &neighbour::Info::address);
  for (const neighbour::Info& info : list) {
    v1::ArpResult::Neighbour& neighbour = *result.add_neighbour();
    neighbour.set_address(info.address.ToString());
    if (info.mac != MacAddress{}) neighbour.set_mac(ToString(info.mac));
    if (info.interface < snapshot.interfaces.size()) {
      neighbour.set_vlan(snapshot.interfaces[info.interface].name);
    }
    neighbour.set_state(std::string(WordOf(info.state)));
    neighbour.set_age_seconds(NanosIn(info.age_ticks) / kSecond);
  }
}

void ShowPorts(const AdminView& view, const v1::ShowPort& request, v1::Response& response) {
  v1::PortResult& result = *response.mutable_ports();
  const auto& ports = view.snapshot().ports;
  for (const PortReport& reported : view.operations.Ports()) {
    if (!request.name().empty() && request.name() != reported.name) continue;
    const PortReport since = view.statistics.Since(reported);
    v1::PortResult::Port& port = *result.add_port();
    port.set_name(since.name);
    port.set_device(since.device);
    port.set_driver(since.driver);
    port.set_mac(ToString(since.mac));
    port.set_mtu(since.mtu);
    port.set_promiscuous(since.promiscuous);
    port.set_link_up(since.link_up);
    port.set_link_changes(since.link_changes);
    port.set_speed_mbps(since.speed_mbps);
    port.set_full_duplex(since.full_duplex);
    port.set_rx_packets(since.rx_packets);
    port.set_rx_bytes(since.rx_bytes);
    port.set_rx_errors(since.rx_errors);
    port.set_rx_missed(since.rx_missed);
    port.set_rx_no_buffer(since.rx_no_buffer);
    port.set_tx_packets(since.tx_packets);
    port.set_tx_bytes(since.tx_bytes);
    port.set_tx_errors(since.tx_errors);
    const auto index = std::ranges::find(ports, reported.name, &config::Port::name) - ports.begin();
    if (static_cast<size_t>(index) == ports.size()) continue;
    const PortTotals counted = view.statistics.OfPort(static_cast<size_t>(index));
    port.set_worker_rx_packets(counted.received_packets);
    port.set_worker_rx_bytes(counted.received_bytes);
  }
  if (!request.name().empty() && result.port().empty()) {
    Fail(response, v1::Response::NOT_FOUND, Cat("there is no port \"", request.name(), "\""));
  }
}

void ShowRoutes(const AdminView& view, v1::Response& response) {
  v1::RouteResult& result = *response.mutable_routes();
  const config::Snapshot& snapshot = view.snapshot();
  if (snapshot.routes == nullptr) return;
  for (const config::Route& configured : snapshot.routes->routes()) {
    v1::RouteResult::Route& route = *result.add_route();
    route.set_name(configured.name);
    route.set_network(configured.network.ToString());
    if (!configured.gateway.is_unset()) route.set_gateway(configured.gateway.ToString());
    if (configured.interface < snapshot.interfaces.size()) {
      route.set_vlan(snapshot.interfaces[configured.interface].name);
    }
  }
}

void ShowMirror(const AdminView& view, v1::Response& response) {
  view.mirror.Fill(view.operations.Now(), *response.mutable_mirror());
}

void ShowTrafficGroups(const AdminView& view, v1::Response& response) {
  v1::TrafficGroupResult& result = *response.mutable_traffic_groups();
  for (const config::TrafficGroup& group : view.snapshot().traffic_groups) {
    if (group.id == 0) continue;
    v1::TrafficGroupResult::TrafficGroup& out = *result.add_traffic_group();
    out.set_name(group.name);
    out.set_role(std::string(WordOf(view.operations.unit().roles().Of(group.id))));
    if (group.has_mac) out.set_mac(ToString(group.mac));
    view.mirror.Fill(group.id, out);
    FillTakeover(view, group.id, out);
  }
}

void ShowConfig(const AdminView& view, v1::Response& response) {
  *response.mutable_config()->mutable_config() = view.operations.running();
  HideMirroringKey(*response.mutable_config()->mutable_config());
}

}  // namespace tandem::control
