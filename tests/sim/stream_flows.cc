// SPDX-License-Identifier: Apache-2.0
//
// The small world's flows: how they begin, change, and end at their writer.
#include <netinet/in.h>

#include <algorithm>
#include <cstring>

#include "dataplane/mirror/flow_batch.h"
#include "tests/sim/stream_world.h"

namespace tandem::sim {
namespace {

void PutAddress(uint32_t& out, const IpAddress& address) {
  out = address.v4();
}
void PutAddress(net::Ipv6Bytes& out, const IpAddress& address) {
  std::memcpy(out.bytes, address.bytes().data(), 16);
}

IpAddress HostAddress(bool is_ipv6, const char* v4, const char* v6, unsigned host) {
  return *IpAddress::Parse((is_ipv6 ? v6 : v4) + std::to_string(host));
}

constexpr uint16_t kRandomFlags[] = {flow::kTranslateAddress, flow::kLooselyInitiated,
                                     flow::kClientByRoute, flow::kWindowScaled};
constexpr uint16_t kChangingFlags[] = {flow::kFinAckedClient, flow::kFinAckedServer};

}  // namespace

void StreamWorld::Operate(unsigned group) {
  if (paused_until_[writer_[group]] > now_) return;
  ++operations_;
  const size_t live = live_[group].size();
  const bool is_low = live < options_.flows_target;
  // trend 0: drain; 1: around the target; 2: churn; 3: grow
  const uint32_t births = trend_ == 0 ? 10 : trend_ == 3 ? 70 : is_low ? 55 : 25;
  const uint32_t what = chance_.Below(100);
  if (live == 0 || (what < births && live < options_.flows_max)) {
    chance_.OneIn(3) ? Create<flow::FlowHot6>(group) : Create<flow::FlowHot4>(group);
    return;
  }
  const size_t index = chance_.Below(static_cast<uint32_t>(live));
  const bool is_ipv6 = live_[group][index].is_ipv6;
  if (what < 60) {
    is_ipv6 ? Change<flow::FlowHot6>(group, index) : Change<flow::FlowHot4>(group, index);
  } else if (what < 62) {
    is_ipv6 ? Unmirror<flow::FlowHot6>(group, index) : Unmirror<flow::FlowHot4>(group, index);
  } else if (what < 64) {
    mirror::FlowSender& sender = SenderOf(group);
    const Live& flow = live_[group][index];
    const bool is_mirrored = ((is_ipv6 ? Writer(group).flows6.hot(flow.slot).common.flags
                                       : Writer(group).flows4.hot(flow.slot).common.flags) &
                              flow::kMirrored) != 0;
    if (is_mirrored) {
      is_ipv6 ? sender.Touch<flow::FlowHot6>(flow.slot) : sender.Touch<flow::FlowHot4>(flow.slot);
    }
  } else {
    is_ipv6 ? End<flow::FlowHot6>(group, index) : End<flow::FlowHot4>(group, index);
  }
}

void StreamWorld::Grow(unsigned group, unsigned flows) {
  for (unsigned tries = 0; live_[group].size() < flows && tries < 20 * flows; ++tries)
    chance_.OneIn(4) ? Create<flow::FlowHot6>(group) : Create<flow::FlowHot4>(group);
}

void StreamWorld::Drain(unsigned group) {
  while (!live_[group].empty()) {
    const size_t index = live_[group].size() - 1;
    live_[group][index].is_ipv6 ? End<flow::FlowHot6>(group, index)
                                : End<flow::FlowHot4>(group, index);
  }
}

template <class Hot>
void StreamWorld::Create(unsigned group) {
  StreamDevice& device = Writer(group);
  unsigned v = 0;
  do {
    v = chance_.Between(1, kVirtuals);
  } while (v % kGroups != group || IsIpv6Virtual(v) != Hot::kIsIpv6);
  unsigned member = 0;
  do {
    member = chance_.Between(1, kMembers);
    // What two writers have must not look the same to a server.
  } while (IsIpv6Member(member) != Hot::kIsIpv6 ||
           (!options_.one_writer && member % kGroups != group));
  // Few clients and ports, so that keys come again soon.
  const bool narrow = options_.flows_target < 100;
  typename Hot::Key client, server;
  PutAddress(client.source, HostAddress(Hot::kIsIpv6, "10.0.9.",
                                        "2001:db8:9::", chance_.Between(1, narrow ? 2 : 200)));
  client.source_port = htons(static_cast<uint16_t>(chance_.Between(1000, narrow ? 1020 : 1400)));
  PutAddress(client.destination, VirtualAddress(v, Hot::kIsIpv6));
  const uint16_t port =
      VirtualPort(v) != 0 ? VirtualPort(v) : static_cast<uint16_t>(chance_.Between(20, 30));
  client.destination_port = htons(port);
  PutAddress(server.source, MemberAddress(member, Hot::kIsIpv6));
  server.source_port = htons(MemberPort(member) != 0 ? MemberPort(member) : port);
  const bool has_snat = chance_.OneIn(2);
  if (has_snat) {
    PutAddress(server.destination, HostAddress(Hot::kIsIpv6, "10.0.8.", "2001:db8:8::", group + 1));
    server.destination_port = htons(static_cast<uint16_t>(chance_.Between(1024, 1500)));
  } else {
    server.destination = client.source;
    server.destination_port = client.source_port;
  }
  const uint8_t protocol = chance_.OneIn(3) ? IPPROTO_UDP : IPPROTO_TCP;
  auto& table = device.Table<Hot>();
  flow::InsertResult result = table.Insert(device.Group(group), client, server, protocol, false);
  if (result.status == flow::InsertStatus::kClientKeyTaken ||
      result.status == flow::InsertStatus::kServerKeyTaken) {
    // The key is wanted for a new flow: the old one ends in the same moment.
    if (chance_.OneIn(2)) return;
    const auto found = std::find_if(live_[group].begin(), live_[group].end(), [&](const Live& one) {
      return one.is_ipv6 == Hot::kIsIpv6 && one.slot == result.slot;
    });
    if (found == live_[group].end()) return;
    End<Hot>(group, static_cast<size_t>(found - live_[group].begin()));
    result = table.Insert(device.Group(group), client, server, protocol, false);
  }
  if (result.status != flow::InsertStatus::kInserted) return;
  births_[writer_[group]] = BirthsOf(writer_[group]);
  auto& common = table.hot(result.slot).common;
  common.state = flow::State::kEstablished;
  common.virtual_id = device.Number(v);
  common.member_id = device.Number(member);
  common.client_interface = device.Number(chance_.Between(1, kInterfaces));
  common.client_mac = {2, 0, 0, 0, 9, static_cast<uint8_t>(chance_.Between(1, 4))};
  common.last_seen = TickOf(ClockOf(writer_[group]));
  table.cold(result.slot).created = common.last_seen;
  for (const uint16_t flag : kRandomFlags) {
    if (chance_.OneIn(3)) common.flags |= flag;
  }
  if (has_snat) common.flags |= flow::kTranslateSource;
  common.flags |= flow::kTranslateAddress;
  live_[group].push_back({Hot::kIsIpv6, result.slot});
  if (!chance_.OneIn(6)) {
    SenderOf(group).Begin<Hot>(result.slot);
    Remember<Hot>(group, result.slot, false);
  }
}

template <class Hot>
void StreamWorld::Change(unsigned group, size_t index) {
  const uint32_t slot = live_[group][index].slot;
  auto& table = Writer(group).Table<Hot>();
  auto& common = table.hot(slot).common;
  common.state = static_cast<flow::State>(chance_.Between(1, flow::kStateCount - 1));
  for (const uint16_t flag : kChangingFlags) {
    if (chance_.OneIn(3)) common.flags |= flag;
  }
  if ((common.flags & flow::kMirrored) == 0) {
    if (chance_.OneIn(2)) return;
    SenderOf(group).Begin<Hot>(slot);
  } else if (common.state > flow::State::kEstablished) {
    SenderOf(group).ChangeLater<Hot>(slot);
  } else {
    SenderOf(group).Change<Hot>(slot);
  }
  Remember<Hot>(group, slot, false);
}

template <class Hot>
void StreamWorld::Unmirror(unsigned group, size_t index) {
  const uint32_t slot = live_[group][index].slot;
  if ((Writer(group).Table<Hot>().hot(slot).common.flags & flow::kMirrored) == 0) return;
  SenderOf(group).End<Hot>(slot);
  Remember<Hot>(group, slot, true);
}

template <class Hot>
void StreamWorld::End(unsigned group, size_t index) {
  const uint32_t slot = live_[group][index].slot;
  auto& table = Writer(group).Table<Hot>();
  const bool is_mirrored = (table.hot(slot).common.flags & flow::kMirrored) != 0;
  if (is_mirrored) {
    SenderOf(group).End<Hot>(slot);
    Remember<Hot>(group, slot, true);
  }
  table.Erase(slot);
  Forget(group, index);
}

void StreamWorld::Forget(unsigned group, size_t index) {
  live_[group][index] = live_[group].back();
  live_[group].pop_back();
}

template <class Hot>
void StreamWorld::Remember(unsigned group, uint32_t slot, bool is_free) {
  FlowBook& book = groups_[group].books[Hot::kIsIpv6];
  const FlowImage image = Writer(group).Image<Hot>(slot);
  is_free ? book.RememberFree(image, now_) : book.Remember(image, now_);
  births_[writer_[group]] = BirthsOf(writer_[group]);
}

void StreamWorld::RememberRenewed(unsigned group) {
  const unsigned writer = writer_[group];
  if (BirthsOf(writer) == births_[writer]) return;
  births_[writer] = BirthsOf(writer);
  for (unsigned any = 0; any < kGroups; ++any) {
    if (writer_[any] != writer) continue;
    for (const FlowImage& image : Writer(any).Images(any, flow::kMirrored)) {
      FlowBook& book = groups_[any].books[image.is_ipv6];
      if (book.Find(image.value) == nullptr) book.Remember(image, now_);
    }
  }
}

}  // namespace tandem::sim
