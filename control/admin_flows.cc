// SPDX-License-Identifier: Apache-2.0
#include "control/admin_flows.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "control/admin_words.h"

namespace tandem::control {
namespace {

namespace v1 = admin::v1;
using unit::FlowInfo;
using unit::FlowQuery;

// One query on its way to a worker and back.
class Errand {
 public:
  Errand(unit::Unit& unit, AbandonedQueries& abandoned, unsigned worker, FlowQuery::Action action,
         const unit::FlowFilter& filter)
      : unit_(unit), abandoned_(abandoned), worker_(worker), query_(std::make_unique<FlowQuery>()) {
    query_->action = action;
    query_->filter = filter;
  }
  Errand(Errand&&) = default;
  Errand& operator=(Errand&&) = delete;
  ~Errand() {
    if (query_ != nullptr && posted_) abandoned_.Add(std::move(query_));
  }

  // Whether the worker has answered. Posts the query as soon as the worker is free.
  bool Done() {
    if (!posted_) posted_ = unit_.Post(worker_, *query_);
    return posted_ && query_->done.load(std::memory_order_acquire);
  }
  // REQUIRES: not posted, or Done().
  FlowQuery& query() { return *query_; }

 private:
  unit::Unit& unit_;
  AbandonedQueries& abandoned_;
  unsigned worker_;
  std::unique_ptr<FlowQuery> query_;
  bool posted_ = false;
};

v1::ConnectionResult::Endpoint MakeEndpoint(const IpAddress& address, uint16_t port) {
  v1::ConnectionResult::Endpoint endpoint;
  if (!address.is_unset()) endpoint.set_address(address.ToString());
  endpoint.set_port(port);
  return endpoint;
}

const char* MirrorWord(uint16_t flags) {
  if ((flags & flow::kUnbound) != 0) return "unbound";
  if ((flags & flow::kShadow) != 0) return "shadow";
  return (flags & flow::kMirrored) != 0 ? "mirrored" : "";
}

void Fill(const FlowInfo& info, const config::Snapshot& snapshot,
          v1::ConnectionResult::Connection& out) {
  *out.mutable_cs_client() = MakeEndpoint(info.cs_client, info.cs_client_port);
  *out.mutable_cs_server() = MakeEndpoint(info.cs_server, info.cs_server_port);
  if ((info.flags & flow::kOneLegged) == 0) {
    *out.mutable_ss_client() = MakeEndpoint(info.ss_client, info.ss_client_port);
    *out.mutable_ss_server() = MakeEndpoint(info.ss_server, info.ss_server_port);
  }
  out.set_protocol(ProtocolWord(info.protocol));
  out.set_state(std::string(WordOf(info.state)));
  if (const auto* object = snapshot.FindVirtual(info.virtual_id)) out.set_virtual_(object->name);
  if (const auto* member = snapshot.FindMember(info.member_id)) {
    out.set_member(member->name);
    if (const auto* pool = snapshot.FindPool(member->pool)) out.set_pool(pool->name);
  }
  out.set_idle_seconds(NanosIn(info.idle_ticks) / kSecond);
  out.set_age_seconds(NanosIn(info.age_ticks) / kSecond);
  out.set_worker(info.worker);
  out.set_client_mac(ToString(info.client_mac));
  if (info.client_interface < snapshot.interfaces.size()) {
    out.set_client_vlan(snapshot.interfaces[info.client_interface].name);
  }
  out.set_slot(info.slot);
  out.set_birth(info.birth);
  out.set_loose((info.flags & flow::kLooselyInitiated) != 0);
  out.set_mirror(MirrorWord(info.flags));
  if (info.traffic_group != 0 && info.traffic_group < snapshot.traffic_groups.size()) {
    out.set_traffic_group(snapshot.traffic_groups[info.traffic_group].name);
  }
  out.set_logical_slot(info.logical_slot);
}

class ShowExchange : public AdminExchange {
 public:
  ShowExchange(Operations& operations, AbandonedQueries& abandoned, const unit::FlowFilter& filter,
               uint64_t limit)
      : operations_(operations), abandoned_(abandoned), filter_(filter), limit_(limit) {}

  Step Next(v1::Response& response) override {
    unit::Unit& unit = operations_.unit();
    while (worker_ < unit.workers() && (limit_ == 0 || shown_ < limit_)) {
      if (!errand_) Send(unit);
      if (!errand_->Done()) return Step::kWait;
      const std::unique_ptr<Errand> answered = std::move(errand_);
      const FlowQuery& query = answered->query();
      begin_ = query.next;
      if (begin_ == 0) ++worker_;
      if (query.results.empty()) continue;
      for (const FlowInfo& info : query.results) {
        Fill(info, unit.snapshot(), *response.mutable_connections()->add_connection());
      }
      shown_ += query.results.size();
      response.set_more(true);
      return Step::kResponse;
    }
    response.mutable_connections()->set_matched(shown_);
    return Step::kResponse;
  }

 private:
  void Send(unit::Unit& unit) {
    errand_ =
        std::make_unique<Errand>(unit, abandoned_, worker_, FlowQuery::Action::kShow, filter_);
    const uint64_t room = limit_ == 0 ? kFlowChunk : limit_ - shown_;
    errand_->query().results.reserve(std::min<uint64_t>(room, kFlowChunk));
    errand_->query().begin = begin_;
  }

  Operations& operations_;
  AbandonedQueries& abandoned_;
  const unit::FlowFilter filter_;
  const uint64_t limit_;
  uint64_t shown_ = 0;
  unsigned worker_ = 0;
  uint64_t begin_ = 0;  // within the worker
  std::unique_ptr<Errand> errand_;
};

class SumExchange : public AdminExchange {
 public:
  SumExchange(Operations& operations, AbandonedQueries& abandoned, const unit::FlowFilter& filter,
              FlowQuery::Action action)
      : action_(action) {
    unit::Unit& unit = operations.unit();
    for (unsigned worker = 0; worker < unit.workers(); ++worker) {
      errands_.emplace_back(unit, abandoned, worker, action, filter);
    }
  }

  Step Next(v1::Response& response) override {
    // Each has to be asked, so that all are posted.
    const auto waiting =
        std::ranges::count_if(errands_, [](Errand& errand) { return !errand.Done(); });
    if (waiting != 0) return Step::kWait;
    uint64_t matched = 0;
    for (Errand& errand : errands_) {
      matched += errand.query().matched;
    }
    if (action_ == FlowQuery::Action::kDelete) {
      response.mutable_deleted()->set_deleted(matched);
    } else {
      response.mutable_connections()->set_matched(matched);
    }
    return Step::kResponse;
  }

 private:
  const FlowQuery::Action action_;
  std::vector<Errand> errands_;
};

}  // namespace

void AbandonedQueries::Add(std::unique_ptr<FlowQuery> query) {
  if (!query->done.load(std::memory_order_acquire)) queries_.push_back(std::move(query));
}

void AbandonedQueries::Sweep() {
  std::erase_if(queries_, [](const std::unique_ptr<FlowQuery>& query) {
    return query->done.load(std::memory_order_acquire);
  });
}

std::unique_ptr<AdminExchange> ShowFlows(Operations& operations, AbandonedQueries& abandoned,
                                         const unit::FlowFilter& filter, uint64_t limit) {
  return std::make_unique<ShowExchange>(operations, abandoned, filter, limit);
}

std::unique_ptr<AdminExchange> CountFlows(Operations& operations, AbandonedQueries& abandoned,
                                          const unit::FlowFilter& filter) {
  return std::make_unique<SumExchange>(operations, abandoned, filter, FlowQuery::Action::kCount);
}

std::unique_ptr<AdminExchange> DeleteFlows(Operations& operations, AbandonedQueries& abandoned,
                                           const unit::FlowFilter& filter) {
  return std::make_unique<SumExchange>(operations, abandoned, filter, FlowQuery::Action::kDelete);
}

}  // namespace tandem::control
