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

Response Parse(const char* text) {
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
        "ORIGINATED  IPV4 FLOWS  IPV6 FLOWS  CREATED\n"
        "0       50.0%         9          0          8         0     0           0        1  "
        "         0       3/100         0/0        0\n");
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
