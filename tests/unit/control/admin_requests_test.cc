// SPDX-License-Identifier: Apache-2.0
//
// Whatever parses as a Request gets an answer, and the device goes on.
#include "control/admin_requests.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "control/admin_frame.h"
#include "dataplane/base/prng.h"
#include "tests/unit/control/admin_device.h"

namespace tandem::control {
namespace {

using admin::v1::Request;
using admin::v1::Response;

std::vector<Request> Samples() {
  std::vector<Request> samples(17);
  samples[0].mutable_show_version();
  samples[1].mutable_show_virtual()->set_name("web");
  samples[2].mutable_show_pool()->set_name("web");
  auto& filter = *samples[3].mutable_show_connection()->mutable_filter();
  filter.set_cs_client_addr("10.0.0.0/8");
  filter.set_protocol("tcp");
  filter.set_virtual_("web");
  filter.set_idle_min(1);
  samples[3].mutable_show_connection()->set_limit(5);
  samples[4].mutable_show_arp();
  samples[5].mutable_show_port()->set_name("p0");
  samples[6].mutable_show_worker();
  samples[7].mutable_show_drops()->set_all(true);
  samples[8].mutable_show_route();
  samples[9].mutable_show_config();
  samples[10].mutable_modify_member()->set_pool("web");
  samples[10].mutable_modify_member()->set_member("10.1.0.6:8080");
  samples[10].mutable_modify_member()->set_state(admin::v1::ModifyMember::ENABLED);
  samples[11].mutable_modify_virtual()->set_name("web");
  samples[11].mutable_modify_virtual()->set_state(admin::v1::ModifyVirtual::DISABLED);
  samples[12].mutable_delete_connection()->mutable_filter()->set_cs_client_port(1000);
  samples[13].mutable_delete_connection()->set_all(true);
  samples[14].mutable_load()->set_text(kConfigText);
  samples[15].mutable_save();
  samples[16].mutable_reset_stats();
  return samples;
}

TEST_CASE("admin requests: each kind is answered, with a result or an error", "[admin]") {
  AdminDevice device;
  for (const Request& request : Samples()) {
    INFO(request.ShortDebugString());
    const Response response = device.Ask(request);
    const bool has_result = response.response_case() != Response::RESPONSE_NOT_SET;
    CHECK(has_result == (response.code() == Response::OK));
    CHECK(response.message().empty() == has_result);
  }
}

TEST_CASE("admin requests: requests with wrong bytes in them do no harm", "[admin]") {
  constexpr uint64_t kSeed = 20;
  INFO("seed " << kSeed);
  Prng prng(kSeed);
  AdminDevice device;
  device.ServerSpeaks(5);
  const std::vector<Request> samples = Samples();
  int asked = 0;
  for (int round = 0; round < 3000; ++round) {
    std::string bytes =
        samples[prng.Below(static_cast<uint32_t>(samples.size()))].SerializeAsString();
    for (uint32_t i = prng.Below(4) + 1; i > 0 && !bytes.empty(); --i) {
      const uint32_t at = prng.Below(static_cast<uint32_t>(bytes.size()));
      if (prng.Below(4) == 0) {
        bytes.erase(at);
      } else {
        bytes[at] = static_cast<char>(prng.Next());
      }
    }
    Request request;
    if (!ParseMessage(bytes, request)) continue;
    ++asked;
    const Response response = device.Ask(request);
    const bool has_result = response.response_case() != Response::RESPONSE_NOT_SET;
    REQUIRE(has_result == (response.code() == Response::OK));
  }
  CHECK(asked > 300);
  CHECK(device.Ask(samples[14]).code() == Response::OK);
  device.Syn(1000);
  CHECK(device.Ask(samples[1]).virtuals().virtual_(0).connections().current() == 1);
}

}  // namespace
}  // namespace tandem::control
