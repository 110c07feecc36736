// SPDX-License-Identifier: Apache-2.0
#include "control/admin_requests.h"

#include <string>
#include <utility>

#include "control/admin_change.h"
#include "control/admin_config_sync.h"
#include "control/admin_known.h"
#include "control/admin_persistence.h"
#include "control/admin_show.h"
#include "control/admin_takeover.h"

namespace tandem::control {
namespace v1 = admin::v1;

AdminRequests::AdminRequests(Operations& operations)
    : operations_(operations),
      statistics_(operations.unit()),
      mirror_(operations.unit()),
      followed_generation_(operations.unit().snapshot().generation) {}

void AdminRequests::Follow() {
  const config::Snapshot& snapshot = operations_.unit().snapshot();
  if (snapshot.generation == followed_generation_) return;
  followed_generation_ = snapshot.generation;
  statistics_.Follow(snapshot);
}

std::unique_ptr<AdminExchange> AdminRequests::Begin(const v1::Request& request) {
  abandoned_.Sweep();
  Follow();
  if (request.has_show_connection()) return BeginShow(request.show_connection());
  if (request.has_show_persistence()) return BeginShow(request.show_persistence());
  if (request.has_delete_persistence()) return BeginDelete(request.delete_persistence());
  if (request.has_delete_connection()) return BeginDelete(request.delete_connection());
  if (request.has_run_failover()) return RunFailover(operations_, request.run_failover());
  if (request.has_run_config_sync()) return RunConfigSync(operations_, request.run_config_sync());
  auto known = AnswerWith(Answer(request));
  Follow();
  return known;
}

v1::Response AdminRequests::Answer(const v1::Request& request) {
  const AdminView view{operations_, statistics_, mirror_};
  v1::Response response;
  if (request.has_show_version()) {
    ShowVersion(view, response);
  } else if (request.has_show_virtual()) {
    ShowVirtuals(view, request.show_virtual(), response);
  } else if (request.has_show_pool()) {
    ShowPools(view, request.show_pool(), response);
  } else if (request.has_show_arp()) {
    ShowArp(view, response);
  } else if (request.has_show_port()) {
    ShowPorts(view, request.show_port(), response);
  } else if (request.has_show_worker()) {
    ShowWorkers(view, response);
  } else if (request.has_show_drops()) {
    ShowDrops(view, request.show_drops(), response);
  } else if (request.has_show_route()) {
    ShowRoutes(view, response);
  } else if (request.has_show_config()) {
    ShowConfig(view, response);
  } else if (request.has_show_mirror()) {
    ShowMirror(view, response);
  } else if (request.has_show_traffic_group()) {
    ShowTrafficGroups(view, response);
  } else if (request.has_show_device_group()) {
    ShowDeviceGroup(view, response);
  } else if (request.has_show_failover()) {
    ShowFailover(view, response);
  } else if (request.has_modify_mirror()) {
    ModifyMirror(operations_, request.modify_mirror(), response);
  } else if (request.has_modify_member()) {
    ModifyMember(operations_, request.modify_member(), response);
  } else if (request.has_modify_virtual()) {
    ModifyVirtual(operations_, request.modify_virtual(), response);
  } else if (request.has_load()) {
    LoadConfiguration(operations_, request.load(), response);
  } else if (request.has_save()) {
    SaveConfiguration(operations_, response);
  } else if (request.has_reset_stats()) {
    statistics_.Reset(operations_.Ports());
    mirror_.Reset();
    response.mutable_reset();
  } else {
    Fail(response, v1::Response::UNSUPPORTED, "this tandemd does not know the request");
  }
  return response;
}

std::unique_ptr<AdminExchange> AdminRequests::BeginShow(const v1::ShowConnection& request) {
  const auto filter = CompileFilter(request.filter(), operations_.unit().snapshot());
  if (!filter.ok()) return Refuse(filter.status());
  if (request.count()) return CountFlows(operations_, abandoned_, *filter);
  return ShowFlows(operations_, abandoned_, *filter, request.limit());
}

std::unique_ptr<AdminExchange> AdminRequests::BeginDelete(const v1::DeleteConnection& request) {
  if (IsEmpty(request.filter()) != request.all()) {
    return Refuse(v1::Response::INVALID, request.all()
                                             ? "either a filter or all connections, not both"
                                             : "no filter: say which connections, or all");
  }
  const auto filter = CompileFilter(request.filter(), operations_.unit().snapshot());
  if (!filter.ok()) return Refuse(filter.status());
  return DeleteFlows(operations_, abandoned_, *filter);
}

std::unique_ptr<AdminExchange> AdminRequests::BeginShow(const v1::ShowPersistence& request) {
  const auto filter = CompileFilter(request.filter(), operations_.unit().snapshot());
  if (!filter.ok()) return Refuse(filter.status());
  if (request.count()) return CountRecords(operations_, *filter);
  return ShowRecords(operations_, *filter, request.limit());
}

std::unique_ptr<AdminExchange> AdminRequests::BeginDelete(const v1::DeletePersistence& request) {
  if (IsEmpty(request.filter()) != request.all()) {
    return Refuse(v1::Response::INVALID, request.all() ? "either a filter or all records, not both"
                                                       : "no filter: say which records, or all");
  }
  const auto filter = CompileFilter(request.filter(), operations_.unit().snapshot());
  if (!filter.ok()) return Refuse(filter.status());
  return DeleteRecords(operations_, *filter);
}

}  // namespace tandem::control
