// SPDX-License-Identifier: Apache-2.0
//
// Workers, drops and ends: what was counted, per worker and in total.
#include <span>
#include <string>
#include <string_view>

#include "control/admin_show.h"

namespace tandem::control {
namespace {

namespace v1 = admin::v1;

using Worker = v1::WorkerResult::Worker;

double Share(uint64_t part, uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

void Fill(const WorkerTotals& totals, const Facts& facts, Worker& worker) {
  worker.set_turns(totals.turns);
  worker.set_busy_turns(totals.busy_turns);
  worker.set_busy_share(Share(totals.busy_turns, totals.turns));
  worker.set_received(totals.received);
  worker.set_handed_in(totals.handed_in);
  worker.set_held_before(totals.held_before);
  worker.set_forwarded(totals.forwarded);
  worker.set_consumed(totals.consumed);
  worker.set_held(totals.held);
  worker.set_handed_off(totals.handed_off);
  worker.set_dropped(totals.dropped());
  worker.set_originated(totals.originated);
  worker.set_announced(totals.announced);
  worker.set_resets_suppressed(totals.resets_suppressed);
  worker.set_flows_created(totals.flows_created);
  worker.set_flows_ipv4(totals.flows_ipv4);
  worker.set_flows_ipv6(totals.flows_ipv6);
  worker.set_flows_ipv4_capacity(facts.flows_ipv4_per_worker);
  worker.set_flows_ipv6_capacity(facts.flows_ipv6_per_worker);
}

void AddTo(const Worker& worker, Worker& total) {
  total.set_turns(total.turns() + worker.turns());
  total.set_busy_turns(total.busy_turns() + worker.busy_turns());
  total.set_busy_share(Share(total.busy_turns(), total.turns()));
  total.set_received(total.received() + worker.received());
  total.set_handed_in(total.handed_in() + worker.handed_in());
  total.set_held_before(total.held_before() + worker.held_before());
  total.set_forwarded(total.forwarded() + worker.forwarded());
  total.set_consumed(total.consumed() + worker.consumed());
  total.set_held(total.held() + worker.held());
  total.set_handed_off(total.handed_off() + worker.handed_off());
  total.set_dropped(total.dropped() + worker.dropped());
  total.set_originated(total.originated() + worker.originated());
  total.set_announced(total.announced() + worker.announced());
  total.set_resets_suppressed(total.resets_suppressed() + worker.resets_suppressed());
  total.set_flows_created(total.flows_created() + worker.flows_created());
  total.set_flows_ipv4(total.flows_ipv4() + worker.flows_ipv4());
  total.set_flows_ipv6(total.flows_ipv6() + worker.flows_ipv6());
  total.set_flows_ipv4_capacity(total.flows_ipv4_capacity() + worker.flows_ipv4_capacity());
  total.set_flows_ipv6_capacity(total.flows_ipv6_capacity() + worker.flows_ipv6_capacity());
}

// One reason with its count of every worker.
template <class Info, class CountOf>
v1::DropsResult::Reason MakeReason(const Info& info, const std::vector<WorkerTotals>& workers,
                                   CountOf count_of) {
  v1::DropsResult::Reason reason;
  reason.set_name(std::string(info.name));
  reason.set_help(std::string(info.help));
  uint64_t total = 0;
  for (const WorkerTotals& worker : workers) {
    const uint64_t count = count_of(worker);
    reason.add_worker(count);
    total += count;
  }
  reason.set_total(total);
  return reason;
}

}  // namespace

void ShowWorkers(const AdminView& view, v1::Response& response) {
  v1::WorkerResult& result = *response.mutable_workers();
  const unsigned workers = view.operations.unit().workers();
  for (unsigned i = 0; i < workers; ++i) {
    Worker& worker = *result.add_worker();
    worker.set_worker(i);
    Fill(view.statistics.OfWorker(i), view.operations.facts(), worker);
    AddTo(worker, *result.mutable_total());
  }
}

void ShowDrops(const AdminView& view, const v1::ShowDrops& request, v1::Response& response) {
  v1::DropsResult& result = *response.mutable_drops();
  std::vector<WorkerTotals> workers;
  for (unsigned i = 0; i < view.operations.unit().workers(); ++i) {
    workers.push_back(view.statistics.OfWorker(i));
  }
  uint64_t dropped = 0;
  // Entry 0 is "none".
  for (size_t i = 1; i < kDropReasonCount; ++i) {
    auto reason = MakeReason(kDropReasons[i], workers,
                             [i](const WorkerTotals& worker) { return worker.drops[i]; });
    dropped += reason.total();
    if (request.all() || reason.total() != 0) *result.add_drop() = std::move(reason);
  }
  for (size_t i = 0; i < pipeline::kEndReasonCount; ++i) {
    auto reason = MakeReason(pipeline::kEndReasons[i], workers,
                             [i](const WorkerTotals& worker) { return worker.ends[i]; });
    if (request.all() || reason.total() != 0) *result.add_end() = std::move(reason);
  }
  result.set_dropped(dropped);
}

}  // namespace tandem::control
