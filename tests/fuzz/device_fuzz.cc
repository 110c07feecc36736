// SPDX-License-Identifier: Apache-2.0
//
// Any sequence of frames, reloads and pauses against a whole device of two workers. The rig checks
// every turn; at the end, after a long silence, nothing may be left.
//
// Input: steps of one byte each, with arguments behind it.
//   0..kTemplates-1  a frame of the list below, mutated: how (worker 1 bit, NIC flags 3 bits,
//                    headroom and contiguity 2 bits, count of mutations 2 bits), then for each
//                    mutation two bytes of offset and value
//   others, modulo 5: 0 a raw frame (port and worker, length, bytes) 1 a pause (length) 2 the
//                    other configuration 3 the operator deletes all connections 4 who got the last
//                    packet answers it (worker and what to add to the acknowledgement, TCP flags)
#include <algorithm>
#include <array>
#include <memory>
#include <string>

#include "dataplane/base/assert.h"
#include "tests/support/hosts.h"
#include "tests/support/packet_text.h"
#include "tests/support/rig.h"

namespace {

using namespace tandem;
using namespace tandem::test;

constexpr const char* kNetwork = R"(
device { workers: 2 }
limits { reset_rate: 20 }
port { name: "1.1" device: "a" mtu: 1600 }
port { name: "1.2" device: "b" }
vlan { name: "external" port: "1.1" }
vlan { name: "internal" port: "1.2" tag: 30 }
self_ip { name: "e4" address: "192.0.2.1/24" vlan: "external" }
self_ip { name: "e6" address: "2001:db8:1::1/64" vlan: "external" }
self_ip { name: "i4" address: "10.0.20.1/24" vlan: "internal" }
self_ip { name: "i6" address: "2001:db8:20::1/64" vlan: "internal" }
route { name: "default" network: "default" gateway: "192.0.2.254" }
traffic_group { name: "tg" mac: "02:00:5e:00:00:01" }
snat_pool { name: "out" members: ["10.0.20.50", "2001:db8:20::50"] }
profile_fastl4 { name: "short" idle_timeout: 10 udp_idle_timeout: 5 tcp_time_wait_timeout: 500 }
profile_fastl4 { name: "loose" idle_timeout: 10 loose_close: true }
pool { name: "two" member { address: "10.0.20.11" port: 8080 connection_limit: 3 }
                   member { address: "10.0.20.12" port: 8080 } }
pool { name: "six" member { address: "2001:db8:20::11" port: 8080 } }
pool { name: "any" member { address: "10.0.20.11" } }
virtual { name: "lasting" destination: "192.0.2.101:any" pool: "two" profile: "short" translate_address: false }
)";
constexpr std::array<const char*, 2> kVirtuals = {R"(
virtual { name: "web" destination: "192.0.2.100:80" pool: "two" profile: "short" traffic_group: "tg"
          source_address_translation { type: AUTOMAP } }
virtual { name: "routed" destination: "192.0.2.100:81" pool: "two" profile: "loose" no_flow_action: LOOSE_INITIATION
          traffic_group: "tg" }
virtual { name: "six" destination: "[2001:db8:1::100]:any" pool: "six" profile: "short"
          source_address_translation { type: SNAT pool: "out" } }
virtual { name: "all" type: FORWARDING_IP destination: "any:any" profile: "short" }
)",
                                                  R"(
virtual { name: "web" destination: "192.0.2.100:80" pool: "two" profile: "short" connection_limit: 4
          source_port: CHANGE source_address_translation { type: SNAT pool: "out" } }
virtual { name: "six" destination: "[2001:db8:1::100]:any" pool: "six" profile: "short" }
virtual { name: "net" destination: "198.51.100.0/24:any" pool: "any" profile: "short"
          source_address_translation { type: AUTOMAP } }
virtual { name: "no" type: REJECT destination: "any6:any" }
)"};

struct Template {
  const char* host;
  const char* packet;
};

constexpr auto kTemplates = std::to_array<Template>({
    {"client", "tcp 192.0.2.10:1000 > 192.0.2.100:80 S seq=100 mss=1460 wscale=7"},
    {"s1", "tcp 10.0.20.11:8080 > 10.0.20.1:1000 SA seq=500 ack=101 wscale=7"},
    {"client", "tcp 192.0.2.10:1000 > 192.0.2.100:80 PA seq=101 ack=501 len=30"},
    {"client", "tcp 192.0.2.10:1000 > 192.0.2.100:80 FA seq=131 ack=501"},
    {"s1", "tcp 10.0.20.11:8080 > 10.0.20.1:1000 FA seq=501 ack=132"},
    {"s1", "tcp 10.0.20.11:8080 > 10.0.20.1:1000 RA seq=501 ack=132"},
    {"client", "tcp 192.0.2.10:1001 > 192.0.2.100:81 S seq=100"},
    {"s2", "tcp 10.0.20.12:8080 > 192.0.2.10:1001 SA seq=500 ack=101"},
    {"client", "udp 192.0.2.10:1002 > 192.0.2.101:53 len=20"},
    {"client", "udp [2001:db8:1::10]:1000 > [2001:db8:1::100]:53 len=20"},
    {"s1", "udp [2001:db8:20::11]:8080 > [2001:db8:20::50]:1000 len=20"},
    {"s1", "udp [2001:db8:20::11]:8080 > [2001:db8:1::10]:1000 len=20"},
    {"client",
     "tcp [2001:db8:1::10]:1000 > [2001:db8:1::100]:80 S seq=7 ext=60 ext=43:0000010000000000"},
    {"client", "echo 192.0.2.10 > 198.51.100.7 id=7 len=8"},
    {"s1", "echo-reply 10.0.20.11 > 10.0.20.1 id=7 len=8"},
    {"client", "echo 192.0.2.10 > 192.0.2.1 id=7 len=8"},
    {"s1",
     "icmp 10.0.20.11 > 10.0.20.1 3/3 about { tcp 10.0.20.1:1000 > 10.0.20.11:8080 S seq=100 }"},
    {"client",
     "icmp 192.0.2.10 > 192.0.2.100 3/4 rest=1400 about { tcp 192.0.2.100:80 > 192.0.2.10:1000 A "
     "}"},
    {"client",
     "icmp 2001:db8:1::10 > 2001:db8:1::100 2/0 rest=1400 about { udp [2001:db8:1::100]:53 > "
     "[2001:db8:1::10]:1000 len=20 }"},
    {"client", "arp who-has 192.0.2.100 tell 192.0.2.10"},
    {"s1", "arp 10.0.20.11 is-at 02:00:00:00:00:11 to 10.0.20.1"},
    {"client", "nd who-has 2001:db8:1::100 tell 2001:db8:1::10"},
    {"s1", "nd 2001:db8:20::11 is-at 02:00:00:00:00:11 dst=2001:db8:20::1"},
    {"client", "udp 192.0.2.10:1000 > 192.0.2.100:80 len=1540"},
    {"client", "udp 192.0.2.10:1000 > 192.0.2.100:80 len=100 frag=0,more"},
    {"client", "ip 192.0.2.10 > 10.0.20.11 proto=47 len=10 ipoptions=94040000"},
    {"s1", "udp 10.0.20.11:2000 > 198.51.100.9:53 len=20"},
});

class Input {
 public:
  Input(const uint8_t* data, size_t size) : data_(data), left_(size) {}
  bool empty() const { return left_ == 0; }
  uint8_t Byte() {
    if (left_ == 0) return 0;
    --left_;
    return *data_++;
  }

 private:
  const uint8_t* data_;
  size_t left_;
};

class Scenario {
 public:
  Scenario() : rig_(Config(0), SmallTables()) {
    hosts_.Add({"client", "1.1", 0, Mac("02:00:00:00:00:0c"), {"192.0.2.10", "2001:db8:1::10"}});
    hosts_.Add({"s1", "1.2", 30, Mac("02:00:00:00:00:11"), {"10.0.20.11", "2001:db8:20::11"}});
    hosts_.Add({"s2", "1.2", 30, Mac("02:00:00:00:00:12"), {"10.0.20.12"}});
    hosts_.Attach(rig_);
  }

  void Step(Input& input) {
    const uint8_t what = input.Byte();
    if (what < kTemplates.size()) return Mutated(kTemplates[what], input);
    switch (what % 5) {
      case 0:
        return Raw(input);
      case 1:
        rig_.Advance(Nanos{input.Byte()} * 20 * kMillisecond, kSecond / 2);
        return;
      case 2:
        which_ ^= 1;
        TANDEM_ASSERT(rig_.Reload(Config(which_)).ok());
        return;
      case 3:
        rig_.DeleteFlows();
        return;
      default:
        return Answer(input);
    }
  }

  // Every timeout of the configuration, and the patience of held packets, is shorter.
  void End() {
    rig_.Advance(20 * kSecond, kSecond / 4);
    TANDEM_ASSERT(rig_.IsEmpty());
  }

 private:
  static std::string Config(size_t which) { return std::string(kNetwork) + kVirtuals[which]; }
  static RigOptions SmallTables() {
    RigOptions options;
    options.flows_ipv4 = kFlowsPerPage + 3;  // a page for each traffic group, one of them small
    options.flows_ipv6 = kFlowsPerPage + 3;
    return options;
  }

  void Mutated(const Template& from, Input& input) {
    const uint8_t how = input.Byte();
    const Host& host = *hosts_.Find(from.host);
    auto packet = PacketFromText(from.packet, Hosts::LinkOf(rig_, host));
    TANDEM_ASSERT(packet.ok());
    packet->arrival.flags = how >> 1 & 7;
    if (how >> 4 & 1) packet->arrival.headroom = input.Byte() & 7;
    if (how >> 5 & 1) packet->arrival.contiguous = input.Byte();
    for (int i = how >> 6; i > 0; --i) {
      const size_t offset = input.Byte() % packet->frame.size();
      packet->frame[offset] = input.Byte();
    }
    rig_.Inject(rig_.PortNamed(host.port), how & 1, packet->frame, packet->arrival);
    Run();
  }

  void Run() {
    for (Sent& sent : rig_.Run()) {
      if (!sent.originated) last_ = std::move(sent);
    }
  }

  // The last packet turned round. Only without options and extensions.
  void Answer(Input& input) {
    const uint8_t how = input.Byte();
    const uint8_t flags = input.Byte();
    Bytes frame = last_.bytes;
    const size_t l3 = frame.size() > 13 && frame[12] == 0x81 ? 18 : 14;
    if (frame.size() <= l3) return;
    const bool is_v4 = frame[l3] == 0x45;
    const size_t addresses = l3 + (is_v4 ? 12 : 8);
    const size_t size = is_v4 ? 4 : 16;
    const size_t l4 = addresses + 2 * size;
    if (frame.size() < l4 + 8) return;
    const uint8_t protocol = frame[l3 + (is_v4 ? 9 : 6)];
    if (protocol != 6 && protocol != 17) return;
    Swap(frame, 0, 6);
    Swap(frame, addresses, size);
    Swap(frame, l4, 2);
    if (protocol == 6 && frame.size() >= l4 + 20) {
      Swap(frame, l4 + 4, 4);
      Change16(frame, l4, 10, static_cast<uint16_t>(Get16(frame, l4 + 10) + (how >> 1 & 3)));
      Change16(frame, l4, 12, static_cast<uint16_t>((frame[l4 + 12] << 8) | (flags & 0x3f)));
    }
    rig_.Inject(last_.port, how & 1, frame);
    Run();
  }

  static void Swap(Bytes& frame, size_t at, size_t size) {
    const auto begin = frame.begin() + static_cast<ptrdiff_t>(at);
    std::swap_ranges(begin, begin + static_cast<ptrdiff_t>(size),
                     begin + static_cast<ptrdiff_t>(size));
  }
  static uint16_t Get16(const Bytes& frame, size_t at) {
    return static_cast<uint16_t>(frame[at] << 8 | frame[at + 1]);
  }
  static void Put16(Bytes& frame, size_t at, uint16_t value) {
    frame[at] = static_cast<uint8_t>(value >> 8);
    frame[at + 1] = static_cast<uint8_t>(value);
  }
  // The urgent pointer makes up for it, so that the checksum stays right.
  static void Change16(Bytes& frame, size_t l4, size_t offset, uint16_t value) {
    uint32_t urgent =
        uint32_t{Get16(frame, l4 + 18)} + Get16(frame, l4 + offset) + static_cast<uint16_t>(~value);
    urgent = (urgent & 0xffff) + (urgent >> 16);
    urgent = (urgent & 0xffff) + (urgent >> 16);
    Put16(frame, l4 + offset, value);
    Put16(frame, l4 + 18, static_cast<uint16_t>(urgent));
  }

  void Raw(Input& input) {
    const uint8_t where = input.Byte();
    Bytes frame(input.Byte());
    for (uint8_t& byte : frame)
      byte = input.Byte();
    rig_.Inject(where & 1, where >> 1 & 1, frame);
    Run();
  }

  Hosts hosts_;
  Rig rig_;
  size_t which_ = 0;
  Sent last_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr int kStepsMax = 64;
  Input input(data, size);
  Scenario scenario;
  for (int i = 0; i < kStepsMax && !input.empty(); ++i)
    scenario.Step(input);
  scenario.End();
  return 0;
}
