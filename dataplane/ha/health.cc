// SPDX-License-Identifier: Apache-2.0
#include "dataplane/ha/health.h"

#include <algorithm>

namespace tandem::ha {

const char* TextOf(Fault::Kind kind) {
  switch (kind) {
    case Fault::Kind::kWorkerStall:
      return "a worker stands still";
  }
  return "";
}

void Health::Configure(const HealthSettings& settings) {
  settings_ = settings;
}

void Health::Look(const Vitals& vitals, Nanos now) {
  if (looked_at_ != 0 && now > looked_at_) lived_ += std::min(now - looked_at_, kStepMax);
  looked_at_ = now;
  LookAtWorkers(vitals.worker_turns);
}

void Health::LookAtWorkers(std::span<const uint64_t> turns) {
  while (workers_.size() < turns.size()) {
    watches_.push_back(
        {.kind = Fault::Kind::kWorkerStall, .subject = static_cast<uint32_t>(workers_.size())});
    workers_.push_back({});
  }
  for (size_t i = 0; i < turns.size(); ++i) {
    Worker& worker = workers_[i];
    if (turns[i] == 0 || turns[i] != worker.turns) worker = {turns[i], lived_};
    const bool is_late = lived_ - worker.turned_at >= settings_.worker_stall;
    Note(watches_[i], settings_.worker_stall == 0 || !is_late);
  }
}

void Health::Note(Watch& watch, bool is_well) const {
  if (watch.is_well == is_well) return;
  watch.is_well = is_well;
  watch.has_been_ill = true;
  watch.since = lived_;
}

bool Health::IsFault(const Watch& watch, bool acts) const {
  if (!watch.is_well) return true;
  return !acts && watch.has_been_ill && lived_ - watch.since < kRecovery;
}

const char* Health::FaultOf(config::TrafficGroupId group, bool acts) const {
  for (const Watch& watch : watches_) {
    const bool concerns = watch.group == 0 || watch.group == group;
    if (concerns && IsFault(watch, acts)) return TextOf(watch.kind);
  }
  return nullptr;
}

std::vector<Fault> Health::faults() const {
  std::vector<Fault> result;
  for (const Watch& watch : watches_) {
    if (!IsFault(watch, false)) continue;
    result.push_back({.kind = watch.kind,
                      .subject = watch.subject,
                      .group = watch.group,
                      .is_over = watch.is_well,
                      .lasts = lived_ - watch.since});
  }
  return result;
}

}  // namespace tandem::ha
