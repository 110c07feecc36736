// SPDX-License-Identifier: Apache-2.0
//
// Tables and JSON, letter by letter.
#include "tools/tandemctl/print.h"

#include <google/protobuf/text_format.h>

#include <catch2/catch.hpp>
#include <sstream>

#include "tools/tandemctl/table.h"

namespace tandem::tandemctl {
namespace {

using admin::v1::Response;

Response Parse(const std::string& text) {
  Response response;
  REQUIRE(google::protobuf::TextFormat::ParseFromString(text, &response));
  return response;
}

std::string Printed(const Response& response, bool raw = false) {
  std::ostringstream out;
  Printer(out, raw).Print(response);
  return out.str();
}

TEST_CASE("tandemctl table: columns align, empty ones go, lines end in no blank", "[tandemctl]") {
  Table table({{"NAME"}, {"NOTE"}, {"COUNT", Align::kRight}, {"WHY"}});
  table.Add({"a", "", "12345", ""});
  table.Add({"longer-name", "", "7", "because"});
  std::ostringstream out;
  table.Print(out);
  CHECK(out.str() ==
        "NAME         COUNT  WHY\n"
        "a            12345\n"
        "longer-name      7  because\n");
}

TEST_CASE("tandemctl table: numbers in human units, or exact", "[tandemctl]") {
  const Numbers human(false);
  CHECK(human.Count(0) == "0");
  CHECK(human.Count(9999) == "9999");
  CHECK(human.Count(10'000) == "10.0K");
  CHECK(human.Count(999'949) == "999.9K");
  CHECK(human.Count(999'950) == "1.0M");
  CHECK(human.Count(UINT64_MAX) == "18.4E");
  CHECK(human.Percent(0.1234) == "12.3%");
  CHECK(human.Seconds(59) == "59s");
  CHECK(human.Seconds(61) == "1m01s");
  CHECK(human.Seconds(7'265) == "2h01m");
  CHECK(human.Seconds(100'000) == "1d03h");
  const Numbers raw(true);
  CHECK(raw.Count(UINT64_MAX) == "18446744073709551615");
  CHECK(raw.Seconds(100'000) == "100000");
}

constexpr char kVirtuals[] = R"(virtuals {
  virtual { name: "web" destination: "10.0.0.100:80" type: "fastl4" ip_protocol: "tcp" pool: "web"
            enabled: true availability: AVAILABLE reason: "x" connections { current: 2 total: 12345 }
            traffic { packets_in: 4 bytes_in: 400 packets_out: 3 bytes_out: 3000000 } }
  virtual { name: "out" destination: "10.9.0.0/16:any" type: "forwarding-ip" ip_protocol: "any"
            availability: DISABLED reason: "disabled by the operator" connections {} traffic {} }
})";

TEST_CASE("tandemctl print: virtuals as a table", "[tandemctl]") {
  CHECK(Printed(Parse(kVirtuals)) ==
        "NAME  DESTINATION      PROTOCOL  TYPE           POOL  AVAILABILITY  CONNECTIONS  TOTAL  "
        "PACKETS IN  BYTES IN  PACKETS OUT  BYTES OUT\n"
        "web   10.0.0.100:80    tcp       fastl4         web   available               2  12.3K  "
        "         4       400            3       3.0M\n"
        "out   10.9.0.0/16:any  any       forwarding-ip        disabled                0      0  "
        "         0         0            0          0\n"
        "\n"
        "out: disabled by the operator\n");
  CHECK(Printed(Parse(kVirtuals), /*raw=*/true).find("3000000") != std::string::npos);
  CHECK(Printed(Parse("virtuals {}")) == "no virtual servers\n");
}

TEST_CASE("tandemctl print: connections as BIG-IP shows them", "[tandemctl]") {
  constexpr char kConnections[] = R"(connections {
    connection { cs_client { address: "10.0.0.9" port: 1000 }
                 cs_server { address: "10.0.0.100" port: 80 }
                 ss_client { address: "10.1.0.1" port: 1000 }
                 ss_server { address: "10.1.0.5" port: 8080 }
                 protocol: "tcp" state: "established" idle_seconds: 20 }
    connection { cs_client { address: "2001:db8::9" port: 53 }
                 cs_server { address: "2001:db8::1" port: 53 }
                 protocol: "udp" state: "opening" worker: 1 }
    matched: 2 })";
  CHECK(Printed(Parse(kConnections)) ==
        "10.0.0.9:1000     10.0.0.100:80     10.1.0.1:1000  10.1.0.5:8080  tcp  established  20  "
        "(worker: 0)\n"
        "[2001:db8::9]:53  [2001:db8::1]:53  -              -              udp  opening      0   "
        "(worker: 1)\n"
        "2 connections\n");
}

TEST_CASE("tandemctl print: pools, drops, workers", "[tandemctl]") {
  CHECK(Printed(Parse(R"(pools { pool { name: "web" load_balancing_mode: "round-robin"
      availability: AVAILABLE members_available: 1
      member { name: "10.1.0.5:80" state: "up" session: "user-enabled" availability: AVAILABLE
               ratio: 1 connections { current: 1 total: 1 } traffic { packets_in: 5 } } } })")) ==
        "pool web: available (1 of 1 member), round-robin\n"
        "MEMBER       STATE  SESSION       AVAILABILITY  RATIO  CONNECTIONS  TOTAL  PACKETS IN  "
        "BYTES IN  PACKETS OUT  BYTES OUT\n"
        "10.1.0.5:80  up     user-enabled  available         1            1      1           5  "
        "       0            0          0\n");
  CHECK(Printed(Parse(R"(drops { drop { name: "no_route" help: "no route to the destination"
      total: 3 worker: 1 worker: 2 } dropped: 3 })")) ==
        "DROPPED   TOTAL  WORKER 0  WORKER 1  WHY\n"
        "no_route      3         1         2  no route to the destination\n");
  CHECK(Printed(Parse("drops {}")) == "no packet was dropped\n");
  CHECK(Printed(Parse(R"(workers { worker { worker: 0 turns: 10 busy_share: 0.5 received: 9
      forwarded: 8 dropped: 1 flows_ipv4: 3 flows_ipv4_capacity: 100 } total {} })")) ==
        "WORKER   BUSY  RECEIVED  HANDED IN  FORWARDED  CONSUMED  HELD  HANDED OFF  DROPPED  "
        "ORIGINATED  ANNOUNCED  IPV4 FLOWS  IPV6 FLOWS  CREATED\n"
        "0       50.0%         9          0          8         0     0           0        1  "
        "         0          0       3/100         0/0        0\n");
}

constexpr char kMirror[] = R"(mirror {
  configured: true authenticated: true
  peer { state: "up" address: "10.255.0.2" unit_id: 2 device: "lb2" incarnation: 7
         up_seconds: 61 heard: true last_heard_ms: 12 mtu: 9000
         config_equal: false dictionary_current: true }
  peer { state: "down" address: "10.255.0.3" unit_id: 3 key_pending: true }
  group { traffic_group: "tg1" role: "active" peer: "lb2" peer_role: "standby" epoch: 3
          session: 77 state: "held" peer_state: "held" reason: "they differ" }
  group { traffic_group: "tg2" role: "standby" state: "down" reason: "peer lacks the group" }
  stream { traffic_group: "tg1" role: "active" state: "syncing" reason: "first pass" bulk_done: 1
           bulk_total: 4 lag_us: 20000 lag_slots: 5 creates: 3 closes: 1 retransmissions: 2
           deltas_per_second: 10.6 bytes_per_second: 200 }
  stream { traffic_group: "tg1" worker: 1 role: "active" state: "in-sync" lag_us: 120 audited: true
           last_audit_seconds: 5 }
  stream { traffic_group: "tg2" role: "standby" state: "down" reason: "peer lacks the group"
           flows: 12345 unbound: 6 not_applied: 1 }
  record_stream { direction: "sending" peer: "lb2" state: "in-sync" in_sync: true frames: 4 records: 3
                  removals: 1 lost_frames: 2 pending: 1 }
  record_stream { direction: "receiving" peer: "lb2" worker: 1 state: "none" not_applied: 5 skipped: 6
                  malformed: 7 }
  counter { part: "link" name: "ttl" help: "came through a router" value: 3 }
  counter { part: "endpoint" name: "forged" help: "the seal does not open" }
})";

TEST_CASE("tandemctl print: mirroring, with what the peer says beside it", "[tandemctl]") {
  CHECK(
      Printed(Parse(kMirror)) ==
      "authenticated  yes\n"
      "peer           lb2, unit 2, 10.255.0.2, up for 1m01s\n"
      "  incarnation    7\n"
      "  last heard     12 ms ago\n"
      "  path MTU       9000\n"
      "  configuration  differs between the devices\n"
      "peer           -, unit 3, 10.255.0.3, down; the new key waits for it\n"
      "  last heard     never\n"
      "\n"
      "TRAFFIC GROUP  ROLE     STATE  PEER  PEER ROLE  PEER STATE  EPOCH  SESSION  REASON\n"
      "tg1            active   held   lb2   standby    held            3       77  they differ\n"
      "tg2            standby  down   -     -          -               0        0  peer lacks the "
      "group\n"
      "\n"
      "TRAFFIC GROUP  WORKER  STATE            LAG  SLOTS  DELTAS/S  BYTES/S  DELTAS  "
      "RETRANSMITTED  MISMATCHES  AUDITED  REASON\n"
      "tg1                 0  syncing 25.0%   20ms      5        11      200       4  "
      "            2           0  never    first pass\n"
      "tg1                 1  in-sync        120us      0         0        0       0  "
      "            0           0  5s ago\n"
      "\n"
      "TRAFFIC GROUP  WORKER  STATE  FLOWS  UNBOUND  DELTAS/S  DELTAS  NOT APPLIED  MALFORMED  "
      "MISMATCHES  REASON\n"
      "tg2                 0  down   12.3K        6         0       0            1          0  "
      "         0  peer lacks the group\n"
      "\n"
      "PERSISTENCE  PEER  WORKER  STATE    FRAMES  RECORDS  REMOVALS  LOST  PENDING  NOT APPLIED  "
      "SKIPPED  MALFORMED\n"
      "sending      lb2        0  in-sync       4        3         1     2        1            -  "
      "      -          -\n"
      "receiving    lb2        1  none          0        0         0     -        -            5  "
      "      6          7\n"
      "\n"
      "PART  COUNTER  TOTAL  WHAT\n"
      "link  ttl          3  came through a router\n");
  CHECK(Printed(Parse("mirror {}")) == "mirroring is not configured\n");
  CHECK(Printed(Parse(R"(mirror { configured: true
            peer { state: "down" address: "10.255.0.2" unit_id: 2
                   incompatible: "workers 4 here, 2 at the peer" } })")) ==
        "authenticated  NO: laboratories only\n"
        "peer           -, unit 2, 10.255.0.2, down\n"
        "  last heard     never\n"
        "  devices        differ, connections are not mirrored: workers 4 here, 2 at the peer\n");
  // Everything, also what counted nothing.
  const std::string json = ToJson(ResultOf(Parse(kMirror)));
  CHECK(json.find("\"forged\"") != std::string::npos);
  CHECK(json.find("\"record_stream\"") != std::string::npos);
}

TEST_CASE("tandemctl print: traffic groups and persistence records", "[tandemctl]") {
  CHECK(Printed(Parse(R"(traffic_groups {
      traffic_group { name: "tg1" role: "active" mac: "02:00:00:00:00:01" mirror: "in-sync"
                      peer_role: "standby" peer_mirror: "in-sync" }
      traffic_group { name: "tg2" role: "standby" mirror: "down" reason: "peer is down" } })")) ==
        "NAME  ROLE     MIRROR   PEER ROLE  PEER MIRROR  MAC                REASON\n"
        "tg1   active   in-sync  standby    in-sync      02:00:00:00:00:01\n"
        "tg2   standby  down                                                peer is down\n");
  CHECK(Printed(Parse("traffic_groups {}")) == "no traffic groups\n");
  CHECK(Printed(Parse(R"(persistence {
      record { mode: "source-address" key: "10.0.0.9" virtual: "web" pool: "web"
               member: "10.1.0.5:80" idle_seconds: 61 timeout_seconds: 180 mirrored: true }
      record { mode: "hash" key: "00000000000000ff" worker: 1 indefinite: true from_peer: true }
      matched: 2 })")) ==
        "source-address  10.0.0.9          web  web/10.1.0.5:80  1m01s of 3m00s    (worker: 0, "
        "mirrored)\n"
        "hash            00000000000000ff  -    -                0s of indefinite  (worker: 1, "
        "from the peer)\n"
        "Total records returned: 2\n");
  CHECK(Printed(Parse("persistence_deleted { deleted: 1 }")) == "1 record deleted\n");
}

TEST_CASE("tandemctl print: what devices have configured differently, and config-sync",
          "[tandemctl]") {
  CHECK(Printed(Parse(R"(config_sync {
      device { name: "b" done: true message: "configuration taken and saved" } })")) ==
        "b: configuration taken and saved\n");
  const std::string heartbeats = "heartbeats     every 10000 us, 5 silent ones are a death\n";
  const std::string devices =
      "DEVICE        UNIT  STATE  HEARD     ROUND TRIP  PATHS      TRAFFIC GROUPS\n"
      "a (this one)     1  up     -                  -  -          -\n"
      "b                2  up     3 ms ago        90us  mirroring  -\n";
  const auto group = [](const std::string& more, const std::string& config) {
    return Parse(R"(device_group { configured: true name: "pair" heartbeat_interval_us: 10000
        heartbeat_multiplier: 5 device { name: "a" unit_id: 1 is_self: true state: "up" }
        device { name: "b" unit_id: 2 state: "up" heard: true last_heard_ms: 3 round_trip_us: 90
        path { name: "mirroring" heard: true hears_us: true } config { )" +
                 config + " } } " + more + " }");
  };
  CHECK(Printed(group("config_equal: true", "")) ==
        "device group   pair\n" + heartbeats + "configurations equal\n\n" + devices);
  CHECK(Printed(group(R"(last_config_sync { what: "to-group"
                         result { device { name: "b" message: "is down" } } })",
                      R"(differences: 3
                         difference { object: "virtual 'ssh'" text: "pool: \"x\" here, \"y\" on b" }
                         difference { object: "pool 'old'" text: "only on b" })"))
            .find("to-group\n               b: is down\n\n" + devices +
                  "\nOBJECT         DIFFERENCE\n"
                  "virtual 'ssh'  pool: \"x\" here, \"y\" on b\n"
                  "pool 'old'     only on b\n"
                  "and 1 more\n") != std::string::npos);
  CHECK(Printed(group("config_equal: true", "differences: 1"))
            .find("configurations differ in 1 object, which decides nothing about connections\n") !=
        std::string::npos);
  CHECK(Printed(group("", "error: \"takes too long\""))
            .find("\nnot compared with b: takes too long\n") != std::string::npos);
}

TEST_CASE("tandemctl print: the witness, and who holds leases", "[tandemctl]") {
  CHECK(Printed(Parse(R"(failover { configured: true device: "a"
      witness { address: "192.0.2.9" port: 1027 answers: true answered: true last_answer_ms: 12
                lease_ms: 1000 witness_lease_ms: 1000 }
      lease { traffic_group: "tg1" held: true remaining_ms: 812 }
      lease { traffic_group: "traffic-group-2" } })")) ==
        "device         a\n"
        "forced offline no\n"
        "stalls         0\n"
        "witness        192.0.2.9 port 1027, answers, last 12 ms ago\n"
        "\n"
        "TRAFFIC GROUP    LEASE     ENDS IN\n"
        "tg1              held       812 ms\n"
        "traffic-group-2  not held        -\n");
  CHECK(Printed(Parse(R"(failover { configured: true device: "a"
      witness { address: "192.0.2.9" port: 7 } })"))
            .find("witness        192.0.2.9 port 7, does not answer, never has\n") !=
        std::string::npos);
  CHECK(Printed(Parse(R"(failover { configured: true device: "a"
      witness { address: "192.0.2.9" port: 7 answers: true answered: true last_answer_ms: 1
                lease_ms: 1000 witness_lease_ms: 500 lease_too_long: true } })"))
            .find("answers, last 1 ms ago; grants none: its leases last 500 ms, not 1000\n") !=
        std::string::npos);
}

TEST_CASE("tandemctl print: faults of the device, and what a score is made of", "[tandemctl]") {
  CHECK(Printed(Parse(R"(failover { configured: true device: "a" stalls: 2
      fault { what: "a worker stands still" object: "worker 1" seconds: 61 }
      fault { what: "too few gateways answer" object: "gateway_failsafe" traffic_group: "tg1"
              is_over: true seconds: 1 } })")) ==
        "device         a\n"
        "forced offline no\n"
        "stalls         2\n"
        "\n"
        "FAULT                    OF                TRAFFIC GROUP  SINCE  STATE\n"
        "a worker stands still    worker 1          all            1m01s  present\n"
        "too few gateways answer  gateway_failsafe  tg1               1s  over\n");
  CHECK(Printed(Parse(R"(traffic_groups {
      traffic_group { name: "tg1" role: "active" state: "active" epoch: "7.1" has_score: true score: 45
                      score_part { name: "ports p0, p1" weight: 40 up: 1 total: 2 minimum: 1 }
                      score_part { name: "pool web" weight: 25 up: 3 total: 3 } } })")) ==
        "NAME  ROLE    STATE   SINCE  EPOCH  ACTIVE DEVICE  NEXT ACTIVE\n"
        "tg1   active  active     0s  7.1    -              -\n"
        "\n"
        "TRAFFIC GROUP  SCORE  OF            WEIGHT  UP  TOTAL  MINIMUM\n"
        "tg1               45  ports p0, p1      40   1      2        1\n"
        "tg1               45  pool web          25   3      3        0\n");
}

TEST_CASE("tandemctl print: JSON has every field under its own name", "[tandemctl]") {
  Response response = Parse(kVirtuals);
  response.mutable_virtuals()->mutable_virtual_()->RemoveLast();
  CHECK(ToJson(ResultOf(response)) ==
        "{\n"
        " \"virtual\": [\n"
        "  {\n"
        "   \"name\": \"web\",\n"
        "   \"destination\": \"10.0.0.100:80\",\n"
        "   \"type\": \"fastl4\",\n"
        "   \"ip_protocol\": \"tcp\",\n"
        "   \"source\": \"\",\n"
        "   \"pool\": \"web\",\n"
        "   \"enabled\": true,\n"
        "   \"availability\": \"AVAILABLE\",\n"
        "   \"reason\": \"x\",\n"
        "   \"connections\": {\n"
        "    \"current\": 2,\n"
        "    \"total\": \"12345\",\n"
        "    \"limit\": 0\n"
        "   },\n"
        "   \"traffic\": {\n"
        "    \"packets_in\": \"4\",\n"
        "    \"bytes_in\": \"400\",\n"
        "    \"packets_out\": \"3\",\n"
        "    \"bytes_out\": \"3000000\"\n"
        "   }\n"
        "  }\n"
        " ]\n"
        "}\n");
  CHECK(ToJson(ResultOf(Response())) == "{}\n");
}

}  // namespace
}  // namespace tandem::tandemctl
