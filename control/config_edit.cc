// SPDX-License-Identifier: Apache-2.0
#include "control/config_edit.h"

#include <algorithm>

#include <absl/strings/str_split.h>
#include <google/protobuf/text_format.h>

#include "control/config_endpoint.h"
#include "control/config_report.h"
#include "control/text.h"

namespace tandem::control {
namespace {

namespace v1 = config::v1;

absl::Status NoSuch(std::string_view kind, std::string_view name) {
  return absl::NotFoundError(Cat(kind, " ", Quote(name), " does not exist"));
}

v1::Pool::Member* FindMember(v1::Pool& pool, const Endpoint& wanted) {
  for (v1::Pool::Member& member : *pool.mutable_member()) {
    const auto address = ParseConfigAddress(member.address());
    if (address && HostPrefix(*address) == wanted.prefix && member.port() == wanted.port) {
      return &member;
    }
  }
  return nullptr;
}

}  // namespace

absl::Status SetMemberState(v1::Config& config, std::string_view pool_name, std::string_view member,
                            v1::Pool::Member::State state) {
  const auto pool = std::find_if(config.mutable_pool()->begin(), config.mutable_pool()->end(),
                                 [&](const v1::Pool& each) { return each.name() == pool_name; });
  if (pool == config.mutable_pool()->end()) return NoSuch("pool", pool_name);
  const auto endpoint = ParseEndpoint(member);
  if (!endpoint.ok()) {
    return absl::InvalidArgumentError(
        Cat("member ", Quote(member), ": ", endpoint.status().message()));
  }
  v1::Pool::Member* found = FindMember(*pool, *endpoint);
  if (found == nullptr) {
    return NoSuch(Cat("pool ", Quote(pool_name), ": member"), member);
  }
  found->set_state(state);
  return absl::OkStatus();
}

absl::Status SetVirtualEnabled(v1::Config& config, std::string_view name, bool enabled) {
  for (v1::Virtual& each : *config.mutable_virtual_()) {
    if (each.name() != name) continue;
    each.set_enabled(enabled);
    return absl::OkStatus();
  }
  return NoSuch("virtual", name);
}

namespace {

template <class Objects>
absl::Status SetMirrorOf(Objects& objects, const char* kind, std::string_view name, bool mirror) {
  for (auto& each : objects) {
    if (each.name() != name) continue;
    each.set_mirror(mirror);
    return absl::OkStatus();
  }
  return NoSuch(kind, name);
}

}  // namespace

absl::Status SetMirror(v1::Config& config, MirroredKind kind, std::string_view name, bool mirror) {
  switch (kind) {
    case MirroredKind::kVirtual:
      return SetMirrorOf(*config.mutable_virtual_(), "virtual", name, mirror);
    case MirroredKind::kSnatPool:
      return SetMirrorOf(*config.mutable_snat_pool(), "snat_pool", name, mirror);
    case MirroredKind::kPersistence:
      return SetMirrorOf(*config.mutable_profile_persistence(), "profile_persistence", name,
                         mirror);
  }
  return NoSuch("object", name);
}

std::string PrintConfig(const v1::Config& config, std::string_view header) {
  google::protobuf::TextFormat::Printer printer;
  printer.SetUseUtf8StringEscaping(true);
  std::string body;
  printer.PrintToString(config, &body);
  std::string text;
  for (const auto line : absl::StrSplit(ToAbsl(header), '\n'))
    text += Cat(line.empty() ? "#" : "# ", line, "\n");
  // Strings have no raw line ends, so only the end of a top-level object is a line like this.
  constexpr std::string_view kEndOfObject = "\n}\n";
  size_t begin = 0;
  for (size_t end = 0; (end = body.find(kEndOfObject, begin)) != std::string::npos;) {
    text += Cat("\n", std::string_view(body).substr(begin, end + kEndOfObject.size() - begin));
    begin = end + kEndOfObject.size();
  }
  return text + body.substr(begin);
}

}  // namespace tandem::control
