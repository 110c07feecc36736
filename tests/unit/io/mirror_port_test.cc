// SPDX-License-Identifier: Apache-2.0
#include "dataplane/io/mirror_port.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <vector>

#include "tests/unit/io/eal_for_test.h"

namespace tandem::io {
namespace {

// A ring device gets back what it sends.
std::unique_ptr<MirrorPort> OpenLoop(const std::string& device, uint16_t mtu) {
  NeedEal();
  PortOptions options;
  options.name = "mirroring";
  options.device = device;
  options.mtu = mtu;
  options.rx_descriptors = 64;
  options.tx_descriptors = 64;
  auto port = MirrorPort::Open(options);
  REQUIRE(port.ok());
  REQUIRE((*port)->Start().ok());
  return *std::move(port);
}

void Send(MirrorPort& port, size_t size, uint8_t fill) {
  const std::span<uint8_t> frame = port.Begin(size);
  REQUIRE(frame.size() == size);
  std::ranges::fill(frame, fill);
  port.Commit(size);
}

}  // namespace

TEST_CASE("the mirroring port sends what was committed, and receives it whole", "[io]") {
  const auto port = OpenLoop("net_ring_mirror0", 9000);
  Send(*port, 9014, 1);
  Send(*port, 60, 2);
  // Begun and not committed: the next one takes its place.
  REQUIRE(port->Begin(100).size() == 100);
  Send(*port, 61, 3);
  CHECK(port->Receive().empty());
  port->Flush();
  const auto frames = port->Receive();
  REQUIRE(frames.size() == 3);
  CHECK(frames[0].size() == 9014);
  CHECK(frames[0][9013] == 1);
  CHECK(frames[1].size() == 60);
  CHECK(frames[1][0] == 2);
  CHECK(frames[2].size() == 61);
  CHECK(port->Receive().empty());
  CHECK(port->memory().InUse() <= 1);
}

TEST_CASE(
    "the mirroring port refuses what no buffer holds, and sends by itself when many are committed",
    "[io]") {
  const auto port = OpenLoop("net_ring_mirror1", 1500);
  CHECK(port->Begin(20'000).empty());
  for (unsigned i = 0; i < 3 * MirrorPort::kBurst; ++i)
    Send(*port, 60, static_cast<uint8_t>(i));
  port->Flush();
  std::vector<uint8_t> order;
  for (auto frames = port->Receive(); !frames.empty(); frames = port->Receive()) {
    for (const auto frame : frames)
      order.push_back(frame[0]);
  }
  REQUIRE(order.size() + port->not_sent() == 3 * MirrorPort::kBurst);
  CHECK(std::ranges::is_sorted(order));
}

TEST_CASE("a mirroring device that does not exist is an error that names it", "[io]") {
  NeedEal();
  PortOptions options;
  options.name = "mirroring";
  options.device = "net_af_packet8,iface=nosuchiface";
  const auto port = MirrorPort::Open(options);
  REQUIRE_FALSE(port.ok());
  CHECK(std::string(port.status().message()).find("nosuchiface") != std::string::npos);
}

}  // namespace tandem::io
