// SPDX-License-Identifier: Apache-2.0
//
// Bodies of control frames: plain structs here, protobuf on the wire (proto/mirror.proto). Generated
// code stops in this codec's .cc. What is read is bounded and checked here: lengths, counts, names and
// numbers are within the limits of this file or the body is refused whole. Whether it makes sense at
// this moment is for those who asked.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "dataplane/base/ip_address.h"
#include "dataplane/config/dictionary.h"
#include "dataplane/mirror/endpoint.h"

namespace tandem::mirror {

inline constexpr size_t kDeviceNameMax = 64;
inline constexpr size_t kDriverTextMax = 128;
inline constexpr size_t kHelloGroupsMax = 12;  // in one Hello: the rest comes in turn
inline constexpr uint32_t kDictionaryPagesMax = 8192;
// Of a control body that is not padded: passes any path that IPv6 passes (1280, RFC 8200), headers
// and seal included.
inline constexpr size_t kControlBodyMax = 1100;

// What else of this file a device knows, in its Hellos.
inline constexpr uint32_t kFeatureConfigExchange = 1;

struct GroupSays {
  uint64_t name_hash = 0;
  config::TrafficGroupId number = 0;  // 0: persistence
  config::Role role = config::Role::kActive;
  uint32_t epoch = 0;
  uint32_t session = 0;
  SyncState state = SyncState::kDown;  // of the group's streams, as far as the sender knows itself
  bool is_elsewhere = false;           // active: it mirrors the group to another device
};

struct Hello {
  uint32_t version_min = kStreamVersion;
  uint32_t version_max = kStreamVersion;
  config::UnitId unit_id = 0;
  std::string device;
  uint64_t incarnation = 0;
  Nonce nonce{};
  std::optional<Nonce> echo;
  Fingerprint fingerprint;
  uint32_t dictionary_version = 0;
  uint64_t config_hash = 0;
  uint16_t mtu = 0;
  std::vector<GroupSays> groups;
  uint64_t seen = 0;
  uint8_t record_streams = 1;
  uint32_t features = 0;
};

struct DictionaryRequest {
  uint32_t version = 0;
  uint32_t page = 0;
};

struct DictionaryPage {
  struct Entry {
    config::ObjectKind kind = config::ObjectKind::kVirtual;
    uint16_t number = 0;
    config::DictionaryEntry entry;
  };
  uint32_t version = 0;
  uint32_t page = 0;
  uint32_t pages = 0;
  std::vector<Entry> entries;
};
// At most so many bytes an entry takes in a page.
inline constexpr size_t kDictionaryEntrySize = 2 + 2 + 4 + 9 + 18 + 4;

struct Probe {
  uint16_t size = 0;
  bool is_answer = false;
  size_t padding = 0;  // bytes of it
};

// mirror/config_exchange.h says what the next four are about.
struct ConfigRequest {
  uint32_t fetch = 0;   // number of the fetch, by who asks
  uint64_t text = 0;    // that the offset is in; 0: whichever it is
  uint32_t offset = 0;  // of the first byte that is wanted
};

struct ConfigPart {
  uint32_t fetch = 0;
  uint64_t text = 0;
  uint32_t size = 0;  // of the whole text
  uint32_t offset = 0;
  std::string bytes;
};

struct ConfigSyncQuestion {
  uint32_t number = 0;  // not 0
};

enum class ConfigSyncState : uint8_t { kWorking = 1, kTaken = 2, kRefused = 3 };
inline constexpr size_t kSyncMessageMax = 900;

struct ConfigSyncAnswer {
  uint32_t number = 0;
  ConfigSyncState state = ConfigSyncState::kWorking;
  std::string message;  // for people; lines
};

// What devices tell each other about who is active. What it says is not the mirror's business.
struct HeartbeatBytes {
  std::string bytes;  // kControlBodyMax at most
};

using ControlMessage =
    std::variant<std::monostate, Hello, DictionaryRequest, DictionaryPage, Probe, HeartbeatBytes,
                 ConfigRequest, ConfigPart, ConfigSyncQuestion, ConfigSyncAnswer>;

// The bytes of a probe's body that are not padding, at most.
inline constexpr size_t kProbeOverheadMax = 16;

// Writes `message` into `out` and returns its size; 0: it does not fit.
size_t EncodeControl(const ControlMessage& message, std::span<uint8_t> out);

// monostate: malformed, or beyond a limit.
ControlMessage DecodeControl(std::span<const uint8_t> body);

// The largest number of `kind`.
uint16_t NumberMax(config::ObjectKind kind);

}  // namespace tandem::mirror
