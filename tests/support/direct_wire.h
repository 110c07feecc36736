// SPDX-License-Identifier: Apache-2.0
//
// Joins two devices' workers ring to ring: what their streams say arrives at the other's as it was
// built, or is lost. No seals, no handshake, no path: what mirror/endpoint.h does is done here from
// above, with both devices in sight. For tests of what lies on either side of the endpoints.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "dataplane/base/prng.h"
#include "dataplane/mirror/exchange.h"
#include "tests/support/rig.h"

namespace tandem::test {

class DirectWire {
 public:
  DirectWire(Rig& first, Rig& second) : rigs_{&first, &second} {}

  // Opens and closes sessions as the roles demand, and carries what the workers have sent.
  void Exchange(unsigned loss_percent, Prng& prng);
  uint64_t frames(unsigned device) const { return frames_[device]; }

 private:
  struct Session {
    unsigned writer = 2;  // device; 2: none
    uint32_t number = 0;
  };
  void Translate(unsigned device);
  void Associate(const std::string& group, Session& session);
  void Tell(unsigned device, const std::string& group, mirror::Cargo cargo, uint32_t session);
  void Carry(unsigned device, unsigned worker, unsigned loss_percent, Prng& prng);

  std::array<Rig*, 2> rigs_;
  std::map<std::string, Session> sessions_;  // by traffic group
  std::array<uint64_t, 2> own_{}, peers_{};  // generations that translations were made of
  std::array<uint64_t, 2> frames_{};
};

}  // namespace tandem::test
