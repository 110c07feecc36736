// SPDX-License-Identifier: Apache-2.0
//
// The bytes of every kind of message as this version writes them, one file each in golden/. What is
// there must be read for as long as peers of this version exist; a version that adds fields is read,
// and a column that is not there means its default.
//
// A file is hex digits, white space, and comments from # to the end of the line. A test that fails
// prints the bytes as a file would have them.
#include <arpa/inet.h>

#include <catch2/catch.hpp>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "dataplane/mirror/control_codec.h"
#include "dataplane/mirror/persist_batch.h"
#include "tests/unit/mirror/batch_oracle.h"

namespace tandem::mirror {
namespace {

using flow::FlowHot4;
using flow::FlowHot6;
using Bytes = std::vector<uint8_t>;

constexpr uint32_t kGoldenSlots = 10'000;

config::Dictionary GoldenDictionary() {
  config::Dictionary dictionary;
  const auto add = [&](config::ObjectKind kind, uint16_t number, const char* address,
                       uint16_t port) {
    dictionary.Add(kind, number, {number, *IpAddress::Parse(address), port});
  };
  add(config::ObjectKind::kVirtual, 1, "10.1.0.1", 80);
  add(config::ObjectKind::kVirtual, 2, "2001:db8::1", 443);
  add(config::ObjectKind::kMember, 1, "10.2.0.1", 8080);
  add(config::ObjectKind::kMember, 2, "2001:db8:2::1", 0);
  dictionary.Finish();
  return dictionary;
}

template <class Hot>
CreateRow<Hot> GoldenCreate(uint32_t slot, bool is_explicit) {
  CreateRow<Hot> row;
  row.slot = slot;
  row.value = flow::MakeRegister(1000 + slot, slot % 3);
  row.state = slot % 2 == 0 ? flow::State::kEstablished : flow::State::kClosing;
  row.flags = flow::kTranslateAddress | flow::kTranslateSource;
  row.protocol = slot % 2 == 0 ? 6 : 17;
  row.virtual_id = Hot::kIsIpv6 ? 2 : 1;
  row.member_id = Hot::kIsIpv6 ? 2 : 1;
  row.interface_id = 3;
  row.client_mac = {2, 0, 0, 0, 9, static_cast<uint8_t>(slot)};
  row.age_ticks = slot << 10;
  const auto set = [](auto& field, const char* address) {
    const IpAddress parsed = *IpAddress::Parse(address);
    if constexpr (Hot::kIsIpv6) {
      std::memcpy(field.bytes, parsed.bytes().data(), sizeof(field.bytes));
    } else {
      field = parsed.v4();
    }
  };
  set(row.client.source, Hot::kIsIpv6 ? "2001:db8:9::7" : "198.51.100.7");
  set(row.client.destination, Hot::kIsIpv6 ? "2001:db8::1" : "10.1.0.1");
  row.client.source_port = htons(static_cast<uint16_t>(40'000 + slot));
  row.client.destination_port = htons(Hot::kIsIpv6 ? 443 : 80);
  set(row.server.source, Hot::kIsIpv6 ? "2001:db8:2::1" : "10.2.0.1");
  set(row.server.destination, Hot::kIsIpv6 ? "2001:db8:3::1" : "10.3.0.1");
  row.server.source_port = htons(Hot::kIsIpv6 ? 443 : 8080);
  row.server.destination_port = htons(static_cast<uint16_t>(20'000 + slot));
  if (is_explicit) {
    set(row.client.destination, Hot::kIsIpv6 ? "2001:db8::99" : "10.1.0.99");
    set(row.server.source, Hot::kIsIpv6 ? "2001:db8:2::99" : "10.2.0.99");
  }
  return row;
}

struct FlowCase {
  std::string name;
  BatchRows rows;
};

std::vector<FlowCase> FlowCases() {
  std::vector<FlowCase> cases(6);
  cases[0].name = "creates_ipv4";
  cases[0].rows.creates4 = {GoldenCreate<FlowHot4>(7, false), GoldenCreate<FlowHot4>(9, false),
                            GoldenCreate<FlowHot4>(12, true)};
  cases[1].name = "creates_ipv6";
  cases[1].rows.creates6 = {GoldenCreate<FlowHot6>(7, false), GoldenCreate<FlowHot6>(9, false),
                            GoldenCreate<FlowHot6>(12, true)};
  const std::vector<UpdateRow> updates = {
      {7, flow::MakeRegister(1007, 2), flow::State::kClosing, flow::kTranslateAddress},
      {300, flow::MakeRegister(1300, 9), flow::State::kTimeWait, flow::kFinAckedClient}};
  cases[2].name = "updates";
  cases[2].rows.updates[0] = updates;
  cases[2].rows.updates[1] = updates;
  const std::vector<CloseRow> closes = {{9, flow::MakeRegister(1009, 3)},
                                        {4096, flow::MakeRegister(5096, 1)}};
  cases[3].name = "closes";
  cases[3].rows.closes[0] = closes;
  cases[3].rows.closes[1] = closes;
  cases[4].name = "touches";
  cases[4].rows.touches[0] = {7, 9, 12};
  cases[4].rows.touches[1] = {4000};
  cases[5].name = "audits";
  cases[5].rows.audits[0] = {{0, 0x0123456789abcdef}, {3, 1}};
  cases[5].rows.audits[1] = {{2, 0xfedcba9876543210}};
  return cases;
}

std::vector<PersistRow> GoldenRecords() {
  PersistRow address;
  address.key = {.profile = 3, .size = 4, .scope = 1};
  address.key.bytes = {198, 51, 100, 7};
  address.member = 2;
  address.virtual_id = 1;
  address.idle_ticks = 5 << 10;
  PersistRow wide = address;
  wide.key = {.profile = 4, .size = 16, .scope = persist::kScopeHash + 77};
  wide.key.bytes = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7};
  PersistRow gone;
  gone.is_gone = true;
  gone.key = {.profile = 3, .size = 8};
  gone.key.bytes = {1, 2, 3, 4, 5, 6, 7, 8};
  return {address, wide, gone};
}

Hello GoldenHello() {
  Hello hello;
  hello.unit_id = 1;
  hello.device = "one";
  hello.incarnation = 0x0102030405060708;
  hello.nonce.fill(0x11);
  hello.echo.emplace();
  hello.echo->fill(0x22);
  hello.fingerprint = {.driver = "net_ixgbe",
                       .workers = 4,
                       .rss_key_hash = 7,
                       .reta_size = 128,
                       .reta_hash = 9,
                       .flows_ipv4_per_worker = 262'144,
                       .flows_ipv6_per_worker = 65'536};
  hello.dictionary_version = 5;
  hello.config_hash = 0xc0ffee;
  hello.mtu = 9000;
  hello.groups = {{.session = 17},
                  {.name_hash = 0xabcdef,
                   .number = 1,
                   .role = config::Role::kStandby,
                   .epoch = 3,
                   .session = 18,
                   .state = SyncState::kInSync},
                  {.name_hash = 0x123456, .number = 2, .epoch = 4, .is_elsewhere = true}};
  hello.seen = 42;
  hello.record_streams = 3;
  hello.features = kFeatureConfigExchange;
  return hello;
}

std::vector<std::pair<std::string, ControlMessage>> ControlCases() {
  DictionaryPage page{.version = 5, .page = 1, .pages = 2};
  page.entries.push_back({.kind = config::ObjectKind::kVirtual,
                          .number = 1,
                          .entry = {0x1234, *IpAddress::Parse("10.1.0.1"), 80}});
  page.entries.push_back({.kind = config::ObjectKind::kMember,
                          .number = 2,
                          .entry = {0x5678, *IpAddress::Parse("2001:db8:2::1"), 0}});
  page.entries.push_back(
      {.kind = config::ObjectKind::kInterface, .number = 3, .entry = {.name_hash = 0x9abc}});
  return {
      {"hello", GoldenHello()},
      {"dictionary_request", DictionaryRequest{.version = 5, .page = 1}},
      {"dictionary_page", page},
      {"probe", Probe{.size = 1400, .padding = 5}},
      {"probe_answer", Probe{.size = 1400, .is_answer = true}},
      {"config_request", ConfigRequest{.fetch = 3, .text = 0x1234, .offset = 1000}},
      {"config_part",
       ConfigPart{.fetch = 3, .text = 0x1234, .size = 2000, .offset = 1000, .bytes = "pool"}},
      {"config_sync_question", ConfigSyncQuestion{.number = 7}},
      {"config_sync_answer",
       ConfigSyncAnswer{.number = 7, .state = ConfigSyncState::kRefused, .message = "no\nVLAN"}}};
}

// ---- files ----------------------------------------------------------------------------------------

std::string HexOf(const Bytes& bytes) {
  std::string text;
  for (size_t i = 0; i < bytes.size(); ++i) {
    char digits[4];
    std::snprintf(digits, sizeof(digits), "%02x", bytes[i]);
    text += digits;
    text += (i + 1) % 32 == 0 || i + 1 == bytes.size() ? "\n" : " ";
  }
  return text;
}

Bytes BytesOfFile(const std::string& name) {
  std::ifstream file("tests/unit/mirror/golden/" + name);
  Bytes bytes;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line.substr(0, line.find('#')));
    for (std::string word; words >> word;)
      bytes.push_back(static_cast<uint8_t>(std::stoul(word, nullptr, 16)));
  }
  return bytes;
}

void CheckGolden(const std::string& name, const Bytes& bytes) {
  CAPTURE(name);
  CHECK(HexOf(BytesOfFile(name)) == HexOf(bytes));
}

// ---- the next version -----------------------------------------------------------------------------

void AddUnknown(google::protobuf::Message& message) {
  auto& unknown = *message.GetReflection()->MutableUnknownFields(&message);
  unknown.AddVarint(100, 5);
  unknown.AddFixed32(101, 6);
  unknown.AddFixed64(102, 7);
  unknown.AddLengthDelimited(103)->assign("added later");
}

// To the message and everything in it.
void AddUnknownDeeply(google::protobuf::Message& message) {
  AddUnknown(message);
  const auto& reflection = *message.GetReflection();
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const auto* field : fields) {
    if (field->cpp_type() != google::protobuf::FieldDescriptor::CPPTYPE_MESSAGE) continue;
    if (!field->is_repeated()) {
      AddUnknownDeeply(*reflection.MutableMessage(&message, field));
      continue;
    }
    for (int i = 0; i < reflection.FieldSize(message, field); ++i)
      AddUnknownDeeply(*reflection.MutableRepeatedMessage(&message, field, i));
  }
}

template <class Message>
Bytes NextVersionOf(const Bytes& body) {
  Message message;
  REQUIRE(message.ParseFromArray(body.data(), static_cast<int>(body.size())));
  AddUnknownDeeply(message);
  const std::string text = message.SerializeAsString();
  return {text.begin(), text.end()};
}

BatchRows Read(const Bytes& body) {
  static const config::Dictionary dictionary = GoldenDictionary();
  static FlowBatchReader reader;
  REQUIRE(reader.Read(body, dictionary, kGoldenSlots, kGoldenSlots) == BatchError::kNone);
  return Contents(reader);
}

Bytes Encoded(const ControlMessage& message) {
  Bytes body(2000);
  body.resize(EncodeControl(message, body));
  REQUIRE_FALSE(body.empty());
  return body;
}

}  // namespace

TEST_CASE("row 30: the bytes of a flow frame of each kind, now and of the next version",
          "[mirror]") {
  const config::Dictionary dictionary = GoldenDictionary();
  for (const FlowCase& one : FlowCases()) {
    CAPTURE(one.name);
    CheckGolden(one.name, Serialize(MessageOf(one.rows, dictionary)));
    const Bytes kept = BytesOfFile(one.name);
    CHECK(Read(kept) == one.rows);
    CHECK(Read(NextVersionOf<v1::FlowBatch>(kept)) == one.rows);
  }
}

TEST_CASE("row 30: the bytes of a persistence frame, now and of the next version", "[mirror]") {
  PersistBatchWriter writer;
  writer.Begin(1000);
  for (const PersistRow& row : GoldenRecords())
    REQUIRE(writer.Add(row));
  Bytes body(1000);
  body.resize(writer.Finish(body.data()));
  CheckGolden("persistence", body);
  const Bytes kept = BytesOfFile("persistence");
  PersistBatchReader reader;
  for (const Bytes& bytes : {kept, NextVersionOf<v1::PersistBatch>(kept)}) {
    REQUIRE(reader.Read(bytes) == BatchError::kNone);
    CHECK(std::vector(reader.rows().begin(), reader.rows().end()) == GoldenRecords());
  }
}

TEST_CASE("row 30: the bytes of each control message, now and of the next version", "[mirror]") {
  for (const auto& [name, message] : ControlCases()) {
    CAPTURE(name);
    CheckGolden(name, Encoded(message));
    const Bytes kept = BytesOfFile(name);
    for (const Bytes& bytes : {kept, NextVersionOf<v1::Control>(kept)}) {
      const ControlMessage read = DecodeControl(bytes);
      REQUIRE(read.index() == message.index());
      CHECK(HexOf(Encoded(read)) == HexOf(kept));
    }
  }
}

TEST_CASE("row 30: a message that this version does not know is nothing", "[mirror]") {
  v1::Control control;
  AddUnknown(control);
  const std::string text = control.SerializeAsString();
  CHECK(std::holds_alternative<std::monostate>(DecodeControl(Bytes(text.begin(), text.end()))));
  v1::FlowBatch batch;
  AddUnknown(batch);
  CHECK(Read(Serialize(batch)) == BatchRows());
}

TEST_CASE("row 30: a column that is not there means its default, not what was there", "[mirror]") {
  const config::Dictionary dictionary = GoldenDictionary();
  BatchRows rows;
  rows.creates4 = {GoldenCreate<FlowHot4>(7, false), GoldenCreate<FlowHot4>(9, false)};
  const v1::FlowBatch whole = MessageOf(rows, dictionary);
  const auto without = [&](const auto& clear) {
    v1::FlowBatch message = whole;
    clear(*message.mutable_creates_ipv4());
    return Read(Serialize(message)).creates4;
  };
  for (const auto& row : without([](v1::Creates& creates) { creates.clear_version(); }))
    CHECK(flow::VersionOf(row.value) == 0);
  for (const auto& row : without([](v1::Creates& creates) { creates.clear_protocol(); }))
    CHECK(row.protocol == 0);
  for (const auto& row : without([](v1::Creates& creates) { creates.clear_age(); }))
    CHECK(row.age_ticks == 0);
  for (const auto& row : without([](v1::Creates& creates) { creates.clear_interface(); }))
    CHECK(row.interface_id == 0);
  for (const auto& row : without([](v1::Creates& creates) { creates.clear_client_mac(); }))
    CHECK(row.client_mac == MacAddress{});
  for (const auto& row : without([](v1::Creates& creates) { creates.clear_client4(); }))
    CHECK(row.client.source == 0);
  for (const auto& row : without([](v1::Creates& creates) { creates.clear_snat4(); }))
    CHECK(row.server.destination == 0);
  for (const auto& row : without([](v1::Creates& creates) { creates.clear_ports(); }))
    CHECK(row.client.source_port + row.server.destination_port == 0);

  v1::FlowBatch update;
  auto& updates = *update.mutable_updates_ipv4();
  updates.set_rows(1);
  updates.add_birth_d(100);
  updates.add_state(3);
  const BatchRows read = Read(Serialize(update));
  REQUIRE(read.updates[0].size() == 1);
  CHECK(read.updates[0][0].slot == 0);
  CHECK(read.updates[0][0].flags == 0);

  // Hellos: a peer that does not say what it does not know.
  v1::Control control;
  const Bytes hello = Encoded(GoldenHello());
  REQUIRE(control.ParseFromArray(hello.data(), static_cast<int>(hello.size())));
  control.mutable_hello()->clear_echo();
  control.mutable_hello()->clear_seen();
  control.mutable_hello()->clear_group();
  const std::string text = control.SerializeAsString();
  const ControlMessage less = DecodeControl(Bytes(text.begin(), text.end()));
  REQUIRE(std::holds_alternative<Hello>(less));
  CHECK_FALSE(std::get<Hello>(less).echo.has_value());
  CHECK(std::get<Hello>(less).seen == 0);
  CHECK(std::get<Hello>(less).groups.empty());
}

}  // namespace tandem::mirror
