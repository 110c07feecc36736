// SPDX-License-Identifier: Apache-2.0
#include "dataplane/mirror/control_codec.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "dataplane/base/limits.h"
#include "proto/mirror.pb.h"

namespace tandem::mirror {
namespace {

using config::ObjectKind;

std::string ToBytes(const Nonce& nonce) {
  return {reinterpret_cast<const char*>(nonce.data()), nonce.size()};
}

// Names are for people, who get no control characters.
std::string Printable(std::string text, bool has_lines = false) {
  std::ranges::replace_if(
      text, [has_lines](char c) { return (c < ' ' || c > '~') && !(has_lines && c == '\n'); }, '?');
  return text;
}

template <size_t kSize>
bool FromBytes(const std::string& bytes, std::array<uint8_t, kSize>& to) {
  if (bytes.size() != kSize) return false;
  std::memcpy(to.data(), bytes.data(), kSize);
  return true;
}

// ---- writing ------------------------------------------------------------------------------------

void Write(const Fingerprint& from, v1::Fingerprint& to) {
  to.set_driver(from.driver);
  to.set_workers(from.workers);
  to.set_rss_key_hash(from.rss_key_hash);
  to.set_reta_size(from.reta_size);
  to.set_reta_hash(from.reta_hash);
  to.set_flows_ipv4_per_worker(from.flows_ipv4_per_worker);
  to.set_flows_ipv6_per_worker(from.flows_ipv6_per_worker);
  to.set_schema(from.schema);
}

void Write(const Hello& from, v1::Control& control) {
  v1::Hello& to = *control.mutable_hello();
  to.set_version_min(from.version_min);
  to.set_version_max(from.version_max);
  to.set_unit_id(from.unit_id);
  to.set_device(from.device);
  to.set_incarnation(from.incarnation);
  to.set_nonce(ToBytes(from.nonce));
  if (from.echo) to.set_echo(ToBytes(*from.echo));
  Write(from.fingerprint, *to.mutable_fingerprint());
  to.set_dictionary_version(from.dictionary_version);
  to.set_config_hash(from.config_hash);
  to.set_mtu(from.mtu);
  to.set_seen(from.seen);
  to.set_record_streams(from.record_streams);
  to.set_features(from.features);
  for (const GroupSays& group : from.groups) {
    v1::GroupState& state = *to.add_group();
    state.set_name_hash(group.name_hash);
    state.set_number(group.number);
    state.set_role(group.role == config::Role::kActive ? 1 : 2);
    state.set_epoch(group.epoch);
    state.set_session(group.session);
    state.set_state(static_cast<uint32_t>(group.state));
    state.set_elsewhere(group.is_elsewhere);
  }
}

void Write(const DictionaryRequest& from, v1::Control& control) {
  control.mutable_dictionary_request()->set_version(from.version);
  control.mutable_dictionary_request()->set_page(from.page);
}

void Write(const DictionaryPage& from, v1::Control& control) {
  v1::DictionaryPage& to = *control.mutable_dictionary_page();
  to.set_version(from.version);
  to.set_page(from.page);
  to.set_pages(from.pages);
  for (const DictionaryPage::Entry& one : from.entries) {
    v1::DictionaryPage::Entry& entry = *to.add_entry();
    entry.set_kind(static_cast<uint32_t>(one.kind));
    entry.set_number(one.number);
    entry.set_name_hash(one.entry.name_hash);
    const IpAddress& address = one.entry.address;
    if (!address.is_unset()) {
      const auto* bytes = reinterpret_cast<const char*>(address.bytes().data());
      entry.set_address(address.is_v4() ? std::string(bytes + 12, 4) : std::string(bytes, 16));
    }
    entry.set_port(one.entry.port);
  }
}

void Write(const Probe& from, v1::Control& control) {
  v1::Probe& to = *control.mutable_probe();
  to.set_size(from.size);
  to.set_answer(from.is_answer);
  if (from.padding > 0) to.set_padding(std::string(from.padding, '\0'));
}

void Write(const HeartbeatBytes& from, v1::Control& control) {
  control.set_heartbeat(from.bytes);
}

void Write(const ConfigRequest& from, v1::Control& control) {
  v1::ConfigRequest& to = *control.mutable_config_request();
  to.set_fetch(from.fetch);
  to.set_text(from.text);
  to.set_offset(from.offset);
}

void Write(const ConfigPart& from, v1::Control& control) {
  v1::ConfigPart& to = *control.mutable_config_part();
  to.set_fetch(from.fetch);
  to.set_text(from.text);
  to.set_size(from.size);
  to.set_offset(from.offset);
  to.set_bytes(from.bytes);
}

void Write(const ConfigSyncQuestion& from, v1::Control& control) {
  control.mutable_config_sync_question()->set_number(from.number);
}

void Write(const ConfigSyncAnswer& from, v1::Control& control) {
  v1::ConfigSyncAnswer& to = *control.mutable_config_sync_answer();
  to.set_number(from.number);
  to.set_state(static_cast<uint32_t>(from.state));
  to.set_message(from.message);
}

void Write(const std::monostate& /*none*/, v1::Control& /*control*/) {}

// ---- reading ------------------------------------------------------------------------------------

bool Read(const v1::Fingerprint& from, Fingerprint& to) {
  if (from.driver().size() > kDriverTextMax) return false;
  to.driver = Printable(from.driver());
  to.workers = from.workers();
  to.rss_key_hash = from.rss_key_hash();
  to.reta_size = from.reta_size();
  to.reta_hash = from.reta_hash();
  to.flows_ipv4_per_worker = from.flows_ipv4_per_worker();
  to.flows_ipv6_per_worker = from.flows_ipv6_per_worker();
  to.schema = from.schema();
  return to.workers >= 1 && to.workers <= kWorkersMax;
}

bool Read(const v1::GroupState& from, GroupSays& to) {
  if (from.number() > kTrafficGroupsMax || from.role() < 1 || from.role() > 2) return false;
  to.name_hash = from.name_hash();
  to.number = static_cast<config::TrafficGroupId>(from.number());
  to.role = from.role() == 1 ? config::Role::kActive : config::Role::kStandby;
  to.epoch = from.epoch();
  to.session = from.session();
  to.state = SyncStateOf(from.state());
  to.is_elsewhere = from.elsewhere();
  return to.number == 0 || to.name_hash != 0;
}

bool Read(const v1::Hello& from, Hello& to) {
  to.version_min = from.version_min();
  to.version_max = from.version_max();
  if (to.version_min == 0 || to.version_min > to.version_max) return false;
  if (from.unit_id() < 1 || from.unit_id() > kDevicesMax || from.incarnation() == 0) return false;
  if (from.device().size() > kDeviceNameMax || from.mtu() > kMirrorMtuMax) return false;
  if (static_cast<size_t>(from.group_size()) > kHelloGroupsMax) return false;
  to.unit_id = static_cast<config::UnitId>(from.unit_id());
  to.device = Printable(from.device());
  to.incarnation = from.incarnation();
  if (!FromBytes(from.nonce(), to.nonce)) return false;
  if (!from.echo().empty() && !FromBytes(from.echo(), to.echo.emplace())) return false;
  if (!Read(from.fingerprint(), to.fingerprint)) return false;
  to.dictionary_version = from.dictionary_version();
  to.config_hash = from.config_hash();
  to.mtu = static_cast<uint16_t>(from.mtu());
  to.seen = from.seen();
  to.record_streams =
      static_cast<uint8_t>(std::clamp<uint32_t>(from.record_streams(), 1, kWorkersMax));
  to.features = from.features();
  for (const v1::GroupState& group : from.group()) {
    if (!Read(group, to.groups.emplace_back())) return false;
  }
  return true;
}

bool Read(const v1::DictionaryRequest& from, DictionaryRequest& to) {
  to.version = from.version();
  to.page = from.page();
  return to.page < kDictionaryPagesMax;
}

bool Read(const v1::DictionaryPage::Entry& from, DictionaryPage::Entry& to) {
  if (from.kind() < 1 || from.kind() >= config::kObjectKinds) return false;
  to.kind = static_cast<ObjectKind>(from.kind());
  if (from.number() < 1 || from.number() > NumberMax(to.kind)) return false;
  if (from.port() > UINT16_MAX || from.name_hash() == 0) return false;
  to.number = static_cast<uint16_t>(from.number());
  to.entry.name_hash = from.name_hash();
  to.entry.port = static_cast<uint16_t>(from.port());
  const std::string& address = from.address();
  if (address.size() == 4) {
    uint32_t bytes = 0;
    std::memcpy(&bytes, address.data(), sizeof(bytes));
    to.entry.address = IpAddress::V4(bytes);
  } else if (address.size() == 16) {
    to.entry.address = IpAddress::V6(reinterpret_cast<const uint8_t*>(address.data()));
  } else if (!address.empty()) {
    return false;
  }
  return true;
}

bool Read(const v1::DictionaryPage& from, DictionaryPage& to) {
  to.version = from.version();
  to.page = from.page();
  to.pages = from.pages();
  if (to.pages < 1 || to.pages > kDictionaryPagesMax || to.page >= to.pages) return false;
  to.entries.resize(static_cast<size_t>(from.entry_size()));  // bounded by the frame
  for (size_t i = 0; i < to.entries.size(); ++i) {
    if (!Read(from.entry(static_cast<int>(i)), to.entries[i])) return false;
  }
  return true;
}

bool Read(const v1::Probe& from, Probe& to) {
  if (from.size() > kMirrorMtuMax) return false;
  to.size = static_cast<uint16_t>(from.size());
  to.is_answer = from.answer();
  to.padding = from.padding().size();
  return true;
}

bool Read(const v1::ConfigRequest& from, ConfigRequest& to) {
  to.fetch = from.fetch();
  to.text = from.text();
  to.offset = from.offset();
  return true;
}

bool Read(const v1::ConfigPart& from, ConfigPart& to) {
  to.fetch = from.fetch();
  to.text = from.text();
  to.size = from.size();
  to.offset = from.offset();
  to.bytes = from.bytes();  // bounded by the frame
  return to.offset <= to.size && to.bytes.size() <= to.size - to.offset;
}

bool Read(const v1::ConfigSyncQuestion& from, ConfigSyncQuestion& to) {
  to.number = from.number();
  return to.number != 0;
}

bool Read(const v1::ConfigSyncAnswer& from, ConfigSyncAnswer& to) {
  if (from.state() < 1 || from.state() > static_cast<uint32_t>(ConfigSyncState::kRefused) ||
      from.message().size() > kSyncMessageMax) {
    return false;
  }
  to.number = from.number();
  to.state = static_cast<ConfigSyncState>(from.state());
  to.message = Printable(from.message(), /*has_lines=*/true);
  return to.number != 0;
}

template <class To, class From>
ControlMessage Checked(const From& from) {
  To to;
  if (!Read(from, to)) return {};
  return to;
}

}  // namespace

uint16_t NumberMax(ObjectKind kind) {
  switch (kind) {
    case ObjectKind::kVirtual:
      return kVirtualsMax;
    case ObjectKind::kMember:
      return kMembersMax;
    case ObjectKind::kInterface:
      return kInterfacesMax;
    case ObjectKind::kTrafficGroup:
      return kTrafficGroupsMax;
    case ObjectKind::kPersistence:
      return kPersistencesMax;
  }
  return 0;
}

size_t EncodeControl(const ControlMessage& message, std::span<uint8_t> out) {
  v1::Control control;
  std::visit([&control](const auto& from) { Write(from, control); }, message);
  const size_t size = control.ByteSizeLong();
  if (size > out.size() || size > kMirrorMtuMax) return 0;
  return control.SerializeToArray(out.data(), static_cast<int>(size)) ? size : 0;
}

ControlMessage DecodeControl(std::span<const uint8_t> body) {
  v1::Control control;
  if (body.size() > kMirrorMtuMax ||
      !control.ParseFromArray(body.data(), static_cast<int>(body.size()))) {
    return {};
  }
  switch (control.message_case()) {
    case v1::Control::kHello:
      return Checked<Hello>(control.hello());
    case v1::Control::kDictionaryRequest:
      return Checked<DictionaryRequest>(control.dictionary_request());
    case v1::Control::kDictionaryPage:
      return Checked<DictionaryPage>(control.dictionary_page());
    case v1::Control::kProbe:
      return Checked<Probe>(control.probe());
    case v1::Control::kHeartbeat:
      if (control.heartbeat().size() > kControlBodyMax) return {};
      return HeartbeatBytes{std::move(*control.mutable_heartbeat())};
    case v1::Control::kConfigRequest:
      return Checked<ConfigRequest>(control.config_request());
    case v1::Control::kConfigPart:
      return Checked<ConfigPart>(control.config_part());
    case v1::Control::kConfigSyncQuestion:
      return Checked<ConfigSyncQuestion>(control.config_sync_question());
    case v1::Control::kConfigSyncAnswer:
      return Checked<ConfigSyncAnswer>(control.config_sync_answer());
    case v1::Control::MESSAGE_NOT_SET:
      break;
  }
  return {};
}

}  // namespace tandem::mirror
