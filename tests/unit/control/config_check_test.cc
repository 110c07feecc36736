// SPDX-License-Identifier: Apache-2.0
//
// Each thing that Validate refuses, by its whole message. Texts are added to a small valid
// configuration of kBaseLines lines, so that what is added starts at the line after.
#include <algorithm>
#include <cctype>
#include <cstring>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "control/config_load.h"
#include "control/text.h"
#include "dataplane/base/limits.h"

namespace tandem::control {
namespace {

constexpr char kBase[] =
    R"(port { name: "p0" device: "net_null0" }
port { name: "p1" device: "net_null1" mtu: 9000 }
vlan { name: "out" port: "p0" }
vlan { name: "in" port: "p1" tag: 20 }
traffic_group { name: "tg1" mac: "02:00:00:00:00:01" }
self_ip { name: "a" address: "192.0.2.2/24" vlan: "out" }
self_ip { name: "b" address: "10.0.0.2/24" vlan: "in" }
snat_pool { name: "s6" members: "2001:db8::80" }
profile_fastl4 { name: "odd" idle_timeout: -1 }
pool { name: "web" member { address: "10.0.0.11" port: 80 } }
pool { name: "any" member { address: "10.0.0.12" } }
pool { name: "far" member { address: "10.7.0.11" port: 80 } }
pool { name: "six" member { address: "2001:db8::11" port: 80 } }
virtual { name: "v" destination: "192.0.2.10:80" ip_protocol: TCP pool: "web" }
)";

// What Validate says of kBase with `added`, line 1 being the first one added.
std::string ErrorsWith(const std::string& added, const char* base = kBase) {
  const std::string text = Cat(base, added);
  const std::string message(LoadConfigText(text, "f").status().message());
  const auto base_lines = std::count(base, base + std::strlen(base), '\n');
  // Lines are moved to where the test sees them.
  std::string moved;
  for (size_t begin = 0; begin < message.size();) {
    const size_t end = std::min(message.find('\n', begin), message.size());
    std::string line = message.substr(begin, end - begin);
    if (line.rfind("f:", 0) == 0 && std::isdigit(line[2]) != 0) {
      const size_t colon = line.find(':', 2);
      line = Cat(std::stol(line.substr(2, colon - 2)) - base_lines, line.substr(colon));
    }
    moved += Cat(moved.empty() ? "" : "\n", line);
    begin = end + 1;
  }
  return moved;
}

struct Case {
  const char* text;
  const char* errors;
};

void Check(const std::vector<Case>& cases) {
  for (const Case& each : cases) {
    INFO(each.text);
    CHECK(ErrorsWith(each.text) == each.errors);
  }
}

TEST_CASE("config check: the base of these tests is valid", "[config]") {
  CHECK(ErrorsWith("") == "");
}

TEST_CASE("config check: names", "[config]") {
  Check({
      {"pool {\n member { address: \"10.0.0.1\" } }", "1:1: pool #5: name: missing"},
      {"pool { name: \"\" member { address: \"10.0.0.1\" } }", "1:8: pool #5: name: missing"},
      {"traffic_group { name: \"a b\" }",
       "1:17: traffic_group 'a b': name: only letters, digits and _-.:/@ are allowed"},
      {"traffic_group { name: \"tg1\" }",
       "1:17: traffic_group 'tg1': name: already used at line 5"},
      {"port { name: \"p0\" device: \"net_null7\" }",
       "1:8: port 'p0': name: already used at line 1"},
      {"vlan { name: \"in\" port: \"p0\" tag: 7 }", "1:8: vlan 'in': name: already used at line 4"},
      {"self_ip { name: \"a\" address: \"10.3.0.2/24\" vlan: \"out\" }",
       "1:11: self_ip 'a': name: already used at line 6"},
      {"route { name: \"r\" network: \"10.5.0.0/16\" gateway: \"10.0.0.1\" }\n"
       "route { name: \"r\" network: \"10.6.0.0/16\" gateway: \"10.0.0.1\" }",
       "2:9: route 'r': name: already used at line 15"},
      {"snat_pool { name: \"s6\" members: \"10.0.0.9\" }",
       "1:13: snat_pool 's6': name: already used at line 8"},
      {"profile_fastl4 { name: \"odd\" }",
       "1:18: profile_fastl4 'odd': name: already used at line 9"},
      {"pool { name: \"web\" member { address: \"10.0.0.1\" } }",
       "1:8: pool 'web': name: already used at line 10"},
      {"virtual { name: \"v\" destination: \"192.0.2.11:80\" pool: \"web\" }",
       "1:11: virtual 'v': name: already used at line 14"},
  });
  const std::string longest(255, 'n');
  CHECK(ErrorsWith(Cat("traffic_group { name: \"", longest, "\" }")) == "");
  CHECK(ErrorsWith(Cat("traffic_group { name: \"", longest, "n\" }")) ==
        Cat("1:17: traffic_group '", longest.substr(0, 80),
            "...': name: longer than 255 characters"));
}

TEST_CASE("config check: device and limits", "[config]") {
  Check({
      {"device { name: \"\" }",
       "1:10: device: name: '' is not 1 to 255 letters, digits and _-.:/@"},
      {"device { workers: 0 }", "1:10: device: workers: 0 is not in 1..64"},
      {"device { workers: 64 }", ""},
      {"device { workers: 65 }", "1:10: device: workers: 65 is not in 1..64"},
      {"device { lcores: \"0@0,1@2\" }", ""},
      {"device { lcores: \"0@0,1@2\" workers: 1 }",
       "1:28: device: workers: not allowed together with lcores, which counts them"},
      {"device { lcores: \"0\" }",
       "1:10: device: lcores: '0' has 1 lcores; needed are one for control and 1 to 64 for "
       "workers"},
      {"device { lcores: \"0-65\" }",
       "1:10: device: lcores: '0-65' has 66 lcores; needed are one for control and 1 to 64 for "
       "workers"},
      {"device { lcores: \"zero\" }",
       "1:10: device: lcores: 'zero' is not a list of lcores, each once and below 128, as in "
       "\"0@0,1@2,2@3\""},
      {"device { ipv4_flows_per_worker: 12287 } traffic_group { name: \"second\" }",
       "1:10: device: ipv4_flows_per_worker: 12287 is not in 12288..67108864"},
      {"device { ipv4_flows_per_worker: 4095 ipv6_flows_per_worker: 67108865 }",
       "1:10: device: ipv4_flows_per_worker: 4095 is not in 8192..67108864\n"
       "1:38: device: ipv6_flows_per_worker: 67108865 is not in 8192..67108864"},
      {"device { memory_mib: 4194305 }", "1:10: device: memory_mib: 4194305 is not in 0..4194304"},
      {"device { eal_args: \"--no-telemetry\" eal_args: \"\" }",
       "1:37: device: eal_args: '' is no argument"},
      {"device { eal_args: \"--lcores=0-3\" }",
       "1:10: device: eal_args: '--lcores=0-3': lcores are chosen by workers or lcores"},
      {"device { eal_args: \"-l\" }",
       "1:10: device: eal_args: '-l': lcores are chosen by workers or lcores"},
      {"device { admin_socket: \"tandem.sock\" }",
       "1:10: device: admin_socket: 'tandem.sock' is not an absolute path of at most 107 bytes"},
      {"limits { reset_rate: 0 }", ""},
      {"limits { reset_rate: 1000001 }", "1:10: limits: reset_rate: 1000001 is not in 0..1000000"},
      {"limits { announce_rate: 1 }", ""},
      {"limits { announce_rate: 0 }", "1:10: limits: announce_rate: 0 is not in 1..100000"},
  });
}

TEST_CASE("config check: ports", "[config]") {
  Check({
      {"port { name: \"q\" }", "1:1: port 'q': device: missing"},
      {"port { name: \"q\" device: \"03:00.0\" }\nport { name: \"r\" device: \"0000:03:00.0\" }",
       "2:18: port 'r': device: '0000:03:00.0' is also the device of port 'q' at line 15"},
      {"port { name: \"q\" device: \"net_null0,copy=1\" }",
       "1:18: port 'q': device: 'net_null0' is also the device of port 'p0' at line 1"},
      {"port { name: \"q\" device: \"eth 0\" }",
       "1:18: port 'q': device: 'eth 0' is neither a PCI address nor a DPDK virtual device"},
      {"port { name: \"q\" device: \"0000:03:00\" }",
       "1:18: port 'q': device: '0000:03:00' is neither a PCI address nor a DPDK virtual device"},
      {"port { name: \"q\" device: \"net_null2\" mtu: 67 }",
       "1:38: port 'q': mtu: 67 is not in 68..9216"},
      {"port { name: \"q\" device: \"net_null2\" mtu: 9217 }",
       "1:38: port 'q': mtu: 9217 is not in 68..9216"},
      {"port { name: \"q\" device: \"net_null2\" rx_descriptors: 100 tx_descriptors: 65536 }",
       "1:38: port 'q': rx_descriptors: 100 is no power of two in 64..32768\n"
       "1:58: port 'q': tx_descriptors: 65536 is no power of two in 64..32768"},
  });
}

TEST_CASE("config check: VLANs", "[config]") {
  Check({
      {"vlan { name: \"x\" }", "1:1: vlan 'x': port: missing"},
      {"vlan { name: \"x\" port: \"p9\" tag: 1 }", "1:18: vlan 'x': port: 'p9' does not exist"},
      {"vlan { name: \"x\" port: \"p0\" tag: 4095 }",
       "1:29: vlan 'x': tag: 4095 is not in 0..4094"},
      {"vlan { name: \"x\" port: \"p0\" }",
       "1:1: vlan 'x': tag: untagged frames of port 'p0' already belong to vlan 'out' at line 3"},
      {"vlan { name: \"x\" port: \"p1\" tag: 20 }",
       "1:29: vlan 'x': tag: tag 20 of port 'p1' already belongs to vlan 'in' at line 4"},
      {"vlan { name: \"x\" port: \"p0\" tag: 20 mtu: 1501 }",
       "1:37: vlan 'x': mtu: 1501 is more than the 1500 of port 'p0'"},
      {"vlan { name: \"x\" port: \"p0\" tag: 20 mtu: 20 }",
       "1:37: vlan 'x': mtu: 20 is not in 68..9216"},
  });
}

TEST_CASE("config check: traffic groups", "[config]") {
  Check({
      {"traffic_group { name: \"g\" announce_refresh: 86400 }", ""},
      {"traffic_group { name: \"g\" announce_refresh: 86401 }",
       "1:27: traffic_group 'g': announce_refresh: 86401 is not in 0..86400"},
      {"traffic_group { name: \"g\" mac: \"02:00\" }",
       "1:27: traffic_group 'g': mac: '02:00' is no MAC address, as in \"02:00:5e:00:00:01\""},
      {"traffic_group { name: \"g\" mac: \"01:00:5e:00:00:01\" }",
       "1:27: traffic_group 'g': mac: '01:00:5e:00:00:01' is a multicast address"},
      {"traffic_group { name: \"g\" mac: \"00:00:00:00:00:00\" }",
       "1:27: traffic_group 'g': mac: '00:00:00:00:00:00' is no address at all"},
  });
}

TEST_CASE("config check: self IPs", "[config]") {
  Check({
      {"self_ip { name: \"x\" }",
       "1:1: self_ip 'x': vlan: missing\n1:1: self_ip 'x': address: missing"},
      {"self_ip { name: \"x\" address: \"10.1.0.1/24\" vlan: \"no\" }",
       "1:44: self_ip 'x': vlan: 'no' does not exist"},
      {"self_ip { name: \"x\" address: \"10.1.0.1/24\" vlan: \"in\" traffic_group: \"no\" }",
       "1:55: self_ip 'x': traffic_group: 'no' does not exist"},
      {"self_ip { name: \"x\" address: \"10.1.0.1\" vlan: \"in\" }",
       "1:21: self_ip 'x': address: '10.1.0.1' is no address with prefix length, as in "
       "\"10.0.0.1/24\""},
      {"self_ip { name: \"x\" address: \"::ffff:10.1.0.1/24\" vlan: \"in\" }",
       "1:21: self_ip 'x': address: '::ffff:10.1.0.1/24' is no address with prefix length, as in "
       "\"10.0.0.1/24\""},
      {"self_ip { name: \"x\" address: \"10.1.0.0/24\" vlan: \"in\" }",
       "1:21: self_ip 'x': address: '10.1.0.0/24' is the address of the network itself"},
      {"self_ip { name: \"x\" address: \"10.1.0.255/24\" vlan: \"in\" }",
       "1:21: self_ip 'x': address: '10.1.0.255/24' is the broadcast address of its network"},
      {"self_ip { name: \"x\" address: \"10.1.0.0/31\" vlan: \"in\" }", ""},
      {"self_ip { name: \"x\" address: \"10.1.0.1/0\" vlan: \"in\" }",
       "1:21: self_ip 'x': address: '10.1.0.1/0' is on a network of length 0"},
      {"self_ip { name: \"x\" address: \"224.0.0.1/24\" vlan: \"in\" }",
       "1:21: self_ip 'x': address: '224.0.0.1/24' is a multicast address"},
      {"self_ip { name: \"x\" address: \"127.0.0.1/8\" vlan: \"in\" }",
       "1:21: self_ip 'x': address: '127.0.0.1/8' is a loopback address"},
      {"self_ip { name: \"x\" address: \"fe80::1/64\" vlan: \"in\" }",
       "1:21: self_ip 'x': address: 'fe80::1/64' is a link-local address"},
      {"self_ip { name: \"x\" address: \"10.0.0.2/24\" vlan: \"in\" }",
       "1:21: self_ip 'x': address: '10.0.0.2/24' is also the address of self_ip 'b' at line 7"},
      {"self_ip { name: \"x\" address: \"10.0.0.3/24\" vlan: \"in\" }", ""},
      {"self_ip { name: \"x\" address: \"10.0.0.3/24\" vlan: \"out\" }",
       "1:21: self_ip 'x': address: network 10.0.0.0/24 overlaps that of self_ip 'b' at line 7 on "
       "another VLAN"},
      {"self_ip { name: \"x\" address: \"10.1.2.3/8\" vlan: \"out\" }",
       "-7:21: self_ip 'b': address: network 10.0.0.0/24 overlaps that of self_ip 'x' at line 15 "
       "on another VLAN"},
      {"vlan { name: \"thin\" port: \"p0\" tag: 9 mtu: 1279 }\n"
       "self_ip { name: \"x\" address: \"2001:db8::1/64\" vlan: \"thin\" }",
       "2:21: self_ip 'x': address: IPv6 needs an MTU of 1280; vlan 'thin' has 1279"},
  });
}

TEST_CASE("config check: routes", "[config]") {
  Check({
      {"route { name: \"r\" }",
       "1:1: route 'r': network: missing\n1:1: route 'r': gateway: missing"},
      {"route { name: \"r\" network: \"10.5.0.0/16\" gateway: \"10.4.0.1\" }",
       "1:42: route 'r': gateway: '10.4.0.1' is on no network of a self IP"},
      {"route { name: \"r\" network: \"10.5.0.0/16\" gateway: \"10.0.0.2\" }",
       "1:42: route 'r': gateway: '10.0.0.2' is a self IP of this device"},
      {"route { name: \"r\" network: \"10.5.0.0/16\" gateway: \"router\" }",
       "1:42: route 'r': gateway: 'router' is no IPv4 or IPv6 address"},
      {"route { name: \"r\" network: \"10.5.0.1/16\" gateway: \"10.0.0.1\" }",
       "1:19: route 'r': network: '10.5.0.1/16' has host bits; the network is 10.5.0.0/16"},
      {"route { name: \"r\" network: \"all\" gateway: \"10.0.0.1\" }",
       "1:19: route 'r': network: 'all' is no prefix, nor \"default\""},
      {"route { name: \"r\" network: \"2001:db8:5::/48\" gateway: \"10.0.0.1\" }",
       "1:46: route 'r': gateway: '10.0.0.1' is not of the family of 2001:db8:5::/48"},
      {"route { name: \"r\" network: \"10.0.0.0/24\" gateway: \"10.0.0.1\" }",
       "1:19: route 'r': network: '10.0.0.0/24' is the network of self_ip 'b' at line 7"},
      {"route { name: \"r\" network: \"default\" gateway: \"10.0.0.1\" }\n"
       "route { name: \"q\" network: \"0.0.0.0/0\" gateway: \"192.0.2.1\" }",
       "2:19: route 'q': network: '0.0.0.0/0' is also the network of route 'r' at line 15"},
  });
}

TEST_CASE("config check: SNAT pools", "[config]") {
  Check({
      {"snat_pool { name: \"s\" }", "1:1: snat_pool 's': members: missing"},
      {"snat_pool { name: \"s\" members: \"10.0.0.9\" members: \"10.0.0.9/32\" }",
       "1:43: snat_pool 's': members: '10.0.0.9/32' is no IPv4 or IPv6 address"},
      {"snat_pool { name: \"s\" members: \"0.0.0.0\" }",
       "1:23: snat_pool 's': members: '0.0.0.0' is in 0.0.0.0/8"},
      {"snat_pool { name: \"s\" members: \"10.0.0.9\" members: \"10.0.0.9\" }",
       "1:43: snat_pool 's': members: '10.0.0.9' is there twice"},
  });
}

TEST_CASE("config check: pools and members", "[config]") {
  Check({
      {"pool { name: \"p\" }", "1:1: pool 'p': member: a pool needs at least one"},
      {"pool { name: \"p\"\n member { port: 80 } }", "2:2: pool 'p' member #1: address: missing"},
      {"pool { name: \"p\" member { address: \"server1\" } }",
       "1:27: pool 'p' member 'server1': address: 'server1' is no IPv4 or IPv6 address"},
      {"pool { name: \"p\" member { address: \"255.255.255.255\" } }",
       "1:27: pool 'p' member '255.255.255.255': address: '255.255.255.255' is in 240.0.0.0/4"},
      {"pool { name: \"p\" member { address: \"::\" } member { address: \"::1\" } }",
       "1:27: pool 'p' member '::': address: '::' is the unspecified address\n"
       "1:52: pool 'p' member '::1': address: '::1' is the loopback address"},
      {"pool { name: \"p\" member { address: \"10.0.0.2\" } }",
       "1:27: pool 'p' member '10.0.0.2': address: '10.0.0.2' is self_ip 'b' of this device"},
      {"pool { name: \"p\"\n member { address: \"10.0.0.1\" port: 80 }\n"
       " member { address: \"10.0.0.1\" port: 81 }\n member { address: \"10.0.0.1\" port: 80 } }",
       "4:11: pool 'p' member '10.0.0.1': address: 10.0.0.1:80 is already in the pool at line 16"},
      {"pool { name: \"p\" member { address: \"10.0.0.1\" port: 65536 ratio: 101 } }",
       "1:47: pool 'p' member '10.0.0.1': port: 65536 is not in 0..65535\n"
       "1:59: pool 'p' member '10.0.0.1': ratio: 101 is not in 1..100"},
      {"pool { name: \"p\" member { address: \"10.0.0.1\" ratio: 0 } }",
       "1:47: pool 'p' member '10.0.0.1': ratio: 0 is not in 1..100"},
      {"pool { name: \"p\" description: \"a\\nb\" member { address: \"10.0.0.1\" } }",
       "1:18: pool 'p': description: control characters or invalid UTF-8"},
      {"pool { name: \"p\" description: \"\\303\\274 \\342\\202\\254\" member { address: "
       "\"10.0.0.1\" "
       "description: \"\\355\\240\\200\" } }",
       "1:84: pool 'p' member '10.0.0.1': description: control characters or invalid UTF-8"},
  });
}

TEST_CASE("config check: profiles", "[config]") {
  Check({
      {"profile_fastl4 { name: \"x\" idle_timeout: -1 udp_idle_timeout: 0 "
       "tcp_handshake_timeout: 1814400 tcp_time_wait_timeout: 600000 }",
       ""},
      {"profile_fastl4 { name: \"x\" idle_timeout: -2 }",
       "1:28: profile_fastl4 'x': idle_timeout: -2 is not in 0..1814400"},
      {"profile_fastl4 { name: \"x\" udp_idle_timeout: 1814401 }",
       "1:28: profile_fastl4 'x': udp_idle_timeout: 1814401 is not in 0..1814400"},
      {"profile_fastl4 { name: \"x\" tcp_handshake_timeout: 1814401 tcp_close_timeout: -3 }",
       "1:28: profile_fastl4 'x': tcp_handshake_timeout: 1814401 is not in 0..1814400\n"
       "1:59: profile_fastl4 'x': tcp_close_timeout: -3 is not in 0..1814400"},
      {"profile_fastl4 { name: \"x\" tcp_time_wait_timeout: 600001 }",
       "1:28: profile_fastl4 'x': tcp_time_wait_timeout: 600001 is not in 0..600000"},
  });
}

TEST_CASE("config check: what a virtual listens to", "[config]") {
  Check({
      {"virtual { name: \"x\" pool: \"web\" }", "1:1: virtual 'x': destination: missing"},
      {"virtual { name: \"x\" pool: \"web\" destination: \"192.0.2.20\" }",
       "1:33: virtual 'x': destination: '192.0.2.20': no port; expected ADDRESS:PORT, as in "
       "10.0.0.1:80"},
      {"virtual { name: \"x\" pool: \"web\" destination: \"192.0.2.20:http\" }",
       "1:33: virtual 'x': destination: '192.0.2.20:http': port is neither 0 to 65535 nor any"},
      {"virtual { name: \"x\" pool: \"web\" destination: \"192.0.2.20/24:80\" }",
       "1:33: virtual 'x': destination: '192.0.2.20/24:80' has host bits; the network is "
       "192.0.2.0/24"},
      {"virtual { name: \"x\" pool: \"web\" destination: \"239.0.0.1:80\" }",
       "1:33: virtual 'x': destination: '239.0.0.1:80' is a multicast address"},
      {"virtual { name: \"x\" pool: \"web\" destination: \"2001:db8::1:80\" }",
       "1:33: virtual 'x': destination: '2001:db8::1:80': no address or prefix before the port; "
       "expected 10.0.0.1, 10.0.0.0/8, [2001:db8::1], [2001:db8::/32], any or any6"},
      {"virtual { name: \"x\" pool: \"web\" destination: \"192.0.2.20:80\" source: \"office\" }",
       "1:62: virtual 'x': source: 'office' is no prefix"},
      {"virtual { name: \"x\" pool: \"web\" destination: \"192.0.2.20:80\" source: \"10.0.0.1/8\" "
       "}",
       "1:62: virtual 'x': source: '10.0.0.1/8' has host bits; the network is 10.0.0.0/8"},
      {"virtual { name: \"x\" pool: \"web\" destination: \"192.0.2.20:80\" source: \"::/0\" }",
       "1:62: virtual 'x': source: '::/0' is not IPv4 as the destination is"},
      {"virtual { name: \"x\" pool: \"web\" destination: \"192.0.2.20:80\"\n"
       " vlans: \"in\"\n vlans: \"none\"\n vlans: \"in\" }",
       "3:2: virtual 'x': vlans: 'none' does not exist\n"
       "4:2: virtual 'x': vlans: 'in' is there twice"},
      {"virtual { name: \"x\" pool: \"web\" destination: \"192.0.2.20:80\" description: \"\\001\" "
       "}",
       "1:62: virtual 'x': description: control characters or invalid UTF-8"},
  });
}

TEST_CASE("config check: virtuals of one destination", "[config]") {
  const std::string same = "virtual { name: \"x\" destination: \"192.0.2.10:80\" pool: \"web\" ";
  const char* const taken =
      "1:21: virtual 'x': destination: '192.0.2.10:80' is taken by virtual 'v' at line 14 for the "
      "same protocol and source on the same VLAN";
  CHECK(ErrorsWith(same + "ip_protocol: TCP }") == taken);
  CHECK(ErrorsWith(same + "ip_protocol: TCP vlans: \"in\" }") == taken);
  CHECK(ErrorsWith(same + "ip_protocol: TCP vlans: \"in\" vlans_disabled: true }") == taken);
  CHECK(ErrorsWith(same + "ip_protocol: TCP source: \"0.0.0.0/0\" }") == taken);
  CHECK(ErrorsWith(same + "ip_protocol: UDP }") == "");
  CHECK(ErrorsWith(same + "}") == "");
  CHECK(ErrorsWith(same + "ip_protocol: TCP source: \"10.0.0.0/8\" }") == "");
  // On VLANs of their own both are welcome.
  const std::string udp = "destination: \"192.0.2.10:53\" ip_protocol: UDP pool: \"web\" ";
  CHECK(ErrorsWith("virtual { name: \"x\" " + udp + "vlans: \"in\" }\nvirtual { name: \"y\" " +
                   udp + "vlans: \"in\" vlans_disabled: true }") == "");
  CHECK(ErrorsWith(same + "traffic_group: \"tg1\" }") ==
        "1:62: virtual 'x': traffic_group: not that of virtual 'v' at line 14, which has the same "
        "address");
}

TEST_CASE("config check: a virtual and its pool", "[config]") {
  const std::string start = "virtual { name: \"x\" destination: \"192.0.2.20:80\" ";
  const auto errors = [&](const std::string& rest) { return ErrorsWith(start + rest + " }"); };
  CHECK(errors("") == "1:1: virtual 'x': pool: missing");
  CHECK(errors("pool: \"no\"") == "1:50: virtual 'x': pool: 'no' does not exist");
  CHECK(errors("pool: \"six\"") ==
        "1:50: virtual 'x': pool: member '2001:db8::11' of pool 'six' is IPv6, but the destination "
        "is IPv4");
  CHECK(errors("pool: \"web\" profile: \"no\"") ==
        "1:62: virtual 'x': profile: 'no' does not exist");
  CHECK(errors("pool: \"web\" traffic_group: \"no\"") ==
        "1:62: virtual 'x': traffic_group: 'no' does not exist");
  CHECK(errors("pool: \"any\"") == "");
  CHECK(errors("pool: \"any\" translate_port: false") == "");
  CHECK(errors("pool: \"any\" translate_port: true") ==
        "1:62: virtual 'x': translate_port: member '10.0.0.12' of pool 'any' has no port to "
        "translate to");
  CHECK(errors("pool: \"web\" type: FORWARDING_IP") ==
        "1:50: virtual 'x': pool: not allowed for type FORWARDING_IP");
  CHECK(errors("type: REJECT pool: \"web\" translate_address: true translate_port: true") ==
        "1:63: virtual 'x': pool: not allowed for type REJECT\n"
        "1:75: virtual 'x': translate_address: not allowed for type REJECT\n"
        "1:99: virtual 'x': translate_port: not allowed for type REJECT");
  CHECK(errors("type: FORWARDING_IP translate_address: false") == "");
}

TEST_CASE("config check: direct server return", "[config]") {
  const std::string start =
      "virtual { name: \"x\" destination: \"192.0.2.20:80\" translate_address: false ";
  const auto errors = [&](const std::string& rest) { return ErrorsWith(start + rest + " }"); };
  CHECK(errors("pool: \"web\"") == "");
  CHECK(errors("pool: \"web\" translate_port: true") ==
        "1:87: virtual 'x': translate_port: not possible with translate_address off");
  CHECK(errors("pool: \"far\"") ==
        "1:50: virtual 'x': translate_address: member '10.7.0.11' of pool 'far' is on no network "
        "of a self IP, where its MAC could be found");
  CHECK(errors("pool: \"web\" source_address_translation { type: AUTOMAP }") ==
        "1:87: virtual 'x': source_address_translation: not allowed with translate_address off: "
        "the member answers the client directly, which would see an address it never asked");
}

TEST_CASE("config check: source address translation", "[config]") {
  const std::string start = "virtual { name: \"x\" destination: \"192.0.2.20:80\" pool: \"web\" ";
  const auto errors = [&](const std::string& snat) {
    return ErrorsWith(start + "source_address_translation { " + snat + " } }");
  };
  CHECK(errors("type: AUTOMAP") == "");
  CHECK(errors("type: AUTOMAP pool: \"s6\"") ==
        "1:62: virtual 'x': source_address_translation: pool is for type SNAT only");
  CHECK(errors("type: SNAT") == "1:62: virtual 'x': source_address_translation: pool: missing");
  CHECK(errors("type: SNAT pool: \"no\"") ==
        "1:62: virtual 'x': source_address_translation: pool: 'no' does not exist");
  CHECK(errors("type: SNAT pool: \"s6\"") ==
        "1:62: virtual 'x': source_address_translation: snat_pool 's6' has no IPv4 address");
  CHECK(ErrorsWith("virtual { name: \"x\" destination: \"[2001:db8::9]:80\" pool: \"six\"\n"
                   " source_address_translation { type: AUTOMAP } }") ==
        "2:2: virtual 'x': source_address_translation: AUTOMAP needs an IPv6 self IP, and there is "
        "none");
}

TEST_CASE("config check: what works, but perhaps not as meant, is noted", "[config]") {
  const auto notes = [](const std::string& added) {
    const auto document = LoadConfigText(Cat(kBase, added), "f");
    INFO(document.status().ToString());
    REQUIRE(document.ok());
    return document->notes();
  };
  const std::string start = "virtual { name: \"x\" destination: \"192.0.2.20:80\" pool: \"web\" ";
  const std::string automap = "source_address_translation { type: AUTOMAP } ";
  CHECK(notes(start + "}").empty());
  CHECK(notes(start + "source_port: CHANGE }") ==
        std::vector<std::string>{
            "f:15:62: virtual 'x': source_port: no effect without source_address_translation"});
  CHECK(notes(start + automap + "source_port: PRESERVE_STRICT }").empty());
  CHECK(notes("device { workers: 2 }\n" + start + automap + "source_port: PRESERVE_STRICT }") ==
        std::vector<std::string>{
            "f:16:107: virtual 'x': source_port: PRESERVE_STRICT refuses a client whose port is "
            "taken, or would bring the reply to another worker"});
}

TEST_CASE("config check: more objects than there is room for", "[config]") {
  std::string text;
  for (size_t i = 0; i <= kVirtualsMax; ++i)
    text += Cat("virtual { name: \"x", i, "\" type: REJECT destination: \"10.1.", i / 256, ".",
                i % 256, ":80\" }\n");
  CHECK(ErrorsWith(text, "") ==
        "4097:1: virtual 'x4096': there are 4097, more than the maximum of 4096");

  std::string members;
  for (size_t i = 0; i <= kPoolMembersMax; ++i)
    members += Cat("member { address: \"10.1.0.1\" port: ", i + 1, " } ");
  CHECK(ErrorsWith(Cat("pool { name: \"p\" ", members, "}")) ==
        "1:18: pool 'p': member: there are 4097, more than the maximum of 4096");

  std::string snat;
  for (size_t i = 0; i <= kSnatAddressesMax; ++i)
    snat += Cat("members: \"10.1.", i / 256, ".", i % 256, "\" ");
  CHECK(ErrorsWith(Cat("snat_pool { name: \"p\" ", snat, "}")) ==
        "1:23: snat_pool 'p': members: there are 1025, more than the maximum of 1024");

  std::string ports;
  for (size_t i = 2; i <= kPortsMax; ++i)
    ports += Cat("port { name: \"p", i, "\" device: \"net_null", i, "\" }\n");
  CHECK(ErrorsWith(ports) == "31:1: port 'p32': there are 33, more than the maximum of 32");
}

TEST_CASE("config check: more members and addresses than there is room for", "[config]") {
  std::string text;
  const auto members_of = [&](size_t count) {
    std::string members;
    for (size_t i = 0; i < count; ++i)
      members += Cat("member { address: \"10.1.0.1\" port: ", i + 1, " } ");
    return members;
  };
  const std::string members = members_of(kPoolMembersMax);
  for (size_t i = 0; i < kMembersMax / kPoolMembersMax; ++i)
    text += Cat("pool { name: \"p", i, "\" ", members, "}\n");
  CHECK(ErrorsWith(text, "") == "");
  CHECK(ErrorsWith(text + "pool { name: \"last\" member { address: \"10.1.0.1\" } }", "") ==
        "9:21: pool 'last': member: more than 32768 members in all pools");

  std::string snat;
  for (size_t pool = 0; pool < 17; ++pool) {
    snat += Cat("snat_pool { name: \"s", pool, "\" ");
    for (size_t i = 0; i < 1000; ++i)
      snat += Cat("members: \"10.", pool, ".", i / 256, ".", i % 256, "\" ");
    snat += "}\n";
  }
  CHECK(ErrorsWith(snat, "") ==
        "f: self IPs, SNAT addresses and virtual addresses are 17000 together, more than the "
        "maximum of 16384");
}

}  // namespace
}  // namespace tandem::control
