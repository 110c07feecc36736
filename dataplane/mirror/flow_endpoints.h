// SPDX-License-Identifier: Apache-2.0
//
// What of a flow's keys follows from its virtual, its member and its flags, by a dictionary: the part
// of a create that is not written. The writer's ShapeTeller omits exactly what the reader's DestinationOf
// and ServerOf fill in; they are two, for the writer has only to compare.
#pragma once

#include <endian.h>

#include <cstdint>
#include <cstring>
#include <span>

#include "dataplane/base/ip_address.h"
#include "dataplane/config/dictionary.h"
#include "dataplane/flow/flow.h"

namespace tandem::mirror {

// Bits of the column `shape`.
enum Shape : uint32_t {
  kDestinationExplicit = 1,
  kServerExplicit = 2,
  kServerPortKept = 4,  // the server's port is the one that the client addressed
  kReturnExplicit = 8,  // where the server answers to is written though kTranslateSource is not set
  kShapeMask = 15,
};

template <class Hot>
struct FlowEndpoint {
  decltype(Hot::Key::source) address{};
  uint16_t port = 0;  // network byte order

  bool operator==(const FlowEndpoint&) const = default;
};

// The entry's address in the flow's family; false when it has none.
template <class Hot>
bool AddressOf(const config::DictionaryEntry& entry, FlowEndpoint<Hot>& endpoint) noexcept {
  if (entry.address.is_v4() == Hot::kIsIpv6 || entry.address.is_unset()) return false;
  if constexpr (Hot::kIsIpv6) {
    std::memcpy(endpoint.address.bytes, entry.address.bytes().data(),
                sizeof(endpoint.address.bytes));
  } else {
    endpoint.address = entry.address.v4();
  }
  return true;
}

// Whether AddressOf gives this address, without putting it together.
inline bool HasAddress(const config::DictionaryEntry& entry, uint32_t address) noexcept {
  const IpAddress::Halves its = entry.address.halves();
  const IpAddress::Halves wanted = IpAddress::V4(address).halves();
  return its[0] == wanted[0] && its[1] == wanted[1];
}
inline bool HasAddress(const config::DictionaryEntry& entry,
                       const net::Ipv6Bytes& address) noexcept {
  const IpAddress wanted = IpAddress::V6(address.bytes);
  return entry.address == wanted && !wanted.is_v4() && !wanted.is_unset();
}

inline constexpr config::DictionaryEntry kNoEntry;

inline const config::DictionaryEntry& EntryOf(const config::Dictionary& dictionary,
                                              config::ObjectKind kind, uint16_t number) noexcept {
  const auto& entries = dictionary.All(kind);
  return number < entries.size() ? entries[number] : kNoEntry;
}

// What clients of the virtual address; false when the dictionary does not say.
template <class Hot>
bool DestinationOf(const config::Dictionary& dictionary, config::VirtualId virtual_id,
                   FlowEndpoint<Hot>& endpoint) noexcept {
  const auto& entry = EntryOf(dictionary, config::ObjectKind::kVirtual, virtual_id);
  endpoint.port = htobe16(entry.port);
  return entry.port != 0 && AddressOf<Hot>(entry, endpoint);
}

// The server's end of a flow to `destination`: that itself unless the address is translated, then the
// member's, whose port 0 stands for the destination's.
template <class Hot>
bool ServerOf(const config::Dictionary& dictionary, uint16_t flags, config::MemberId member_id,
              const FlowEndpoint<Hot>& destination, FlowEndpoint<Hot>& endpoint) noexcept {
  if ((flags & flow::kTranslateAddress) == 0) {
    endpoint = destination;
    return true;
  }
  const auto& entry = EntryOf(dictionary, config::ObjectKind::kMember, member_id);
  endpoint.port = entry.port != 0 ? htobe16(entry.port) : destination.port;
  return AddressOf<Hot>(entry, endpoint);
}

// The writer's side: what of a flow's keys DestinationOf and ServerOf do not tell a reader, or tell it
// wrong. Keeps where the virtual of the flow before is, for most flows are of few virtuals.
template <class Hot>
class ShapeTeller {
 public:
  // `dictionary` outlives the last ShapeOf.
  void Begin(const config::Dictionary& dictionary) noexcept {
    dictionary_ = &dictionary;
    members_ = dictionary.All(config::ObjectKind::kMember);
    member_words_ = dictionary.MemberWords();
    virtual_id_ = kNone;
  }

  uint32_t ShapeOf(const Hot& hot) noexcept {
    return OfDestination(hot) | OfServer(hot) | OfReturn(hot);
  }
  // Its parts: bits kDestinationExplicit; kServerExplicit and kServerPortKept; kReturnExplicit.
  [[gnu::always_inline]] uint32_t OfDestination(const Hot& hot) noexcept {
    if (hot.common.virtual_id != virtual_id_) [[unlikely]]
      LookUp(hot.common.virtual_id);
    const bool is_derived = hot.client.destination_port == destination_.port &&
                            hot.client.destination == destination_.address && is_known_;
    if (is_derived) [[likely]]
      return 0;
    return kDestinationExplicit;
  }
  [[gnu::always_inline]] uint32_t OfServer(const Hot& hot) const noexcept {
    if ((hot.common.flags & flow::kTranslateAddress) != 0 && IsMembers(hot)) [[likely]]
      return 0;
    return CompareServer(hot);
  }
  // Whether the server's end is that of the flow's member, as the quickest way to tell has it: false when
  // that does not know.
  [[gnu::always_inline]] bool IsMembers(const Hot& hot) const noexcept {
    if constexpr (Hot::kIsIpv6) {
      return false;
    } else {
      const uint16_t member_id = hot.common.member_id;
      return member_id < member_words_.size() &&
             member_words_[member_id] ==
                 config::EndpointWord(hot.server.source, hot.server.source_port);
    }
  }
  [[gnu::always_inline]] uint32_t OfReturn(const Hot& hot) const noexcept {
    if ((hot.common.flags & flow::kTranslateSource) != 0) return 0;
    const bool answers_client = hot.server.destination == hot.client.source &&
                                hot.server.destination_port == hot.client.source_port;
    if (answers_client) return 0;
    return kReturnExplicit;
  }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;

  [[gnu::noinline]] void LookUp(config::VirtualId virtual_id) noexcept {
    virtual_id_ = virtual_id;
    is_known_ = DestinationOf(*dictionary_, virtual_id, destination_);
  }
  [[gnu::noinline]] uint32_t CompareServer(const Hot& hot) const noexcept {
    bool is_derived = hot.server.source == hot.client.destination;
    uint16_t port = hot.client.destination_port;
    if ((hot.common.flags & flow::kTranslateAddress) != 0) {
      const config::DictionaryEntry& member = MemberOf(hot.common.member_id);
      is_derived = HasAddress(member, hot.server.source);
      if (member.port != 0) port = htobe16(member.port);
    }
    if (!is_derived) return kServerExplicit;
    if (port == hot.server.source_port) return 0;
    return hot.server.source_port == hot.client.destination_port ? kServerPortKept
                                                                 : kServerExplicit;
  }
  const config::DictionaryEntry& MemberOf(config::MemberId member_id) const noexcept {
    return member_id < members_.size() ? members_[member_id] : kNoEntry;
  }

  const config::Dictionary* dictionary_ = nullptr;
  std::span<const config::DictionaryEntry> members_;
  std::span<const uint64_t> member_words_;  // likewise
  uint32_t virtual_id_ = kNone;
  bool is_known_ = false;  // destination_ is the virtual's
  FlowEndpoint<Hot> destination_;
};

}  // namespace tandem::mirror
