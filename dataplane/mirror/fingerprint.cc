// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <string_view>

#include "dataplane/mirror/endpoint.h"

namespace tandem::mirror {
namespace {

class Differences {
 public:
  void Number(std::string_view name, uint64_t ours, uint64_t peers) {
    if (ours != peers) Say(name, std::to_string(ours), std::to_string(peers));
  }
  void Hash(std::string_view name, uint64_t ours, uint64_t peers) {
    if (ours != peers) Say(name, Hex(ours), Hex(peers));
  }
  void Text(std::string_view name, const std::string& ours, const std::string& peers) {
    if (ours != peers) Say(name, ours, peers);
  }
  std::string text() && { return std::move(text_); }

 private:
  static std::string Hex(uint64_t value) {
    std::string text;
    for (int shift = 60; shift >= 0; shift -= 4)
      text += "0123456789abcdef"[value >> shift & 0xf];
    return text;
  }
  void Say(std::string_view name, const std::string& ours, const std::string& peers) {
    if (!text_.empty()) text_ += "; ";
    text_ += std::string(name) + " " + ours + " here, " + peers + " at the peer";
  }

  std::string text_;
};

}  // namespace

std::string DifferenceOf(const Fingerprint& ours, const Fingerprint& peers) {
  Differences differences;
  differences.Text("driver", ours.driver, peers.driver);
  differences.Number("workers", ours.workers, peers.workers);
  differences.Hash("RSS key", ours.rss_key_hash, peers.rss_key_hash);
  differences.Number("RSS table size", ours.reta_size, peers.reta_size);
  differences.Hash("RSS table", ours.reta_hash, peers.reta_hash);
  differences.Number("schema", ours.schema, peers.schema);
  return std::move(differences).text();
}

}  // namespace tandem::mirror
