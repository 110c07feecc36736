// SPDX-License-Identifier: Apache-2.0
#include "tests/support/frame_check.h"

#include <span>

namespace tandem::test {
namespace {

using View = std::span<const uint8_t>;

uint32_t Get16(View bytes, size_t offset) {
  return static_cast<uint32_t>(bytes[offset] << 8 | bytes[offset + 1]);
}

uint64_t Sum(View bytes) {
  uint64_t sum = 0;
  for (size_t i = 0; i < bytes.size(); ++i)
    sum += uint64_t{bytes[i]} << (i % 2 == 0 ? 8 : 0);
  return sum;
}

bool IsSumGood(uint64_t sum) {
  while (sum >> 16)
    sum = (sum & 0xffff) + (sum >> 16);
  return sum == 0xffff;
}

struct Layer4 {
  View bytes;
  uint64_t pseudo_sum = 0;  // of the addresses
  uint8_t protocol = 0;
  bool is_ipv6 = false;
};

std::string ComplaintAboutUdp(const Layer4& l4, uint64_t sum) {
  if (l4.bytes.size() < 8) return "udp truncated";
  if (Get16(l4.bytes, 4) != l4.bytes.size()) return "udp length";
  if (Get16(l4.bytes, 6) == 0) return l4.is_ipv6 ? "udp checksum missing" : "";
  return IsSumGood(sum) ? "" : "udp checksum";
}

std::string ComplaintAbout(const Layer4& l4) {
  const uint64_t plain = Sum(l4.bytes);
  const uint64_t sum = plain + l4.pseudo_sum + l4.protocol + l4.bytes.size();
  switch (l4.protocol) {
    case 1:
      return IsSumGood(plain) ? "" : "icmp checksum";
    case 6:
      if (l4.bytes.size() < 20) return "tcp truncated";
      return IsSumGood(sum) ? "" : "tcp checksum";
    case 17:
      return ComplaintAboutUdp(l4, sum);
    case 58:
      return IsSumGood(sum) ? "" : "icmpv6 checksum";
    default:
      return "";
  }
}

std::string ComplaintAboutIpv4(View ip) {
  if (ip.size() < 20 || ip[0] >> 4 != 4) return "ip header";
  const size_t header = (ip[0] & 0x0fU) * 4U;
  const size_t total = Get16(ip, 2);
  if (header < 20 || total < header || total > ip.size()) return "ip length";
  if (!IsSumGood(Sum(ip.first(header)))) return "ip checksum";
  if (Get16(ip, 6) & 0x3fff) return "";
  return ComplaintAbout({ip.subspan(header, total - header), Sum(ip.subspan(12, 8)), ip[9], false});
}

std::string ComplaintAboutIpv6(View ip) {
  if (ip.size() < 40 || ip[0] >> 4 != 6) return "ip header";
  const size_t total = 40 + Get16(ip, 4);
  if (total > ip.size()) return "ip length";
  uint8_t next = ip[6];
  size_t offset = 40;
  while (next == 0 || next == 43 || next == 44 || next == 51 || next == 60) {
    if (offset + 8 > total) return "ip extension";
    if (next == 44 && (Get16(ip, offset + 2) & 0xfff9) != 0) return "";
    const size_t units = ip[offset + 1];
    const size_t size = next == 44 ? 8 : next == 51 ? (units + 2) * 4 : (units + 1) * 8;
    next = ip[offset];
    offset += size;
  }
  if (offset > total) return "ip extension";
  return ComplaintAbout({ip.subspan(offset, total - offset), Sum(ip.subspan(8, 32)), next, true});
}

}  // namespace

std::string Complaint(const std::vector<uint8_t>& frame) {
  const View bytes(frame);
  size_t offset = 12;
  while (offset + 2 <= bytes.size() && Get16(bytes, offset) == 0x8100)
    offset += 4;
  if (offset + 2 > bytes.size()) return "ethernet truncated";
  const uint32_t ether_type = Get16(bytes, offset);
  if (ether_type == 0x0800) return ComplaintAboutIpv4(bytes.subspan(offset + 2));
  if (ether_type == 0x86dd) return ComplaintAboutIpv6(bytes.subspan(offset + 2));
  return "";
}

}  // namespace tandem::test
