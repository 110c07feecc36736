// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <map>
#include <optional>
#include <vector>

#include <absl/strings/escaping.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>

#include "tests/support/packet_text.h"

namespace tandem::test {
namespace {

using Words = std::vector<std::string>;

struct Endpoint {
  IpAddress address;
  uint16_t port = 0;
};

std::optional<Endpoint> EndpointFrom(std::string text) {
  std::string port;
  if (!text.empty() && text.front() == '[') {
    const size_t end = text.find("]:");
    if (end == std::string::npos) return std::nullopt;
    port = text.substr(end + 2);
    text = text.substr(1, end - 1);
  } else if (text.find(':') == text.rfind(':') && text.find(':') != std::string::npos) {
    port = text.substr(text.find(':') + 1);
    text = text.substr(0, text.find(':'));
  }
  const auto address = IpAddress::Parse(text);
  uint32_t number = 0;
  if (!address || (!port.empty() && !absl::SimpleAtoi(port, &number))) return std::nullopt;
  return Endpoint{*address, static_cast<uint16_t>(number)};
}

// Reads the words of a line. The first mistake is kept; everything after it is without meaning.
class Reader {
 public:
  Reader(const std::string& line, const TextLink& link) : link_(link) {
    const size_t about = line.find(" about {");
    if (about != std::string::npos) {
      const size_t end = line.rfind('}');
      quoted_ = line.substr(about + 8, end - about - 8);
    }
    words_ = absl::StrSplit(line.substr(0, about), ' ', absl::SkipEmpty());
    // What follows the quotation belongs to the packet itself.
    if (about != std::string::npos && line.rfind('}') != std::string::npos) {
      const Words more = absl::StrSplit(line.substr(line.rfind('}') + 1), ' ', absl::SkipEmpty());
      words_.insert(words_.end(), more.begin(), more.end());
    }
  }

  absl::StatusOr<TextPacket> Read() {
    if (!error_.empty()) return absl::InvalidArgumentError(error_);
    if (words_.empty()) return absl::InvalidArgumentError("no packet");
    const std::string kind = words_[0];
    if (kind == "raw") return ReadRaw();
    builder_.Ethernet(link_.source, link_.destination);
    if (kind == "arp") {
      ReadArp();
    } else if (kind == "nd") {
      ReadNd();
    } else {
      ReadIp(kind);
    }
    Finish();
    if (!error_.empty()) return absl::InvalidArgumentError(error_);
    packet_.frame = builder_.Build();
    return packet_;
  }

  // The packet from its IP header on.
  absl::StatusOr<Bytes> ReadIpOnly() {
    absl::StatusOr<TextPacket> whole = Read();
    if (!whole.ok()) return whole.status();
    return builder_.BuildIp();
  }

 private:
  void Refuse(const std::string& what) {
    if (error_.empty()) error_ = what;
  }

  // Takes words from `first` on as key=value or flag.
  void TakeOptions(size_t first) {
    for (size_t i = first; i < words_.size(); ++i) {
      const std::pair<std::string, std::string> pair =
          absl::StrSplit(words_[i], absl::MaxSplits('=', 1));
      options_.emplace(pair);
    }
  }
  bool Has(const std::string& name) { return Take(name).has_value(); }
  std::optional<std::string> Take(const std::string& name) {
    const auto found = options_.find(name);
    if (found == options_.end()) return std::nullopt;
    std::string value = found->second;
    options_.erase(found);
    return value;
  }
  std::optional<uint32_t> Number(const std::string& name) {
    const auto text = Take(name);
    if (!text) return std::nullopt;
    return ToNumber(*text);
  }
  uint32_t ToNumber(const std::string& text) {
    uint32_t value = 0;
    const bool is_hex = text.substr(0, 2) == "0x";
    if (is_hex ? !absl::SimpleHexAtoi(text, &value) : !absl::SimpleAtoi(text, &value)) {
      Refuse(absl::StrCat("not a number: ", text));
    }
    return value;
  }
  template <class T>
  T NumberOr(const std::string& name, T fallback) {
    return static_cast<T>(Number(name).value_or(fallback));
  }
  std::optional<Bytes> Hex(const std::string& name) {
    const auto text = Take(name);
    if (!text) return std::nullopt;
    return ToBytes(*text);
  }
  static Bytes ToBytes(const std::string& hex) {
    const std::string bytes = absl::HexStringToBytes(hex);
    return Bytes(bytes.begin(), bytes.end());
  }
  MacAddress ToMac(const std::string& text) {
    const auto mac = ParseMac(text);
    if (!mac) Refuse("not a MAC address: " + text);
    return mac.value_or(MacAddress{});
  }
  const std::string& Word(size_t index) {
    static const std::string kNothing;
    if (index >= words_.size()) Refuse("the line ends too early");
    return index < words_.size() ? words_[index] : kNothing;
  }

  absl::StatusOr<TextPacket> ReadRaw() {
    TakeOptions(2);
    packet_.frame = ToBytes(Word(1));
    ReadArrival();
    CheckAllTaken();
    if (!error_.empty()) return absl::InvalidArgumentError(error_);
    return packet_;
  }

  void ReadArp() {
    if (Word(1) == "who-has") {
      TakeOptions(5);
      builder_.ArpRequest(link_.source, Word(4), Word(2));
    } else {
      TakeOptions(6);
      builder_.ArpReply(ToMac(Word(3)), Word(1), link_.destination, Word(5));
    }
  }

  void ReadNd() {
    const bool asks = Word(1) == "who-has";
    TakeOptions(asks ? 5 : 4);
    const std::string target = asks ? Word(2) : Word(1);
    const std::string source = Take("src").value_or(asks ? Word(4) : Word(1));
    const std::string destination = Take("dst").value_or(asks ? SolicitedNode(target) : "ff02::1");
    builder_.Ipv6(source, destination);
    if (asks) {
      std::optional<MacAddress> mac;
      if (source != "::" && !Has("nolink")) mac = link_.source;
      builder_.Solicitation(target, mac);
      return;
    }
    uint8_t flags = 0;
    for (const char letter : Take("flags").value_or("so"))
      flags = static_cast<uint8_t>(flags | (letter == 'r' ? 0x80 : letter == 's' ? 0x40 : 0x20));
    builder_.Advertisement(target, flags, ToMac(Word(3)));
  }

  static std::string SolicitedNode(const std::string& target) {
    const std::array<uint8_t, 16> bytes = Ip(target).bytes();
    return absl::StrCat("ff02::1:ff", absl::Hex(bytes[13], absl::kZeroPad2), ":",
                        absl::Hex(bytes[14] << 8 | bytes[15], absl::kZeroPad4));
  }

  void ReadIp(const std::string& kind) {
    const auto source = EndpointFrom(Word(1));
    const auto destination = EndpointFrom(Word(3));
    if (!source || !destination || Word(2) != ">") return Refuse("expected SOURCE > DESTINATION");
    if (source->address.is_v4() != destination->address.is_v4()) {
      return Refuse("source and destination are of two families");
    }
    const bool has_word = kind == "tcp" || kind == "icmp";
    TakeOptions(has_word ? 5 : 4);
    builder_.IpPair(source->address, destination->address);
    ReadIpFields(source->address.is_v4());
    if (kind == "tcp") {
      ReadTcp(*source, *destination);
    } else if (kind == "udp") {
      builder_.Udp(source->port, destination->port);
      if (const auto length = Number("udplen")) {
        builder_.UdpLengthOverride(static_cast<uint16_t>(*length));
      }
      if (Has("nosum")) builder_.NoUdpChecksum();
    } else if (kind == "echo") {
      builder_.EchoRequest(echo_id_, NumberOr<uint16_t>("seq", 1));
    } else if (kind == "echo-reply") {
      builder_.EchoReply(echo_id_, NumberOr<uint16_t>("seq", 1));
    } else if (kind == "icmp") {
      const std::pair<std::string, std::string> type = absl::StrSplit(Word(4), '/');
      builder_.Icmp(static_cast<uint8_t>(ToNumber(type.first)),
                    static_cast<uint8_t>(ToNumber(type.second)), NumberOr<uint32_t>("rest", 0));
    } else if (kind == "ip") {
      builder_.Protocol(NumberOr<uint8_t>("proto", 255));
    } else {
      Refuse("unknown kind " + kind);
    }
  }

  void ReadIpFields(bool is_v4) {
    echo_id_ = static_cast<uint16_t>(Number("id").value_or(0));
    builder_.Id(echo_id_);
    if (Has("df")) builder_.DontFragment();
    for (auto extension = Take("ext"); extension; extension = Take("ext")) {
      const std::pair<std::string, std::string> parts =
          absl::StrSplit(*extension, absl::MaxSplits(':', 1));
      const auto type = static_cast<uint8_t>(ToNumber(parts.first));
      if (parts.second.empty()) {
        builder_.Extension(type);
      } else {
        builder_.RawExtension(type, ToBytes(parts.second));
      }
    }
    if (const auto fragment = Take("frag")) {
      const std::pair<std::string, std::string> parts = absl::StrSplit(*fragment, ',');
      builder_.Fragment(static_cast<uint16_t>(ToNumber(parts.first)), parts.second == "more");
    }
    if (const auto options = Hex("ipoptions")) builder_.Ipv4Options(*options);
    if (const auto ihl = Number("ihl"); ihl && is_v4) {
      builder_.IhlOverride(static_cast<uint8_t>(*ihl));
    }
  }

  void ReadTcp(const Endpoint& source, const Endpoint& destination) {
    constexpr std::string_view kLetters = "FSRPAU";
    uint8_t flags = 0;
    const std::string word = Word(4) == "none" ? "" : Word(4);
    for (const char letter : word) {
      const size_t bit = kLetters.find(letter);
      if (bit == std::string_view::npos) return Refuse("unknown TCP flags " + word);
      flags = static_cast<uint8_t>(flags | 1U << bit);
    }
    builder_.Tcp(source.port, destination.port, flags);
    builder_.Seq(NumberOr<uint32_t>("seq", 0)).Ack(NumberOr<uint32_t>("ack", 0));
    builder_.Window(NumberOr<uint16_t>("win", 65535));
    Bytes options = Hex("options").value_or(Bytes());
    if (const auto mss = Number("mss")) {
      const Bytes option = {2, 4, static_cast<uint8_t>(*mss >> 8), static_cast<uint8_t>(*mss)};
      options.insert(options.end(), option.begin(), option.end());
    }
    if (const auto scale = Number("wscale")) {
      const Bytes option = {3, 3, static_cast<uint8_t>(*scale), 1};
      options.insert(options.end(), option.begin(), option.end());
    }
    if (!options.empty()) builder_.TcpOptions(options);
    if (const auto offset = Number("doff")) {
      builder_.DataOffsetOverride(static_cast<uint8_t>(*offset));
    }
  }

  // What every kind takes.
  void Finish() {
    MacAddress source = link_.source;
    MacAddress destination = link_.destination;
    if (const auto mac = Take("from")) source = ToMac(*mac);
    if (const auto mac = Take("to")) destination = ToMac(*mac);
    builder_.Ethernet(source, destination);
    const Words tags = absl::StrSplit(Take("vlan").value_or(absl::StrCat(link_.vlan)), ',');
    for (const std::string& tag : tags) {
      if (tag != "0") builder_.Vlan(static_cast<uint16_t>(tag == "prio" ? 0 : ToNumber(tag)));
    }
    if (const auto ttl = Number("ttl")) builder_.Ttl(static_cast<uint8_t>(*ttl));
    if (const auto tos = Number("tos")) builder_.Tos(static_cast<uint8_t>(*tos));
    if (const auto type = Number("ethertype")) {
      builder_.EtherTypeOverride(static_cast<uint16_t>(*type));
    }
    if (const auto version = Number("version")) {
      builder_.VersionOverride(static_cast<uint8_t>(*version));
    }
    if (const auto length = Number("iplen")) {
      builder_.LengthOverride(static_cast<uint16_t>(*length));
    }
    if (Has("badsum")) builder_.BadIpChecksum();
    if (Has("badl4")) builder_.BadL4Checksum();
    if (!quoted_.empty()) ReadQuoted();
    if (const auto length = Number("len")) builder_.Payload(size_t{*length});
    if (const auto data = Hex("data")) builder_.Payload(*data);
    if (const auto size = Number("pad")) builder_.PadTo(*size);
    if (const auto size = Number("cut")) builder_.TruncateTo(*size);
    ReadArrival();
    CheckAllTaken();
  }

  void ReadQuoted() {
    Reader reader(quoted_, link_);
    absl::StatusOr<Bytes> quoted = reader.ReadIpOnly();
    if (!quoted.ok()) return Refuse(std::string(quoted.status().message()));
    if (const auto size = Number("quote")) quoted->resize(std::min(quoted->size(), size_t{*size}));
    builder_.Payload(*quoted);
  }

  void ReadArrival() {
    if (const auto size = Number("contiguous")) packet_.arrival.contiguous = *size;
    if (const auto size = Number("headroom")) {
      packet_.arrival.headroom = static_cast<uint16_t>(*size);
    }
    const auto nic = Take("nic");
    if (!nic) return;
    if (*nic == "ipgood") {
      packet_.arrival.flags = net::kIpChecksumGood;
    } else if (*nic == "ipbad") {
      packet_.arrival.flags = net::kIpChecksumBad;
    } else if (*nic == "l4bad") {
      packet_.arrival.flags = net::kL4ChecksumBad;
    } else {
      Refuse("unknown nic=" + *nic);
    }
  }

  void CheckAllTaken() {
    if (!options_.empty()) Refuse("not understood: " + options_.begin()->first);
  }

  TextLink link_;
  Words words_;
  std::string quoted_;
  std::string error_;
  std::multimap<std::string, std::string> options_;
  uint16_t echo_id_ = 0;
  PacketBuilder builder_;
  TextPacket packet_;
};

}  // namespace

absl::StatusOr<TextPacket> PacketFromText(std::string_view line, const TextLink& link) {
  return Reader(std::string(line), link).Read();
}

}  // namespace tandem::test
