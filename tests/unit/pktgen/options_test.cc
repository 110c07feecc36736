// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/options.h"

#include <catch2/catch.hpp>
#include <functional>

#include "tests/support/packet_builder.h"
#include "tests/unit/pktgen/flag_texts.h"

namespace tandem::pktgen {
namespace {

using test::Ip;

TEST_CASE("options: the flags of a run with a device", "[pktgen]") {
  FlagTexts flags = GoodFlags();
  flags.servers = "10.1.0.11,10.1.0.20-10.1.0.22";
  flags.client_gateway = "10.9.0.1";
  flags.device_mac = "02:00:00:00:00:0d";
  flags.popularity = "zipf:1.1";
  flags.protocol = "tcp";
  flags.warm_up_s = 0.25;
  const auto options = OptionsFrom(flags);
  REQUIRE(options.ok());
  CHECK(options->virtual_server == Endpoint{Ip("192.0.2.100"), 80});
  CHECK(options->clients.count() == 254);
  CHECK(options->servers.size() == 4);
  CHECK(options->servers[3] == Ip("10.1.0.22"));
  CHECK(options->client_gateway == Ip("10.9.0.1"));
  CHECK(options->server_gateway.is_unset());
  CHECK(options->is_tcp);
  CHECK(options->zipf_exponent == 1.1);
  CHECK(options->warm_up == 250 * kMillisecond);
}

TEST_CASE("options: without --servers the virtual server is the server", "[pktgen]") {
  const auto options = OptionsFrom(GoodFlags());
  REQUIRE(options.ok());
  CHECK(options->servers == std::vector<IpAddress>{Ip("192.0.2.100")});
  CHECK(options->client_gateway == Ip("192.0.2.100"));
}

TEST_CASE("options: what is wrong is refused, with flag and value", "[pktgen]") {
  struct Case {
    const char* message;
    std::function<void(FlagTexts&)> spoil;
  };
  const Case cases[] = {
      {"--client_port \"\":", [](FlagTexts& f) { f.client_port = ""; }},
      {"--server_port \"\":", [](FlagTexts& f) { f.server_port = ""; }},
      {"--client_port \"net_null0\":", [](FlagTexts& f) { f.loopback = true; }},
      {"--virtual \"192.0.2.1\":", [](FlagTexts& f) { f.virtual_server = "192.0.2.1"; }},
      {"--virtual \"2001:db8::1:80\":", [](FlagTexts& f) { f.virtual_server = "2001:db8::1:80"; }},
      {"--virtual \"192.0.2.1:0\":", [](FlagTexts& f) { f.virtual_server = "192.0.2.1:0"; }},
      {"--clients \"ten\":", [](FlagTexts& f) { f.clients = "ten"; }},
      {"--clients \"2001:db8::/64\":", [](FlagTexts& f) { f.clients = "2001:db8::/64"; }},
      {"--clients \"192.0.2.0/24\":", [](FlagTexts& f) { f.clients = "192.0.2.0/24"; }},
      {"--client_ports \"9-8\":", [](FlagTexts& f) { f.client_ports = "9-8"; }},
      {"--client_ports \"0\":", [](FlagTexts& f) { f.client_ports = "0"; }},
      {"--servers \"10.1.0.1,\":", [](FlagTexts& f) { f.servers = "10.1.0.1,"; }},
      {"--servers \"10.0.0.0/8\":", [](FlagTexts& f) { f.servers = "10.0.0.0/8"; }},
      {"--servers \"2001:db8::1\":", [](FlagTexts& f) { f.servers = "2001:db8::1"; }},
      {"--client_gateway \"x\":", [](FlagTexts& f) { f.client_gateway = "x"; }},
      {"--server_gateway \"::1\":", [](FlagTexts& f) { f.server_gateway = "::1"; }},
      {"--server_gateway \"10.1.0.1\":",
       [](FlagTexts& f) {
         f.server_gateway = "10.1.0.1";
         f.direct_return = true;
       }},
      {"--device_mac \"02\":", [](FlagTexts& f) { f.device_mac = "02"; }},
      {"--protocol \"sctp\":", [](FlagTexts& f) { f.protocol = "sctp"; }},
      {"--popularity \"zipf\":", [](FlagTexts& f) { f.popularity = "zipf"; }},
      {"--popularity \"zipf:-1\":", [](FlagTexts& f) { f.popularity = "zipf:-1"; }},
      {"--popularity \"zipf:nan\":", [](FlagTexts& f) { f.popularity = "zipf:nan"; }},
      {"--frame_size \"63\":", [](FlagTexts& f) { f.frame_size = "63"; }},
      {"--frame_size \"1519\":", [](FlagTexts& f) { f.frame_size = "1519"; }},
      {"--mtu \"9001\":", [](FlagTexts& f) { f.mtu = 9001; }},
      {"--flows \"0\":", [](FlagTexts& f) { f.flows = 0; }},
      {"--flows \"255\":",
       [](FlagTexts& f) {
         f.flows = 255;
         f.client_ports = "7";
       }},
      {"--rate_pps \"5\":", [](FlagTexts& f) { f.rate_pps = f.new_per_second = 5; }},
      {"--requests_per_connection \"0\":", [](FlagTexts& f) { f.requests_per_connection = 0; }},
      {"--open_per_second \"0\":",
       [](FlagTexts& f) {
         f.open_per_second = 0;
         f.protocol = "tcp";
       }},
      {"--retransmit_ms \"0\":", [](FlagTexts& f) { f.retransmit_ms = 0; }},
      {"--catch_up_ms \"1001\":", [](FlagTexts& f) { f.catch_up_ms = 1001; }},
      {"--duration_s \"0\":", [](FlagTexts& f) { f.duration_s = 0; }},
      {"--duration_s \"-1\":", [](FlagTexts& f) { f.duration_s = -1; }},
      {"--warm_up_s \"1e+09\":", [](FlagTexts& f) { f.warm_up_s = 1e9; }},
  };
  for (const Case& one : cases) {
    FlagTexts flags = GoodFlags();
    one.spoil(flags);
    const auto options = OptionsFrom(flags);
    INFO(one.message);
    REQUIRE_FALSE(options.ok());
    CHECK(std::string(options.status().message()).find(one.message) == 0);
  }
}

}  // namespace
}  // namespace tandem::pktgen
