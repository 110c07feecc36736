// SPDX-License-Identifier: Apache-2.0
#include "control/config_mirroring_key.h"

namespace tandem::control {

absl::StatusOr<MirroringKey> MirroringKeyOf(const config::v1::Config& config) {
  const config::v1::Mirroring& mirroring = config.mirroring();
  if (mirroring.has_key_file())
    return ReadMirroringKey("mirroring: key_file", mirroring.key_file());
  return ParseMirroringKey(mirroring.key()).value_or(MirroringKey{});
}

void HideMirroringKey(config::v1::Config& config) {
  if (config.mirroring().has_key()) config.mutable_mirroring()->set_key("(hidden)");
}

}  // namespace tandem::control
