// SPDX-License-Identifier: Apache-2.0
#include "control/admin_change.h"

#include <optional>
#include <string>

#include "control/admin_show.h"
#include "control/config_edit.h"

namespace tandem::control {
namespace {

namespace v1 = admin::v1;
using config::v1::Config;
using Member = config::v1::Pool::Member;

// nullopt for what is not a state, or one of a newer tandemctl.
std::optional<Member::State> StateOf(v1::ModifyMember::State state) {
  if (state == v1::ModifyMember::ENABLED) return Member::ENABLED;
  if (state == v1::ModifyMember::DISABLED) return Member::DISABLED;
  if (state == v1::ModifyMember::FORCED_OFFLINE) return Member::FORCED_OFFLINE;
  return std::nullopt;
}

std::optional<MirroredKind> KindOf(v1::ModifyMirror::Kind kind) {
  if (kind == v1::ModifyMirror::VIRTUAL) return MirroredKind::kVirtual;
  if (kind == v1::ModifyMirror::SNAT_POOL) return MirroredKind::kSnatPool;
  if (kind == v1::ModifyMirror::PERSISTENCE) return MirroredKind::kPersistence;
  return std::nullopt;
}

void Refuse(const absl::Status& status, v1::Response& response) {
  const auto code = absl::IsNotFound(status)          ? v1::Response::NOT_FOUND
                    : absl::IsInvalidArgument(status) ? v1::Response::INVALID
                                                      : v1::Response::FAILED;
  Fail(response, code, std::string(status.message()));
}

void Finish(Operations& operations, const absl::Status& status, v1::Response& response) {
  if (!status.ok()) {
    const auto code = absl::IsInvalidArgument(status) || absl::IsFailedPrecondition(status) ||
                              absl::IsResourceExhausted(status)
                          ? v1::Response::REFUSED
                          : v1::Response::FAILED;
    return Fail(response, code, std::string(status.message()));
  }
  response.mutable_applied()->set_config_generation(operations.unit().snapshot().generation);
}

}  // namespace

void ModifyMember(Operations& operations, const v1::ModifyMember& request, v1::Response& response) {
  const auto state = StateOf(request.state());
  if (!state) {
    return Fail(response, v1::Response::INVALID,
                "a member's state is enabled, disabled or forced-offline");
  }
  Config next = operations.running();
  const absl::Status status = SetMemberState(next, request.pool(), request.member(), *state);
  if (!status.ok()) return Refuse(status, response);
  Finish(operations, operations.Apply(next, /*check_only=*/false), response);
}

void ModifyVirtual(Operations& operations, const v1::ModifyVirtual& request,
                   v1::Response& response) {
  if (request.state() != v1::ModifyVirtual::ENABLED &&
      request.state() != v1::ModifyVirtual::DISABLED) {
    return Fail(response, v1::Response::INVALID, "a virtual's state is enabled or disabled");
  }
  Config next = operations.running();
  const absl::Status status =
      SetVirtualEnabled(next, request.name(), request.state() == v1::ModifyVirtual::ENABLED);
  if (!status.ok()) return Refuse(status, response);
  Finish(operations, operations.Apply(next, /*check_only=*/false), response);
}

void ModifyMirror(Operations& operations, const v1::ModifyMirror& request, v1::Response& response) {
  const auto kind = KindOf(request.kind());
  if (!kind || (request.state() != v1::ModifyMirror::ENABLED &&
                request.state() != v1::ModifyMirror::DISABLED)) {
    return Fail(response, v1::Response::INVALID,
                "mirror of a virtual, a SNAT pool or a persistence profile is enabled or disabled");
  }
  Config next = operations.running();
  const absl::Status status =
      SetMirror(next, *kind, request.name(), request.state() == v1::ModifyMirror::ENABLED);
  if (!status.ok()) return Refuse(status, response);
  Finish(operations, operations.Apply(next, /*check_only=*/false), response);
}

void LoadConfiguration(Operations& operations, const v1::Load& request, v1::Response& response) {
  const std::string name = request.name().empty() ? "configuration" : request.name();
  const absl::Status status = request.has_text()
                                  ? operations.ApplyText(request.text(), name, request.verify())
                                  : operations.Reload(request.verify());
  Finish(operations, status, response);
}

void SaveConfiguration(Operations& operations, v1::Response& response) {
  if (const absl::Status status = operations.Save(); !status.ok()) {
    return Fail(response, v1::Response::FAILED, std::string(status.message()));
  }
  response.mutable_saved()->set_path(operations.facts().config_path);
}

}  // namespace tandem::control
