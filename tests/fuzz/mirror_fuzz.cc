// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as the body of a flow, persistence or control frame whose seal was opened, and as a frame's
// header. What is accepted keeps to its ranges, can be written, and is then read as the same; applied to
// a shadow, and told to a writer as an acknowledgement, it leaves tables that are in order.
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "dataplane/base/assert.h"
#include "dataplane/mirror/control_codec.h"
#include "dataplane/mirror/exchange.h"
#include "dataplane/mirror/flow_batch.h"
#include "dataplane/mirror/frame.h"
#include "dataplane/mirror/persist_batch.h"
#include "tests/unit/mirror/stream_rig.h"

namespace {

using namespace tandem;
using namespace tandem::mirror;
using config::ObjectKind;

constexpr uint32_t kSlots4 = 1U << 20;
constexpr uint32_t kSlots6 = 1U << 16;
// Rows may take less room in a stranger's words than in ours, but not without bounds.
constexpr size_t kRewrittenMax = 256 * kRowsMax;

config::Dictionary MakeDictionary() {
  config::Dictionary dictionary;
  const auto add = [&](uint16_t number, const char* address, uint16_t port) {
    for (const ObjectKind kind : {ObjectKind::kVirtual, ObjectKind::kMember}) {
      dictionary.Add(kind, number, {number, *IpAddress::Parse(address), port});
    }
  };
  add(1, "10.1.0.1", 80);
  add(2, "10.1.0.2", 0);
  add(3, "2001:db8::1", 443);
  add(4, "2001:db8::2", 0);
  add(5, "::", 80);
  dictionary.Finish();
  return dictionary;
}

const config::Dictionary& TheDictionary() {
  static const config::Dictionary dictionary = MakeDictionary();
  return dictionary;
}

void CheckName(uint32_t slot, flow::Register value, bool is_ipv6) {
  TANDEM_ASSERT(slot < (is_ipv6 ? kSlots6 : kSlots4));
  TANDEM_ASSERT(flow::BirthOf(value) > 0);
}

void CheckState(flow::State state, uint16_t flags) {
  TANDEM_ASSERT(state != flow::State::kFree && static_cast<size_t>(state) < flow::kStateCount);
  TANDEM_ASSERT((flags & ~kMirroredFlags) == 0);
}

template <class Hot>
void Rewrite(const FlowBatchReader& reader, FlowBatchWriter& writer) {
  constexpr bool kIsIpv6 = Hot::kIsIpv6;
  for (const auto& row : reader.creates<Hot>()) {
    CheckName(row.slot, row.value, kIsIpv6);
    CheckState(row.state, row.flags);
    TANDEM_ASSERT(row.age_ticks % 1024 == 0);
    TANDEM_ASSERT(writer.AddCreate(row));
  }
  for (const auto& row : reader.updates(kIsIpv6)) {
    CheckName(row.slot, row.value, kIsIpv6);
    CheckState(row.state, row.flags);
    TANDEM_ASSERT(writer.AddUpdate(kIsIpv6, row));
  }
  for (const auto& row : reader.closes(kIsIpv6)) {
    CheckName(row.slot, row.value, kIsIpv6);
    TANDEM_ASSERT(writer.AddClose(kIsIpv6, row));
  }
  for (const uint32_t slot : reader.touches(kIsIpv6)) {
    TANDEM_ASSERT(slot < (kIsIpv6 ? kSlots6 : kSlots4));
    TANDEM_ASSERT(writer.AddTouch(kIsIpv6, slot));
  }
  for (const auto& row : reader.audits(kIsIpv6)) {
    TANDEM_ASSERT(row.range * kRangeSlots < (kIsIpv6 ? kSlots6 : kSlots4));
    TANDEM_ASSERT(writer.AddAudit(kIsIpv6, row));
  }
}

std::vector<uint8_t> Rewritten(const FlowBatchReader& reader) {
  static FlowBatchWriter writer;
  writer.Begin(kRewrittenMax, TheDictionary());
  Rewrite<flow::FlowHot4>(reader, writer);
  Rewrite<flow::FlowHot6>(reader, writer);
  TANDEM_ASSERT(writer.rows() <= kRowsMax);
  std::vector<uint8_t> body(kRewrittenMax);
  body.resize(writer.Finish(body.data()));
  return body;
}

void CheckBody(std::span<const uint8_t> body) {
  static FlowBatchReader reader;
  if (reader.Read(body, TheDictionary(), kSlots4, kSlots6) != BatchError::kNone) {
    TANDEM_ASSERT(Rewritten(reader).empty());
    return;
  }
  const std::vector<uint8_t> once = Rewritten(reader);
  TANDEM_ASSERT(reader.Read(once, TheDictionary(), kSlots4, kSlots6) == BatchError::kNone);
  TANDEM_ASSERT(Rewritten(reader) == once);
}

void CheckRecords(std::span<const uint8_t> body) {
  static PersistBatchReader reader;
  static PersistBatchWriter writer;
  if (reader.Read(body) != BatchError::kNone) {
    TANDEM_ASSERT(reader.rows().empty());
    return;
  }
  const std::vector<PersistRow> once(reader.rows().begin(), reader.rows().end());
  std::vector<uint8_t> rewritten((kPersistRowsMax + 1) * kPersistRowSizeMax);
  writer.Begin(rewritten.size());
  for (const PersistRow& row : once)
    TANDEM_ASSERT(writer.Add(row));
  rewritten.resize(writer.Finish(rewritten.data()));
  TANDEM_ASSERT(reader.Read(rewritten) == BatchError::kNone);
  TANDEM_ASSERT(std::vector(reader.rows().begin(), reader.rows().end()) == once);
}

void CheckControl(std::span<const uint8_t> body) {
  const ControlMessage message = DecodeControl(body);
  if (std::holds_alternative<std::monostate>(message)) return;
  std::vector<uint8_t> once(kMirrorMtuMax + 64);
  std::vector<uint8_t> twice(once.size());
  once.resize(EncodeControl(message, once));
  TANDEM_ASSERT(!once.empty());
  twice.resize(EncodeControl(DecodeControl(once), twice));
  TANDEM_ASSERT(once == twice);
}

// ---- applied --------------------------------------------------------------------------------------

// A stream whose shadow the inputs are applied to, one after the other, each in a session of its own.
test::StreamRig& TheRig() {
  static const auto rig = [] {
    auto made = std::make_unique<test::StreamRig>(
        test::StreamRig::Options{.capacity4 = kFlowsPerPage + 100, .capacity6 = kFlowsPerPage});
    for (uint32_t client = 0; client < 50; ++client)
      made->Create<flow::FlowHot4>(client);
    return made;
  }();
  return *rig;
}

// How many flows are of this session; those of earlier ones stay until the first pass is over.
template <class Hot>
uint32_t CheckTable(flow::FlowTable<Hot>& table, uint32_t session) {
  uint32_t live = 0;
  uint32_t current = 0;
  for (uint32_t slot = 0; slot < table.pages().SlotsTouched(); ++slot) {
    if (!table.IsLive(slot) || table.pages().GroupOf(slot) != test::kGroup) continue;
    ++live;
    if (table.cold(slot).mirror_link == (flow::kMirrorSession | session)) ++current;
    const Hot& hot = table.hot(slot);
    TANDEM_ASSERT((hot.common.flags & flow::kShadow) != 0);
    TANDEM_ASSERT(table.FindOne(hot.client, hot.common.protocol).slot == slot);
  }
  TANDEM_ASSERT(live == table.size());
  return current;
}

void CheckApplied(std::span<const uint8_t> body) {
  test::StreamRig& rig = TheRig();
  static FrameSlot frame;
  rig.now += kMillisecond;
  rig.OpenReceiver();
  frame.header = {.type = FrameType::kFlows,
                  .flags = static_cast<uint16_t>(StreamState::kSyncing),
                  .epoch = rig.terms.epoch,
                  .session = rig.terms.session,
                  .sequence = 1,
                  .floor = 1,
                  .dictionary = rig.translation->version};
  frame.body_size = static_cast<uint16_t>(body.size());
  std::copy(body.begin(), body.end(), frame.body.begin());
  rig.receiver.Apply(frame, *rig.translation, *rig.reader_snapshot, rig.now);
  while (rig.receiver.Tidy(rig.translation.get(), *rig.reader_snapshot, 1024)) {
  }
  TANDEM_ASSERT(rig.receiver.counters().flows.Get() ==
                CheckTable(rig.reader.flows4, rig.terms.session) +
                    CheckTable(rig.reader.flows6, rig.terms.session));
}

// The writer goes on whatever its peer says that it has.
void CheckAcknowledged(std::span<const uint8_t> bytes) {
  test::StreamRig& rig = TheRig();
  static FrameSlot frame;
  FrameHeader ack;
  if (!ReadHeader(bytes, ack)) return;
  rig.sender.Open(rig.terms, rig.now);
  for (int i = 0; i < 3; ++i)
    static_cast<void>(rig.sender.Build(frame, *rig.writer_snapshot, rig.now += kMillisecond));
  ack.type = FrameType::kFlowsAck;
  ack.session = rig.terms.session;
  rig.sender.OnAck(ack, rig.now);
  rig.sender.OnClock(rig.now += kSecond);
  TANDEM_ASSERT(rig.sender.first_in_flight() <= rig.sender.next_frame());
  TANDEM_ASSERT(rig.writer.flows4.size() == 50);
}

void CheckHeader(std::span<const uint8_t> frame) {
  FrameHeader header;
  if (!ReadHeader(frame, header)) return;
  std::array<uint8_t, kHeaderSize> bytes{};
  WriteHeader(header, bytes);
  TANDEM_ASSERT(std::memcmp(bytes.data(), frame.data(), kHeaderSize) == 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > kBodyMax) return 0;
  CheckBody({data, size});
  CheckRecords({data, size});
  CheckControl({data, size});
  CheckHeader({data, size});
  CheckApplied({data, size});
  CheckAcknowledged({data, size});
  return 0;
}
