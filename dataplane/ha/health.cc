// SPDX-License-Identifier: Apache-2.0
#include "dataplane/ha/health.h"

#include <algorithm>
#include <utility>

#include "dataplane/ha/election.h"

namespace tandem::ha {

const char* TextOf(Fault::Kind kind) {
  switch (kind) {
    case Fault::Kind::kWorkerStall:
      return "a worker stands still";
    case Fault::Kind::kLinkDown:
      return "the link of a port is down";
    case Fault::Kind::kVlanSilent:
      return "nothing comes from a VLAN";
    case Fault::Kind::kGatewayDown:
      return "too few gateways answer";
  }
  return "";
}

void Health::Configure(HealthSettings settings) {
  std::vector<Beat> beats;
  for (const Pulse& pulse : settings.pulses) {
    const auto before =
        std::ranges::find_if(settings_.pulses, [&](const Pulse& one) { return one.IsSame(pulse); });
    const bool is_known = before != settings_.pulses.end();
    beats.push_back(is_known ? beats_[static_cast<size_t>(before - settings_.pulses.begin())]
                             : Beat{0, lived_});
  }
  std::vector<Judged> judged;
  for (const Rule& rule : settings.rules) {
    const auto before = std::ranges::find_if(settings_.rules, [&](const Rule& one) {
      return one.kind == rule.kind && one.subject == rule.subject && one.group == rule.group;
    });
    const bool is_known = before != settings_.rules.end();
    judged.push_back(is_known ? judged_[static_cast<size_t>(before - settings_.rules.begin())]
                              : Judged{});
  }
  settings_ = std::move(settings);
  beats_ = std::move(beats);
  judged_ = std::move(judged);
}

void Health::Look(std::span<const uint64_t> numbers, Nanos now) {
  if (looked_at_ != 0 && now > looked_at_) lived_ += std::min(now - looked_at_, kStepMax);
  looked_at_ = now;
  for (size_t i = 0; i < beats_.size(); ++i) {
    const bool has_begun = numbers[i] != 0 || settings_.pulses[i].kind != Pulse::Kind::kWorker;
    if (!has_begun || numbers[i] != beats_[i].number) beats_[i] = {numbers[i], lived_};
  }
  for (size_t i = 0; i < judged_.size(); ++i) {
    Judge(settings_.rules[i], true, judged_[i].acting);
    Judge(settings_.rules[i], false, judged_[i].waiting);
  }
}

bool Health::IsWell(uint32_t pulse, bool acts) const {
  const Pulse& one = settings_.pulses[pulse];
  const bool is_asked = one.kind == Pulse::Kind::kVlan || one.kind == Pulse::Kind::kGateway;
  const Nanos patience = is_asked && !acts ? one.timeout / 4 * 3 : one.timeout;
  return SilentFor(pulse) < patience;
}

void Health::Judge(const Rule& rule, bool acts, Verdict& verdict) const {
  const auto well =
      std::ranges::count_if(rule.pulses, [&](uint32_t pulse) { return IsWell(pulse, acts); });
  const bool is_well = static_cast<uint32_t>(well) >= rule.minimum;
  if (verdict.is_well == is_well) return;
  verdict = {.is_well = is_well, .has_been_ill = true, .since = lived_};
}

bool Health::IsRecovering(const Verdict& waiting) const {
  return waiting.is_well && waiting.has_been_ill && lived_ - waiting.since < kRecovery;
}

const char* Health::FaultOf(config::TrafficGroupId group, bool acts) const {
  for (size_t i = 0; i < judged_.size(); ++i) {
    const Rule& rule = settings_.rules[i];
    if (rule.group != 0 && rule.group != group) continue;
    const Verdict& waiting = judged_[i].waiting;
    const bool is_fault =
        acts ? !judged_[i].acting.is_well : !waiting.is_well || IsRecovering(waiting);
    if (is_fault) return TextOf(rule.kind);
  }
  return nullptr;
}

std::vector<Fault> Health::faults() const {
  std::vector<Fault> result;
  for (size_t i = 0; i < judged_.size(); ++i) {
    const Verdict& waiting = judged_[i].waiting;
    if (waiting.is_well && !IsRecovering(waiting)) continue;
    result.push_back({.kind = settings_.rules[i].kind,
                      .subject = settings_.rules[i].subject,
                      .group = settings_.rules[i].group,
                      .is_over = waiting.is_well,
                      .lasts = lived_ - waiting.since});
  }
  return result;
}

ScorePart Health::Now(const ScorePart& part) const {
  ScorePart now = part;
  if (part.pulses.empty()) return now;
  now.total = static_cast<uint32_t>(part.pulses.size());
  now.up = static_cast<uint32_t>(
      std::ranges::count_if(part.pulses, [this](uint32_t pulse) { return IsWell(pulse, true); }));
  return now;
}

std::vector<ScorePart> Health::score_parts() const {
  std::vector<ScorePart> parts;
  for (const ScorePart& part : settings_.score_parts)
    parts.push_back(Now(part));
  return parts;
}

uint32_t Health::ScoreOf(config::TrafficGroupId group) const {
  std::vector<ScoreInput> inputs;
  for (const ScorePart& configured : settings_.score_parts) {
    if (configured.group != group) continue;
    const ScorePart part = Now(configured);
    inputs.push_back(
        {.weight = part.weight, .up = part.up, .total = part.total, .needed = part.needed});
  }
  return tandem::ha::ScoreOf(inputs);
}

}  // namespace tandem::ha
