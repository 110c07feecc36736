// SPDX-License-Identifier: Apache-2.0
//
// Three devices on one mirroring network, by their endpoints: to whom a group's streams go, what one peer's
// silence costs the others, and that what is meant for one is nothing to another.
#include "dataplane/mirror/peers.h"

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <memory>

#include "tests/unit/mirror/endpoint_world.h"

namespace tandem::mirror {
namespace {

using config::Role;
using test::Device;

constexpr unsigned kDevices = 3;

// Of units 1, 2 and 3. A switch brings each frame to whom its MAC address names, or to all.
class Network {
 public:
  Network() {
    for (unsigned i = 0; i < kDevices; ++i) {
      devices[i] = std::make_unique<Device>(static_cast<uint8_t>(i + 1), 2, kDevices);
      if (i != 0) devices[i]->roles.Set(1, Role::kStandby);
    }
    devices[0]->roles.SetMirrorTo(1, kToSecond);
    for (unsigned i = 0; i < kDevices; ++i)
      devices[i]->Start(0xa0 + i);
  }

  // The first device's peers, by index.
  static constexpr config::PeerIndex kToSecond = 0;
  static constexpr config::PeerIndex kToThird = 1;

  void Run(Nanos span) {
    for (const Nanos end = now + span; now < end;) {
      now += kMillisecond;
      std::array<std::vector<std::vector<uint8_t>>, kDevices> arrived;
      arrived.swap(under_way_);
      for (unsigned i = 0; i < kDevices; ++i) {
        if (!is_off[i]) devices[i]->Turn(arrived[i], now);
      }
      for (unsigned from = 0; from < kDevices; ++from) {
        if (is_off[from]) continue;
        for (const std::vector<uint8_t>& frame : devices[from]->sent)
          Carry(from, frame);
      }
    }
  }
  template <class Condition>
  bool Until(Condition&& condition, Nanos patience = 20 * kSecond) {
    for (const Nanos end = now + patience; now < end; Run(10 * kMillisecond)) {
      if (condition()) return true;
    }
    return condition();
  }
  void Inject(unsigned to, std::vector<uint8_t> frame) {
    under_way_[to].push_back(std::move(frame));
  }

  // Whether each worker of the device writes the group, or reads it, with that peer.
  bool Writes(unsigned device, config::PeerIndex peer) const {
    return std::ranges::all_of(devices[device]->workers, [peer](test::StubWorker& worker) {
      const test::StubStream& stream = worker.writers[1];
      return stream.is_open && stream.peer == peer;
    });
  }
  bool Reads(unsigned device) const {
    return std::ranges::all_of(devices[device]->workers,
                               [](test::StubWorker& worker) { return worker.readers[1].is_open; });
  }
  bool ReadsNothing(unsigned device) const {
    return std::ranges::none_of(devices[device]->workers,
                                [](test::StubWorker& worker) { return worker.readers[1].is_open; });
  }
  std::string ReasonAt(unsigned device, config::PeerIndex peer) const {
    return devices[device]->peers->endpoint(peer).status()->groups.at(0).reason;
  }
  uint64_t CameTo(unsigned device) const {
    uint64_t came = 0;
    for (test::StubWorker& worker : devices[device]->workers)
      came += worker.readers[1].came;
    return came;
  }

  Nanos now = 10 * kSecond;
  std::array<std::unique_ptr<Device>, kDevices> devices;
  std::array<bool, kDevices> is_off{};
  std::vector<std::vector<uint8_t>> recorded;  // of the first device's, to the second

 private:
  void Carry(unsigned from, const std::vector<uint8_t>& frame) {
    for (unsigned to = 0; to < kDevices; ++to) {
      const MacAddress& mac = devices[to]->options.mac;
      const bool is_its = (frame[0] & 1) != 0 || std::equal(mac.begin(), mac.end(), frame.begin());
      if (to == from || !is_its) continue;
      if (from == 0 && to == 1) recorded.push_back(frame);
      under_way_[to].push_back(frame);
    }
  }

  std::array<std::vector<std::vector<uint8_t>>, kDevices> under_way_;
};

}  // namespace

TEST_CASE("peers: a group's connections go to the peer that it is mirrored to", "[mirror]") {
  Network network;
  REQUIRE(network.Until([&] { return network.Writes(0, Network::kToSecond) && network.Reads(1); }));
  network.Run(5 * kSecond);
  CHECK(network.ReadsNothing(2));
  CHECK(network.ReasonAt(0, Network::kToThird) == "mirrored to another device");
  CHECK(network.ReasonAt(2, 0) == "mirrored to another device");
  for (int i = 0; i < 10; ++i) {
    network.devices[0]->Write(500);
    network.Run(2 * kMillisecond);
  }
  CHECK(network.CameTo(1) == 20);
  CHECK(network.CameTo(2) == 0);
  SECTION("to another one: the first reads no more, and a new session begins") {
    const uint32_t before = network.devices[1]->workers[0].readers[1].terms.session;
    network.devices[0]->roles.SetMirrorTo(1, Network::kToThird);
    REQUIRE(network.Until([&] { return network.Writes(0, Network::kToThird) && network.Reads(2); },
                          kSecond));
    CHECK(network.Until([&] { return network.ReadsNothing(1); }, kSecond));
    CHECK(network.ReasonAt(1, 0) == "mirrored to another device");
    CHECK(network.devices[2]->workers[0].readers[1].terms.session != before);
    network.devices[0]->Write(500);
    network.Run(5 * kMillisecond);
    CHECK(network.CameTo(2) == 2);
    // And back.
    network.devices[0]->roles.SetMirrorTo(1, Network::kToSecond);
    REQUIRE(network.Until([&] { return network.Writes(0, Network::kToSecond) && network.Reads(1); },
                          kSecond));
    CHECK(network.devices[1]->workers[0].readers[1].terms.session != before);
  }
  SECTION("what the first had goes when the other one has it all") {
    const auto discarded = [&](unsigned device) {
      unsigned count = 0;
      for (const test::StubWorker& worker : network.devices[device]->workers)
        count += worker.discarded;
      return count;
    };
    // Streams that say nothing are not in sync.
    const auto is_so_soon = [&](unsigned at_second, unsigned at_third) {
      return network.Until(
          [&] {
            network.devices[0]->Write(100);
            return discarded(1) == at_second && discarded(2) == at_third;
          },
          4 * kSecond);
    };
    network.devices[0]->roles.SetMirrorTo(1, Network::kToThird);
    CHECK_FALSE(is_so_soon(2, 0));
    CHECK(discarded(1) == 0);
    for (const unsigned device : {0U, 2U})
      network.devices[device]->streams = SyncState::kInSync;
    CHECK(is_so_soon(2, 0));
    CHECK_FALSE(is_so_soon(4, 0));
    // And the other way round.
    network.devices[1]->streams = SyncState::kInSync;
    network.devices[0]->roles.SetMirrorTo(1, Network::kToSecond);
    CHECK(is_so_soon(2, 2));
  }
  SECTION("to nobody") {
    network.devices[0]->roles.SetMirrorTo(1, config::kNoPeer);
    CHECK(
        network.Until([&] { return network.ReadsNothing(1) && network.ReadsNothing(2); }, kSecond));
  }
  SECTION("another device takes over, and mirrors to the third") {
    network.is_off[0] = true;
    network.devices[1]->roles.SetMirrorTo(1, 1);
    network.devices[1]->roles.Set(1, Role::kActive);
    REQUIRE(network.Until([&] { return network.Writes(1, 1) && network.Reads(2); }));
    network.devices[1]->Write(500);
    network.Run(5 * kMillisecond);
    CHECK(network.CameTo(2) == 2);
  }
}

TEST_CASE("peers: of records, each peer has a session, with one stream", "[mirror]") {
  Network network;
  network.Run(3 * kSecond);
  for (unsigned i = 0; i < kDevices; ++i) {
    CAPTURE(i);
    // The last that was opened; both were.
    const test::StubStream& writer = network.devices[i]->workers[0].writers[0];
    CHECK(writer.is_open);
    CHECK(writer.terms.streams == 1);
    CHECK_FALSE(network.devices[i]->workers[1].writers[0].is_open);
  }
}

TEST_CASE("peers: one that never was there holds up nobody's frames", "[mirror]") {
  Network network;
  network.is_off[2] = true;
  REQUIRE(network.Until([&] { return network.Writes(0, Network::kToSecond) && network.Reads(1); }));
  // Frames for the third one, whose MAC address nobody knows, are in front of the second one's.
  for (int i = 0; i < 10; ++i) {
    network.devices[0]->to_peer = Network::kToThird;
    network.devices[0]->Write(100);
    network.devices[0]->to_peer.reset();
    network.devices[0]->Write(100);
    network.Run(2 * kMillisecond);
  }
  CHECK(network.CameTo(1) == 20);
}

TEST_CASE("peers: what is sealed for one peer does not open at another", "[mirror]") {
  Network network;
  // The first device says little to the third one, so that all it says to the second is new there.
  network.is_off[2] = true;
  network.Run(20 * kSecond);
  network.recorded.clear();
  network.Run(15 * kSecond);
  network.is_off[2] = false;
  const auto is_up = [&] {
    return network.devices[2]->peers->endpoint(0).status()->peer == PeerState::kUp;
  };
  REQUIRE(network.Until(is_up));
  const auto before = network.devices[2]->peers->endpoint(0).counters().forged.Get();
  unsigned sent = 0;
  for (std::vector<uint8_t> frame : network.recorded) {
    if (frame.size() < 60 || frame[12] != 0x08 || frame[13] != 0x00) continue;
    // To the third device's addresses; of the checksums the difference is known.
    frame[5] = 3;
    frame[33] = 3;
    for (const size_t at : {size_t{24}, size_t{40}}) {
      uint32_t sum = static_cast<uint32_t>(frame[at] << 8 | frame[at + 1]);
      sum = sum > 1 ? sum - 1 : sum + 0xfffe;
      frame[at] = static_cast<uint8_t>(sum >> 8);
      frame[at + 1] = static_cast<uint8_t>(sum);
    }
    network.Inject(2, frame);
    ++sent;
  }
  REQUIRE(sent > 10);
  network.Run(5 * kMillisecond);
  const EndpointCounters& counters = network.devices[2]->peers->endpoint(0).counters();
  CHECK(network.devices[2]->peers->link_counters().malformed.Get() == 0);
  CHECK(counters.forged.Get() - before == sent);
}

TEST_CASE("peers: unit ids name them", "[mirror]") {
  Network network;
  const Peers& peers = *network.devices[1]->peers;
  REQUIRE(peers.size() == 2);
  CHECK(peers.Find(1) == 0);
  CHECK(peers.Find(3) == 1);
  CHECK(peers.Find(2) == config::kNoPeer);
  CHECK(peers.unit(1) == 3);
}

}  // namespace tandem::mirror
