// SPDX-License-Identifier: Apache-2.0
#include "control/config_compare.h"

#include <algorithm>
#include <utility>

#include "control/config_load.h"
#include "control/config_shared.h"
#include "control/log.h"
#include "control/text.h"

namespace tandem::control {
namespace {

using Outcome = ConfigCompare::Outcome;

Outcome Compare(const absl::StatusOr<mirror::ConfigText>& text, const config::v1::Config& ours,
                const std::string& device, bool is_equal) {
  if (!text.ok()) return {.differences = {}, .error = std::string(text.status().message())};
  const auto theirs = ParseConfigText(text->bytes, Cat("configuration of ", device));
  if (!theirs.ok()) return {.differences = {}, .error = std::string(theirs.status().message())};
  return {.differences = DifferencesOf(ours, *theirs, /*with_vlans=*/!is_equal), .error = {}};
}

void Log(const Outcome& outcome, const std::string& device) {
  if (!outcome.error.empty()) {
    LogWarning(Cat("configuration: not compared with that of '", device, "': ", outcome.error));
  } else if (outcome.differences.count == 0) {
    LogNotice(Cat("configuration: what is shared is equal on '", device, "' again"));
  } else {
    LogWarning(Cat("configuration: ", outcome.differences.count,
                   outcome.differences.count == 1 ? " object differs" : " objects differ",
                   " from '", device, "': ", TextOf(outcome.differences, device)));
  }
}

}  // namespace

void ConfigCompare::Poll(const ConfigPeers& peers, const config::v1::Config& config,
                         uint64_t generation, bool is_free, Nanos now) {
  for (const ConfigPeer& peer : peers) {
    if (peer.device.empty()) continue;
    auto known = std::ranges::find(known_, peer.device, &Known::device);
    if (known == known_.end()) known = known_.insert(known_.end(), Known{.device = peer.device});
    if (!is_free) {
      // Whoever fetches now has taken the place.
      if (known->wait) known->compared.reset();
      known->wait.reset();
      continue;
    }
    const mirror::ConfigExchange::Peer says = peer.exchange->peer();
    if (!known->wait && (!peer.is_up || !says.exchanges)) continue;
    Poll(*known, peers, config,
         {.incarnation = says.incarnation,
          .version = says.version,
          .generation = generation,
          .is_equal = peer.is_equal},
         now);
  }
}

void ConfigCompare::Poll(Known& known, const ConfigPeers& peers, const config::v1::Config& config,
                         const Basis& basis, Nanos now) {
  if (known.wanted != basis) {
    known.wanted = basis;
    known.due_at = std::max(known.due_at, now + kSettle);
  }
  if (!known.wait) {
    if (known.compared == known.wanted || now < known.due_at) return;
    known.wait = ConfigWait::ForText(peers, known.device, now);
    known.compared = basis;
    return;
  }
  const auto text = known.wait->TakeText(peers, now);
  if (!text) return;
  const auto bytes = text->ok() ? static_cast<Nanos>((*text)->bytes.size()) : 0;
  known.due_at = now + std::max(kSettle, kRestPerByte * bytes);
  known.wait.reset();
  if (absl::IsUnavailable(text->status())) {
    known.compared.reset();
    known.due_at = now + kRetry;
    return;
  }
  known.outcome = Compare(*text, config, known.device, basis.is_equal);
  if (*known.outcome != known.logged) Log(*known.outcome, known.device);
  known.logged = *known.outcome;
}

const Outcome* ConfigCompare::Find(std::string_view device) const {
  const auto known = std::ranges::find(known_, device, &Known::device);
  return known == known_.end() || !known->outcome ? nullptr : &*known->outcome;
}

}  // namespace tandem::control
