// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/mirror/batch_oracle.h"

#include <arpa/inet.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/reflection.h>
#include <google/protobuf/wire_format_lite.h>

#include <algorithm>
#include <set>
#include <string>

namespace tandem::mirror {
namespace {

using config::ObjectKind;
using google::protobuf::RepeatedField;
using Wire = google::protobuf::internal::WireFormatLite;

struct End {
  IpAddress address;
  uint16_t port = 0;  // host byte order

  bool operator==(const End&) const = default;
};

IpAddress ToAddress(uint32_t address) {
  return IpAddress::V4(address);
}
IpAddress ToAddress(const net::Ipv6Bytes& address) {
  return IpAddress::V6(address.bytes);
}
void FromAddress(const IpAddress& address, uint32_t& to) {
  to = address.v4();
}
void FromAddress(const IpAddress& address, net::Ipv6Bytes& to) {
  std::copy(address.bytes().begin(), address.bytes().end(), to.bytes);
}

bool HasAddress(const config::DictionaryEntry& entry, bool is_ipv6) {
  return !entry.address.is_unset() && entry.address.is_v4() != is_ipv6;
}

std::optional<End> KnownDestination(const config::Dictionary& dictionary, uint16_t virtual_id,
                                    bool is_ipv6) {
  const auto& entry = dictionary.Find(ObjectKind::kVirtual, virtual_id);
  if (!HasAddress(entry, is_ipv6) || entry.port == 0) return std::nullopt;
  return End{entry.address, entry.port};
}

std::optional<End> KnownServer(const config::Dictionary& dictionary, uint16_t flags,
                               uint16_t member_id, const End& destination, bool is_ipv6) {
  if ((flags & flow::kTranslateAddress) == 0) return destination;
  const auto& entry = dictionary.Find(ObjectKind::kMember, member_id);
  if (!HasAddress(entry, is_ipv6)) return std::nullopt;
  return End{entry.address, entry.port != 0 ? entry.port : destination.port};
}

// ---- from rows to a message -----------------------------------------------------------------------

template <class T>
using Column = std::vector<T>;

// All equal values become one, zeros none.
template <class T>
Column<T> Collapsed(const Column<T>& column, const T& zero) {
  if (column.empty() || !std::equal(column.begin() + 1, column.end(), column.begin()))
    return column;
  return column[0] == zero ? Column<T>() : Column<T>{column[0]};
}

template <class T>
void Put(const Column<int64_t>& column, RepeatedField<T>* field) {
  for (const int64_t value : Collapsed(column, int64_t{0}))
    field->Add(static_cast<T>(value));
}

void PutAddresses(const Column<IpAddress>& column, bool is_ipv6, RepeatedField<uint32_t>* field4,
                  std::string* field6) {
  for (const IpAddress& address : Collapsed(column, is_ipv6 ? IpAddress() : IpAddress::V4(0))) {
    if (is_ipv6) {
      field6->append(address.bytes().begin(), address.bytes().end());
    } else {
      field4->Add(ntohl(address.v4()));
    }
  }
}

Column<int64_t> Differences(const Column<int64_t>& column) {
  Column<int64_t> differences;
  int64_t last = 0;
  for (const int64_t value : column)
    differences.push_back(value - std::exchange(last, value));
  return differences;
}

template <class Row, class F>
Column<int64_t> Of(const std::vector<Row>& rows, F&& value) {
  Column<int64_t> column;
  for (const Row& row : rows)
    column.push_back(static_cast<int64_t>(value(row)));
  return column;
}

template <class Row, class Message>
void PutNames(const std::vector<Row>& rows, Message& message) {
  message.set_rows(static_cast<uint32_t>(rows.size()));
  Put(Differences(Of(rows, [](const Row& row) { return row.slot; })), message.mutable_slot_d());
  Put(Differences(Of(rows, [](const Row& row) { return flow::BirthOf(row.value); })),
      message.mutable_birth_d());
  Put(Of(rows, [](const Row& row) { return flow::VersionOf(row.value); }),
      message.mutable_version());
}

template <class Row>
int64_t StateOf(const Row& row) {
  return static_cast<int64_t>(row.state) + row.flags * 16;
}

template <class Hot>
void PutEnds(const std::vector<CreateRow<Hot>>& rows, const config::Dictionary& dictionary,
             v1::Creates& message) {
  Column<int64_t> ports, shapes, destination_ports, server_ports;
  Column<IpAddress> clients, snats, destinations, servers;
  for (const auto& row : rows) {
    const End client{ToAddress(row.client.source), ntohs(row.client.source_port)};
    const End destination{ToAddress(row.client.destination), ntohs(row.client.destination_port)};
    const End server{ToAddress(row.server.source), ntohs(row.server.source_port)};
    const End back{ToAddress(row.server.destination), ntohs(row.server.destination_port)};
    int64_t shape = 0;
    if (KnownDestination(dictionary, row.virtual_id, Hot::kIsIpv6) != destination) {
      shape += 1;
      destinations.push_back(destination.address);
      destination_ports.push_back(destination.port);
    }
    const auto known = KnownServer(dictionary, row.flags, row.member_id, destination, Hot::kIsIpv6);
    if (known != server && known && server == End{known->address, destination.port}) {
      shape += 4;
    } else if (known != server) {
      shape += 2;
      servers.push_back(server.address);
      server_ports.push_back(server.port);
    }
    bool has_back = (row.flags & flow::kTranslateSource) != 0;
    if (!has_back && back != client) {
      has_back = true;
      shape += 8;
    }
    clients.push_back(client.address);
    snats.push_back(has_back ? back.address : Hot::kIsIpv6 ? IpAddress() : IpAddress::V4(0));
    ports.push_back(client.port * 65536LL + (has_back ? back.port : 0));
    shapes.push_back(shape);
  }
  Put(ports, message.mutable_ports());
  PutAddresses(clients, Hot::kIsIpv6, message.mutable_client4(), message.mutable_client6());
  PutAddresses(snats, Hot::kIsIpv6, message.mutable_snat4(), message.mutable_snat6());
  Put(shapes, message.mutable_shape());
  PutAddresses(destinations, Hot::kIsIpv6, message.mutable_destination4(),
               message.mutable_destination6());
  Put(destination_ports, message.mutable_destination_port());
  PutAddresses(servers, Hot::kIsIpv6, message.mutable_server4(), message.mutable_server6());
  Put(server_ports, message.mutable_server_port());
}

template <class Hot>
void PutCreates(const std::vector<CreateRow<Hot>>& rows, const config::Dictionary& dictionary,
                v1::Creates* message) {
  using Row = CreateRow<Hot>;
  PutNames(rows, *message);
  Put(Of(rows, StateOf<Row>), message->mutable_state());
  Put(Of(rows, [](const Row& row) { return row.protocol; }), message->mutable_protocol());
  Put(Of(rows, [](const Row& row) { return row.virtual_id; }), message->mutable_virtual_());
  Put(Of(rows, [](const Row& row) { return row.member_id; }), message->mutable_member());
  Put(Of(rows, [](const Row& row) { return row.age_ticks / 1024; }), message->mutable_age());
  Put(Of(rows, [](const Row& row) { return row.interface_id; }), message->mutable_interface());
  Put(Of(rows,
         [](const Row& row) {
           uint64_t value = 0;
           for (const uint8_t byte : row.client_mac)
             value = value * 256 + byte;
           return value;
         }),
      message->mutable_client_mac());
  PutEnds(rows, dictionary, *message);
}

// ---- from a message to rows -----------------------------------------------------------------------

// Reads columns; `ok` says whether all that was read kept the rules.
class Taker {
 public:
  bool ok = true;

  template <class T>
  Column<int64_t> Take(const RepeatedField<T>& field, size_t rows, int64_t min, int64_t max) {
    Column<int64_t> column;
    for (const T value : field)
      column.push_back(static_cast<int64_t>(value));
    for (const int64_t value : column)
      ok = ok && value >= min && value <= max;
    return Expanded(column, rows, int64_t{0});
  }
  Column<IpAddress> TakeAddresses(const RepeatedField<uint32_t>& field4, const std::string& field6,
                                  bool is_ipv6, size_t rows) {
    Column<IpAddress> column;
    ok = ok && (is_ipv6 ? field4.empty() && field6.size() % 16 == 0 : field6.empty());
    if (!ok) return Column<IpAddress>(rows);
    for (const uint32_t address : field4)
      column.push_back(IpAddress::V4(htonl(address)));
    for (size_t i = 0; i < field6.size(); i += 16) {
      column.push_back(IpAddress::V6(reinterpret_cast<const uint8_t*>(field6.data()) + i));
    }
    return Expanded(column, rows, is_ipv6 ? IpAddress() : IpAddress::V4(0));
  }
  // Sums of differences, each in [min, max].
  Column<int64_t> Sums(const Column<int64_t>& differences, int64_t min, int64_t max) {
    Column<int64_t> sums;
    int64_t sum = 0;
    for (const int64_t difference : differences) {
      if (__builtin_add_overflow(sum, difference, &sum)) ok = false;
      ok = ok && sum >= min && sum <= max;
      sums.push_back(sum);
    }
    return sums;
  }

 private:
  template <class T>
  Column<T> Expanded(const Column<T>& column, size_t rows, const T& zero) {
    if (column.empty()) return Column<T>(rows, zero);
    if (column.size() == 1) return Column<T>(rows, column[0]);
    ok = ok && column.size() == rows;
    return ok ? column : Column<T>(rows, zero);
  }
};

constexpr int64_t kAny = INT64_MAX;

template <class Message, class Row>
void TakeNames(const Message& message, Taker& taker, uint32_t slots_max, std::vector<Row>& rows) {
  const size_t count = message.rows();
  const auto slots =
      taker.Sums(taker.Take(message.slot_d(), count, INT64_MIN, kAny), 0, int64_t{slots_max} - 1);
  const auto births = taker.Sums(taker.Take(message.birth_d(), count, INT64_MIN, kAny), 1,
                                 int64_t{flow::kBirthMax});
  const auto versions = taker.Take(message.version(), count, 0, flow::kVersionMax);
  if (!taker.ok) return;
  rows.resize(count);
  for (size_t i = 0; i < count; ++i) {
    rows[i].slot = static_cast<uint32_t>(slots[i]);
    rows[i].value =
        flow::MakeRegister(static_cast<flow::Birth>(births[i]), static_cast<uint32_t>(versions[i]));
  }
}

template <class Message, class Row>
void TakeStates(const Message& message, Taker& taker, std::vector<Row>& rows) {
  const auto states = taker.Take(message.state(), message.rows(), 0, INT64_MAX);
  if (!taker.ok) return;
  for (size_t i = 0; i < rows.size(); ++i) {
    const int64_t state = states[i] % 16;
    const int64_t flags = states[i] / 16;
    if (state < 1 || state > 7 || (flags & ~int64_t{kMirroredFlags}) != 0) taker.ok = false;
    rows[i].state = static_cast<flow::State>(state);
    rows[i].flags = static_cast<uint16_t>(flags);
  }
}

template <class Hot>
void TakeEnds(const v1::Creates& message, const config::Dictionary& dictionary, Taker& taker,
              std::vector<CreateRow<Hot>>& rows) {
  const size_t count = rows.size();
  const auto shapes = taker.Take(message.shape(), count, 0, 15);
  const auto has = [](int64_t bit) { return [bit](int64_t shape) { return (shape & bit) != 0; }; };
  const auto with_destination =
      static_cast<size_t>(std::count_if(shapes.begin(), shapes.end(), has(1)));
  const auto with_server = static_cast<size_t>(std::count_if(shapes.begin(), shapes.end(), has(2)));
  const auto addresses = [&](const auto& field4, const auto& field6, size_t size) {
    return taker.TakeAddresses(field4, field6, Hot::kIsIpv6, size);
  };
  const auto ports = taker.Take(message.ports(), count, 0, kAny);
  const auto clients = addresses(message.client4(), message.client6(), count);
  const auto snats = addresses(message.snat4(), message.snat6(), count);
  const auto destinations =
      addresses(message.destination4(), message.destination6(), with_destination);
  const auto destination_ports = taker.Take(message.destination_port(), with_destination, 0, 65535);
  const auto servers = addresses(message.server4(), message.server6(), with_server);
  const auto server_ports = taker.Take(message.server_port(), with_server, 0, 65535);
  size_t next_destination = 0;
  size_t next_server = 0;
  for (size_t i = 0; i < count && taker.ok; ++i) {
    auto& row = rows[i];
    const End client{clients[i], static_cast<uint16_t>(ports[i] / 65536)};
    auto destination = KnownDestination(dictionary, row.virtual_id, Hot::kIsIpv6);
    if (has(1)(shapes[i])) {
      destination = End{destinations[next_destination],
                        static_cast<uint16_t>(destination_ports[next_destination])};
      ++next_destination;
    }
    if (!destination) {
      taker.ok = false;
      break;
    }
    auto server = KnownServer(dictionary, row.flags, row.member_id, *destination, Hot::kIsIpv6);
    if (has(2)(shapes[i])) {
      server = End{servers[next_server], static_cast<uint16_t>(server_ports[next_server])};
      ++next_server;
    }
    if (!server) {
      taker.ok = false;
      break;
    }
    if (has(4)(shapes[i])) server->port = destination->port;
    End back = client;
    if ((row.flags & flow::kTranslateSource) != 0 || has(8)(shapes[i])) {
      back = End{snats[i], static_cast<uint16_t>(ports[i] % 65536)};
    }
    FromAddress(client.address, row.client.source);
    FromAddress(destination->address, row.client.destination);
    FromAddress(server->address, row.server.source);
    FromAddress(back.address, row.server.destination);
    row.client.source_port = htons(client.port);
    row.client.destination_port = htons(destination->port);
    row.server.source_port = htons(server->port);
    row.server.destination_port = htons(back.port);
  }
}

template <class Hot>
void TakeCreates(const v1::Creates& message, const config::Dictionary& dictionary, Taker& taker,
                 uint32_t slots_max, std::vector<CreateRow<Hot>>& rows) {
  const size_t count = message.rows();
  TakeNames(message, taker, slots_max, rows);
  TakeStates(message, taker, rows);
  const auto protocols = taker.Take(message.protocol(), count, 0, 255);
  const auto virtuals = taker.Take(message.virtual_(), count, 0, 65535);
  const auto members = taker.Take(message.member(), count, 0, 65535);
  const auto ages = taker.Take(message.age(), count, 0, (1 << 22) - 1);
  const auto interfaces = taker.Take(message.interface(), count, 0, 65535);
  const auto macs = taker.Take(message.client_mac(), count, 0, (int64_t{1} << 48) - 1);
  if (!taker.ok) return;
  for (size_t i = 0; i < count; ++i) {
    auto& row = rows[i];
    row.protocol = static_cast<uint8_t>(protocols[i]);
    row.virtual_id = static_cast<uint16_t>(virtuals[i]);
    row.member_id = static_cast<uint16_t>(members[i]);
    row.age_ticks = static_cast<uint32_t>(ages[i] * 1024);
    row.interface_id = static_cast<uint16_t>(interfaces[i]);
    for (size_t byte = 0; byte < 6; ++byte) {
      row.client_mac[byte] = static_cast<uint8_t>(macs[i] >> (8 * (5 - byte)));
    }
  }
  TakeEnds(message, dictionary, taker, rows);
}

// ---- strictness -----------------------------------------------------------------------------------

// Walks one message; `type_of` says the wire type of a known field, or -1; `inside` is given the bytes
// of known length-delimited fields.
template <class TypeOf, class Inside>
bool IsStrictMessage(const uint8_t* data, int size, TypeOf&& type_of, Inside&& inside) {
  google::protobuf::io::CodedInputStream in(data, size);
  std::set<int> seen;
  while (in.CurrentPosition() < size) {
    const uint32_t tag = in.ReadTag();
    const int number = Wire::GetTagFieldNumber(tag);
    const int type = Wire::GetTagWireType(tag);
    if (tag == 0 || number == 0) return false;
    if (type == Wire::WIRETYPE_START_GROUP || type == Wire::WIRETYPE_END_GROUP) return false;
    const int wanted = type_of(number);
    if (wanted >= 0 && (wanted != type || !seen.insert(number).second)) return false;
    if (wanted != Wire::WIRETYPE_LENGTH_DELIMITED) {
      if (!Wire::SkipField(&in, tag)) return false;
      continue;
    }
    uint32_t length = 0;
    if (!in.ReadVarint32(&length)) return false;
    const int begin = in.CurrentPosition();
    if (!in.Skip(static_cast<int>(length))) return false;
    if (!inside(number, data + begin, static_cast<int>(length))) return false;
  }
  return true;
}

bool IsStrictGroup(int group, const uint8_t* data, int size) {
  const auto type_of = [group](int number) -> int {
    static constexpr int kLastField[] = {23, 5, 4, 2, 3};
    if (number > kLastField[(group - 1) / 2]) return -1;
    return number == 1 ? Wire::WIRETYPE_VARINT : Wire::WIRETYPE_LENGTH_DELIMITED;
  };
  return IsStrictMessage(data, size, type_of, [group](int number, const uint8_t*, int) {
    static const std::set<int> kOfFamily[] = {{14, 16, 19, 22}, {13, 15, 18, 21}};
    return group > 2 || !kOfFamily[group - 1].contains(number);
  });
}

// ---- random messages ------------------------------------------------------------------------------

void AddUnknown(Prng& prng, google::protobuf::Message& message) {
  auto& unknown = *message.GetReflection()->MutableUnknownFields(&message);
  const auto number = [&] { return static_cast<int>(24 + prng.Below(100000)); };
  if (prng.Below(4) == 0) unknown.AddVarint(number(), prng.Next());
  if (prng.Below(4) == 0) unknown.AddFixed32(number(), 1);
  if (prng.Below(4) == 0) unknown.AddFixed64(number(), 1);
  if (prng.Below(4) == 0) unknown.AddLengthDelimited(number())->assign(prng.Below(300), 'x');
}

// Columns of one value, or none, get one a row now and then.
void Loosen(Prng& prng, google::protobuf::Message& message) {
  using google::protobuf::FieldDescriptor;
  const auto& reflection = *message.GetReflection();
  const auto& descriptor = *message.GetDescriptor();
  const auto rows =
      static_cast<int>(reflection.GetUInt32(message, descriptor.FindFieldByName("rows")));
  for (int i = 0; i < descriptor.field_count(); ++i) {
    const FieldDescriptor* field = descriptor.field(i);
    const bool is_in_all = field->number() <= 12 || field->number() == 17;  // families and rows
    if (!field->is_repeated() || !is_in_all || prng.Below(3) != 0) continue;
    const auto loosen = [&](auto&& repeated) {
      if (repeated.size() > 1) return;
      using Value = decltype(repeated.Get(0));
      const Value value = repeated.empty() ? Value{0} : repeated.Get(0);
      while (repeated.size() < rows)
        repeated.Add(value);
    };
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_UINT32) {
      loosen(reflection.GetMutableRepeatedFieldRef<uint32_t>(&message, field));
    } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_UINT64) {
      loosen(reflection.GetMutableRepeatedFieldRef<uint64_t>(&message, field));
    }
  }
  AddUnknown(prng, message);
}

}  // namespace

v1::FlowBatch MessageOf(const BatchRows& rows, const config::Dictionary& dictionary) {
  v1::FlowBatch message;
  const auto put_updates = [](const auto& from, v1::Updates* to) {
    PutNames(from, *to);
    Put(Of(from, StateOf<UpdateRow>), to->mutable_state());
  };
  const auto put_touches = [](const auto& from, v1::Touches* to) {
    to->set_rows(static_cast<uint32_t>(from.size()));
    Put(Differences(Of(from, [](uint32_t slot) { return slot; })), to->mutable_slot_d());
  };
  const auto put_audits = [](const auto& from, v1::Audits* to) {
    to->set_rows(static_cast<uint32_t>(from.size()));
    Put(Differences(Of(from, [](const AuditRow& row) { return row.range; })),
        to->mutable_range_d());
    Put(Of(from, [](const AuditRow& row) { return row.digest; }), to->mutable_digest());
  };
  if (!rows.creates4.empty()) PutCreates(rows.creates4, dictionary, message.mutable_creates_ipv4());
  if (!rows.creates6.empty()) PutCreates(rows.creates6, dictionary, message.mutable_creates_ipv6());
  if (!rows.updates[0].empty()) put_updates(rows.updates[0], message.mutable_updates_ipv4());
  if (!rows.updates[1].empty()) put_updates(rows.updates[1], message.mutable_updates_ipv6());
  if (!rows.closes[0].empty()) PutNames(rows.closes[0], *message.mutable_closes_ipv4());
  if (!rows.closes[1].empty()) PutNames(rows.closes[1], *message.mutable_closes_ipv6());
  if (!rows.touches[0].empty()) put_touches(rows.touches[0], message.mutable_touches_ipv4());
  if (!rows.touches[1].empty()) put_touches(rows.touches[1], message.mutable_touches_ipv6());
  if (!rows.audits[0].empty()) put_audits(rows.audits[0], message.mutable_audits_ipv4());
  if (!rows.audits[1].empty()) put_audits(rows.audits[1], message.mutable_audits_ipv6());
  return message;
}

std::optional<BatchRows> RowsOf(const v1::FlowBatch& message, const config::Dictionary& dictionary,
                                uint32_t slots_max_ipv4, uint32_t slots_max_ipv6) {
  const uint64_t rows_of[] = {message.creates_ipv4().rows(), message.creates_ipv6().rows(),
                              message.updates_ipv4().rows(), message.updates_ipv6().rows(),
                              message.closes_ipv4().rows(),  message.closes_ipv6().rows(),
                              message.touches_ipv4().rows(), message.touches_ipv6().rows(),
                              message.audits_ipv4().rows(),  message.audits_ipv6().rows()};
  uint64_t total = 0;
  for (const uint64_t rows : rows_of)
    total += rows;
  if (total > kRowsMax) return std::nullopt;
  BatchRows rows;
  Taker taker;
  const auto take_updates = [&](const v1::Updates& from, uint32_t slots_max, auto& to) {
    TakeNames(from, taker, slots_max, to);
    TakeStates(from, taker, to);
  };
  const auto take_touches = [&](const v1::Touches& from, uint32_t slots_max, auto& to) {
    const auto slots = taker.Sums(taker.Take(from.slot_d(), from.rows(), INT64_MIN, kAny), 0,
                                  int64_t{slots_max} - 1);
    for (const int64_t slot : slots)
      to.push_back(static_cast<uint32_t>(slot));
  };
  const auto take_audits = [&](const v1::Audits& from, uint32_t slots_max, auto& to) {
    const auto ranges = taker.Sums(taker.Take(from.range_d(), from.rows(), INT64_MIN, kAny), 0,
                                   (int64_t{slots_max} + 255) / 256 - 1);
    const auto digests = taker.Take(from.digest(), from.rows(), INT64_MIN, kAny);
    for (size_t i = 0; i < ranges.size(); ++i) {
      to.push_back({static_cast<uint32_t>(ranges[i]), static_cast<uint64_t>(digests[i])});
    }
  };
  TakeCreates(message.creates_ipv4(), dictionary, taker, slots_max_ipv4, rows.creates4);
  TakeCreates(message.creates_ipv6(), dictionary, taker, slots_max_ipv6, rows.creates6);
  take_updates(message.updates_ipv4(), slots_max_ipv4, rows.updates[0]);
  take_updates(message.updates_ipv6(), slots_max_ipv6, rows.updates[1]);
  TakeNames(message.closes_ipv4(), taker, slots_max_ipv4, rows.closes[0]);
  TakeNames(message.closes_ipv6(), taker, slots_max_ipv6, rows.closes[1]);
  take_touches(message.touches_ipv4(), slots_max_ipv4, rows.touches[0]);
  take_touches(message.touches_ipv6(), slots_max_ipv6, rows.touches[1]);
  take_audits(message.audits_ipv4(), slots_max_ipv4, rows.audits[0]);
  take_audits(message.audits_ipv6(), slots_max_ipv6, rows.audits[1]);
  if (!taker.ok) return std::nullopt;
  return rows;
}

bool IsStrict(std::span<const uint8_t> body) {
  return IsStrictMessage(
      body.data(), static_cast<int>(body.size()),
      [](int number) -> int { return number <= 10 ? Wire::WIRETYPE_LENGTH_DELIMITED : -1; },
      IsStrictGroup);
}

std::optional<BatchRows> Judge(std::span<const uint8_t> body, const config::Dictionary& dictionary,
                               uint32_t slots_max_ipv4, uint32_t slots_max_ipv6) {
  v1::FlowBatch message;
  if (!message.ParseFromArray(body.data(), static_cast<int>(body.size()))) return std::nullopt;
  if (!IsStrict(body)) return std::nullopt;
  return RowsOf(message, dictionary, slots_max_ipv4, slots_max_ipv6);
}

v1::FlowBatch RandomMessage(Prng& prng, const config::Dictionary& dictionary) {
  BatchRows rows;
  FlowBatchWriter writer;
  writer.Begin(kMirrorMtuMax, dictionary);
  rows.Fill(prng, dictionary, writer);
  const config::Dictionary nothing;
  v1::FlowBatch message = MessageOf(rows, prng.Below(2) == 0 ? dictionary : nothing);
  std::vector<const google::protobuf::FieldDescriptor*> groups;
  message.GetReflection()->ListFields(message, &groups);
  for (const auto* group : groups) {
    Loosen(prng, *message.GetReflection()->MutableMessage(&message, group));
  }
  AddUnknown(prng, message);
  return message;
}

std::vector<uint8_t> Serialize(const v1::FlowBatch& message) {
  std::vector<uint8_t> bytes(message.ByteSizeLong());
  message.SerializeToArray(bytes.data(), static_cast<int>(bytes.size()));
  return bytes;
}

}  // namespace tandem::mirror
