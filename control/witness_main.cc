// SPDX-License-Identifier: Apache-2.0
//
// tandem-witness: the third party of a device group (dataplane/ha/README.md, Split brain). Exit status 0
// after a clean stop, 1 when it cannot start, 2 for a wrong command line.
#include <gflags/gflags.h>

#include <memory>
#include <string>

#include "control/command_line.h"
#include "control/daemon_notify.h"
#include "control/log.h"
#include "control/text.h"
#include "control/witness_host.h"

DEFINE_string(address, "", "the address to listen on, one of this machine's; required");
DEFINE_int32(port, tandem::witness::kPort, "the UDP port to listen on");
DEFINE_string(key_file, "/etc/tandem/mirror.key",
              "the key of the device group, as mirroring.key_file of the devices");
DEFINE_int32(
    lease_ms, 1000,
    "for how long a lease is good, in milliseconds, 200 to 60000; at least what the devices "
    "have in device_group.witness.lease_ms");

namespace tandem::control {
namespace {

constexpr const char* kUsage =
    "the witness of a Tandem device group\n"
    "\n"
    "  tandem-witness --address ADDRESS [--port PORT] [--key_file FILE] [--lease_ms MS]\n"
    "\n"
    "Runs in the foreground until SIGTERM or SIGINT; SIGHUP reads the key file again.";

WitnessOptions ParseFlags(int argc, char** argv) {
  ParseCommandLine(argc, argv, kUsage, "control/witness_main");
  WitnessOptions options;
  const auto address = IpAddress::Parse(FLAGS_address);
  // An answer has to come from the address that was asked.
  if (!address || address->is_unset() || *address == IpAddress::V4(0) || address->is_multicast())
    RefuseCommandLine(Cat("--address \"", FLAGS_address, "\": it is an address of this machine"));
  if (FLAGS_port < 1 || FLAGS_port > 65'535)
    RefuseCommandLine(Cat("--port ", FLAGS_port, " is none"));
  if (FLAGS_lease_ms < 200 || FLAGS_lease_ms > 60'000)
    RefuseCommandLine(Cat("--lease_ms ", FLAGS_lease_ms, " is not in 200..60000"));
  options.address = *address;
  options.port = static_cast<uint16_t>(FLAGS_port);
  options.key_file = FLAGS_key_file;
  options.lease = static_cast<Nanos>(FLAGS_lease_ms) * kMillisecond;
  return options;
}

int Main(int argc, char** argv) {
  const absl::StatusOr<std::unique_ptr<WitnessHost>> host =
      WitnessHost::Start(ParseFlags(argc, argv));
  absl::Status status = host.status();
  if (status.ok()) {
    NotifyManager("READY=1\nSTATUS=granting leases");
    status = (*host)->Run();
    NotifyManager("STOPPING=1");
  }
  if (!status.ok()) LogError(std::string(status.message()));
  return status.ok() ? 0 : 1;
}

}  // namespace
}  // namespace tandem::control

int main(int argc, char** argv) {
  return tandem::control::Main(argc, argv);
}
