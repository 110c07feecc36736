// SPDX-License-Identifier: Apache-2.0
//
// Output commit: what reveals a flow to its client waits until the peer has it.
#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <vector>

#include "dataplane/mirror/frame.h"
#include "dataplane/mirror/worker.h"
#include "dataplane/pipeline/commit.h"
#include "dataplane/unit/mirroring.h"
#include "tests/support/hosts.h"
#include "tests/support/packet_text.h"
#include "tests/support/pair.h"

namespace tandem::test {
namespace {

std::string ConfigOf(unsigned device, const std::string& commit) {
  const std::string one = std::to_string(device + 1);
  const std::string other = std::to_string(2 - device);
  return "device { name: \"unit" + one +
         "\" } traffic_group { name: \"tg\" role: " + (device == 0 ? "ACTIVE" : "STANDBY") +
         " } mirroring { device: \"m\" authentication: NONE unit_id: " + one +
         " address: \"10.255.0." + one + "/24\" peer: \"10.255.0." + other + "\" }" + R"(
port { name: "1.1" device: "a" }
port { name: "1.2" device: "b" }
vlan { name: "external" port: "1.1" facing: CLIENT }
vlan { name: "internal" port: "1.2" facing: SERVER }
self_ip { name: "e" address: "192.0.2.)" +
         one + R"(/24" vlan: "external" }
self_ip { name: "i" address: "10.0.20.)" +
         one + R"(/24" vlan: "internal" }
pool { name: "p" member { address: "10.0.20.11" } }
virtual { name: "web" destination: "192.0.2.100:any" pool: "p" traffic_group: "tg" mirror: true
)" + commit +
         " }\n";
}

struct Network {
  explicit Network(const std::string& commit, bool is_direct = true)
      : pair(ConfigOf(0, commit), ConfigOf(1, commit), OptionsOf(is_direct)) {
    hosts.Add({"client", "1.1", 0, Mac("02:00:00:00:00:0c"), {"192.0.2.10"}});
    hosts.Add({"s1", "1.2", 0, Mac("02:00:00:00:00:11"), {"10.0.20.11"}});
    for (unsigned device = 0; device < 2; ++device) {
      hosts.Attach(pair.rig(device));
      hosts.Greet(pair.rig(device));
    }
    active().SetListener([this](const Sent& sent) {
      const std::string text = TextFromPacket(sent.bytes);
      if (text.compare(0, 3, "arp") != 0) out.push_back(text);
    });
    REQUIRE(pair.Synchronise());
    out.clear();
  }
  static PairOptions OptionsOf(bool is_direct) {
    PairOptions options;
    options.is_direct = is_direct;
    return options;
  }
  const mirror::FlowSender& Sender() {
    return *active().unit().mirroring()->worker(0).FindSender(active().GroupNamed("tg"));
  }
  void RestartPeer(const std::string& commit) {
    pair.Restart(1, ConfigOf(1, commit));
    hosts.Attach(pair.rig(1));
    hosts.Greet(pair.rig(1));
  }
  // Whether the peer has the flow of each answer that leaves; `released` counts them.
  void CheckAnswers(size_t& released) {
    active().SetListener([this, &released](const Sent& sent) {
      const std::string text = TextFromPacket(sent.bytes);
      if (text.find(" SA ") == std::string::npos) return;
      ++released;
      // "tcp 192.0.2.100:80 > 192.0.2.10:PORT SA …"
      const size_t colon = text.find(':', text.find('>'));
      unit::FlowFilter filter;
      filter.cs_client_port = static_cast<uint16_t>(std::stoi(text.substr(colon + 1)));
      CHECK(pair.rig(1).Flows(filter).size() == 1);
    });
  }

  Rig& active() { return pair.rig(0); }
  size_t ShadowFlows() { return pair.rig(1).Flows().size(); }

  // With `runs`, until nothing is on its way any more; without, in no time.
  void Send(const std::string& host, const std::string& line, bool runs) {
    const auto packet = PacketFromText(line, Hosts::LinkOf(active(), *hosts.Find(host)));
    REQUIRE(packet.ok());
    active().Inject(active().PortNamed(hosts.Find(host)->port), 0, packet->frame, packet->arrival);
    if (runs) {
      active().Run();
    } else {
      active().Turn(0);
    }
  }
  void Syn(unsigned port, bool runs = true) {
    Send("client", "tcp 192.0.2.10:" + std::to_string(port) + kTo + "S seq=100", runs);
  }
  void FromServer(unsigned port, const std::string& flags, bool runs = true) {
    Send("s1", "tcp 10.0.20.11:80 > 192.0.2.10:" + std::to_string(port) + " " + flags, runs);
  }

  static constexpr const char* kTo = " > 192.0.2.100:80 ";
  Hosts hosts;
  Pair pair;
  std::vector<std::string> out;  // what left the active
};

constexpr const char* kSynAck = "SA seq=500 ack=101";

}  // namespace

TEST_CASE("commit strict: a client sees its connection only when the peer has it", "[unit]") {
  Network network("mirror_commit: STRICT");
  network.pair.SetLoss(100);
  network.Syn(1000);
  REQUIRE(network.out.size() == 1);  // the SYN waits for nothing
  network.FromServer(1000, kSynAck);
  CHECK(network.out.size() == 1);
  CHECK(network.active().Total(&pipeline::WorkerCounters::held) == 1);
  network.pair.Advance(500 * kMillisecond);
  CHECK(network.out.size() == 1);
  CHECK(network.ShadowFlows() == 0);

  network.pair.SetLoss(0);
  network.pair.Advance(500 * kMillisecond);
  REQUIRE(network.out.size() == 2);
  CHECK(network.ShadowFlows() == 1);
  CHECK(network.active().Total(&pipeline::WorkerCounters::held) == 0);
  CHECK(network.active().Total(&pipeline::WorkerCounters::commit_held) == 1);
  CHECK(network.active().Total(&pipeline::WorkerCounters::commit_timeouts) == 0);
}

TEST_CASE("commit strict: for every released answer the flow is on the peer, whatever is lost",
          "[unit]") {
  // Losses are noticed in any turn; the stream's counters are brought up to date more rarely.
  for (const Nanos step : {Nanos{200'000}, Nanos{20'000}}) {
    Network network("mirror_commit: STRICT");
    network.pair.SetLoss(40);
    size_t released = 0;
    network.CheckAnswers(released);
    for (unsigned port = 1000; port < 1200; ++port) {
      network.Syn(port);
      network.FromServer(port, kSynAck);
      network.pair.Advance(kMillisecond, step);
    }
    network.pair.Advance(2 * kSecond);
    CHECK(released == 200);
  }
}

TEST_CASE("commit strict: what an earlier run of the peer was told does not count", "[unit]") {
  constexpr const char* kStrict = "mirror_commit: STRICT";
  constexpr unsigned kFirst = 1000;
  constexpr unsigned kLast = 5000;
  Network network(kStrict, false);
  uint64_t last_to_pass = UINT64_MAX;  // frame of the active
  network.pair.SetFilter([&last_to_pass](unsigned device, std::span<const uint8_t> frame) {
    constexpr size_t kHeader = 14 + 20 + 8;
    if (device != 0 || frame.size() < kHeader + mirror::kHeaderSize) return true;
    mirror::FrameHeader header;
    if (!mirror::ReadHeader(frame.subspan(kHeader), header)) return true;
    return header.type != mirror::FrameType::kFlows || header.sequence <= last_to_pass;
  });
  for (unsigned port = kFirst; port <= kLast; ++port)
    network.Syn(port, false);
  network.pair.Advance(100 * kMillisecond);
  REQUIRE(network.ShadowFlows() == kLast - kFirst + 1);
  // These answers leave now, and come again later: a client that begins anew from its port takes one for
  // the first.
  constexpr std::array<unsigned, 2> kAnswered = {kFirst + 1, kLast - 1};
  size_t released = 0;
  network.CheckAnswers(released);
  for (const unsigned port : kAnswered)
    network.FromServer(port, kSynAck, false);
  network.pair.Advance(20 * kMillisecond);
  REQUIRE(released == kAnswered.size());
  released = 0;
  const uint64_t before = network.Sender().counters().session.Get();
  network.RestartPeer(kStrict);
  const auto is_new = [&] {
    const uint64_t session = network.Sender().counters().session.Get();
    return session != 0 && session != before;
  };
  for (int i = 0; i < 100'000 && !is_new(); ++i)
    network.pair.Advance(20'000, 20'000);
  REQUIRE(network.Sender().state() == mirror::StreamState::kSyncing);
  // The first pass is not through, and nothing more of it arrives.
  last_to_pass = network.Sender().next_frame() - 1;
  for (const unsigned port : {kFirst, kLast, kAnswered[0], kAnswered[1]})
    network.FromServer(port, kSynAck, false);
  network.pair.Advance(20 * kMillisecond);
  CHECK(released == 0);
  last_to_pass = UINT64_MAX;
  network.pair.Advance(kSecond);
  CHECK(released == 4);
}

TEST_CASE("row 18: what follows a held packet stays behind it", "[unit]") {
  Network network("mirror_commit: STRICT");
  network.pair.SetLoss(100);
  network.Syn(1000);
  network.FromServer(1000, kSynAck);
  network.FromServer(1000, "A seq=501 ack=101 len=10");
  network.FromServer(1000, "FA seq=511 ack=101");
  network.FromServer(1000, "RA seq=512 ack=101");
  network.Syn(1001);
  CHECK(network.out.size() == 2);
  network.pair.SetLoss(0);
  network.pair.Advance(500 * kMillisecond);
  REQUIRE(network.out.size() == 6);
  CHECK(network.out[2].find(" SA ") != std::string::npos);
  CHECK(network.out[3].find("len=10") != std::string::npos);
  CHECK(network.out[4].find(" FA ") != std::string::npos);
  CHECK(network.out[5].find(" RA ") != std::string::npos);
}

TEST_CASE("row 18: who could go stays behind who may not, of its own flow alone", "[unit]") {
  auto queue = std::make_unique<pipeline::CommitQueue>();
  const auto add = [&](uint32_t slot, bool is_ipv6, uint32_t number) {
    pipeline::CommitQueue::Entry entry;
    entry.slot = slot;
    entry.is_ipv6 = is_ipv6;
    entry.session = number;
    queue->Add(entry);
  };
  const auto settle = [&](size_t budget, const std::vector<uint32_t>& may_go) {
    std::vector<uint32_t> gone;
    queue->Settle(
        budget,
        [&](const pipeline::CommitQueue::Entry& entry) {
          return std::ranges::find(may_go, entry.session) != may_go.end();
        },
        [&](const pipeline::CommitQueue::Entry& entry) { gone.push_back(entry.session); });
    return gone;
  };
  using Numbers = std::vector<uint32_t>;
  add(7, false, 1);
  add(7, true, 2);          // another flow
  add(7 + 2048, false, 3);  // another one, that falls where the first one does
  add(7, false, 4);
  add(8, false, 5);
  CHECK(settle(64, {2, 3, 4, 5}) == Numbers{2, 3, 5});
  CHECK(queue->size() == 2);
  CHECK(queue->Holds(7, false));
  CHECK(settle(1, {1, 4}) == Numbers{1});
  CHECK(settle(0, {4}).empty());
  CHECK(settle(64, {4}) == Numbers{4});
  CHECK(queue->size() == 0);
}

TEST_CASE("commit bounded: waits its time, and is counted", "[unit]") {
  Network network("mirror_commit: BOUNDED mirror_commit_timeout: 20000");
  network.pair.SetLoss(100);
  network.Syn(1000);
  network.FromServer(1000, kSynAck);
  CHECK(network.out.size() == 1);
  network.pair.Advance(2 * kMillisecond, kMillisecond / 2);
  CHECK(network.out.size() == 1);
  network.pair.Advance(30 * kMillisecond, kMillisecond / 2);
  CHECK(network.out.size() == 2);
  CHECK(network.active().Total(&pipeline::WorkerCounters::commit_timeouts) == 1);
}

TEST_CASE("commit: nothing waits for a peer that is not there", "[unit]") {
  Network network("mirror_commit: STRICT");
  network.pair.SetLoss(100);
  network.Syn(1000);
  network.FromServer(1000, kSynAck);
  CHECK(network.out.size() == 1);
  // A peer that has been silent for so long lags.
  network.pair.Advance(3 * kSecond, 10 * kMillisecond);
  CHECK(network.out.size() == 2);
  CHECK(network.active().Total(&pipeline::WorkerCounters::commit_alone) == 1);
  network.Syn(1001);
  network.FromServer(1001, kSynAck);
  CHECK(network.out.size() == 4);
  CHECK(network.active().Total(&pipeline::WorkerCounters::commit_held) == 1);
}

TEST_CASE("commit: asynchronous is the default, and nothing waits", "[unit]") {
  Network network("");
  network.pair.SetLoss(100);
  network.Syn(1000);
  network.FromServer(1000, kSynAck);
  CHECK(network.out.size() == 2);
  CHECK(network.active().Total(&pipeline::WorkerCounters::commit_held) == 0);
}

TEST_CASE("commit strict: what no longer fits the queue is dropped, and the ends repeat it",
          "[unit]") {
  Network network("mirror_commit: STRICT");
  network.pair.SetLoss(100);
  constexpr auto kMax = static_cast<unsigned>(pipeline::CommitQueue::kPacketsMax);
  for (unsigned port = 1000; port < 1000 + kMax + 10; ++port) {
    network.Syn(port, false);
    network.FromServer(port, kSynAck, false);
  }
  CHECK(network.active().Dropped(DropReason::kCommitFull) == 10);
  network.active().Stop();
}

}  // namespace tandem::test
