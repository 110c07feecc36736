// SPDX-License-Identifier: Apache-2.0
//
// Persistence records of a pair, looked at from outside both devices:
//  - a copy is of a record that a writer had (I1), and of one key no older one follows a newer (I2);
//  - when all is quiet, the standby has the active's records, and no others (I3);
//  - whoever a record led to a member is led there by the device that takes over (I10).
#pragma once

#include <array>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "dataplane/persist/table.h"
#include "tests/sim/lan.h"
#include "tests/sim/pair_config.h"
#include "tests/sim/pair_device.h"

namespace tandem::sim {

// By the names of nobody, so that both devices' are the same.
struct RecordName {
  unsigned profile = 0;
  uint32_t scope = 0;
  uint8_t size = 0;
  std::array<uint8_t, 16> bytes{};
  auto operator<=>(const RecordName&) const = default;
  std::string ToText() const;
};

struct RecordImage {
  unsigned member = 0;
  unsigned virtual_server = 0;
  uint32_t idle = 0, timeout = 0;  // ticks
  uint8_t session = 0;
  uint8_t flags = 0;         // persist::RecordFlag
  bool is_mirrored = false;  // by its profile
  bool is_copy() const { return (flags & persist::kFromPeer) != 0; }
};
using RecordImages = std::map<RecordName, RecordImage>;

// Where a new conversation of this client has to go.
struct Promise {
  const LanService* service = nullptr;
  IpAddress client;
  IpAddress member;
};

class RecordWatch {
 public:
  // Names become numbers: the same for the same name.
  explicit RecordWatch(std::function<unsigned(const std::string&)> number_of)
      : number_of_(std::move(number_of)) {}

  // Live records of the group; of those in the table also the ones that have run out and were not found to.
  enum class RunOut : uint8_t { kNot, kToo };
  RecordImages ImagesOf(PairDevice& device, const char* group, RunOut run_out = RunOut::kNot) const;

  // After a turn of the group's active: its records, if some came or went.
  void Remember(unsigned group, PairDevice& active, const char* name);
  // What the group's standby has. I1, I2.
  void Check(unsigned group, PairDevice& standby, const char* name);
  // I3. Empty: equal. The standby's clock jumped on by `skipped` ticks since they were equal last:
  // copies that last no longer may be gone.
  std::string Compare(PairDevice& active, PairDevice& standby, const char* name,
                      uint64_t skipped) const;
  // Whether its table was too full for some copies, which it lacks then.
  static bool HasRefused(PairDevice& device);
  // Every stream of records from `writer` says that `reader` has everything.
  static bool IsInSync(PairDevice& writer, PairDevice& reader);

  // The active is another one, or another run of it; what came in `session` may be of the one before.
  void NewWriter(unsigned group, uint64_t session);
  void NewShadow(unsigned group);  // the standby is another run
  // The session in which a device reads records now.
  static uint64_t SessionOf(PairDevice& device);

  // What the device's records promise to the group's clients.
  std::vector<Promise> PromisesOf(PairDevice& device, unsigned group,
                                  const std::vector<LanService>& services) const;

 private:
  struct History {
    std::vector<unsigned> members;  // one after the other; 0: gone
    size_t seen = 0;                // the standby's copy is not older
    bool is_there = false;          // at the standby, when last looked at
  };
  struct Group {
    std::map<RecordName, History> histories;  // of the present writer
    uint64_t activity = UINT64_MAX;
    uint64_t session_before = 0;  // its copies are not looked at
    uint64_t own_losses = 0;
  };
  void CheckCopy(const RecordName& name, const RecordImage& copy, Group& group, const char* where,
                 uint64_t session);

  std::function<unsigned(const std::string&)> number_of_;
  std::array<Group, kPairGroups> groups_;
  std::set<std::pair<RecordName, unsigned>> ever_;
};

}  // namespace tandem::sim
