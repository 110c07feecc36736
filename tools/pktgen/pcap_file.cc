// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/pcap_file.h"

#include <pcap/pcap.h>

#include <memory>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "dataplane/base/limits.h"

namespace tandem::pktgen {

absl::StatusOr<std::vector<std::vector<uint8_t>>> ReadPcap(const std::string& path,
                                                           size_t frame_size_max) {
  char error[PCAP_ERRBUF_SIZE] = "";
  const std::unique_ptr<pcap_t, void (*)(pcap_t*)> file(pcap_open_offline(path.c_str(), error),
                                                        pcap_close);
  const auto refuse = [&path](const std::string& what) {
    return absl::InvalidArgumentError(absl::StrCat("--pcap \"", path, "\": ", what));
  };
  if (file == nullptr) return refuse(error);
  if (pcap_datalink(file.get()) != DLT_EN10MB) return refuse("its frames are not Ethernet's");
  std::vector<std::vector<uint8_t>> frames;
  pcap_pkthdr* header = nullptr;
  const uint8_t* bytes = nullptr;
  int code = 0;
  while ((code = pcap_next_ex(file.get(), &header, &bytes)) == 1) {
    if (header->caplen != header->len) {
      return refuse(absl::StrCat("frame ", frames.size() + 1, " was cut off at its capture"));
    }
    if (header->len > frame_size_max || header->len < 14) {
      return refuse(absl::StrCat("frame ", frames.size() + 1, " has ", header->len,
                                 " bytes; --mtu allows from 14 to ", frame_size_max));
    }
    frames.emplace_back(bytes, bytes + header->len);
    if (frames.back().size() < kFrameMin) frames.back().resize(kFrameMin);
  }
  if (code == PCAP_ERROR) return refuse(pcap_geterr(file.get()));
  if (frames.empty()) return refuse("has no frames");
  return frames;
}

}  // namespace tandem::pktgen
