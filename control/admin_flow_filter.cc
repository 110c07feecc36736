// SPDX-License-Identifier: Apache-2.0
//
// From the words of a connection filter to what workers compare with.
#include <optional>
#include <string>

#include "control/admin_find.h"
#include "control/admin_flows.h"
#include "control/admin_words.h"
#include "control/config_endpoint.h"
#include "control/text.h"
#include "dataplane/base/time.h"

namespace tandem::control {
namespace {

using admin::v1::ConnectionFilter;

// Stamps are compared by difference, below 26 days (dataplane/base/time.h).
constexpr uint32_t kSecondsMax = 21 * 86400;

absl::Status SetAddress(const char* word, const std::string& text, IpPrefix& address) {
  if (text.empty()) return absl::OkStatus();
  const std::optional<IpPrefix> parsed = ParseConfigPrefix(text);
  if (!parsed) {
    return absl::InvalidArgumentError(
        Cat(word, " \"", text, "\": not an address or prefix (10.0.0.1, 10.0.0.0/8, 2001:db8::1)"));
  }
  address = *parsed;
  return absl::OkStatus();
}

absl::Status SetPort(const char* word, uint32_t number, uint16_t& port) {
  if (number > UINT16_MAX) {
    return absl::InvalidArgumentError(Cat(word, " ", number, ": a port is 1 to 65535"));
  }
  port = static_cast<uint16_t>(number);
  return absl::OkStatus();
}

absl::Status SetTicks(const char* word, uint32_t seconds, uint32_t& ticks) {
  if (seconds > kSecondsMax) {
    return absl::InvalidArgumentError(
        Cat(word, " ", seconds, ": ", kSecondsMax, " seconds is the most"));
  }
  ticks = TicksIn(seconds * kSecond);
  return absl::OkStatus();
}

absl::Status SetAddresses(const ConnectionFilter& words, unit::FlowFilter& filter) {
  absl::Status status = SetAddress("cs-client-addr", words.cs_client_addr(), filter.cs_client_addr);
  status.Update(SetAddress("cs-server-addr", words.cs_server_addr(), filter.cs_server_addr));
  status.Update(SetAddress("ss-client-addr", words.ss_client_addr(), filter.ss_client_addr));
  status.Update(SetAddress("ss-server-addr", words.ss_server_addr(), filter.ss_server_addr));
  status.Update(SetPort("cs-client-port", words.cs_client_port(), filter.cs_client_port));
  status.Update(SetPort("cs-server-port", words.cs_server_port(), filter.cs_server_port));
  status.Update(SetPort("ss-client-port", words.ss_client_port(), filter.ss_client_port));
  status.Update(SetPort("ss-server-port", words.ss_server_port(), filter.ss_server_port));
  status.Update(SetTicks("idle", words.idle_min(), filter.idle_ticks_min));
  status.Update(SetTicks("age", words.age_min(), filter.age_ticks_min));
  if (!words.protocol().empty()) {
    const std::optional<uint8_t> protocol = ParseProtocol(words.protocol());
    if (!protocol) {
      status.Update(absl::InvalidArgumentError(
          Cat("protocol \"", words.protocol(), "\": not tcp, udp, icmp, icmp6 or 1 to 255")));
    }
    filter.protocol = protocol.value_or(0);
  }
  return status;
}

absl::Status SetMember(const ConnectionFilter& words, const config::Snapshot& snapshot,
                       unit::FlowFilter& filter) {
  if (words.pool().empty() != words.member().empty()) {
    return absl::InvalidArgumentError("pool and member go together");
  }
  if (words.pool().empty()) return absl::OkStatus();
  const auto found = FindMember(snapshot, words.pool(), words.member());
  if (!found.ok()) return found.status();
  filter.member_id = *found;
  return absl::OkStatus();
}

absl::Status SetType(const std::string& word, unit::FlowType& type) {
  if (word.empty() || word == "any") {
    type = unit::FlowType::kAny;
  } else if (word == "mirror") {
    type = unit::FlowType::kMirror;
  } else if (word == "self") {
    type = unit::FlowType::kSelf;
  } else {
    return absl::InvalidArgumentError(Cat("type \"", word, "\": not any, mirror or self"));
  }
  return absl::OkStatus();
}

}  // namespace

bool IsEmpty(const ConnectionFilter& filter) {
  return filter.ByteSizeLong() == 0;
}

absl::StatusOr<unit::FlowFilter> CompileFilter(const ConnectionFilter& words,
                                               const config::Snapshot& snapshot) {
  // A condition that is skipped would match, and delete, more than was asked for.
  if (!words.GetReflection()->GetUnknownFields(words).empty()) {
    return absl::InvalidArgumentError("a filter that this tandemd does not know");
  }
  unit::FlowFilter filter;
  absl::Status status = SetAddresses(words, filter);
  status.Update(SetMember(words, snapshot, filter));
  status.Update(SetType(words.type(), filter.type));
  if (!status.ok()) return status;
  if (!words.virtual_().empty()) {
    const auto found = FindVirtual(snapshot, words.virtual_());
    if (!found.ok()) return found.status();
    filter.virtual_id = *found;
  }
  return filter;
}

}  // namespace tandem::control
