// SPDX-License-Identifier: Apache-2.0
#include "dataplane/io/fib.h"

#include <rte_byteorder.h>
#include <rte_errno.h>
#include <rte_fib.h>
#include <rte_fib6.h>
#include <rte_memory.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <set>
#include <string>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

namespace tandem::io {
namespace {

constexpr uint64_t kNoRoute = UINT64_MAX;

// Tables live side by side while a reload replaces one; DPDK wants names that differ.
std::string UniqueName(const char* family) {
  static std::atomic<uint64_t> count{0};
  return absl::StrCat("tandem_", family, "_", count.fetch_add(1));
}

}  // namespace

void FibRoutes::Free::operator()(rte_fib* fib) const noexcept {
  rte_fib_free(fib);
}

void FibRoutes::Free::operator()(rte_fib6* fib) const noexcept {
  rte_fib6_free(fib);
}

absl::StatusOr<std::shared_ptr<const config::RouteTable>> FibRoutes::Create(
    std::vector<config::Route> routes) {
  std::shared_ptr<FibRoutes> table(new FibRoutes(std::move(routes)));
  if (absl::Status status = table->Build(); !status.ok()) return status;
  return table;
}

absl::Status FibRoutes::Build() {
  const auto count4 = static_cast<int>(
      std::count_if(routes_.begin(), routes_.end(),
                    [](const config::Route& route) { return route.network.address.is_v4(); }));
  const int count6 = static_cast<int>(routes_.size()) - count4;
  rte_fib_conf conf4{};
  conf4.type = RTE_FIB_DUMMY;
  conf4.default_nh = kNoRoute;
  conf4.max_routes = std::max(count4, 1);
  fib4_.reset(rte_fib_create(UniqueName("v4").c_str(), SOCKET_ID_ANY, &conf4));
  rte_fib6_conf conf6{};
  conf6.type = RTE_FIB6_DUMMY;
  conf6.default_nh = kNoRoute;
  conf6.max_routes = std::max(count6, 1);
  fib6_.reset(rte_fib6_create(UniqueName("v6").c_str(), SOCKET_ID_ANY, &conf6));
  if (fib4_ == nullptr || fib6_ == nullptr) {
    return absl::ResourceExhaustedError(
        absl::StrCat("route table of ", routes_.size(), " routes: ", rte_strerror(rte_errno)));
  }
  std::set<IpPrefix> seen;
  for (size_t i = 0; i < routes_.size(); ++i) {
    if (!seen.insert(routes_[i].network.Network()).second) continue;
    if (absl::Status status = Add(i); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status FibRoutes::Add(size_t index) {
  const IpPrefix network = routes_[index].network.Network();
  const int result =
      network.address.is_v4()
          ? rte_fib_add(fib4_.get(), rte_be_to_cpu_32(network.address.v4()), network.length, index)
          : rte_fib6_add(fib6_.get(), network.address.bytes().data(), network.length, index);
  if (result == 0) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat("route ", network.ToString(), ": ", rte_strerror(-result)));
}

const config::Route* FibRoutes::Lookup(const IpAddress& destination) const noexcept {
  uint64_t index = kNoRoute;
  if (destination.is_v4()) {
    uint32_t address = rte_be_to_cpu_32(destination.v4());
    rte_fib_lookup_bulk(fib4_.get(), &address, &index, 1);
  } else {
    uint8_t address[1][RTE_FIB6_IPV6_ADDR_SIZE];
    std::memcpy(address[0], destination.bytes().data(), sizeof(address[0]));
    rte_fib6_lookup_bulk(fib6_.get(), address, &index, 1);
  }
  return index == kNoRoute ? nullptr : &routes_[index];
}

}  // namespace tandem::io
