// SPDX-License-Identifier: Apache-2.0
#include "tests/support/hosts.h"

#include <algorithm>

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>

#include "dataplane/base/assert.h"

namespace tandem::test {
namespace {

uint16_t VlanOf(const Bytes& frame) {
  const bool is_tagged = frame[12] == 0x81 && frame[13] == 0x00;
  return is_tagged ? static_cast<uint16_t>((frame[14] << 8 | frame[15]) & 0xfff) : uint16_t{0};
}

const config::Interface& InterfaceOf(const Rig& rig, const Host& host) {
  const config::Snapshot& snapshot = rig.unit().snapshot();
  const config::InterfaceId id = snapshot.InterfaceOf(rig.PortNamed(host.port), host.vlan);
  TANDEM_ASSERT(id != 0);
  return snapshot.interfaces[id];
}

void Say(Rig& rig, const Host& host, const std::string& line) {
  const auto packet = PacketFromText(line, Hosts::LinkOf(rig, host));
  TANDEM_ASSERT(packet.ok());
  rig.Inject(rig.PortNamed(host.port), 0, packet->frame);
}

}  // namespace

Host* Hosts::Find(std::string_view name) {
  const auto found = std::find_if(hosts_.begin(), hosts_.end(),
                                  [name](const Host& host) { return host.name == name; });
  return found == hosts_.end() ? nullptr : &*found;
}

TextLink Hosts::LinkOf(const Rig& rig, const Host& host) {
  return {host.mac, InterfaceOf(rig, host).mac, host.vlan};
}

void Hosts::Attach(Rig& rig) {
  rig.SetListener([this, &rig](const Sent& sent) { Answer(rig, sent); });
}

void Hosts::Greet(Rig& rig) const {
  for (const Host& host : hosts_) {
    if (!host.answers) continue;
    for (const IpPrefix& self : InterfaceOf(rig, host).self_ips) {
      for (const std::string& address : host.addresses) {
        if (!self.Contains(Ip(address))) continue;
        Say(rig, host,
            absl::StrCat(self.address.is_v4() ? "arp" : "nd", " who-has ", self.address.ToString(),
                         " tell ", address));
      }
    }
  }
  rig.Run();
}

void Hosts::Answer(Rig& rig, const Sent& sent) const {
  if (!sent.originated) return;
  const std::vector<std::string> words = absl::StrSplit(TextFromPacket(sent.bytes), ' ');
  if (words.size() < 5 || words[1] != "who-has") return;
  for (const Host& host : hosts_) {
    if (!host.answers || rig.PortNamed(host.port) != sent.port || host.vlan != VlanOf(sent.bytes) ||
        std::count(host.addresses.begin(), host.addresses.end(), words[2]) == 0) {
      continue;
    }
    if (words[0] == "arp") {
      Say(rig, host,
          absl::StrCat("arp ", words[2], " is-at ", ToString(host.mac), " to ", words[4]));
    } else {
      Say(rig, host,
          absl::StrCat("nd ", words[2], " is-at ", ToString(host.mac), " dst=", words[4]));
    }
  }
}

std::string Hosts::Recipient(const Rig& rig, const Sent& sent) const {
  MacAddress mac;
  std::copy_n(sent.bytes.begin(), mac.size(), mac.begin());
  for (const Host& host : hosts_) {
    if (host.mac == mac && rig.PortNamed(host.port) == sent.port &&
        host.vlan == VlanOf(sent.bytes)) {
      return host.name;
    }
  }
  return absl::StrCat(rig.unit().snapshot().ports[sent.port].name, " ", ToString(mac));
}

}  // namespace tandem::test
