// SPDX-License-Identifier: Apache-2.0
//
// Flows that begin in one burst, where what one does may concern the next: packets of one flow, clients with
// one port, a connection that ends and begins again.
#include <algorithm>
#include <catch2/catch.hpp>
#include <set>
#include <string>
#include <vector>

#include "tests/support/packet_text.h"
#include "tests/unit/unit/pair_network.h"

namespace tandem::test {
namespace {

class Beginnings {
 public:
  // The clients' packets on one worker's queue, and the turns that it takes. How many were forwarded.
  uint64_t SendBurst(const std::vector<std::string>& lines) {
    Rig& rig = network_.pair.rig(0);
    const uint64_t before = rig.Total(&pipeline::WorkerCounters::forwarded);
    for (const std::string& line : lines) {
      const auto packet = PacketFromText(line, Hosts::LinkOf(rig, *network_.hosts.Find("client")));
      REQUIRE(packet.ok());
      rig.Inject(rig.PortNamed("1.1"), 0, packet->frame, packet->arrival);
    }
    rig.Run();
    return rig.Total(&pipeline::WorkerCounters::forwarded) - before;
  }
  std::vector<unit::FlowInfo> Flows() {
    return network_.pair.rig(0).Flows(FlowsOf(unit::FlowType::kAny));
  }
  uint64_t created() {
    return network_.pair.rig(0).Total(&pipeline::WorkerCounters::flows_created);
  }
  PairNetwork& network() { return network_; }

 private:
  PairNetwork network_;
};

std::string Datagram(unsigned client, unsigned port) {
  return "udp 192.0.2." + std::to_string(client) + ":" + std::to_string(port) + " > 192.0.2.101:80";
}

}  // namespace

TEST_CASE("admit: packets of one burst that are of one flow begin it once", "[unit]") {
  Beginnings device;
  REQUIRE(device.SendBurst({Datagram(10, 9)}) ==
          1);  // the servers' MAC addresses are known from now on
  REQUIRE(device.SendBurst({Datagram(10, 10)}) == 1);
  std::vector<std::string> lines;
  for (unsigned round = 0; round < 4; ++round) {
    for (unsigned port = 1; port <= 16; ++port)
      lines.push_back(Datagram(10, 2000 + port % (1 + 4 * round)));
  }
  REQUIRE(lines.size() == kBurstMax);
  CHECK(device.SendBurst(lines) == kBurstMax);
  CHECK(device.Flows().size() == 2 + 13);
  CHECK(device.created() == 2 + 13);
}

TEST_CASE("admit: clients of one burst that have one port get ports of their own", "[unit]") {
  Beginnings device;
  REQUIRE(device.SendBurst({Datagram(10, 9)}) == 1);
  REQUIRE(device.SendBurst({Datagram(10, 10)}) == 1);
  std::vector<std::string> lines;
  for (unsigned client = 11; client < 11 + kBurstMax; ++client)
    lines.push_back(Datagram(client, 3000));
  CHECK(device.SendBurst(lines) == kBurstMax);
  std::set<std::string> server_sides;
  for (const unit::FlowInfo& flow : device.Flows()) {
    server_sides.insert(flow.ss_client.ToString() + ":" + std::to_string(flow.ss_client_port) +
                        " " + flow.ss_server.ToString());
  }
  CHECK(server_sides.size() == 2 + kBurstMax);
}

TEST_CASE("admit: a connection that is reset and begun again in one burst", "[unit]") {
  Beginnings device;
  const Connection one =
      OpenConnection(device.network(), 0, "tcp", "192.0.2.10:1000 > 192.0.2.101:80");
  const uint64_t before = device.created();
  const std::string tcp = "tcp 192.0.2.10:1000 > 192.0.2.101:80 ";
  // The second of them belongs to no connection, and is answered.
  CHECK(device.SendBurst(
            {tcp + "R seq=106", one.client, tcp + "S seq=900000", tcp + "S seq=900000"}) == 3);
  const std::vector<unit::FlowInfo> flows = device.Flows();
  const auto is_it = [](const unit::FlowInfo& flow) { return flow.cs_client_port == 1000; };
  REQUIRE(std::count_if(flows.begin(), flows.end(), is_it) == 1);
  CHECK(device.created() - before == 1);
}

}  // namespace tandem::test
