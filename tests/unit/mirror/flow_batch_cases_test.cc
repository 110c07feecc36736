// SPDX-License-Identifier: Apache-2.0
//
// FlowBatch case by case: which endpoints are written, what is refused and why, what a delta costs.
#include <arpa/inet.h>
#include <netinet/in.h>

#include <catch2/catch.hpp>

#include "dataplane/mirror/flow_batch.h"
#include "tests/unit/mirror/batch_oracle.h"
#include "tools/bench/mirror_mix.h"

namespace tandem::mirror {
namespace {

using flow::FlowHot4;
using flow::FlowHot6;

constexpr uint32_t kCaseSlots = 10000;
constexpr uint16_t kHttpVirtual = 1;  // 10.1.0.1:80
constexpr uint16_t kAnyVirtual = 2;   // a network, or all ports
constexpr uint16_t kMember = 1;       // 10.2.0.1:8080
constexpr uint16_t kAnyPortMember = 2;

config::Dictionary ExampleDictionary() {
  config::Dictionary dictionary;
  const auto add = [&](config::ObjectKind kind, uint16_t number, const char* address,
                       uint16_t port) {
    dictionary.Add(kind, number, {number, *IpAddress::Parse(address), port});
  };
  add(config::ObjectKind::kVirtual, kHttpVirtual, "10.1.0.1", 80);
  add(config::ObjectKind::kVirtual, kAnyVirtual, "10.1.0.2", 0);
  add(config::ObjectKind::kMember, kMember, "10.2.0.1", 8080);
  add(config::ObjectKind::kMember, kAnyPortMember, "10.2.0.2", 0);
  dictionary.Finish();
  return dictionary;
}

uint32_t V4(const char* address) {
  return IpAddress::Parse(address)->v4();
}

// 198.51.100.7:40000 to the virtual's 10.1.0.1:80, forwarded as it is.
CreateRow<FlowHot4> ExampleRow(uint16_t flags, uint16_t member_id) {
  CreateRow<FlowHot4> row;
  row.slot = 7;
  row.value = flow::MakeRegister(100, 2);
  row.state = flow::State::kEstablished;
  row.flags = flags;
  row.protocol = IPPROTO_TCP;
  row.virtual_id = kHttpVirtual;
  row.member_id = member_id;
  row.interface_id = 3;
  row.client = {V4("198.51.100.7"), V4("10.1.0.1"), htons(40000), htons(80)};
  row.server = {V4("10.1.0.1"), V4("198.51.100.7"), htons(80), htons(40000)};
  return row;
}

std::vector<uint8_t> BodyOf(const CreateRow<FlowHot4>& row, const config::Dictionary& dictionary) {
  FlowBatchWriter writer;
  writer.Begin(256, dictionary);
  REQUIRE(writer.AddCreate(row));
  std::vector<uint8_t> body(256);
  body.resize(writer.Finish(body.data()));
  return body;
}

// What is written for the row, which comes back as it was.
v1::Creates Written(const CreateRow<FlowHot4>& row) {
  const config::Dictionary dictionary = ExampleDictionary();
  const auto body = BodyOf(row, dictionary);
  FlowBatchReader reader;
  REQUIRE(reader.Read(body, dictionary, kCaseSlots, kCaseSlots) == BatchError::kNone);
  BatchRows rows;
  rows.creates4.push_back(row);
  CHECK(Contents(reader) == rows);
  v1::FlowBatch message;
  REQUIRE(message.ParseFromArray(body.data(), static_cast<int>(body.size())));
  return message.creates_ipv4();
}

uint32_t ShapeOf(const v1::Creates& written) {
  return written.shape_size() == 0 ? 0 : written.shape(0);
}

}  // namespace

TEST_CASE("the endpoints of a translated flow follow from virtual and member") {
  auto row = ExampleRow(flow::kTranslateAddress, kMember);
  row.server.source = V4("10.2.0.1");
  row.server.source_port = htons(8080);
  CHECK(ShapeOf(Written(row)) == 0);
  SECTION("and with SNAT only the address and port are written") {
    row.flags |= flow::kTranslateSource;
    row.server.destination = V4("10.3.0.1");
    row.server.destination_port = htons(20000);
    const auto written = Written(row);
    CHECK(ShapeOf(written) == 0);
    CHECK(written.snat4(0) == 0x0a030001);
    CHECK(written.ports(0) == (40000U << 16 | 20000U));
  }
  SECTION("and a port that is not translated is the client's") {
    row.server.source_port = htons(80);
    CHECK(ShapeOf(Written(row)) == 4);
  }
  SECTION("and a member of any port gets the client's") {
    row.member_id = kAnyPortMember;
    row.server.source = V4("10.2.0.2");
    row.server.source_port = htons(80);
    CHECK(ShapeOf(Written(row)) == 0);
  }
  SECTION("but a server that moved since is written") {
    row.server.source = V4("10.2.0.9");
    const auto written = Written(row);
    CHECK(ShapeOf(written) == 2);
    CHECK(written.server4(0) == 0x0a020009);
    CHECK(written.server_port(0) == 8080);
  }
  SECTION("but not those of a member that the dictionary lacks") {
    row.member_id = 9;
    CHECK(ShapeOf(Written(row)) == 2);
  }
}

TEST_CASE("an echo request has no port to translate") {
  auto row = ExampleRow(flow::kTranslateAddress | flow::kTranslateSource, kMember);
  row.protocol = IPPROTO_ICMP;
  row.virtual_id = kAnyVirtual;
  row.client.destination = V4("10.1.0.2");
  row.client.destination_port = 0;
  row.server = {V4("10.2.0.1"), V4("10.3.0.1"), 0, htons(7)};
  const auto written = Written(row);
  CHECK(ShapeOf(written) == (1 | 4));  // the virtual has all ports: its destination is written
  CHECK(written.destination4(0) == 0x0a010002);
  CHECK(written.destination_port_size() == 0);
}

TEST_CASE("a flow that is forwarded, or returns directly, has the server the client addressed") {
  SECTION("forwarded") {
    CHECK(ShapeOf(Written(ExampleRow(0, 0))) == 0);
  }
  SECTION("one-legged") {
    CHECK(ShapeOf(Written(ExampleRow(flow::kOneLegged, kMember))) == 0);
  }
  SECTION("to a network") {
    auto row = ExampleRow(0, 0);
    row.virtual_id = kAnyVirtual;
    CHECK(ShapeOf(Written(row)) == 1);
  }
}

TEST_CASE("without SNAT the server answers the client, or it is written where else") {
  auto row = ExampleRow(0, 0);
  const auto plain = Written(row);
  CHECK(plain.snat4_size() == 0);
  CHECK(plain.ports(0) == 40000U << 16);
  row.server.destination_port = 0;
  const auto odd = Written(row);
  CHECK(ShapeOf(odd) == 8);
  CHECK(odd.snat4(0) == 0xc6336407);
}

TEST_CASE("an empty batch has room for any one row") {
  const config::Dictionary dictionary = ExampleDictionary();
  CreateRow<FlowHot6> row;
  row.slot = kFlowsPerWorkerMax - 1;
  row.value = ~flow::Register{0};
  row.state = flow::State::kTimeWait;
  row.flags = kMirroredFlags & ~flow::kTranslateSource;
  row.protocol = 255;
  row.virtual_id = row.member_id = row.interface_id = UINT16_MAX;
  row.client_mac.fill(0xff);
  row.age_ticks = UINT32_MAX << 10;
  std::memset(static_cast<void*>(&row.client), 0xff, sizeof(row.client));
  std::memset(static_cast<void*>(&row.server), 0xfe, sizeof(row.server));
  FlowBatchWriter writer;
  writer.Begin(256, dictionary);
  REQUIRE(writer.AddCreate(row));
  uint8_t body[256];
  const size_t size = writer.Finish(body);
  FlowBatchReader reader;
  REQUIRE(reader.Read({body, size}, dictionary, kFlowsPerWorkerMax, kFlowsPerWorkerMax) ==
          BatchError::kNone);
  BatchRows rows;
  rows.creates6.push_back(row);
  CHECK(Contents(reader) == rows);
}

TEST_CASE("an empty body is an empty batch") {
  const config::Dictionary dictionary;
  FlowBatchWriter writer;
  writer.Begin(256, dictionary);
  uint8_t body[256];
  CHECK(writer.empty());
  CHECK(writer.Finish(body) == 0);
  FlowBatchReader reader;
  CHECK(reader.Read({}, dictionary, kCaseSlots, kCaseSlots) == BatchError::kNone);
  CHECK(Contents(reader) == BatchRows());
}

// ---- refusals -------------------------------------------------------------------------------------

namespace {

// One update of slot 7, born 100.
v1::FlowBatch Update() {
  v1::FlowBatch message;
  auto& updates = *message.mutable_updates_ipv4();
  updates.set_rows(1);
  updates.add_slot_d(7);
  updates.add_birth_d(100);
  updates.add_version(1);
  updates.add_state(3);
  return message;
}

v1::FlowBatch Create() {
  return MessageOf(
      [] {
        BatchRows rows;
        rows.creates4.push_back(ExampleRow(0, 0));
        return rows;
      }(),
      ExampleDictionary());
}

BatchError ErrorOf(const std::vector<uint8_t>& body) {
  static const config::Dictionary dictionary = ExampleDictionary();
  static FlowBatchReader reader;
  REQUIRE(reader.Read(Serialize(Update()), dictionary, kCaseSlots, kCaseSlots) ==
          BatchError::kNone);
  const BatchError error = reader.Read(body, dictionary, kCaseSlots, kCaseSlots);
  if (error != BatchError::kNone) CHECK(Contents(reader) == BatchRows());
  CHECK(Judge(body, dictionary, kCaseSlots, kCaseSlots).has_value() ==
        (error == BatchError::kNone));
  return error;
}
BatchError ErrorOf(const v1::FlowBatch& message) {
  return ErrorOf(Serialize(message));
}

}  // namespace

TEST_CASE("what is not protobuf, or not of the schema, is malformed") {
  const auto body = Serialize(Update());
  REQUIRE(ErrorOf(body) == BatchError::kNone);
  // Tag, length, then rows (tag, value), slot_d (tag, length, value), …
  REQUIRE(body.size() == 2 + 2 + 3 + 4 + 3 + 3);
  const auto with = [&](size_t at, uint8_t value) {
    auto changed = body;
    changed[at] = value;
    return changed;
  };
  const auto twice = [&](size_t at, size_t size) {
    auto changed = body;
    changed.insert(changed.end(), body.begin() + static_cast<ptrdiff_t>(at),
                   body.begin() + static_cast<ptrdiff_t>(at + size));
    return changed;
  };
  SECTION("lengths that run past the end") {
    CHECK(ErrorOf(with(1, static_cast<uint8_t>(body[1] + 1))) == BatchError::kMalformed);
    CHECK(ErrorOf(with(1, 0x7f)) == BatchError::kMalformed);
    CHECK(ErrorOf(with(5, 0x7f)) == BatchError::kMalformed);
    CHECK(ErrorOf({0x1a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}) ==
          BatchError::kMalformed);
    CHECK(ErrorOf({0x1a, 0xff, 0xff, 0xff, 0x7f}) == BatchError::kMalformed);
  }
  SECTION("varints that do not end") {
    CHECK(ErrorOf({0x1a}) == BatchError::kMalformed);
    CHECK(ErrorOf({0x1a, 0x80}) == BatchError::kMalformed);
    CHECK(ErrorOf(std::vector<uint8_t>(20, 0xff)) == BatchError::kMalformed);
    CHECK(ErrorOf(with(body.size() - 1, 0x83)) == BatchError::kMalformed);
  }
  SECTION("a field of the wrong type") {
    CHECK(ErrorOf({0x18, 0x01}) == BatchError::kMalformed);           // updates_ipv4 as varint
    CHECK(ErrorOf(with(2, 0x0a)) == BatchError::kMalformed);          // rows as bytes
    CHECK(ErrorOf({0x1a, 2, 0x20, 1}) == BatchError::kMalformed);     // version, not packed
    CHECK(ErrorOf({0x1a, 2, 0x0b, 0x0c}) == BatchError::kMalformed);  // a group
  }
  SECTION("field number 0, and types that there are not") {
    CHECK(ErrorOf({0x02, 0x00}) == BatchError::kMalformed);
    CHECK(ErrorOf({0x1a, 2, 0x56, 0}) == BatchError::kMalformed);
    CHECK(ErrorOf({0x1a, 2, 0x57, 0}) == BatchError::kMalformed);
  }
  SECTION("a message or column that comes twice") {
    CHECK(ErrorOf(twice(0, body.size())) == BatchError::kMalformed);
    auto columns = twice(4, 3);
    columns[1] = static_cast<uint8_t>(columns[1] + 3);
    CHECK(ErrorOf(columns) == BatchError::kMalformed);
  }
  SECTION("an address cut short, or of the other family") {
    auto message = Create();
    message.mutable_creates_ipv4()->set_client6(std::string(16, 'x'));
    CHECK(ErrorOf(message) == BatchError::kMalformed);
    v1::FlowBatch other;
    *other.mutable_creates_ipv6() = message.creates_ipv4();
    CHECK(ErrorOf(other) == BatchError::kMalformed);
    other.mutable_creates_ipv6()->clear_client4();
    CHECK(ErrorOf(other) != BatchError::kMalformed);
    other.mutable_creates_ipv6()->set_client6(std::string(15, 'x'));
    CHECK(ErrorOf(other) == BatchError::kMalformed);
  }
}

TEST_CASE("all messages of a batch together have at most so many rows") {
  auto message = Update();
  message.mutable_touches_ipv6()->set_rows(kRowsMax - 1);
  CHECK(ErrorOf(message) == BatchError::kNone);
  message.mutable_touches_ipv6()->set_rows(kRowsMax);
  CHECK(ErrorOf(message) == BatchError::kTooManyRows);
  message.mutable_touches_ipv6()->set_rows(UINT32_MAX);
  CHECK(ErrorOf(message) == BatchError::kTooManyRows);
}

TEST_CASE("a column has one value a row, or one, or none") {
  auto message = Update();
  auto& updates = *message.mutable_updates_ipv4();
  updates.set_rows(3);
  CHECK(ErrorOf(message) == BatchError::kNone);
  updates.add_version(2);
  CHECK(ErrorOf(message) == BatchError::kColumnLength);
  updates.add_version(2);
  CHECK(ErrorOf(message) == BatchError::kNone);
  updates.add_version(2);
  CHECK(ErrorOf(message) == BatchError::kColumnLength);
  updates.set_rows(0);
  CHECK(ErrorOf(message) == BatchError::kColumnLength);
  SECTION("also those of some rows only") {
    auto creates = Create();
    auto& columns = *creates.mutable_creates_ipv4();
    columns.set_rows(3);
    columns.clear_shape();
    for (const uint32_t shape : {1U, 0U, 1U})
      columns.add_shape(shape);
    columns.add_destination4(1);
    columns.add_destination4(2);
    CHECK(ErrorOf(creates) == BatchError::kNone);
    columns.add_destination4(3);
    CHECK(ErrorOf(creates) == BatchError::kColumnLength);
  }
}

TEST_CASE("values out of range are refused") {
  auto message = Update();
  auto& updates = *message.mutable_updates_ipv4();
  SECTION("slot") {
    updates.set_slot_d(0, kCaseSlots - 1);
    CHECK(ErrorOf(message) == BatchError::kNone);
    updates.set_slot_d(0, kCaseSlots);
    CHECK(ErrorOf(message) == BatchError::kValue);
    updates.set_slot_d(0, -1);
    CHECK(ErrorOf(message) == BatchError::kValue);
  }
  SECTION("birth") {
    for (const int64_t birth :
         {INT64_MIN, int64_t{-1}, int64_t{0}, int64_t{flow::kBirthMax} + 1, INT64_MAX}) {
      updates.set_birth_d(0, birth);
      CHECK(ErrorOf(message) == BatchError::kValue);
    }
    updates.set_birth_d(0, flow::kBirthMax);
    CHECK(ErrorOf(message) == BatchError::kNone);
  }
  SECTION("version") {
    updates.set_version(0, flow::kVersionMax + 1);
    CHECK(ErrorOf(message) == BatchError::kValue);
  }
  SECTION("state and flags") {
    for (const uint32_t state : {0U, 8U, 15U, 0x1003U, UINT32_MAX}) {
      updates.set_state(0, state);
      CHECK(ErrorOf(message) == BatchError::kValue);
    }
  }
  SECTION("of a create") {
    auto creates = Create();
    auto& columns = *creates.mutable_creates_ipv4();
    REQUIRE(ErrorOf(creates) == BatchError::kNone);
    const auto refused = [&](auto&& change) {
      const v1::Creates before = columns;
      change();
      const bool is_refused = ErrorOf(creates) == BatchError::kValue;
      columns = before;
      return is_refused;
    };
    CHECK(refused([&] { columns.set_protocol(0, 256); }));
    CHECK(refused([&] { columns.set_virtual_(0, 65536); }));
    CHECK(refused([&] { columns.add_member(65536); }));
    CHECK(refused([&] { columns.set_interface(0, 65536); }));
    CHECK(refused([&] { columns.add_age(1 << 22); }));
    CHECK(refused([&] { columns.add_client_mac(uint64_t{1} << 48); }));
    CHECK(refused([&] { columns.add_shape(16); }));
    CHECK(refused([&] { columns.add_shape(1), columns.add_destination_port(65536); }));
  }
  SECTION("range of an audit") {
    v1::FlowBatch audit;
    audit.mutable_audits_ipv4()->set_rows(1);
    audit.mutable_audits_ipv4()->add_range_d((kCaseSlots - 1) / kRangeSlots);
    CHECK(ErrorOf(audit) == BatchError::kNone);
    audit.mutable_audits_ipv4()->set_range_d(0, (kCaseSlots - 1) / kRangeSlots + 1);
    CHECK(ErrorOf(audit) == BatchError::kValue);
  }
}

TEST_CASE("an endpoint that the dictionary does not have must be written") {
  auto message = Create();
  auto& columns = *message.mutable_creates_ipv4();
  SECTION("destination") {
    for (const uint32_t virtual_id : {0U, uint32_t{kAnyVirtual}, 3U, 65535U}) {
      columns.set_virtual_(0, virtual_id);
      CHECK(ErrorOf(message) == BatchError::kUnknownEndpoint);
    }
    columns.add_shape(1);
    CHECK(ErrorOf(message) == BatchError::kNone);
  }
  SECTION("server") {
    columns.set_state(0, 3 | flow::kTranslateAddress << 4);
    for (const uint32_t member : {0U, 3U, 65535U}) {
      columns.clear_member();
      columns.add_member(member);
      CHECK(ErrorOf(message) == BatchError::kUnknownEndpoint);
    }
    columns.add_shape(2);
    CHECK(ErrorOf(message) == BatchError::kNone);
  }
  SECTION("of the other family") {
    v1::FlowBatch other;
    *other.mutable_creates_ipv6() = columns;
    other.mutable_creates_ipv6()->clear_client4();
    CHECK(ErrorOf(other) == BatchError::kUnknownEndpoint);
  }
}

TEST_CASE("unknown fields are skipped") {
  auto message = Update();
  const auto add = [](auto& unknown) {
    unknown.AddVarint(30, UINT64_MAX);
    unknown.AddFixed32(31, 1);
    unknown.AddFixed64(500, 1);
    unknown.AddLengthDelimited((1 << 29) - 1)->assign(200, 'x');
  };
  add(*message.GetReflection()->MutableUnknownFields(&message));
  auto& updates = *message.mutable_updates_ipv4();
  add(*updates.GetReflection()->MutableUnknownFields(&updates));
  CHECK(ErrorOf(message) == BatchError::kNone);
}

// ---- size -----------------------------------------------------------------------------------------

namespace {

template <class Hot>
double BytesADelta(bench::MixShares shares, size_t size) {
  bench::MirrorMix<Hot> mix(1, 100000, shares);
  std::vector<bench::Delta<Hot>> deltas;
  for (int i = 0; i < 10000; ++i)
    deltas.push_back(mix.Next());
  size_t bytes = 0;
  for (const auto& batch : bench::MakeBatches(deltas, mix.dictionary(), size)) {
    bytes += batch.size();
  }
  return static_cast<double>(bytes) / static_cast<double>(deltas.size());
}

}  // namespace

TEST_CASE("a create takes at most 28 bytes and a mixed delta 18") {
  CHECK(BytesADelta<FlowHot4>({100, 0}, 1400) <= 28);
  CHECK(BytesADelta<FlowHot4>({40, 30}, 1400) <= 18);
  CHECK(BytesADelta<FlowHot6>({100, 0}, 1400) <= 52);  // 24 more: two addresses
  CHECK(BytesADelta<FlowHot6>({40, 30}, 1400) <= 28);
}

}  // namespace tandem::mirror
