// SPDX-License-Identifier: Apache-2.0
#include "dataplane/mirror/translation.h"

#include <catch2/catch.hpp>
#include <string>

using namespace tandem;
using config::NameHash;
using config::ObjectKind;

namespace {

void AddVirtual(config::Snapshot& snapshot, uint16_t id, const char* name) {
  if (snapshot.virtuals.size() <= id) snapshot.virtuals.resize(size_t{id} + 1);
  snapshot.virtuals[id].id = id;
  snapshot.virtuals[id].name = name;
}

}  // namespace

TEST_CASE("translation: numbers meet by name, of one kind only", "[mirror]") {
  config::Snapshot ours;
  ours.generation = 17;
  AddVirtual(ours, 5, "web");
  AddVirtual(ours, 2, "ssh");
  ours.interfaces.resize(2);
  ours.interfaces[1] = {.name = "external", .id = 1};
  ours.ports.resize(1);
  ours.persistences.resize(4);
  ours.persistences[3].id = 3;
  ours.persistences[3].name = "web";
  ours.Finish();

  auto peers = std::make_shared<config::Dictionary>();
  peers->Add(ObjectKind::kVirtual, 1, {.name_hash = NameHash(ObjectKind::kVirtual, "web")});
  peers->Add(ObjectKind::kVirtual, 9, {.name_hash = NameHash(ObjectKind::kVirtual, "other")});
  peers->Add(ObjectKind::kVirtual, 4096, {.name_hash = NameHash(ObjectKind::kVirtual, "ssh")});
  peers->Add(ObjectKind::kInterface, 7,
             {.name_hash = NameHash(ObjectKind::kInterface, "external")});
  peers->Add(ObjectKind::kPersistence, 2, {.name_hash = NameHash(ObjectKind::kPersistence, "web")});
  peers->Finish();

  const auto translation = mirror::MakeTranslation(peers, 0xa1, 0x12345678, ours);
  CHECK(translation->version == 0x5678);
  CHECK(translation->snapshot_generation == 17);
  CHECK(translation->IsOf(0xa1, ours));
  CHECK_FALSE(translation->IsOf(0xa2, ours));
  CHECK(translation->peer == peers);
  CHECK(translation->VirtualOf(1) == 5);
  CHECK(translation->VirtualOf(9) == 0);
  CHECK(translation->VirtualOf(4096) == 2);
  CHECK(translation->InterfaceOf(7) == 1);
  CHECK(translation->PersistenceOf(2) == 3);
  CHECK(translation->MemberOf(1) == 0);
  for (const uint16_t number : std::initializer_list<uint16_t>{0, 2, 8, 10, 4095, 4097, 65535})
    CHECK(translation->VirtualOf(number) == 0);
}
