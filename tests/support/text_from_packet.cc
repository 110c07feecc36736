// SPDX-License-Identifier: Apache-2.0
#include <span>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include "tests/support/frame_check.h"
#include "tests/support/packet_text.h"

namespace tandem::test {
namespace {

// Bytes of a packet; what is beyond its end reads as zero.
class View {
 public:
  View(const uint8_t* data, size_t size) : bytes_(data, size) {}

  size_t size() const { return bytes_.size(); }
  uint8_t U8(size_t at) const { return at < bytes_.size() ? bytes_[at] : uint8_t{0}; }
  uint16_t U16(size_t at) const { return static_cast<uint16_t>(U8(at) << 8 | U8(at + 1)); }
  uint32_t U32(size_t at) const { return static_cast<uint32_t>(U16(at)) << 16 | U16(at + 2); }
  View From(size_t at) const {
    at = std::min(at, bytes_.size());
    return View(bytes_.data() + at, bytes_.size() - at);
  }
  View First(size_t count) const { return View(bytes_.data(), std::min(count, bytes_.size())); }
  std::string V4(size_t at) const {
    return absl::StrFormat("%d.%d.%d.%d", U8(at), U8(at + 1), U8(at + 2), U8(at + 3));
  }
  std::string V6(size_t at) const {
    uint8_t bytes[16];
    for (size_t i = 0; i < 16; ++i)
      bytes[i] = U8(at + i);
    return IpAddress::V6(bytes).ToString();
  }
  std::string MacText(size_t at) const {
    MacAddress mac;
    for (size_t i = 0; i < 6; ++i)
      mac[i] = U8(at + i);
    return ToString(mac);
  }
  std::string Hex() const { return HexText(Bytes(bytes_.begin(), bytes_.end())); }

 private:
  std::span<const uint8_t> bytes_;
};

std::string TextOfIp(const View& ip);

struct Ip {
  std::string source;
  std::string destination;
  uint8_t protocol = 0;
  bool is_v6 = false;
  bool is_later_fragment = false;
  View l4;
  std::string notes;  // words about the IP header itself

  std::string Pair() const { return source + " > " + destination; }
  std::string PairWithPorts() const {
    const auto with = [this](const std::string& address, uint16_t port) {
      return is_v6 ? absl::StrCat("[", address, "]:", port) : absl::StrCat(address, ":", port);
    };
    return absl::StrCat(with(source, l4.U16(0)), " > ", with(destination, l4.U16(2)));
  }
};

std::string FragmentNote(uint16_t offset, bool more) {
  if (offset == 0 && !more) return "";
  return absl::StrCat(" frag=", offset, more ? ",more" : "");
}

Ip ReadIpv4(const View& ip) {
  const size_t header = (ip.U8(0) & 0x0fU) * 4U;
  Ip result{ip.V4(12),
            ip.V4(16),
            ip.U8(9),
            false,
            (ip.U16(6) & 0x1fff) != 0,
            ip.First(ip.U16(2)).From(header),
            ""};
  absl::StrAppend(&result.notes, " ttl=", ip.U8(8));
  if (ip.U8(1) != 0) absl::StrAppend(&result.notes, " tos=", ip.U8(1));
  if (ip.U16(6) & 0x4000) absl::StrAppend(&result.notes, " df");
  absl::StrAppend(&result.notes, FragmentNote(ip.U16(6) & 0x1fff, (ip.U16(6) & 0x2000) != 0));
  if (header > 20) {
    absl::StrAppend(&result.notes, " ipoptions=", ip.First(header).From(20).Hex());
  }
  return result;
}

Ip ReadIpv6(const View& ip) {
  Ip result{ip.V6(8), ip.V6(24), ip.U8(6), true, false, ip.First(40U + ip.U16(4)).From(40), ""};
  absl::StrAppend(&result.notes, " ttl=", ip.U8(7));
  const uint32_t tos = ip.U32(0) >> 20 & 0xff;
  if (tos != 0) absl::StrAppend(&result.notes, " tos=", tos);
  while (!result.is_later_fragment && (result.protocol == 0 || result.protocol == 43 ||
                                       result.protocol == 44 || result.protocol == 60)) {
    const uint8_t type = result.protocol;
    result.protocol = result.l4.U8(0);
    if (type == 44) {
      const uint16_t field = result.l4.U16(2);
      absl::StrAppend(&result.notes,
                      FragmentNote(static_cast<uint16_t>(field >> 3), (field & 1) != 0));
      result.is_later_fragment = field >> 3 != 0;
      result.l4 = result.l4.From(8);
    } else {
      absl::StrAppend(&result.notes, " ext=", type);
      result.l4 = result.l4.From((result.l4.U8(1) + 1U) * 8U);
    }
    if (result.l4.size() == 0) break;
  }
  return result;
}

std::string LengthNote(size_t length) {
  return length == 0 ? "" : absl::StrCat(" len=", length);
}

std::string TextOfTcp(const Ip& ip) {
  const uint8_t bits = ip.l4.U8(13);
  std::string flags;
  for (int bit = 0; bit < 6; ++bit) {
    if (bits >> bit & 1) flags += "FSRPAU"[bit];
  }
  std::string text = absl::StrCat("tcp ", ip.PairWithPorts());
  if (ip.l4.size() < 20) return absl::StrCat(text, " seq=", ip.l4.U32(4), " cut");
  absl::StrAppend(&text, " ", flags.empty() ? "none" : flags, " seq=", ip.l4.U32(4));
  if (bits & kAck) absl::StrAppend(&text, " ack=", ip.l4.U32(8));
  absl::StrAppend(&text, " win=", ip.l4.U16(14));
  const size_t header = (ip.l4.U8(12) >> 4) * 4U;
  if (header > 20) absl::StrAppend(&text, " options=", ip.l4.First(header).From(20).Hex());
  return text + LengthNote(ip.l4.From(header).size());
}

std::string TextOfIcmp(const Ip& ip) {
  const uint8_t type = ip.l4.U8(0);
  const bool is_echo = type == (ip.is_v6 ? 128 : 8);
  const bool is_reply = type == (ip.is_v6 ? 129 : 0);
  if (is_echo || is_reply) {
    return absl::StrCat(is_echo ? "echo " : "echo-reply ", ip.Pair(), " id=", ip.l4.U16(4),
                        " seq=", ip.l4.U16(6)) +
           LengthNote(ip.l4.From(8).size());
  }
  std::string text = absl::StrCat("icmp ", ip.Pair(), " ", type, "/", ip.l4.U8(1));
  if (ip.l4.U32(4) != 0) absl::StrAppend(&text, " rest=", ip.l4.U32(4));
  const bool is_error = ip.is_v6 ? type < 128 : type == 3 || type == 11 || type == 12;
  if (is_error) return absl::StrCat(text, " about { ", TextOfIp(ip.l4.From(8)), " }");
  return text + LengthNote(ip.l4.From(8).size());
}

std::string TextOfNd(const Ip& ip) {
  const bool asks = ip.l4.U8(0) == 135;
  const std::string target = ip.l4.V6(8);
  const std::string mac = ip.l4.size() >= 32 ? ip.l4.MacText(26) : "nobody";
  if (asks) {
    return absl::StrCat("nd who-has ", target, " tell ", ip.source, " at ", mac,
                        " dst=", ip.destination);
  }
  std::string flags;
  for (const auto& [bit, letter] : {std::pair(0x80, "r"), {0x40, "s"}, {0x20, "o"}}) {
    if (ip.l4.U8(4) & bit) flags += letter;
  }
  return absl::StrCat("nd ", target, " is-at ", mac, " flags=", flags, " src=", ip.source,
                      " dst=", ip.destination);
}

std::string TextOfIp(const View& view) {
  const bool is_v6 = view.U8(0) >> 4 == 6;
  const Ip ip = is_v6 ? ReadIpv6(view) : ReadIpv4(view);
  std::string text;
  if (ip.is_later_fragment) {
    text = absl::StrCat("ip ", ip.Pair(), " proto=", ip.protocol) + LengthNote(ip.l4.size());
  } else if (ip.protocol == 6) {
    text = TextOfTcp(ip);
  } else if (ip.protocol == 17) {
    const size_t length = ip.l4.U16(4);
    text = absl::StrCat("udp ", ip.PairWithPorts()) + LengthNote(length < 8 ? 0 : length - 8);
  } else if (is_v6 && ip.protocol == 58 && (ip.l4.U8(0) == 135 || ip.l4.U8(0) == 136)) {
    return TextOfNd(ip);
  } else if (ip.protocol == (is_v6 ? 58 : 1)) {
    text = TextOfIcmp(ip);
  } else {
    text = absl::StrCat("ip ", ip.Pair(), " proto=", ip.protocol) + LengthNote(ip.l4.size());
  }
  return text + ip.notes;
}

std::string TextOfArp(const View& arp) {
  if (arp.U16(6) == 1) return absl::StrCat("arp who-has ", arp.V4(24), " tell ", arp.V4(14));
  return absl::StrCat("arp ", arp.V4(14), " is-at ", arp.MacText(8), " to ", arp.V4(24));
}

}  // namespace

std::string HexText(const Bytes& bytes) {
  std::string text;
  for (const uint8_t byte : bytes)
    absl::StrAppend(&text, absl::Hex(byte, absl::kZeroPad2));
  return text;
}

std::string TextFromPacket(const Bytes& frame) {
  const View view(frame.data(), frame.size());
  std::string text;
  size_t at = 12;
  std::string tags;
  while (view.U16(at) == 0x8100) {
    absl::StrAppend(&tags, tags.empty() ? " vlan=" : ",", view.U16(at + 2) & 0xfff);
    at += 4;
  }
  const uint16_t type = view.U16(at);
  if (type == 0x0806) {
    text = TextOfArp(view.From(at + 2));
  } else if (type == 0x8035) {
    text = "rarp " + view.From(at + 2).MacText(18);
  } else if (type == 0x0800 || type == 0x86dd) {
    text = TextOfIp(view.From(at + 2));
  } else {
    text = "raw " + HexText(frame);
  }
  text += tags;
  const std::string complaint = Complaint(frame);
  if (!complaint.empty()) absl::StrAppend(&text, " !", complaint);
  return text;
}

}  // namespace tandem::test
