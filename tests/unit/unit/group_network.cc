// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/unit/group_network.h"

#include <algorithm>
#include <utility>

#include "dataplane/base/assert.h"
#include "tests/support/packet_text.h"

namespace tandem::test {
namespace {

std::string GroupConfigOf(unsigned device, unsigned variant) {
  const auto number = [](unsigned of) { return std::to_string(of + 1); };
  std::string text = "device { workers: 2 name: \"unit" + number(device) + "\" }\n";
  text += "device_group { name: \"trio\"";
  for (unsigned i = 0; i < GroupNetwork::kDevices; ++i) {
    text += " device { name: \"unit" + number(i) + "\" unit_id: " + number(i) +
            " mirroring_address: \"10.255.0." + number(i) + "\" }";
  }
  text += " }\nmirroring { device: \"m\" key: \"" + std::string(64, 'b') +
          "\" unit_id: " + number(device) + " address: \"10.255.0." + number(device) + "/24\" }\n";
  if (variant != 0) text += "limits { reset_rate: " + std::to_string(variant) + " }\n";
  return text + R"(traffic_group { name: "tg" }
port { name: "1.1" device: "a" }
port { name: "1.2" device: "b" }
vlan { name: "external" port: "1.1" facing: CLIENT }
vlan { name: "internal" port: "1.2" facing: SERVER }
self_ip { name: "e4" address: "192.0.2.)" +
         number(device) + R"(/24" vlan: "external" }
self_ip { name: "i4" address: "10.0.20.)" +
         number(device) + R"(/24" vlan: "internal" }
snat_pool { name: "out" members: ["10.0.20.240", "10.0.20.241"] traffic_group: "tg" }
profile_fastl4 { name: "long" idle_timeout: 3000 }
profile_persistence { name: "source" type: SOURCE_ADDRESS timeout: 3000 mirror: true }
pool { name: "p" member { address: "10.0.20.11" port: 80 } member { address: "10.0.20.12" port: 80 } }
virtual { name: "web" destination: "192.0.2.100:80" pool: "p" traffic_group: "tg" profile: "long"
          mirror: true persistence: "source"
          source_address_translation { type: SNAT pool: "out" } }
)";
}

}  // namespace

GroupNetwork::GroupNetwork(uint64_t seed)
    : seed_(seed), chance_(seed), wires_(kDevices * kDevices, Wire(chance_)) {
  hosts_.Add({"client", "1.1", 0, Mac("02:00:00:00:00:0c"), {"192.0.2.10"}});
  hosts_.Add({"s1", "1.2", 0, Mac("02:00:00:00:00:11"), {"10.0.20.11"}});
  hosts_.Add({"s2", "1.2", 0, Mac("02:00:00:00:00:12"), {"10.0.20.12"}});
  for (unsigned device = 0; device < kDevices; ++device)
    Start(device);
}

void GroupNetwork::Start(unsigned device) {
  RigOptions options;
  options.seed = seed_ * 1000 + ++starts_;
  options.start = now_;
  options.ballot = ballots_[device];
  options.takeover.emplace();
  options.takeover->interval = kInterval;
  options.takeover->boot_wait = kSecond;
  options.takeover->drain_max = kSecond;
  options.takeover->grant_wait_min = 100 * kMillisecond;
  for (unsigned from = 0; from < kDevices; ++from)
    wire(from, device).Clear();
  rigs_[device] = std::make_unique<Rig>(GroupConfigOf(device, variants_[device]), options);
  hosts_.Attach(*rigs_[device]);
  hosts_.Greet(*rigs_[device]);
}

void GroupNetwork::Configure(unsigned device, unsigned variant) {
  if (std::exchange(variants_[device], variant) == variant || !IsUp(device)) return;
  const absl::Status status = rigs_[device]->Reload(GroupConfigOf(device, variant));
  TANDEM_ASSERT(status.ok());
}

// ---- time ---------------------------------------------------------------------------------------

void GroupNetwork::HealAll() {
  for (Wire& wire : wires_)
    wire.faults = sim::kGoodWire;
}

void GroupNetwork::SetWeather(unsigned bad_percent) {
  for (Wire& wire : wires_) {
    wire.faults.loss_percent = wire.faults.duplicate_percent = bad_percent;
    wire.faults.jitter = 20 * kMillisecond;
  }
}

void GroupNetwork::Exchange() {
  for (unsigned device = 0; device < kDevices; ++device) {
    std::vector<Bytes> arrived;
    for (unsigned from = 0; from < kDevices; ++from) {
      while (auto parcel = wire(from, device).Receive(now_))
        arrived.push_back(std::move(parcel->frame));
    }
    if (!IsUp(device)) continue;
    const std::vector<std::span<const uint8_t>> frames(arrived.begin(), arrived.end());
    FrameCollector sink;
    rigs_[device]->unit().MirrorTurn(frames, rigs_[device]->now(), sink);
    for (const Bytes& frame : sink.frames) {
      for (unsigned to = 0; to < kDevices; ++to) {
        // The last byte of a MAC address is the unit.
        const bool is_its = (frame[0] & 1) != 0 || frame[5] == to + 1;
        if (to != device && is_its) wire(device, to).Send({frame}, now_);
      }
    }
  }
}

void GroupNetwork::Serve() {
  for (unsigned device = 0; device < kDevices; ++device) {
    if (!IsUp(device)) continue;
    unit::Takeover& takeover = *rigs_[device]->unit().takeover();
    for (const ha::Action& action : takeover.Take()) {
      if (action.kind == ha::Action::Kind::kAnswer) answered_ = action.reason;
      if (action.kind != ha::Action::Kind::kPersist) continue;
      ballots_[device] = std::max(ballots_[device], action.ballot);
      takeover.Post(ha::FactsDurable{action.ballot, action.forced_offline});
    }
  }
}

void GroupNetwork::Pass(Nanos span) {
  for (const auto& rig : rigs_) {
    if (rig != nullptr) now_ = std::max(now_, rig->now());
  }
  for (const Nanos end = now_ + span; now_ < end;) {
    now_ += kMillisecond;
    for (auto& rig : rigs_) {
      if (rig != nullptr && rig->now() < now_) rig->Advance(now_ - rig->now(), kMillisecond);
    }
    Exchange();
    Serve();
  }
}

// ---- who is what --------------------------------------------------------------------------------

unsigned GroupNetwork::acting() const {
  unsigned count = 0;
  for (unsigned device = 0; device < kDevices; ++device)
    count += IsUp(device) && ha::Acts(state(device)) ? 1U : 0U;
  return count;
}

unsigned GroupNetwork::active() const {
  if (acting() != 1) return kNobody;
  unsigned device = 0;
  while (!IsUp(device) || !ha::Acts(state(device)))
    ++device;
  return device;
}

unsigned GroupNetwork::heir() const {
  const unsigned device = active();
  if (device == kNobody) return kNobody;
  const unsigned next = status(device)->groups.at(0).next_active;
  return next == 0 ? kNobody : next - 1;
}

bool GroupNetwork::IsReady() const {
  const unsigned next = heir();
  return next != kNobody && IsUp(next) && state(active()) == ha::State::kActive &&
         state(next) == ha::State::kStandby;
}

void GroupNetwork::HandOver(unsigned target) {
  const unsigned device = active();
  if (device == kNobody || device == target) return;
  rigs_[device]->unit().takeover()->Post(
      ha::Command{.kind = ha::Command::Kind::kStandby,
                  .group = rigs_[device]->GroupNamed("tg"),
                  .target = static_cast<ha::DeviceId>(target + 1),
                  .ticket = 1});
}

std::vector<std::string> GroupNetwork::Send(unsigned device, const std::string& host,
                                            const std::string& line) {
  Pass(kMillisecond);
  Rig& rig = *rigs_[device];
  const auto packet = PacketFromText(line, Hosts::LinkOf(rig, *hosts_.Find(host)));
  TANDEM_ASSERT(packet.ok());
  rig.Inject(rig.PortNamed(hosts_.Find(host)->port), 0, packet->frame, packet->arrival);
  std::vector<std::string> result;
  for (const Sent& sent : rig.Run()) {
    const std::string text = TextFromPacket(sent.bytes);
    if (text.compare(0, 3, "arp") == 0 || text.compare(0, 2, "nd") == 0) continue;
    result.push_back(hosts_.Recipient(rig, sent) + ": " + text);
  }
  return result;
}

}  // namespace tandem::test
