// SPDX-License-Identifier: Apache-2.0
//
// The hosts around a device: who is on which port, with which addresses, and whether it answers ARP
// and neighbour discovery.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tests/support/packet_text.h"
#include "tests/support/rig.h"

namespace tandem::test {

struct Host {
  std::string name;
  std::string port;
  uint16_t vlan = 0;
  MacAddress mac{};
  std::vector<std::string> addresses;
  bool answers = true;
};

class Hosts {
 public:
  void Add(Host host) { hosts_.push_back(std::move(host)); }
  Host* Find(std::string_view name);

  // From now on the hosts answer. Worker 0 gets what they say.
  void Attach(Rig& rig);
  // Every host that answers asks the device for one of its addresses, so that both know each other.
  void Greet(Rig& rig) const;
  // Who a frame that left by `port` is for: a host, or "1.1 MAC".
  std::string Recipient(const Rig& rig, const Sent& sent) const;
  // The link header of what `host` sends to the device.
  static TextLink LinkOf(const Rig& rig, const Host& host);

 private:
  void Answer(Rig& rig, const Sent& sent) const;

  std::vector<Host> hosts_;
};

}  // namespace tandem::test
