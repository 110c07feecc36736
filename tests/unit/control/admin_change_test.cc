// SPDX-License-Identifier: Apache-2.0
#include "control/admin_change.h"

#include <catch2/catch.hpp>
#include <string>

#include "tests/unit/control/admin_device.h"

namespace tandem::control {
namespace {

using admin::v1::ModifyMember;
using admin::v1::Request;
using admin::v1::Response;
using Member = config::v1::Pool::Member;

Request SetMember(const std::string& pool, const std::string& member, ModifyMember::State state) {
  Request request;
  request.mutable_modify_member()->set_pool(pool);
  request.mutable_modify_member()->set_member(member);
  request.mutable_modify_member()->set_state(state);
  return request;
}

Request LoadText(const std::string& text, bool verify = false) {
  Request request;
  request.mutable_load()->set_text(text);
  request.mutable_load()->set_name("new.textproto");
  request.mutable_load()->set_verify(verify);
  return request;
}

TEST_CASE("admin change: a member's state changes and nothing else", "[admin]") {
  AdminDevice device;
  const uint64_t before = device.unit().snapshot().generation;
  const Response response = device.Ask(SetMember("web", "10.1.0.6:8080", ModifyMember::ENABLED));
  REQUIRE(response.code() == Response::OK);
  CHECK(response.applied().config_generation() == before + 1);
  CHECK(device.running().pool(0).member(1).state() == Member::ENABLED);
  CHECK(device.running().pool(0).member(1).connection_limit() == 7);
  device.Ask(SetMember("web", "10.1.0.6:8080", ModifyMember::DISABLED));
  CHECK(device.running().pool(0).member(1).state() == Member::DISABLED);
}

TEST_CASE("admin change: a member that is not there, or a state that is none", "[admin]") {
  AdminDevice device;
  CHECK(device.Ask(SetMember("nope", "10.1.0.6:8080", ModifyMember::ENABLED)).code() ==
        Response::NOT_FOUND);
  CHECK(device.Ask(SetMember("web", "10.1.0.6:81", ModifyMember::ENABLED)).code() ==
        Response::NOT_FOUND);
  CHECK(device.Ask(SetMember("web", "rubbish", ModifyMember::ENABLED)).code() == Response::INVALID);
  for (const int number : {0, 4, 99, -1}) {
    CHECK(device.Ask(SetMember("web", "10.1.0.6:8080", static_cast<ModifyMember::State>(number)))
              .code() == Response::INVALID);
  }
  CHECK(device.unit().snapshot().generation == AdminDevice().unit().snapshot().generation);
}

TEST_CASE("admin change: a disabled virtual takes no new connections", "[admin]") {
  AdminDevice device;
  device.ServerSpeaks(5);
  device.Syn(1000);
  Request request;
  request.mutable_modify_virtual()->set_name("web");
  request.mutable_modify_virtual()->set_state(admin::v1::ModifyVirtual::DISABLED);
  REQUIRE(device.Ask(request).code() == Response::OK);
  device.Syn(1001);
  Request show;
  show.mutable_show_virtual()->set_name("web");
  CHECK(device.Ask(show).virtuals().virtual_(0).connections().total() == 1);
  request.mutable_modify_virtual()->set_name("nope");
  CHECK(device.Ask(request).code() == Response::NOT_FOUND);
  request.mutable_modify_virtual()->set_name("web");
  request.mutable_modify_virtual()->clear_state();
  CHECK(device.Ask(request).code() == Response::INVALID);
}

TEST_CASE("admin change: load replaces all, or nothing and says where", "[admin]") {
  AdminDevice device;
  const std::string broken = std::string(kConfigText) + "virtual { name: \"web\" }\n";
  const Response refused = device.Ask(LoadText(broken));
  CHECK(refused.code() == Response::REFUSED);
  CHECK(refused.message().find("new.textproto:") != std::string::npos);
  CHECK(device.running().virtual__size() == 3);

  const std::string more =
      std::string(kConfigText) +
      "virtual { name: \"web2\" destination: \"10.0.0.101:80\" pool: \"web\" }\n";
  CHECK(device.Ask(LoadText(more, /*verify=*/true)).code() == Response::OK);
  CHECK(device.running().virtual__size() == 3);
  CHECK(device.Ask(LoadText(more)).code() == Response::OK);
  CHECK(device.running().virtual__size() == 4);

  Request own;
  own.mutable_load();
  CHECK(device.Ask(own).code() == Response::OK);
  CHECK(device.running().virtual__size() == 3);

  CHECK(device.Ask(LoadText("")).code() == Response::REFUSED);
  CHECK(device.Ask(LoadText("port { name: \"caf\xe9\" }")).code() == Response::REFUSED);
  CHECK(device.Ask(LoadText("\x01garbage{{{")).code() == Response::REFUSED);
  CHECK(device.running().virtual__size() == 3);
}

TEST_CASE("admin change: save writes what runs, or says why not", "[admin]") {
  AdminDevice device;
  Request request;
  request.mutable_save();
  const Response response = device.Ask(request);
  CHECK(response.saved().path() == "/etc/tandem/tandem.textproto");
  CHECK(device.saved.virtual__size() == 3);
  device.save_status = absl::PermissionDeniedError("no");
  CHECK(device.Ask(request).code() == Response::FAILED);
}

TEST_CASE("admin change: a virtual that takes over an id begins at zero", "[admin]") {
  AdminDevice device;
  device.ServerSpeaks(5);
  device.Syn(1000);
  std::string renamed = kConfigText;
  renamed.replace(renamed.find("name: \"web\" destination"), 11, "name: \"new\"");
  REQUIRE(device.Ask(LoadText(renamed)).code() == Response::OK);
  Request show;
  show.mutable_show_virtual()->set_name("new");
  const Response response = device.Ask(show);
  REQUIRE(response.virtuals().virtual__size() == 1);
  CHECK(response.virtuals().virtual_(0).connections().total() == 0);

  // Id 1 still has the counts of "web"; the object that gets the id next does not.
  config::Snapshot next;
  next.virtuals.resize(2);
  next.virtuals[1] = {.name = "other", .id = 1};
  Statistics statistics(device.unit());
  CHECK(statistics.OfVirtual(1).connections == 1);
  statistics.Follow(next);
  CHECK(statistics.OfVirtual(1).connections == 0);
}

}  // namespace
}  // namespace tandem::control
