// SPDX-License-Identifier: Apache-2.0
#include "control/daemon.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "control/config_health.h"
#include "control/config_lcores.h"
#include "control/config_load.h"
#include "control/config_takeover.h"
#include "control/daemon_options.h"
#include "control/facts_file.h"
#include "control/fault_log.h"
#include "control/log.h"
#include "control/mirror_log.h"
#include "control/random.h"
#include "control/text.h"
#include "dataplane/base/fnv.h"
#include "dataplane/io/clock.h"
#include "dataplane/unit/mirroring.h"

namespace tandem::control {
namespace {

// DPDK's levels; its chatter about every device it looks at is of interest to nobody else.
void LogEal(unsigned level, std::string_view line) {
  constexpr unsigned kError = 4;
  constexpr unsigned kNotice = 6;
  const LogLevel ours = level <= kError    ? LogLevel::kError
                        : level <= kNotice ? LogLevel::kInfo
                                           : LogLevel::kDebug;
  Log(ours, Cat("dpdk: ", line));
}

// Two devices begin a group's pages in different orders; a page that is shorter than the others could
// not take what the peer has in a whole one.
uint32_t FlowCapacity(uint32_t configured, bool mirrors) {
  constexpr auto kPage = static_cast<uint32_t>(kFlowsPerPage);
  return mirrors ? (configured + kPage - 1) / kPage * kPage : configured;
}

// What decides on which worker a flow lands, and whether there is room for it.
mirror::Fingerprint FingerprintOf(const io::Ports& ports, const config::Steering& steering,
                                  const unit::UnitOptions& unit) {
  mirror::Fingerprint fingerprint;
  for (size_t i = 0; i < ports.size(); ++i) {
    fingerprint.driver += (i == 0 ? "" : " ") + ports.port(i).Status().driver;
  }
  fingerprint.workers = unit.workers;
  fingerprint.rss_key_hash = Fnv1a(steering.key());
  fingerprint.reta_size = static_cast<uint32_t>(steering.reta_size());
  std::vector<uint8_t> reta;
  for (size_t i = 0; i < steering.reta_size(); ++i) {
    reta.push_back(static_cast<uint8_t>(steering.RetaEntry(i)));
  }
  fingerprint.reta_hash = Fnv1a(reta);
  fingerprint.flows_ipv4_per_worker = unit.flows_ipv4_per_worker;
  fingerprint.flows_ipv6_per_worker = unit.flows_ipv6_per_worker;
  return fingerprint;
}

mirror::EndpointOptions EndpointOptionsFor(const io::Ports& ports, const io::MirrorPort& port,
                                           const config::Steering& steering,
                                           const unit::UnitOptions& unit) {
  mirror::EndpointOptions options;
  options.mac = port.port().mac();
  options.fingerprint = FingerprintOf(ports, steering, unit);
  options.incarnation = RandomNumber() | 1;
  for (uint8_t& byte : options.nonce)
    byte = static_cast<uint8_t>(RandomNumber());
  options.first_session = RandomNumber() & 0x3fffffff;
  return options;
}

// A worker has a queue of each port at most, and a full one gives its share of every full burst.
unsigned BacklogTurnsOf(const std::vector<io::PortOptions>& ports) {
  unsigned descriptors = 0;
  for (const io::PortOptions& port : ports)
    descriptors = std::max<unsigned>(descriptors, port.rx_descriptors);
  return static_cast<unsigned>(descriptors * ports.size() / kBurstMax) + 1;
}

// "peer 10.255.0.2", "peers 10.255.0.2, 10.255.0.3"
std::string PeersText(const config::Mirroring& mirroring) {
  std::string text = mirroring.peers.size() == 1 ? "peer " : "peers ";
  for (const config::MirrorPeer& peer : mirroring.peers)
    text += Cat(&peer == mirroring.peers.data() ? "" : ", ", peer.address.ToString());
  return text;
}

bool PollsAdaptively(const config::v1::Device& device, const io::Eal& eal) {
  switch (device.poll_mode()) {
    case config::v1::Device::BUSY:
      return false;
    case config::v1::Device::ADAPTIVE:
      return true;
    case config::v1::Device::AUTO:
      break;
  }
  return !eal.HasCpuForEachLcore();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Daemon>> Daemon::Start(const Document& document,
                                                      std::string config_path,
                                                      std::string admin_socket, Software software) {
  std::unique_ptr<Daemon> daemon(new Daemon);
  daemon->running_ = document.config();
  daemon->facts_.config_path = std::move(config_path);
  daemon->facts_.software = std::move(software);
  if (absl::Status status = daemon->StartEal(document); !status.ok()) return status;
  if (absl::Status status = daemon->StartPorts(); !status.ok()) return status;
  if (absl::Status status = daemon->StartUnit(document); !status.ok()) return status;
  if (absl::Status status = daemon->StartAdmin(std::move(admin_socket)); !status.ok()) {
    return status;
  }
  if (absl::Status status = daemon->StartWorkers(); !status.ok()) return status;
  if (absl::Status status = daemon->StartMirroring(); !status.ok()) return status;
  if (absl::Status status = daemon->StartLinkWatch(); !status.ok()) return status;
  return daemon;
}

Daemon::~Daemon() {
  admin_server_.reset();
  link_watch_.reset();
  mirror_thread_.reset();
  // The admin socket's queries and the sweep's may be with the workers until they have ended.
  workers_.reset();
}

absl::Status Daemon::StartEal(const Document& document) {
  port_options_ = PortOptionsOf(document);
  mirror_port_options_ = MirrorPortOptionsOf(document);
  absl::StatusOr<io::Eal> eal =
      io::Eal::Start(EalOptionsOf(running_, port_options_, mirror_port_options_), LogEal);
  if (!eal.ok()) {
    return absl::Status(
        eal.status().code(),
        Cat(document.LocationOf("device"), ": device: ", std::string(eal.status().message())));
  }
  eal_ = std::make_unique<io::Eal>(*std::move(eal));
  const size_t lcores = eal_->WorkerLcores().size();
  if (const unsigned workers = WorkerCount(running_.device()); lcores != workers) {
    return absl::InvalidArgumentError(Cat(document.LocationOf("device"), ": device: ", workers,
                                          " workers, but EAL was told of lcores for ", lcores));
  }
  facts_.dpdk_version = io::DpdkVersion();
  facts_.started = Now();
  const bool mirrors = running_.has_mirroring();
  facts_.flows_ipv4_per_worker = FlowCapacity(running_.device().ipv4_flows_per_worker(), mirrors);
  facts_.flows_ipv6_per_worker = FlowCapacity(running_.device().ipv6_flows_per_worker(), mirrors);
  return absl::OkStatus();
}

absl::Status Daemon::StartPorts() {
  absl::StatusOr<std::unique_ptr<io::Ports>> ports =
      io::Ports::Open(port_options_, WorkerCount(running_.device()));
  if (!ports.ok()) return ports.status();
  ports_ = *std::move(ports);
  for (size_t i = 0; i < ports_->size(); ++i) {
    const io::Port& port = ports_->port(i);
    port_facts_.push_back({port.options().name, port.mac(), port.options().mtu});
  }
  if (!mirror_port_options_.has_value()) return absl::OkStatus();
  absl::StatusOr<std::unique_ptr<io::MirrorPort>> mirror_port =
      io::MirrorPort::Open(*mirror_port_options_);
  if (!mirror_port.ok()) return mirror_port.status();
  mirror_port_ = *std::move(mirror_port);
  return mirror_port_->Start();
}

absl::Status Daemon::StartUnit(const Document& document) {
  absl::StatusOr<Compiled> compiled = CompileFor(document, KeyFile::kRead);
  if (!compiled.ok()) return compiled.status();
  if (absl::Status status = ports_->Start(*compiled->snapshot->steering); !status.ok()) {
    return status;
  }
  const std::vector<unsigned> lcores = eal_->WorkerLcores();
  unit::UnitOptions options;
  options.workers = static_cast<unsigned>(lcores.size());
  options.flows_ipv4_per_worker = facts_.flows_ipv4_per_worker;
  options.flows_ipv6_per_worker = facts_.flows_ipv6_per_worker;
  options.persistence_records = running_.device().persistence_records();
  options.seed = RandomNumber();
  options.start = Now();
  options.backlog_turns = BacklogTurnsOf(port_options_);
  if (mirror_port_ != nullptr) {
    options.mirror =
        EndpointOptionsFor(*ports_, *mirror_port_, *compiled->snapshot->steering, options);
    options.mirror->stream_version = facts_.software.stream_version;
  }
  if (absl::Status status = PrepareTakeover(*compiled, options); !status.ok()) return status;
  memory_ = std::make_unique<io::Memory>(running_.device().hugepages());
  std::vector<std::span<std::byte>> tables;
  const size_t bytes = unit::Unit::BytesNeededPerWorker(options);
  for (const unsigned lcore : lcores) {
    tables.push_back(memory_->Allocate(bytes, eal_->NodeOf(lcore)));
    if (tables.back().empty()) {
      return absl::ResourceExhaustedError(
          Cat("flow tables: no memory for ", bytes >> 20, " MiB a worker"));
    }
  }
  options.allocate = [&tables](size_t, unsigned worker) { return tables[worker]; };
  ids_ = std::move(compiled->ids);
  unit_ = std::make_unique<unit::Unit>(options, std::move(compiled->snapshot));
  telemetry_ = std::make_unique<io::Telemetry>(*unit_, facts_.software.version);
  sweep_ = std::make_unique<Sweep>(*unit_);
  if (unit_->mirroring() != nullptr) config_sync_ = std::make_unique<ConfigSync>(*this);
  if (unit_->takeover() != nullptr) {
    takeover_ = std::make_unique<TakeoverControl>(*unit_->takeover(), std::move(takeover_facts_),
                                                  running_, ids_);
  }
  return absl::OkStatus();
}

absl::Status Daemon::PrepareTakeover(const Compiled& compiled, unit::UnitOptions& options) {
  if (!running_.has_device_group() || !options.mirror) return absl::OkStatus();
  absl::StatusOr<ha::Facts> facts = LoadFacts(running_.device_group().state_file());
  if (!facts.ok()) return facts.status();
  takeover_facts_ = *std::move(facts);
  options.takeover = unit::TakeoverOptions{.settings = TakeoverSettings(running_, compiled.ids),
                                           .ballot = takeover_facts_.ballot,
                                           .forced_offline = takeover_facts_.forced_offline,
                                           .incarnation = options.mirror->incarnation,
                                           .witness_key = compiled.snapshot->mirroring.key};
  options.health = HealthSettingsOf(running_, compiled.ids, options.workers);
  const ManagementAddresses management = ManagementAddressesOf(running_);
  if (management.own.is_unset()) return absl::OkStatus();
  absl::StatusOr<std::unique_ptr<io::SideSocket>> side =
      io::SideSocket::Open(management.own, management.peers);
  if (!side.ok()) {
    return absl::Status(side.status().code(),
                        Cat("device_group: heartbeats over the management network: ",
                            std::string(side.status().message())));
  }
  side_socket_ = *std::move(side);
  options.beside = side_socket_.get();
  return PrepareWitness(management.own, *options.takeover);
}

absl::Status Daemon::PrepareWitness(const IpAddress& own, unit::TakeoverOptions& options) {
  const WitnessAddress witness = WitnessAddressOf(running_);
  if (witness.address.is_unset()) return absl::OkStatus();
  absl::StatusOr<std::unique_ptr<io::WitnessSocket>> made =
      io::WitnessSocket::Open(own, witness.address, witness.port);
  if (!made.ok()) {
    return absl::Status(made.status().code(),
                        Cat("device_group: witness: ", std::string(made.status().message())));
  }
  witness_socket_ = *std::move(made);
  options.witness = witness_socket_.get();
  return absl::OkStatus();
}

void Daemon::GiveUpGroups() {
  constexpr Nanos kPatience = kSecond;
  if (takeover_ == nullptr) return;
  takeover_->Stop();
  const Nanos until = Now() + kPatience;
  while (!takeover_->stopped() && Now() < until) {
    takeover_->Poll(Now());
    usleep(500);
  }
}

absl::Status Daemon::StartAdmin(std::string admin_socket) {
  admin_requests_ = std::make_unique<AdminRequests>(*this);
  AdminServerOptions options;
  options.path = admin_socket.empty() ? running_.device().admin_socket() : std::move(admin_socket);
  options.clock = io::MonotonicNow;
  absl::StatusOr<std::unique_ptr<AdminServer>> server =
      AdminServer::Create(options, *admin_requests_);
  if (!server.ok()) return server.status();
  admin_server_ = *std::move(server);
  return absl::OkStatus();
}

absl::Status Daemon::StartWorkers() {
  const std::vector<MacAddress> macs = MasqueradeMacs(running_);
  for (size_t i = 0; i < ports_->size(); ++i) {
    ports_->port(i).SetExtraMacs(macs);
  }
  const bool adaptive = PollsAdaptively(running_.device(), *eal_);
  workers_ = std::make_unique<io::WorkerSet>(*unit_, *ports_, adaptive);
  if (absl::Status status = workers_->Launch(eal_->WorkerLcores()); !status.ok()) return status;
  LogPorts();
  LogNotice(Cat("device '", running_.device().name(), "': ", unit_->workers(), " workers, polling ",
                adaptive ? "adaptively" : "busily", "; flow tables ", memory_->bytes() >> 20,
                " MiB (", memory_->hugepage_bytes() >> 20, " MiB in hugepages); packet buffers ",
                ports_->memory().plan().bytes >> 20, " MiB",
                eal_->hugepages() ? " in hugepages" : "",
                eal_->capture() ? "; dpdk-dumpcap can attach" : ""));
  return absl::OkStatus();
}

absl::Status Daemon::StartMirroring() {
  if (mirror_port_ == nullptr) return absl::OkStatus();
  io::MirrorThreadOptions options;
  const config::v1::Mirroring& mirroring = running_.mirroring();
  if (mirroring.has_cpu()) options.cpu = mirroring.cpu();
  options.adaptive = !mirroring.has_cpu() || PollsAdaptively(running_.device(), *eal_);
  mirror_thread_ = std::make_unique<io::MirrorThread>(options, *unit_, *mirror_port_);
  if (absl::Status status = mirror_thread_->Start(); !status.ok()) return status;
  const io::PortStatus status = mirror_port_->port().Status();
  LogNotice(Cat("mirroring port: ", mirroring.device(), " (", status.driver, "), ",
                tandem::ToString(status.mac), ", MTU ", status.mtu, ", link ",
                status.link_up ? "up" : "down", "; unit ", mirroring.unit_id(), " at ",
                mirroring.address(), ", ", PeersText(unit_->snapshot().mirroring)));
  for (const std::string& note : mirror_port_->port().notes()) {
    LogNotice(Cat("mirroring port: ", note));
  }
  if (mirroring.authentication() == config::v1::Mirroring::NONE) {
    LogWarning("mirroring: authentication is off; whoever reaches the port can forge connections");
  }
  return absl::OkStatus();
}

absl::Status Daemon::StartLinkWatch() {
  std::vector<io::LinkWatch::Link> links;
  for (size_t i = 0; i < ports_->size(); ++i) {
    unit::Watchdog* const watchdog = unit_->watchdog();
    const auto index = static_cast<uint16_t>(i);
    links.push_back({&ports_->port(i), [watchdog, index](bool is_up) {
                       if (watchdog != nullptr) watchdog->SetLinkUp(index, is_up);
                     }});
    links_logged_[i] = ports_->port(i).link_changes();
  }
  if (mirror_port_ != nullptr) {
    links.push_back({&mirror_port_->port(), [](bool) {}});
    links_logged_[kPortsMax] = mirror_port_->port().link_changes();
  }
  link_watch_ = std::make_unique<io::LinkWatch>(std::move(links));
  return link_watch_->Start();
}

void Daemon::LogPorts() {
  for (size_t i = 0; i < ports_->size(); ++i) {
    const io::Port& port = ports_->port(i);
    const io::PortStatus status = port.Status();
    LogNotice(Cat("port '", port.options().name, "': ", port.options().device, " (", status.driver,
                  "), ", tandem::ToString(status.mac), ", MTU ", status.mtu, ", ", port.rx_queues(),
                  " receive and ", port.tx_queues(), " transmit queues, link ",
                  status.link_up ? "up" : "down"));
    for (const std::string& note : port.notes()) {
      LogNotice(Cat("port '", port.options().name, "': ", note));
    }
  }
}

Nanos Daemon::Now() const {
  return io::MonotonicNow();
}

std::vector<PortReport> Daemon::Ports() const {
  std::vector<PortReport> reports;
  for (size_t i = 0; i < ports_->size(); ++i) {
    const io::Port& port = ports_->port(i);
    const io::PortStatus status = port.Status();
    PortReport report;
    report.name = port.options().name;
    report.device = port.options().device;
    report.driver = status.driver;
    report.mac = status.mac;
    report.mtu = status.mtu;
    report.promiscuous = status.promiscuous;
    report.link_up = status.link_up;
    report.link_changes = status.link_changes;
    report.full_duplex = status.full_duplex;
    report.speed_mbps = status.speed_mbps;
    report.rx_packets = status.stats.ipackets;
    report.rx_bytes = status.stats.ibytes;
    report.rx_errors = status.stats.ierrors;
    report.rx_missed = status.stats.imissed;
    report.rx_no_buffer = status.stats.rx_nombuf;
    for (unsigned worker = 0; worker < unit_->workers(); ++worker) {
      report.rx_no_buffer += workers_->worker(worker).not_copied(i);
    }
    report.tx_packets = status.stats.opackets;
    report.tx_bytes = status.stats.obytes;
    report.tx_errors = status.stats.oerrors;
    reports.push_back(std::move(report));
  }
  return reports;
}

// What mirroring has to say, once each.
void Daemon::LogMirror() {
  if (unit_->mirroring() == nullptr) return;
  mirror_status_.resize(unit_->mirroring()->peers().size());
  for (config::PeerIndex peer = 0; peer < mirror_status_.size(); ++peer) {
    std::shared_ptr<const mirror::EndpointStatus> status = unit_->mirror_status(peer);
    std::shared_ptr<const mirror::EndpointStatus>& logged = mirror_status_[peer];
    if (status == nullptr || status == logged) continue;
    const mirror::EndpointStatus none;
    for (const std::string& line :
         MirrorChanges(logged == nullptr ? none : *logged, *status, unit_->snapshot())) {
      LogNotice(line);
    }
    logged = std::move(status);
  }
}

void Daemon::LogFaults() {
  constexpr Nanos kEvery = 100 * kMillisecond;
  if (unit_->watchdog() == nullptr || Now() < faults_looked_at_ + kEvery) return;
  faults_looked_at_ = Now();
  std::vector<ha::Fault> faults = unit_->watchdog()->status().faults;
  for (const std::string& line : FaultChanges(faults_logged_, faults, unit_->snapshot()))
    LogWarning(line);
  faults_logged_ = std::move(faults);
}

void Daemon::AnnounceAll() {
  for (const config::TrafficGroup& group : unit_->snapshot().traffic_groups) {
    if (group.id != 0) unit_->Announce(group.id);
  }
}

int Daemon::Tend() {
  constexpr int kIdleMs = 100;
  constexpr int kSweepingMs = 2;
  constexpr int kTakeoverMs = 5;  // what it wants on disk, others may wait for
  for (size_t i = 0; i < ports_->size(); ++i) {
    io::Port& port = ports_->port(i);
    const uint32_t changes = port.link_changes();
    if (std::exchange(links_logged_[i], changes) == changes) continue;
    const bool is_up = port.link_up().load(std::memory_order_relaxed);
    LogWarning(Cat("port '", port.options().name, "': link ", is_up ? "up" : "down"));
    // Nobody there has heard what was announced before, or has forgotten it with the link.
    if (is_up) AnnounceAll();
  }
  if (mirror_port_ != nullptr) {
    const io::Port& port = mirror_port_->port();
    const uint32_t changes = port.link_changes();
    if (std::exchange(links_logged_[kPortsMax], changes) != changes) {
      LogWarning(Cat("mirroring port: link ",
                     port.link_up().load(std::memory_order_relaxed) ? "up" : "down"));
    }
  }
  unit_->Reclaim();
  admin_requests_->Sample();
  LogMirror();
  LogFaults();
  if (takeover_ != nullptr) takeover_->Poll(Now());
  if (config_sync_ != nullptr) config_sync_->Poll(Now());
  if (sweep_->active()) {
    const uint64_t before = sweep_->flows_ended();
    const uint64_t records_before = sweep_->records_removed();
    sweep_->Poll(ids_, Now());
    if (const uint64_t removed = sweep_->records_removed() - records_before; removed > 0) {
      LogInfo(Cat("removed ", removed,
                  " persistence records of objects that the configuration has no more"));
    }
    if (const uint64_t ended = sweep_->flows_ended() - before; ended > 0) {
      LogInfo(Cat("ended ", ended, " flows of objects that the configuration has no more"));
    }
  }
  if (sweep_->active()) return kSweepingMs;
  return takeover_ != nullptr ? kTakeoverMs : kIdleMs;
}

}  // namespace tandem::control
