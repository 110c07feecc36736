// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/mirror/random_rows.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>

namespace tandem::mirror {
namespace {

using config::ObjectKind;

bool Chance(Prng& prng, uint32_t one_in) {
  return prng.Below(one_in) == 0;
}

IpAddress RandomAddress(Prng& prng, bool is_ipv6) {
  if (!is_ipv6) return IpAddress::V4(htonl(0x0a000000 | prng.Below(1U << 16)));
  uint8_t bytes[16] = {0x20, 1, 0xd, 0xb8};
  for (size_t i = 12; i < 16; ++i)
    bytes[i] = static_cast<uint8_t>(prng.Next());
  return IpAddress::V6(bytes);
}

void Set(uint32_t& to, const IpAddress& address) {
  to = address.v4();
}
void Set(net::Ipv6Bytes& to, const IpAddress& address) {
  std::memcpy(to.bytes, address.bytes().data(), 16);
}

uint16_t Port(Prng& prng) {
  return static_cast<uint16_t>(prng.Next());
}

// The keys as admit.cc makes them of the row's virtual, member and flags.
template <class Hot>
void MakeKeys(Prng& prng, const config::Dictionary& dictionary, CreateRow<Hot>& row) {
  const auto& virtual_server = dictionary.Find(ObjectKind::kVirtual, row.virtual_id);
  const auto& member = dictionary.Find(ObjectKind::kMember, row.member_id);
  const bool has_port = row.protocol == IPPROTO_TCP || row.protocol == IPPROTO_UDP;
  const bool is_query = row.protocol == IPPROTO_ICMP || row.protocol == IPPROTO_ICMPV6;
  const bool fixed = virtual_server.port != 0 && virtual_server.address.is_v4() != Hot::kIsIpv6;
  Set(row.client.source, RandomAddress(prng, Hot::kIsIpv6));
  Set(row.client.destination, fixed ? virtual_server.address : RandomAddress(prng, Hot::kIsIpv6));
  if (has_port || is_query) row.client.source_port = Port(prng);
  if (has_port) row.client.destination_port = fixed ? htons(virtual_server.port) : Port(prng);
  row.server.source = row.client.destination;
  row.server.source_port = row.client.destination_port;
  row.server.destination = row.client.source;
  row.server.destination_port = row.client.source_port;
  if ((row.flags & flow::kTranslateAddress) != 0 && member.name_hash != 0 &&
      member.address.is_v4() != Hot::kIsIpv6 && !member.address.is_unset()) {
    Set(row.server.source, member.address);
    const bool translate_port = row.virtual_id % 3 != 0;
    if (has_port && translate_port && member.port != 0) row.server.source_port = htons(member.port);
  }
  if ((row.flags & flow::kTranslateSource) != 0) {
    Set(row.server.destination, RandomAddress(prng, Hot::kIsIpv6));
    row.server.destination_port = has_port || is_query ? Port(prng) : uint16_t{0};
  }
}

template <class Hot>
void MakeMeaninglessKeys(Prng& prng, CreateRow<Hot>& row) {
  auto* bytes = reinterpret_cast<uint8_t*>(&row.client);
  for (size_t i = 0; i < sizeof(row.client); ++i)
    bytes[i] = static_cast<uint8_t>(prng.Next());
  if (Chance(prng, 2)) row.server = row.client;
  if (Chance(prng, 2)) std::swap(row.server.source, row.server.destination);
  if (Chance(prng, 2)) std::swap(row.server.source_port, row.server.destination_port);
}

uint32_t RandomSlot(Prng& prng) {
  return prng.Below(Chance(prng, 8) ? uint32_t{kFlowsPerWorkerMax} : 5000);
}

flow::Register RandomRegister(Prng& prng) {
  const flow::Birth birth =
      Chance(prng, 16) ? prng.Next() & flow::kBirthMax : 1000000 + prng.Below(5000);
  return flow::MakeRegister(std::max(birth, flow::Birth{1}),
                            prng.Below(Chance(prng, 9) ? 4096 : 6));
}

flow::State RandomState(Prng& prng) {
  return static_cast<flow::State>(1 + prng.Below(flow::kStateCount - 1));
}

uint16_t RandomFlags(Prng& prng) {
  return static_cast<uint16_t>(prng.Next() & prng.Next() & kMirroredFlags);
}

// A number of the kind, mostly one whose endpoint is of the family and has a port.
uint16_t EndpointNumber(Prng& prng, const config::Dictionary& dictionary, ObjectKind kind,
                        bool is_ipv6) {
  uint16_t number = 0;
  for (int tries = Chance(prng, 50) ? 1 : 40; tries > 0; --tries) {
    number = static_cast<uint16_t>(prng.Below(kDictionaryEnd));
    const auto& entry = dictionary.Find(kind, number);
    if (entry.port != 0 && !entry.address.is_unset() && entry.address.is_v4() != is_ipv6) break;
  }
  return number;
}

// In what the creates of a batch differ that are much alike; one bit each.
enum Varied : uint32_t { kVirtuals = 1, kMembers = 2, kPorts = 4, kClients = 8, kSnats = 16 };

template <class Hot>
CreateRow<Hot> PatternOf(Prng& prng, const config::Dictionary& dictionary) {
  CreateRow<Hot> row = RandomCreate<Hot>(prng, dictionary);
  row.virtual_id = EndpointNumber(prng, dictionary, ObjectKind::kVirtual, Hot::kIsIpv6);
  row.member_id = EndpointNumber(prng, dictionary, ObjectKind::kMember, Hot::kIsIpv6);
  MakeKeys(prng, dictionary, row);
  return row;
}

// The same flags, state and so on with another member and other keys.
template <class Hot>
CreateRow<Hot> OtherKeys(Prng& prng, const config::Dictionary& dictionary, CreateRow<Hot> row) {
  row.member_id = EndpointNumber(prng, dictionary, ObjectKind::kMember, Hot::kIsIpv6);
  MakeKeys(prng, dictionary, row);
  return row;
}

// A create as the pattern is, but for its name, for what is varied, and now and then for something else.
template <class Hot>
CreateRow<Hot> AlikeCreate(Prng& prng, const config::Dictionary& dictionary,
                           const CreateRow<Hot>& pattern, uint32_t varied, uint32_t odd) {
  if (Chance(prng, odd)) return RandomCreate<Hot>(prng, dictionary);
  CreateRow<Hot> row = pattern;
  if ((varied & kVirtuals) != 0)
    row.virtual_id = EndpointNumber(prng, dictionary, ObjectKind::kVirtual, Hot::kIsIpv6);
  if ((varied & kMembers) != 0)
    row.member_id = EndpointNumber(prng, dictionary, ObjectKind::kMember, Hot::kIsIpv6);
  MakeKeys(prng, dictionary, row);
  const auto keep = [&](Varied what, auto& to, const auto& from) {
    if ((varied & what) == 0 && !Chance(prng, odd)) to = from;
  };
  keep(kPorts, row.client.source_port, pattern.client.source_port);
  keep(kPorts, row.server.destination_port, pattern.server.destination_port);
  keep(kClients, row.client.source, pattern.client.source);
  keep(kSnats, row.server.destination, pattern.server.destination);
  if ((row.flags & flow::kTranslateSource) == 0 && !Chance(prng, odd)) {
    row.server.destination = row.client.source;
    row.server.destination_port = row.client.source_port;
  }
  if (Chance(prng, odd)) std::swap(row.server.source, row.server.destination);
  if (Chance(prng, odd)) row.server.source_port = row.client.destination_port;
  if (Chance(prng, odd)) row.state = RandomState(prng);
  return row;
}

// A name near the one before, mostly; its version as of most.
void NextName(Prng& prng, uint32_t odd, uint32_t& slot, flow::Register& value) {
  const bool is_near = !Chance(prng, odd);
  slot = is_near ? (slot + prng.Below(40)) % kFlowsPerWorkerMax : RandomSlot(prng);
  const flow::Birth birth = (flow::BirthOf(value) + prng.Below(40)) % flow::kBirthMax + 1;
  value = is_near ? flow::MakeRegister(birth, flow::VersionOf(value)) : RandomRegister(prng);
}

template <class Hot>
bool Same(const CreateRow<Hot>& a, const CreateRow<Hot>& b) {
  return a.slot == b.slot && a.value == b.value && a.state == b.state && a.flags == b.flags &&
         a.protocol == b.protocol && a.virtual_id == b.virtual_id && a.member_id == b.member_id &&
         a.interface_id == b.interface_id && a.client_mac == b.client_mac &&
         a.age_ticks == b.age_ticks && a.client == b.client && a.server == b.server;
}
bool Same(const UpdateRow& a, const UpdateRow& b) {
  return a.slot == b.slot && a.value == b.value && a.state == b.state && a.flags == b.flags;
}
bool Same(const CloseRow& a, const CloseRow& b) {
  return a.slot == b.slot && a.value == b.value;
}
bool Same(uint32_t a, uint32_t b) {
  return a == b;
}
bool Same(const AuditRow& a, const AuditRow& b) {
  return a.range == b.range && a.digest == b.digest;
}
template <class Row>
bool Same(const std::vector<Row>& a, const std::vector<Row>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const Row& x, const Row& y) { return Same(x, y); });
}

template <class Row>
std::vector<Row> ToVector(std::span<const Row> rows) {
  return {rows.begin(), rows.end()};
}

}  // namespace

config::Dictionary RandomDictionary(Prng& prng) {
  config::Dictionary dictionary;
  uint64_t name_hash = 1;
  for (const ObjectKind kind : {ObjectKind::kVirtual, ObjectKind::kMember}) {
    for (uint16_t number = 1; number < kDictionaryEnd; ++number) {
      if (Chance(prng, 8)) continue;
      config::DictionaryEntry entry;
      entry.name_hash = name_hash++;
      if (!Chance(prng, 8)) entry.address = RandomAddress(prng, Chance(prng, 2));
      if (!Chance(prng, 8)) entry.port = static_cast<uint16_t>(prng.Below(65536));
      dictionary.Add(kind, number, entry);
    }
  }
  dictionary.Finish();
  return dictionary;
}

template <class Hot>
CreateRow<Hot> RandomCreate(Prng& prng, const config::Dictionary& dictionary) {
  static constexpr uint8_t kProtocols[] = {IPPROTO_TCP,  IPPROTO_TCP,    IPPROTO_TCP, IPPROTO_UDP,
                                           IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_GRE, 0};
  CreateRow<Hot> row;
  row.slot = RandomSlot(prng);
  row.value = RandomRegister(prng);
  row.state = RandomState(prng);
  row.flags =
      Chance(prng, 2) ? flow::kTranslateAddress | flow::kTranslateSource : RandomFlags(prng);
  row.protocol = kProtocols[prng.Below(sizeof(kProtocols))];
  row.virtual_id = static_cast<uint16_t>(prng.Below(Chance(prng, 16) ? 65536 : kDictionaryEnd));
  row.member_id = static_cast<uint16_t>(prng.Below(Chance(prng, 16) ? 65536 : kDictionaryEnd));
  row.interface_id = static_cast<uint16_t>(Chance(prng, 8) ? prng.Below(65536) : 1);
  if (Chance(prng, 4)) row.client_mac = {2, 0, 0, 0, 0, static_cast<uint8_t>(prng.Next())};
  row.age_ticks = prng.Below(Chance(prng, 8) ? 1U << 22 : 2) << 10;
  if (Chance(prng, 16)) {
    MakeMeaninglessKeys(prng, row);
  } else {
    MakeKeys(prng, dictionary, row);
  }
  return row;
}

bool BatchRows::FillAlike(Prng& prng, Alike alike, const config::Dictionary& dictionary,
                          FlowBatchWriter& writer, BatchRows* overfull) {
  Prng in_common(alike.seed);
  auto pattern4 = PatternOf<flow::FlowHot4>(in_common, dictionary);
  auto pattern6 = PatternOf<flow::FlowHot6>(in_common, dictionary);
  if (Chance(prng, 2)) {
    pattern4 = OtherKeys(prng, dictionary, pattern4);
    pattern6 = OtherKeys(prng, dictionary, pattern6);
  }
  const auto varied = static_cast<uint32_t>(in_common.Next());
  const bool has_ipv4 = Chance(in_common, 2);
  const bool has_ipv6 = !has_ipv4 || Chance(in_common, 4);
  uint32_t slot = RandomSlot(prng);
  flow::Register value =
      flow::MakeRegister(flow::BirthOf(RandomRegister(prng)), in_common.Below(3));
  for (uint32_t i = 0; i < alike.most; ++i) {
    const bool v6 = has_ipv6 && (!has_ipv4 || Chance(prng, 2));
    const BatchRows before = *this;
    NextName(prng, alike.odd / 2, slot, value);
    bool fits = false;
    const auto add_create = [&](auto& to, auto row) {
      row.slot = slot;
      row.value = value;
      to.push_back(row);
      return writer.AddCreate(row);
    };
    if (Chance(prng, 3)) {
      closes[v6].push_back({slot, value});
      fits = writer.AddClose(v6, {slot, value});
    } else if (v6) {
      fits = add_create(creates6, AlikeCreate(prng, dictionary, pattern6, varied, alike.odd));
    } else {
      fits = add_create(creates4, AlikeCreate(prng, dictionary, pattern4, varied, alike.odd));
    }
    if (fits) continue;
    if (overfull != nullptr) *overfull = *this;
    *this = before;
    return true;
  }
  return false;
}

template CreateRow<flow::FlowHot4> RandomCreate(Prng&, const config::Dictionary&);
template CreateRow<flow::FlowHot6> RandomCreate(Prng&, const config::Dictionary&);

bool BatchRows::Fill(Prng& prng, const config::Dictionary& dictionary, FlowBatchWriter& writer,
                     BatchRows* overfull) {
  const uint32_t kinds = 1 + prng.Below(6);
  const uint32_t first_kind = prng.Below(6);
  const uint32_t families = prng.Below(3);
  const uint32_t rows = prng.Below(Chance(prng, 3) ? 4 : 2 * kRowsMax);
  bool fits = true;
  const auto add = [&](auto& to, const auto& row, auto&& write) {
    to.push_back(row);
    fits = write(row);
    if (fits) return;
    if (overfull != nullptr) *overfull = *this;
    to.pop_back();
  };
  for (uint32_t i = 0; i < rows && fits; ++i) {
    const bool v6 = families == 2 ? Chance(prng, 2) : families == 1;
    switch ((first_kind + prng.Below(kinds)) % 6) {
      case 0:
      case 1:
        if (v6) {
          add(creates6, RandomCreate<flow::FlowHot6>(prng, dictionary),
              [&](const auto& row) { return writer.AddCreate(row); });
        } else {
          add(creates4, RandomCreate<flow::FlowHot4>(prng, dictionary),
              [&](const auto& row) { return writer.AddCreate(row); });
        }
        break;
      case 2:
        add(updates[v6],
            UpdateRow{RandomSlot(prng), RandomRegister(prng), RandomState(prng), RandomFlags(prng)},
            [&](const auto& row) { return writer.AddUpdate(v6, row); });
        break;
      case 3:
        add(closes[v6], CloseRow{RandomSlot(prng), RandomRegister(prng)},
            [&](const auto& row) { return writer.AddClose(v6, row); });
        break;
      case 4:
        add(touches[v6], RandomSlot(prng), [&](uint32_t row) { return writer.AddTouch(v6, row); });
        break;
      default:
        add(audits[v6], AuditRow{RandomSlot(prng) / kRangeSlots, prng.Next()},
            [&](const auto& row) { return writer.AddAudit(v6, row); });
        break;
    }
  }
  return !fits;
}

bool BatchRows::operator==(const BatchRows& other) const {
  bool same = Same(creates4, other.creates4) && Same(creates6, other.creates6);
  for (const int family : {0, 1}) {
    same = same && Same(updates[family], other.updates[family]) &&
           Same(closes[family], other.closes[family]) &&
           Same(touches[family], other.touches[family]) &&
           Same(audits[family], other.audits[family]);
  }
  return same;
}

BatchRows Contents(const FlowBatchReader& reader) {
  BatchRows batch;
  batch.creates4 = ToVector(reader.creates<flow::FlowHot4>());
  batch.creates6 = ToVector(reader.creates<flow::FlowHot6>());
  for (const bool is_ipv6 : {false, true}) {
    batch.updates[is_ipv6] = ToVector(reader.updates(is_ipv6));
    batch.closes[is_ipv6] = ToVector(reader.closes(is_ipv6));
    batch.touches[is_ipv6] = ToVector(reader.touches(is_ipv6));
    batch.audits[is_ipv6] = ToVector(reader.audits(is_ipv6));
  }
  return batch;
}

}  // namespace tandem::mirror
