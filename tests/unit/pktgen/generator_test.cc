// SPDX-License-Identifier: Apache-2.0
//
// Whole runs, joined in the process and in virtual time, to their results.
#include "tools/pktgen/generator.h"

#include <catch2/catch.hpp>
#include <functional>

#include "dataplane/base/prng.h"
#include "tests/support/allocation_guard.h"
#include "tests/support/packet_builder.h"
#include "tests/unit/pktgen/flag_texts.h"
#include "tools/pktgen/live.h"
#include "tools/pktgen/loop.h"
#include "tools/pktgen/loopback_wire.h"

namespace tandem::pktgen {
namespace {

using test::Mac;
using test::PacketBuilder;

const MacAddress kClientSideMac = Mac("02:00:00:00:00:01");
const MacAddress kServerSideMac = Mac("02:00:00:00:00:02");
const MacAddress kDeviceOfRun = Mac("02:00:00:00:00:0d");

Nanos virtual_now = kSecond;
Nanos Tick() {
  virtual_now += 2000;
  return virtual_now;
}

FlagTexts LoopbackFlags() {
  FlagTexts flags = GoodFlags();
  flags.client_port = flags.server_port = "";
  flags.loopback = true;
  return flags;
}

// Between the loop and its port: what it does to a frame on its way, or that it drops it.
class Tampering : public Wire {
 public:
  using Tamper = std::function<bool(net::Packet&)>;
  Tampering(Wire& wire, Tamper tamper) : wire_(wire), tamper_(std::move(tamper)) {}

  size_t Receive(std::span<net::Packet> packets) noexcept override {
    const size_t count = wire_.Receive(packets);
    size_t kept = 0;
    for (size_t i = 0; i < count; ++i) {
      if (tamper_(packets[i])) {
        packets[kept++] = packets[i];
      } else {
        wire_.Release(packets.subspan(i, 1));
      }
    }
    return kept;
  }
  size_t Allocate(std::span<net::Packet> packets) noexcept override {
    return wire_.Allocate(packets);
  }
  size_t Send(std::span<net::Packet> packets) noexcept override {
    sent_ += packets.size();
    return wire_.Send(packets);
  }
  void Release(std::span<net::Packet> packets) noexcept override { wire_.Release(packets); }
  size_t Capacity() const override { return wire_.Capacity(); }
  size_t sent() const { return sent_; }

 private:
  Wire& wire_;
  size_t sent_ = 0;
  Tamper tamper_;
};

Result RunLoopback(
    const FlagTexts& flags, Tampering::Tamper tamper = [](net::Packet&) { return true; },
    size_t* sent_by_servers = nullptr) {
  const auto options = OptionsFrom(flags);
  REQUIRE(options.ok());
  LoopbackPair pair(4096);
  Tampering server(pair.server(), std::move(tamper));
  const auto generator = std::make_unique<Generator>(*options, 7, kClientSideMac, kServerSideMac);
  Loop loop(*generator, pair.client(), &server, Tick);
  generator->Start(virtual_now);
  for (int turns = 0; !generator->is_done(); ++turns) {
    REQUIRE(turns < 100'000'000);
    loop.Turn();
  }
  REQUIRE(generator->failure().empty());
  if (sent_by_servers != nullptr) *sent_by_servers = server.sent();
  return generator->result();
}

TEST_CASE("generator: with direct return servers send nothing, and clients get all", "[pktgen]") {
  FlagTexts flags = LoopbackFlags();
  flags.protocol = GENERATE("tcp", "udp");
  flags.rate_pps = 20000;
  size_t sent = 0;
  const auto pass = [](net::Packet&) { return true; };
  CHECK(RunLoopback(flags, pass, &sent).lost() == 0);
  CHECK(sent > 0);
  flags.direct_return = true;
  const Result result = RunLoopback(flags, pass, &sent);
  CHECK(sent == 0);
  CHECK(result.lost() == 0);
  CHECK(result.clients[Counter::kRequestsSent] == Approx(10000).margin(2));
  CHECK(result.clients[Counter::kRepliesReceived] == result.clients[Counter::kRequestsSent]);
  CHECK(result.flows_left_open == 0);
}

TEST_CASE("generator: UDP at a rate, to the request", "[pktgen]") {
  FlagTexts flags = LoopbackFlags();
  flags.rate_pps = 50000;
  const Result result = RunLoopback(flags);
  CHECK(result.measured >= 500 * kMillisecond);
  CHECK(result.measured < 501 * kMillisecond);
  CHECK(result.offered == Approx(25000).margin(2));
  CHECK(result.started == result.offered);
  CHECK(result.kept_rate());
  CHECK(result.clients[Counter::kRequestsSent] == result.started);
  CHECK(result.clients[Counter::kRepliesReceived] == result.started);
  CHECK(result.lost() == 0);
  CHECK(result.flows_used == 100);
  CHECK(result.corrupt() + result.misdelivered() == 0);
  CHECK(result.loop_gaps.count() > 0);
  CHECK(result.busy > 0);
  CHECK(result.busy < result.measured);
}

TEST_CASE("generator: TCP opens all flows, measures and closes them", "[pktgen]") {
  FlagTexts flags = LoopbackFlags();
  flags.protocol = "tcp";
  flags.rate_pps = 20000;
  flags.flows = 500;
  const Result result = RunLoopback(flags);
  CHECK(result.opening[Counter::kConnectionsOpened] == 500);
  CHECK(result.open_flows == 500);
  CHECK(result.flows_left_open == 0);
  CHECK(result.clients[Counter::kRequestsSent] == Approx(10000).margin(2));
  CHECK(result.clients[Counter::kSynSent] == 0);
  CHECK(result.lost() == 0);
}

TEST_CASE("generator: so many new connections a second, each closed", "[pktgen]") {
  FlagTexts flags = LoopbackFlags();
  flags.protocol = GENERATE("tcp", "udp");
  flags.new_per_second = 4000;
  flags.requests_per_connection = 3;
  flags.flows = 10000;
  const Result result = RunLoopback(flags);
  CHECK(result.started == Approx(2000).margin(1));
  CHECK(result.clients[Counter::kConnectionsOpened] == result.started);
  CHECK(result.clients[Counter::kConnectionsClosed] == result.started);
  CHECK(result.clients[Counter::kRequestsSent] == 3 * result.started);
  CHECK(result.lost() == 0);
}

TEST_CASE("generator: what is lost in the measurement is in the result, by flow", "[pktgen]") {
  FlagTexts flags = LoopbackFlags();
  flags.rate_pps = 20000;
  int count = 0;
  uint64_t dropped = 0;
  const Result result = RunLoopback(flags, [&](net::Packet&) {
    const bool is_dropped = ++count > 5000 && count % 100 == 0;
    if (is_dropped) ++dropped;
    return !is_dropped;
  });
  CHECK(dropped > 50);
  CHECK(result.lost_to_server == dropped);
  CHECK(result.lost_to_client == 0);
  CHECK(result.flows_with_loss > 1);
  CHECK(result.clients[Counter::kRepliesReceived] + dropped ==
        result.clients[Counter::kRequestsSent]);
  CHECK(ToJson(result).find("\"total\": " + std::to_string(dropped)) != std::string::npos);
}

// Lets a frame through every so often once it is told to, from then on.
class Slow : public Tampering {
 public:
  Slow(Wire& wire, Nanos each) : Tampering(wire, [](net::Packet&) { return true; }), each_(each) {}

  size_t Receive(std::span<net::Packet> packets) noexcept override {
    if (next_ == 0) return Tampering::Receive(packets);
    if (virtual_now < next_) return 0;
    next_ = virtual_now + each_;
    return Tampering::Receive(packets.first(1));
  }
  void Begin() { next_ = virtual_now + each_; }

 private:
  Nanos each_;
  Nanos next_ = 0;
};

// A run whose last four requests come one by one, `each` after the other; how long it went on for them.
Nanos TimeOfLastFour(Nanos each, Result& result) {
  FlagTexts flags = LoopbackFlags();
  flags.rate_pps = 20000;
  const auto options = OptionsFrom(flags);
  LoopbackPair pair(4096);
  Slow server(pair.server(), each);
  const auto generator = std::make_unique<Generator>(*options, 7, kClientSideMac, kServerSideMac);
  Loop loop(*generator, pair.client(), &server, Tick);
  generator->Start(virtual_now);
  while (!generator->is_measuring())
    loop.Turn();
  const Nanos last = virtual_now + options->duration;
  while (virtual_now < last - 4 * kSecond / static_cast<Nanos>(flags.rate_pps))
    loop.Turn();
  server.Begin();
  while (!generator->is_done())
    loop.Turn();
  result = generator->result();
  return virtual_now - last;
}

TEST_CASE("generator: waits for what comes late, not for what nothing follows", "[pktgen]") {
  Result result;
  const Nanos took = TimeOfLastFour(150 * kMillisecond, result);
  CHECK(result.lost() == 0);
  CHECK(took > 550 * kMillisecond);
  CHECK(took < 900 * kMillisecond);
  const Nanos took_in_vain = TimeOfLastFour(10 * kSecond, result);
  CHECK(result.lost() > 2);
  CHECK(result.lost() < 6);
  CHECK(took_in_vain == Approx(250 * kMillisecond).epsilon(0.01));
}

TEST_CASE("generator: loss before the measurement is not its", "[pktgen]") {
  FlagTexts flags = LoopbackFlags();
  flags.rate_pps = 20000;
  int count = 0;
  const Result result = RunLoopback(flags, [&](net::Packet&) { return ++count > 1000; });
  CHECK(count > 10000);
  CHECK(result.lost() == 0);
}

TEST_CASE("generator: goes on with the TCP flows that could be opened, and says so", "[pktgen]") {
  FlagTexts flags = LoopbackFlags();
  flags.protocol = "tcp";
  flags.rate_pps = 1000;
  flags.client_ports = "1000-1009";
  flags.clients = "10.0.0.0/28";
  const Result result =
      RunLoopback(flags, [](net::Packet& packet) { return net::Load16(packet.data + 34) != 1000; });
  CHECK(result.open_flows == 86);
  CHECK(ToText(result).find("only 86 of 100 flows could be opened before") != std::string::npos);
  CHECK(result.lost_to_server + result.lost_to_client == 0);
}

TEST_CASE("generator: damage is found, and told from loss", "[pktgen]") {
  FlagTexts flags = LoopbackFlags();
  flags.rate_pps = 20000;
  int count = 0;
  const Result result = RunLoopback(flags, [&](net::Packet& packet) {
    if (++count == 8000) packet.data[50] ^= 0x20;
    return true;
  });
  CHECK(result.corrupt() == 1);
  CHECK(result.lost_to_server == 1);
  CHECK(result.misdelivered() == 0);
}

TEST_CASE("generator: a rate that it cannot keep is admitted", "[pktgen]") {
  FlagTexts flags = LoopbackFlags();
  flags.rate_pps = 1'000'000'000;
  const Result result = RunLoopback(flags);
  CHECK_FALSE(result.kept_rate());
  CHECK(result.started < result.offered);
  CHECK(result.clients[Counter::kRequestsSent] == result.started);
}

TEST_CASE("generator: stopped early, the result is of what was measured", "[pktgen]") {
  const auto options = OptionsFrom(LoopbackFlags());
  LoopbackPair pair(4096);
  const auto generator = std::make_unique<Generator>(*options, 7, kClientSideMac, kServerSideMac);
  Loop loop(*generator, pair.client(), &pair.server(), Tick);
  generator->Start(virtual_now);
  while (!generator->is_measuring())
    loop.Turn();
  for (int i = 0; i < 1000; ++i)
    loop.Turn();
  generator->Stop(virtual_now);
  while (!generator->is_done())
    loop.Turn();
  REQUIRE(generator->failure().empty());
  CHECK(generator->result().was_stopped);
  CHECK(generator->result().measured < 10 * kMillisecond);
  CHECK(generator->result().lost() == 0);
  CHECK(generator->result().clients[Counter::kRequestsSent] > 0);
}

TEST_CASE("generator: says who does not answer", "[pktgen]") {
  FlagTexts flags = GoodFlags();
  flags.servers = "10.1.0.11";
  const auto options = OptionsFrom(flags);
  LoopbackPair pair(4096);
  const auto generator = std::make_unique<Generator>(*options, 7, kClientSideMac, kServerSideMac);
  Loop loop(*generator, pair.client(), &pair.server(), Tick);
  const Nanos began = virtual_now;
  generator->Start(began);
  while (!generator->is_done())
    loop.Turn();
  CHECK(virtual_now - began == Approx(2 * kSecond).epsilon(0.01));
  CHECK(generator->failure().find("192.0.2.100 (ARP) on --client_port within 2000 ms") !=
        std::string::npos);
}

TEST_CASE("generator: allocates nothing while it measures", "[pktgen]") {
  FlagTexts flags = LoopbackFlags();
  flags.protocol = GENERATE("udp", "tcp");
  flags.new_per_second = GENERATE(0U, 20000U);
  flags.popularity = "zipf:1";
  const auto options = OptionsFrom(flags);
  LoopbackPair pair(4096);
  const auto generator = std::make_unique<Generator>(*options, 7, kClientSideMac, kServerSideMac);
  Loop loop(*generator, pair.client(), &pair.server(), Tick);
  generator->Start(virtual_now);
  while (!generator->is_measuring())
    loop.Turn();
  test::GuardAllocations(true);
  for (int i = 0; i < 20000; ++i)
    loop.Turn();
  test::GuardAllocations(false);
  CHECK(test::Allocations() == 0);
  CHECK(generator->clients().counters()[Counter::kRepliesReceived] > 500);
}

TEST_CASE("generator: follows the device's address to another MAC", "[pktgen]") {
  FlagTexts flags = GoodFlags();
  flags.servers = "10.1.0.11";
  flags.rate_pps = 1000;
  const auto options = OptionsFrom(flags);
  const auto generator = std::make_unique<Generator>(*options, 7, kClientSideMac, kServerSideMac);
  test::Bytes room(4096);
  Nanos now = kSecond;
  generator->Start(now);
  const auto next_frame = [&] {
    for (;;) {
      now += 100'000;
      generator->Step(now);
      FrameSlot slot = {room};
      if (generator->Want(now) > 0 && generator->Fill({&slot, 1}, now) == 1) return;
    }
  };
  const auto announce = [&](const MacAddress& mac) {
    test::Bytes frame = PacketBuilder().ArpRequest(mac, "192.0.2.100", "192.0.2.100").Build();
    frame.resize(kOriginatedFrameMax);
    net::Packet packet;
    packet.data = frame.data();
    packet.length = packet.contiguous = kFrameMin;
    CHECK(generator->AtClient({&packet, 1}, now) == 0);
  };
  next_frame();  // the question
  announce(kDeviceOfRun);
  next_frame();
  CHECK(std::equal(kDeviceOfRun.begin(), kDeviceOfRun.end(), room.data()));
  const MacAddress other = Mac("02:00:00:00:00:0e");
  announce(other);
  next_frame();
  CHECK(std::equal(other.begin(), other.end(), room.data()));
}

TEST_CASE("generator: answers echo requests to its servers, and to nobody else", "[pktgen]") {
  FlagTexts flags = GoodFlags();
  flags.servers = "10.1.0.11";
  const auto options = OptionsFrom(flags);
  const auto generator = std::make_unique<Generator>(*options, 7, kClientSideMac, kServerSideMac);
  generator->Start(kSecond);
  const auto ping = [&](const char* to) {
    return PacketBuilder()
        .Ethernet(kDeviceOfRun, kServerSideMac)
        .Ipv4("10.1.0.1", to)
        .EchoRequest(7)
        .Payload(20)
        .BuildPacket();
  };
  test::TestPacket packet = ping("10.1.0.11");
  REQUIRE(generator->AtServer({&packet.packet(), 1}, kSecond) == 1);
  CHECK(packet.bytes() == PacketBuilder()
                              .Ethernet(kServerSideMac, kDeviceOfRun)
                              .Ipv4("10.1.0.11", "10.1.0.1")
                              .EchoReply(7)
                              .Payload(20)
                              .Build());
  test::TestPacket stranger = ping("10.1.0.12");
  CHECK(generator->AtServer({&stranger.packet(), 1}, kSecond) == 0);
  CHECK(generator->servers().counters()[Counter::kEchoReceived] == 2);
}

TEST_CASE("live: a line every second, with the rate of that second", "[pktgen]") {
  FlagTexts flags = LoopbackFlags();
  flags.rate_pps = 5000;
  flags.duration_s = 3;
  const auto options = OptionsFrom(flags);
  LoopbackPair pair(4096);
  const auto generator = std::make_unique<Generator>(*options, 7, kClientSideMac, kServerSideMac);
  Loop loop(*generator, pair.client(), &pair.server(), Tick);
  Live lines(false);
  Live view(true);
  generator->Start(virtual_now);
  std::vector<std::string> said;
  std::string drawn;
  while (!generator->is_done()) {
    const Nanos now = loop.Turn();
    if (std::string text = lines.Text(*generator, now); !text.empty()) said.push_back(text);
    drawn += view.Text(*generator, now);
  }
  REQUIRE(said.size() >= 3);
  CHECK(said[1].find("measure") != std::string::npos);
  CHECK(said[1].find("replies      5000/s") != std::string::npos);
  CHECK(drawn.find("\x1b[7A") != std::string::npos);
  CHECK(ToText(generator->result()).find("lost 0 (") != std::string::npos);
}

TEST_CASE("generator: sends to whoever answers for the virtual server", "[pktgen]") {
  const auto options = OptionsFrom(GoodFlags());
  LoopbackPair pair(4096);
  const auto generator = std::make_unique<Generator>(*options, 7, kClientSideMac, kServerSideMac);
  Loop loop(*generator, pair.client(), nullptr, Tick);
  generator->Start(virtual_now);
  loop.Turn();
  net::Packet question;
  REQUIRE(pair.server().Receive({&question, 1}) == 1);
  const test::Bytes answer =
      PacketBuilder().ArpReply(kDeviceOfRun, "192.0.2.100", kClientSideMac, "10.0.0.1").Build();
  std::copy(answer.begin(), answer.end(), question.data);
  question.length = question.contiguous = static_cast<uint32_t>(answer.size());
  REQUIRE(pair.server().Send({&question, 1}) == 1);
  while (pair.server().Receive({&question, 1}) == 0)
    loop.Turn();
  CHECK(std::equal(kDeviceOfRun.begin(), kDeviceOfRun.end(), question.data));
  pair.server().Release({&question, 1});
}

TEST_CASE("generator: every frame that arrives is counted once", "[pktgen]") {
  FlagTexts flags = GoodFlags();
  flags.device_mac = "02:00:00:00:00:0d";
  flags.protocol = GENERATE("udp", "tcp");
  const auto options = OptionsFrom(flags);
  const auto generator = std::make_unique<Generator>(*options, 7, kClientSideMac, kServerSideMac);
  Nanos now = kSecond;
  generator->Start(now);
  Prng prng(5);
  test::Bytes room(4096);
  std::vector<test::Bytes> sent;
  uint64_t answers = 0;
  const Counters& clients = generator->clients().counters();
  const Counters& servers = generator->servers().counters();
  for (int i = 0; i < 30000; ++i) {
    now += 20'000;
    generator->Step(now);
    FrameSlot slot = {room};
    if (generator->Want(now) > 0 && generator->Fill({&slot, 1}, now) == 1) {
      sent.emplace_back(room.begin(), room.begin() + static_cast<ptrdiff_t>(slot.length));
    }
    if (sent.empty()) continue;
    test::Bytes frame = sent[prng.Below(static_cast<uint32_t>(sent.size()))];
    for (uint32_t k = prng.Below(4); k > 0; --k) {
      frame[prng.Below(static_cast<uint32_t>(frame.size()))] =
          static_cast<uint8_t>(prng.Next() >> 56);
    }
    const auto length = static_cast<uint32_t>(prng.Below(8) == 0 ? prng.Below(80) : frame.size());
    frame.resize(std::max<size_t>(length, kOriginatedFrameMax));
    net::Packet packet;
    packet.data = frame.data();
    packet.length = packet.contiguous = length;
    const uint64_t before = servers.Arrivals();
    const bool is_answer = generator->AtServer({&packet, 1}, now) != 0;
    REQUIRE(servers.Arrivals() == before + 1);
    if (is_answer) ++answers;
    const uint64_t clients_before = clients.Arrivals();
    generator->AtClient({&packet, 1}, now);
    REQUIRE(clients.Arrivals() == clients_before + 1);
  }
  CHECK(answers > 100);
}

}  // namespace
}  // namespace tandem::pktgen
