// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as the body of a flow or persistence frame whose seal was opened, and as a frame's header.
// What is accepted keeps to its ranges, can be written, and is then read as the same.
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "dataplane/base/assert.h"
#include "dataplane/mirror/exchange.h"
#include "dataplane/mirror/flow_batch.h"
#include "dataplane/mirror/frame.h"
#include "dataplane/mirror/persist_batch.h"

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
  CheckHeader({data, size});
  return 0;
}
