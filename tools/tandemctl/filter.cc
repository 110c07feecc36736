// SPDX-License-Identifier: Apache-2.0
#include "tools/tandemctl/filter.h"

#include <algorithm>

#include "control/admin_words.h"
#include "control/config_endpoint.h"
#include "control/text.h"

namespace tandem::tandemctl {
namespace {

using admin::v1::ConnectionFilter;
using control::Cat;

constexpr uint32_t kSecondsMax = 21 * 86400;

struct AddressKey {
  std::string_view word;
  std::string* (ConnectionFilter::*mutable_value)();
};
struct NumberKey {
  std::string_view word;
  uint32_t minimum;
  uint32_t maximum;
  void (ConnectionFilter::*set)(uint32_t);
};

constexpr AddressKey kAddressKeys[] = {
    {"cs-client-addr", &ConnectionFilter::mutable_cs_client_addr},
    {"cs-server-addr", &ConnectionFilter::mutable_cs_server_addr},
    {"ss-client-addr", &ConnectionFilter::mutable_ss_client_addr},
    {"ss-server-addr", &ConnectionFilter::mutable_ss_server_addr},
};
constexpr NumberKey kNumberKeys[] = {
    {"cs-client-port", 1, 65535, &ConnectionFilter::set_cs_client_port},
    {"cs-server-port", 1, 65535, &ConnectionFilter::set_cs_server_port},
    {"ss-client-port", 1, 65535, &ConnectionFilter::set_ss_client_port},
    {"ss-server-port", 1, 65535, &ConnectionFilter::set_ss_server_port},
    {"idle", 1, kSecondsMax, &ConnectionFilter::set_idle_min},
    {"age", 1, kSecondsMax, &ConnectionFilter::set_age_min},
};

}  // namespace

const std::string_view kFilterHelp =
    "FILTER is one or more of these; a connection has to match all of them:\n"
    "  cs-client-addr ADDR   the client's address or prefix (10.0.0.9, 10.0.0.0/8, 2001:db8::/32)\n"
    "  cs-client-port PORT   the client's port\n"
    "  cs-server-addr ADDR   the virtual server's address\n"
    "  cs-server-port PORT   the virtual server's port\n"
    "  ss-client-addr ADDR   the source address that the server sees (SNAT)\n"
    "  ss-client-port PORT   the source port that the server sees\n"
    "  ss-server-addr ADDR   the pool member's address\n"
    "  ss-server-port PORT   the pool member's port\n"
    "  protocol PROTOCOL     tcp, udp, icmp, icmp6 or a number\n"
    "  virtual NAME          of the virtual server NAME\n"
    "  pool NAME member M    of the member M (ADDRESS:PORT) of the pool NAME\n"
    "  idle SECONDS          carried nothing for SECONDS at least\n"
    "  age SECONDS           began SECONDS ago at least\n"
    "  type TYPE             mirror (the peer told of it), self (this device's own) or any\n";

std::vector<std::string_view> FilterKeys() {
  std::vector<std::string_view> keys = {"protocol", "virtual", "pool", "type"};
  for (const AddressKey& key : kAddressKeys) {
    keys.push_back(key.word);
  }
  for (const NumberKey& key : kNumberKeys) {
    keys.push_back(key.word);
  }
  return keys;
}

absl::Status ParseFilterPair(Words& words, const std::vector<std::string_view>& others,
                             ConnectionFilter& filter) {
  const std::string key = words.Take();
  for (const NumberKey& candidate : kNumberKeys) {
    if (candidate.word != key) continue;
    const auto number = words.NeedNumber(key, candidate.minimum, candidate.maximum);
    if (!number.ok()) return number.status();
    (filter.*candidate.set)(static_cast<uint32_t>(*number));
    return absl::OkStatus();
  }
  std::vector<std::string_view> known = FilterKeys();
  if (std::find(known.begin(), known.end(), key) == known.end()) {
    known.insert(known.end(), others.begin(), others.end());
    return Unknown("filter", key, known);
  }
  auto value = words.Need(Cat("the value of ", key));
  if (!value.ok()) return value.status();
  for (const AddressKey& candidate : kAddressKeys) {
    if (candidate.word != key) continue;
    if (!control::ParseConfigPrefix(*value)) {
      return absl::InvalidArgumentError(Cat(key, " \"", *value, "\": not an address or prefix"));
    }
    *(filter.*candidate.mutable_value)() = *std::move(value);
    return absl::OkStatus();
  }
  if (key == "virtual") {
    filter.set_virtual_(*value);
  } else if (key == "type") {
    if (*value != "any" && *value != "mirror" && *value != "self") {
      return Unknown("type", *value, {"any", "mirror", "self"});
    }
    filter.set_type(*value);
  } else if (key == "protocol") {
    if (!control::ParseProtocol(*value)) {
      return absl::InvalidArgumentError(
          Cat("protocol \"", *value, "\": not tcp, udp, icmp, icmp6 or a number from 1 to 255"));
    }
    filter.set_protocol(*value);
  } else {
    filter.set_pool(*value);
    if (!words.TakeIf("member")) {
      return absl::InvalidArgumentError("pool NAME has to be followed by member ADDRESS:PORT");
    }
    auto member = words.Need("the value of member");
    if (!member.ok()) return member.status();
    filter.set_member(*member);
  }
  return absl::OkStatus();
}

Completion CompleteFilter(const std::vector<std::string>& before,
                          const std::vector<std::string_view>& others) {
  const std::string last = before.empty() ? std::string() : before.back();
  const size_t count = before.size();
  if (last == "virtual") return {.names = Completion::Names::kVirtuals};
  if (last == "pool") return {.names = Completion::Names::kPools};
  if (last == "type") return {.words = {"any", "mirror", "self"}};
  if (last == "protocol") return {.words = {"tcp", "udp", "icmp", "icmp6"}};
  if (count >= 2 && before[count - 2] == "pool") return {.words = {"member"}};
  if (count >= 3 && last == "member" && before[count - 3] == "pool") {
    return {.names = Completion::Names::kMembers, .pool = before[count - 2]};
  }
  std::vector<std::string_view> words = FilterKeys();
  // A key that needs a value which cannot be guessed.
  if (last == "limit" || std::find(words.begin(), words.end(), last) != words.end()) return {};
  words.insert(words.end(), others.begin(), others.end());
  return {.words = std::move(words)};
}

}  // namespace tandem::tandemctl
