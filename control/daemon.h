// SPDX-License-Identifier: Apache-2.0
//
// A running device: EAL, ports, the unit, its workers and the admin socket, built from one
// configuration in the order in which they need each other and taken down in the reverse.
//
// Thread safety: the main thread.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "control/admin_requests.h"
#include "control/admin_server.h"
#include "control/config_compile.h"
#include "control/config_document.h"
#include "control/config_ids.h"
#include "control/config_sync.h"
#include "control/daemon_sweep.h"
#include "control/operations.h"
#include "control/takeover_control.h"
#include "dataplane/io/eal.h"
#include "dataplane/io/link_watch.h"
#include "dataplane/io/memory.h"
#include "dataplane/io/mirror_port.h"
#include "dataplane/io/mirror_thread.h"
#include "dataplane/io/ports.h"
#include "dataplane/io/side_socket.h"
#include "dataplane/io/telemetry.h"
#include "dataplane/io/witness_socket.h"
#include "dataplane/io/worker_set.h"

namespace tandem::control {

class Daemon : public Operations {
 public:
  // Brings everything up; packets are forwarded when it returns. `document` is a valid one, loaded
  // from `config_path`; an empty `admin_socket` is that of the configuration.
  static absl::StatusOr<std::unique_ptr<Daemon>> Start(const Document& document,
                                                       std::string config_path,
                                                       std::string admin_socket, Software software);
  ~Daemon() override;

  unit::Unit& unit() override { return *unit_; }
  Nanos Now() const override;
  const Facts& facts() const override { return facts_; }
  std::vector<PortReport> Ports() const override;
  const config::v1::Config& running() const override { return running_; }
  absl::Status Apply(const config::v1::Config& next, bool check_only) override;
  absl::Status ApplyText(std::string_view text, std::string_view name, bool check_only) override;
  absl::Status Reload(bool check_only) override;
  absl::Status Save() override;
  TakeoverControl* takeover() override { return takeover_.get(); }
  ConfigSync* config_sync() override { return config_sync_.get(); }

  // Gives all traffic groups up, so that nobody has to wait for this device's silence. Returns within a
  // second.
  void GiveUpGroups();
  // For the loop (control/daemon_loop.h).
  AdminServer& admin_server() { return *admin_server_; }
  // What has to be looked at now and then: links, snapshots to free, the sweep. Milliseconds until
  // it wants to be called again.
  int Tend();

 private:
  Daemon() = default;
  absl::Status StartEal(const Document& document);
  absl::Status StartPorts();
  absl::Status StartUnit(const Document& document);
  absl::Status StartWorkers();
  absl::Status StartMirroring();
  absl::Status StartLinkWatch();
  absl::Status PrepareTakeover(const Compiled& compiled, unit::UnitOptions& options);
  absl::Status PrepareWitness(const IpAddress& own, unit::TakeoverOptions& options);
  absl::Status StartAdmin(std::string admin_socket);
  // Whether a key_file that is configured as before is read again.
  enum class KeyFile { kRead, kAsRead };
  absl::Status ApplyDocument(const Document& document, KeyFile key_file, bool check_only);
  absl::StatusOr<Compiled> CompileFor(const Document& document, KeyFile key_file) const;
  void LogPorts();
  void LogMirror();
  void LogFaults();
  void AnnounceAll();

  config::v1::Config running_;
  Facts facts_;
  ConfigIds ids_;
  std::vector<std::shared_ptr<const mirror::EndpointStatus>>
      mirror_status_;  // by peer: what the log knows
  std::vector<ha::Fault> faults_logged_;
  Nanos faults_looked_at_ = 0;
  std::array<uint32_t, kPortsMax + 1> links_logged_{};  // Port::link_changes; the last: mirroring

  // In order of construction; destroyed in reverse.
  std::unique_ptr<io::Eal> eal_;
  std::vector<io::PortOptions> port_options_;
  std::optional<io::PortOptions> mirror_port_options_;
  std::unique_ptr<io::Memory> memory_;
  std::unique_ptr<io::Ports> ports_;
  std::vector<PortFacts> port_facts_;
  std::unique_ptr<io::MirrorPort> mirror_port_;  // nullptr: nothing is mirrored
  std::unique_ptr<io::SideSocket>
      side_socket_;  // nullptr: heartbeats go over the mirroring port alone
  std::unique_ptr<io::WitnessSocket> witness_socket_;  // nullptr: there is no witness
  ha::Facts takeover_facts_;                           // as loaded
  std::unique_ptr<unit::Unit> unit_;
  std::unique_ptr<io::Telemetry> telemetry_;
  std::unique_ptr<Sweep> sweep_;
  std::unique_ptr<TakeoverControl> takeover_;  // nullptr: roles are as configured
  std::unique_ptr<ConfigSync> config_sync_;    // nullptr: nothing is mirrored
  std::unique_ptr<AdminRequests> admin_requests_;
  std::unique_ptr<io::WorkerSet> workers_;
  std::unique_ptr<io::MirrorThread> mirror_thread_;
  std::unique_ptr<io::LinkWatch> link_watch_;
  std::unique_ptr<AdminServer> admin_server_;
};

}  // namespace tandem::control
