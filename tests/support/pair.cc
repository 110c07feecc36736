// SPDX-License-Identifier: Apache-2.0
#include "tests/support/pair.h"

#include <algorithm>

#include "dataplane/base/assert.h"
#include "dataplane/unit/mirroring.h"

namespace tandem::test {
namespace {

RigOptions OptionsOf(const PairOptions& options, unsigned device) {
  RigOptions result = options.rig;
  result.seed = options.rig.seed * 2 + device;
  result.witness = options.witness[device];
  return result;
}

}  // namespace

Pair::Pair(std::string_view config0, std::string_view config1, const PairOptions& options)
    : options_(options),
      prng_(options.seed),
      loss_percent_{options.loss_percent, options.loss_percent},
      rigs_{std::make_unique<Rig>(config0, OptionsOf(options, 0)),
            std::make_unique<Rig>(config1, OptionsOf(options, 1))} {
  if (options.is_direct) direct_ = std::make_unique<DirectWire>(*rigs_[0], *rigs_[1]);
}

Pair::~Pair() = default;

void Pair::Restart(unsigned device, std::string_view config) {
  TANDEM_ASSERT(direct_ == nullptr);
  RigOptions options = OptionsOf(options_, device);
  options.seed += 2 * 1000 * ++restarts_;
  options.start = rigs_[device]->now();
  rigs_[device] = nullptr;  // one after the other, as on one machine
  rigs_[device] = std::make_unique<Rig>(config, options);
  under_way_[device].clear();
}

void Pair::Exchange() {
  if (direct_ != nullptr) return direct_->Exchange(loss_percent_[0], prng_);
  for (unsigned device = 0; device < 2; ++device) {
    std::vector<Bytes> arrived;
    arrived.swap(under_way_[device]);
    const std::vector<std::span<const uint8_t>> frames(arrived.begin(), arrived.end());
    sinks_[device].frames.clear();
    rigs_[device]->unit().MirrorTurn(frames, rigs_[device]->now(), sinks_[device]);
    frames_[device] += sinks_[device].frames.size();
    for (Bytes& frame : sinks_[device].frames) {
      if (prng_.Below(100) < loss_percent_[device]) continue;
      if (passes_ == nullptr || passes_(device, frame)) {
        under_way_[1 - device].push_back(std::move(frame));
      }
    }
  }
}

void Pair::Advance(Nanos span, Nanos step) {
  const Nanos end = std::max(rigs_[0]->now(), rigs_[1]->now()) + span;
  while (rigs_[0]->now() < end) {
    const Nanos next = std::min(end, rigs_[0]->now() + step);
    for (auto& rig : rigs_)
      rig->Advance(next > rig->now() ? next - rig->now() : 0, step);
    Exchange();
  }
}

bool Pair::IsInSync() {
  const auto& groups = rigs_[0]->unit().snapshot().traffic_groups;
  return std::ranges::all_of(groups, [this](const config::TrafficGroup& group) {
    if (group.id == 0) return true;
    const unsigned standby = rigs_[0]->unit().roles().IsActive(group.id) ? 1 : 0;
    const unit::Mirroring& mirroring = *rigs_[standby]->unit().mirroring();
    const config::TrafficGroupId id = rigs_[standby]->GroupNamed(group.name);
    return direct_ != nullptr ? mirroring.HasCompleteShadow(id) : mirroring.InSync(id);
  });
}

bool Pair::Synchronise(Nanos patience) {
  const Nanos end = rigs_[0]->now() + patience;
  while (rigs_[0]->now() < end) {
    Advance(10 * kMillisecond);
    if (IsInSync()) return true;
  }
  return false;
}

void Pair::SwapRoles(std::string_view group) {
  for (auto& rig : rigs_) {
    const bool is_active = rig->unit().roles().IsActive(rig->GroupNamed(group));
    rig->SetRole(group, is_active ? config::Role::kStandby : config::Role::kActive);
  }
}

}  // namespace tandem::test
