// SPDX-License-Identifier: Apache-2.0
#include "dataplane/io/eal_arguments.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include <catch2/catch.hpp>

#include "dataplane/io/eal_leftovers.h"
#include "tests/support/temp_dir.h"

namespace tandem::io {
namespace {

constexpr uint64_t kMib = uint64_t{1} << 20;

Machine MachineWith(uint64_t hugepage_mib, bool mounted) {
  Machine machine;
  machine.cpus = {0, 1, 2, 3};
  machine.hugepage_bytes_free = hugepage_mib * kMib;
  machine.hugetlbfs_mounted = mounted;
  return machine;
}

bool Has(const EalPlan& plan, const std::string& argument) {
  return std::find(plan.arguments.begin(), plan.arguments.end(), argument) != plan.arguments.end();
}

EalOptions Basic() {
  EalOptions options;
  options.workers = 2;
  options.memory_needed = 36 * kMib;  // and 64 MiB of overhead
  return options;
}

}  // namespace

TEST_CASE("without free hugepages EAL is told to do without, with the memory needed") {
  const auto plan = PlanEal(Basic(), MachineWith(99, true));
  REQUIRE(plan.ok());
  CHECK_FALSE(plan->hugepages);
  CHECK_FALSE(plan->multi_process);
  CHECK(Has(*plan, "--no-huge"));
  CHECK(Has(*plan, "--no-shconf"));
  CHECK(Has(*plan, "100"));
  CHECK(Has(*plan, "--no-pci"));
  CHECK(Has(*plan, "--lcores=0@0,1@1,2@2"));
}

TEST_CASE("with enough hugepages and hugetlbfs a second process can attach") {
  const auto plan = PlanEal(Basic(), MachineWith(100, true));
  REQUIRE(plan.ok());
  CHECK(plan->hugepages);
  CHECK(plan->multi_process);
  CHECK_FALSE(Has(*plan, "--no-huge"));
  CHECK_FALSE(Has(*plan, "--in-memory"));
}

TEST_CASE("hugepages without hugetlbfs are used in memory") {
  const auto plan = PlanEal(Basic(), MachineWith(100, false));
  REQUIRE(plan.ok());
  CHECK(plan->hugepages);
  CHECK_FALSE(plan->multi_process);
  CHECK(Has(*plan, "--in-memory"));
}

TEST_CASE("hugepages that are not allowed are not used") {
  EalOptions options = Basic();
  options.hugepages = false;
  CHECK_FALSE(PlanEal(options, MachineWith(1000, true))->hugepages);
}

TEST_CASE("less memory granted than needed is refused with both figures") {
  EalOptions options = Basic();
  options.memory_mib = 99;
  const auto plan = PlanEal(options, MachineWith(0, false));
  REQUIRE_FALSE(plan.ok());
  CHECK(std::string(plan.status().message()) ==
        "memory_mib: 99 MiB granted, but this configuration needs 100 MiB");
  options.memory_mib = 200;
  CHECK(Has(*PlanEal(options, MachineWith(0, false)), "200"));
}

TEST_CASE("arguments of the operator win over ours") {
  EalOptions options = Basic();
  options.extra = {"--file-prefix=mine", "--no-huge", "-m", "500", "--lcores=0,1,2"};
  const auto plan = PlanEal(options, MachineWith(1000, true));
  REQUIRE(plan.ok());
  CHECK_FALSE(plan->hugepages);
  CHECK_FALSE(Has(*plan, "--file-prefix=tandem"));
  CHECK_FALSE(Has(*plan, "100"));
  CHECK(std::count(plan->arguments.begin(), plan->arguments.end(), "--no-huge") == 1);
  CHECK(std::count_if(plan->arguments.begin(), plan->arguments.end(),
                      [](const std::string& text) { return text.rfind("--lcores", 0) == 0; }) == 1);
}

TEST_CASE("only the configured devices on a bus are probed") {
  EalOptions options = Basic();
  options.devices = {"0000:03:00.0", "net_null0", "03:00.1,arg=1"};
  const auto plan = PlanEal(options, MachineWith(0, false));
  CHECK_FALSE(Has(*plan, "--no-pci"));
  CHECK(Has(*plan, "0000:03:00.0"));
  CHECK(Has(*plan, "03:00.1,arg=1"));
  CHECK_FALSE(Has(*plan, "net_null0"));
}

TEST_CASE("lcores get CPUs of their own as long as there are enough") {
  const std::vector<unsigned> cpus = {2, 5, 7};
  CHECK(LcoresFor(1, cpus) == "0@2,1@5");
  CHECK(LcoresFor(2, cpus) == "0@2,1@5,2@7");
  CHECK(LcoresFor(3, cpus) == "0@(2,5,7),1@2,2@5,3@7");
  CHECK(LcoresFor(4, cpus) == "0@(2,5,7),1@(2,5,7),2@(2,5,7),3@(2,5,7),4@(2,5,7)");
}

TEST_CASE("PCI addresses are told from virtual devices") {
  for (const char* device :
       {"0000:03:00.0", "03:00.0", "0000:af:00.1,txq_inline=0", "pci:03:00.0"}) {
    CHECK(IsPciDevice(device));
  }
  for (const char* device : {"net_af_packet0,iface=veth0", "net_pcap0,rx_pcap=03:00.0", "",
                             "0000:03:00", "03:00.9", "auxiliary:mlx5_core.sf.8"}) {
    CHECK_FALSE(IsPciDevice(device));
  }
  CHECK(IsBusDevice("auxiliary:mlx5_core.sf.8"));
}

TEST_CASE("a device's name becomes a file prefix that cannot leave its directory") {
  CHECK(FilePrefixOf("lb1.example.net") == "lb1.example.net");
  CHECK(FilePrefixOf("a/b c") == "a-b-c");
  CHECK(FilePrefixOf("..") == "tandem");
  CHECK(FilePrefixOf("") == "tandem");
}

TEST_CASE("free hugepages of all sizes are counted") {
  const test::TempDir directory;
  const std::filesystem::path root = directory.path();
  for (const auto& [size, count] : {std::pair{"hugepages-2048kB", 3}, {"hugepages-1048576kB", 1}}) {
    std::filesystem::create_directory(root / size);
    std::ofstream(root / size / "free_hugepages") << count << "\n";
  }
  CHECK(FreeHugepageBytes(root) == 3 * 2 * kMib + 1024 * kMib);
  CHECK(FreeHugepageBytes(root / "none") == 0);
  std::ofstream(root / "mounts") << "proc /proc proc rw 0 0\nnodev /mnt/huge hugetlbfs rw 0 0\n";
  CHECK(HugetlbfsMounts(root / "mounts") == std::vector<std::string>{"/mnt/huge"});
  CHECK(HugetlbfsMounts(root / "hugepages-2048kB" / "free_hugepages").empty());
}

TEST_CASE("what EAL leaves behind is removed, but only what is ours alone") {
  const test::TempDir root;
  const std::filesystem::path mount = root / "huge";
  std::filesystem::create_directory(mount);
  for (const char* name : {"lb1map_0", "lb1map_17", "lb10map_0", "other"}) {
    std::ofstream(mount / name) << "x";
  }
  const std::filesystem::path runtime = root / "lb1";
  std::filesystem::create_directory(runtime);
  std::ofstream(runtime / "config") << "x";
  RemoveEalLeftovers(runtime, /*exclusive=*/false, {mount});
  CHECK(std::filesystem::exists(runtime / "config"));
  RemoveEalLeftovers(runtime, /*exclusive=*/true, {mount, root / "none"});
  CHECK_FALSE(std::filesystem::exists(runtime));
  CHECK_FALSE(std::filesystem::exists(mount / "lb1map_0"));
  CHECK_FALSE(std::filesystem::exists(mount / "lb1map_17"));
  CHECK(std::filesystem::exists(mount / "lb10map_0"));
  CHECK(std::filesystem::exists(mount / "other"));
}

}  // namespace tandem::io
