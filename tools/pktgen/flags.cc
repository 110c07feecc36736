// SPDX-License-Identifier: Apache-2.0
#include "tools/pktgen/flags.h"

#include <gflags/gflags.h>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>
#include <absl/strings/strip.h>

#include "control/command_line.h"

DEFINE_string(client_port, "",
              "DPDK device of the clients: a PCI address, or a virtual device as in "
              "net_memif0,role=client,socket=/run/a.sock");
DEFINE_string(server_port, "", "DPDK device of the servers");
DEFINE_bool(loopback, false, "join clients and servers in the process, without a device");
DEFINE_string(pcap, "",
              "send the frames of this file as they are, over and over, on the client port; "
              "frames that arrive are only counted");
DEFINE_string(virtual, "192.0.2.100:80", "the virtual server: ADDRESS:PORT or [ADDRESS]:PORT");
DEFINE_string(clients, "10.0.0.0/16", "the clients' addresses: a prefix, or FIRST-LAST");
DEFINE_string(client_ports, "1024-65535", "the clients' ports");
DEFINE_string(servers, "",
              "the servers' addresses, ranges or prefixes, with commas between; empty: the virtual "
              "server's own, for devices that do not translate");
DEFINE_string(client_gateway, "",
              "whose MAC the clients send to, found by ARP or neighbour discovery; empty: the "
              "virtual server's");
DEFINE_string(server_gateway, "",
              "whose MAC the servers send to; empty: back to where the request came from");
DEFINE_bool(direct_return, false,
            "servers answer clients past the device (DSR); their addresses are --servers and the "
            "virtual server's");
DEFINE_string(device_mac, "", "send to this MAC and look for nobody");
DEFINE_string(protocol, "udp", "udp or tcp");
DEFINE_uint32(flows, 1000, "how many: pairs of a client's address and port");
DEFINE_string(popularity, "uniform",
              "which flow the next request belongs to: uniform, or zipf:S for a share of k^-S of "
              "the k-th");
DEFINE_string(frame_size, "64",
              "bytes of frames with data, FCS included: a number, LOW-HIGH, or imix (64, 570, "
              "1518 as 7:4:1); what the mark in the payload needs, at least");
DEFINE_uint64(rate_pps, 0, "requests a second, open loop; 0: as many as possible");
DEFINE_uint64(new_per_second, 0,
              "open so many connections a second, each with --requests_per_connection requests, "
              "one after another, and then closed; 0: flows stay");
DEFINE_uint32(requests_per_connection, 1, "with --new_per_second");
DEFINE_uint64(open_per_second, 20000,
              "how fast flows are opened before the measurement and, TCP, closed behind it; 0: UDP "
              "flows are not");
DEFINE_uint32(retransmit_ms, 200,
              "after so long without an answer TCP sends again; twice as long each time");
DEFINE_uint32(
    catch_up_ms, 1,
    "a generator that was held up sends what was due in so long at once, 64 at least, and "
    "gives up the rest");
DEFINE_double(warm_up_s, 1, "traffic before the measurement");
DEFINE_double(duration_s, 10, "how long is measured");
DEFINE_double(resolve_s, 5, "how long to wait for links and for the device's MAC");
DEFINE_uint32(mtu, 1500, "of both ports");
DEFINE_uint64(seed, 1, "the same one gives the same flows, sizes and order");
DEFINE_string(json, "", "write the result to this file; -: to stdout, instead of text");
DEFINE_bool(
    serve, false,
    "make a run for each line of flags on stdin, in which those given before still hold; answer "
    "with its JSON and an empty line. The ports, and what the device knows, stay as they are");
DEFINE_bool(live, false, "show rates, loss and latency every second");
DEFINE_int32(core, -1, "the CPU to run on; -1: any");
DEFINE_bool(hugepages, true, "use hugepages if there are enough");
DEFINE_uint32(descriptors, 1024, "of each port, each direction");
DEFINE_uint32(
    queues, 1,
    "of each port, each direction; all are polled, the first is sent by: for a device that "
    "sends by a queue behind its first");
DEFINE_string(eal, "", "further arguments for DPDK's EAL, with spaces between");

namespace tandem::pktgen {
namespace {

constexpr const char* kUsage =
    "a packet generator with stateful clients and servers around a device\n"
    "\n"
    "  tandem-pktgen --client_port DEVICE --server_port DEVICE --virtual ADDRESS:PORT\n"
    "                --clients PREFIX --servers ADDRESSES [--protocol tcp] [--rate_pps N] ...\n"
    "  tandem-pktgen --loopback ...\n"
    "  tandem-pktgen --client_port DEVICE --pcap FILE [--rate_pps N]\n"
    "\n"
    "Exit status: 0 it ran (loss is a result); 1 it could not run; 2 wrong command line;\n"
    "3 it ran, and found corrupt or misdelivered packets.";

FlagTexts Texts() {
  FlagTexts texts;
  texts.client_port = FLAGS_client_port;
  texts.server_port = FLAGS_server_port;
  texts.loopback = FLAGS_loopback;
  texts.pcap = FLAGS_pcap;
  texts.virtual_server = FLAGS_virtual;
  texts.clients = FLAGS_clients;
  texts.client_ports = FLAGS_client_ports;
  texts.servers = FLAGS_servers;
  texts.client_gateway = FLAGS_client_gateway;
  texts.server_gateway = FLAGS_server_gateway;
  texts.direct_return = FLAGS_direct_return;
  texts.device_mac = FLAGS_device_mac;
  texts.protocol = FLAGS_protocol;
  texts.popularity = FLAGS_popularity;
  texts.frame_size = FLAGS_frame_size;
  texts.flows = FLAGS_flows;
  texts.rate_pps = FLAGS_rate_pps;
  texts.new_per_second = FLAGS_new_per_second;
  texts.open_per_second = FLAGS_open_per_second;
  texts.requests_per_connection = FLAGS_requests_per_connection;
  texts.retransmit_ms = FLAGS_retransmit_ms;
  texts.catch_up_ms = FLAGS_catch_up_ms;
  texts.warm_up_s = FLAGS_warm_up_s;
  texts.duration_s = FLAGS_duration_s;
  texts.resolve_s = FLAGS_resolve_s;
  texts.mtu = FLAGS_mtu;
  texts.seed = FLAGS_seed;
  return texts;
}

MachineOptions Machine() {
  constexpr uint32_t kDescriptorsMax = 32768;
  MachineOptions machine;
  machine.core = FLAGS_core;
  machine.hugepages = FLAGS_hugepages;
  if (FLAGS_descriptors < 64 || FLAGS_descriptors > kDescriptorsMax) {
    control::RefuseCommandLine(
        absl::StrCat("--descriptors \"", FLAGS_descriptors, "\": from 64 to ", kDescriptorsMax));
  }
  machine.descriptors = static_cast<uint16_t>(FLAGS_descriptors);
  constexpr uint32_t kQueuesMax = 16;
  if (FLAGS_queues == 0 || FLAGS_queues > kQueuesMax) {
    control::RefuseCommandLine(
        absl::StrCat("--queues \"", FLAGS_queues, "\": from 1 to ", kQueuesMax));
  }
  machine.queues = static_cast<uint16_t>(FLAGS_queues);
  machine.eal = absl::StrSplit(FLAGS_eal, ' ', absl::SkipEmpty());
  return machine;
}

}  // namespace

Flags ParseFlags(int argc, char** argv) {
  control::ParseCommandLine(argc, argv, kUsage, "pktgen/flags");
  Flags flags;
  const absl::StatusOr<Options> options = OptionsFrom(Texts());
  if (!options.ok()) control::RefuseCommandLine(std::string(options.status().message()));
  flags.options = *options;
  flags.machine = Machine();
  flags.json = FLAGS_json;
  flags.live = FLAGS_live;
  flags.serve = FLAGS_serve;
  if (flags.serve && (flags.options.loopback || !flags.options.pcap.empty()))
    control::RefuseCommandLine("--serve: goes with neither --loopback nor --pcap");
  return flags;
}

absl::StatusOr<Options> NextOptions(const std::string& line) {
  for (const std::string& word :
       std::vector<std::string>(absl::StrSplit(line, ' ', absl::SkipEmpty()))) {
    const std::pair<std::string, std::string> flag = absl::StrSplit(word, absl::MaxSplits('=', 1));
    const std::string name(absl::StripPrefix(flag.first, "--"));
    const bool is_of_ports = name == "client_port" || name == "server_port" || name == "mtu";
    if (name == flag.first || is_of_ports ||
        gflags::SetCommandLineOption(name.c_str(), flag.second.c_str()).empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("\"", word, "\": no flag of a run, or no value for it"));
    }
  }
  return OptionsFrom(Texts());
}

}  // namespace tandem::pktgen
