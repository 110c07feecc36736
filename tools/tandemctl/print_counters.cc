// SPDX-License-Identifier: Apache-2.0
//
// Ports, workers and drops.
#include <google/protobuf/repeated_ptr_field.h>

#include "control/text.h"
#include "tools/tandemctl/print.h"

namespace tandem::tandemctl {
namespace {

namespace v1 = admin::v1;
using control::Cat;

std::string LinkOf(const v1::PortResult::Port& port) {
  if (!port.link_up()) return "down";
  if (port.speed_mbps() == 0) return "up";
  const std::string duplex = port.full_duplex() ? "" : " half duplex";
  return port.speed_mbps() % 1000 == 0 ? Cat("up ", port.speed_mbps() / 1000, "G", duplex)
                                       : Cat("up ", port.speed_mbps(), "M", duplex);
}

}  // namespace

void Printer::Print(const v1::PortResult& result) {
  Table table({{"NAME"},
               {"LINK"},
               {"CHANGES", Align::kRight},
               {"MAC"},
               {"MTU", Align::kRight},
               {"RX PACKETS", Align::kRight},
               {"RX BYTES", Align::kRight},
               {"RX ERRORS", Align::kRight},
               {"RX MISSED", Align::kRight},
               {"TX PACKETS", Align::kRight},
               {"TX BYTES", Align::kRight},
               {"TX ERRORS", Align::kRight},
               {"DRIVER"},
               {"DEVICE"}});
  for (const auto& port : result.port()) {
    table.Add({port.name(), LinkOf(port), numbers_.Count(port.link_changes()), port.mac(),
               std::to_string(port.mtu()), numbers_.Count(port.rx_packets()),
               numbers_.Count(port.rx_bytes()), numbers_.Count(port.rx_errors()),
               numbers_.Count(port.rx_missed() + port.rx_no_buffer()),
               numbers_.Count(port.tx_packets()), numbers_.Count(port.tx_bytes()),
               numbers_.Count(port.tx_errors()), port.driver(), port.device()});
  }
  if (table.empty()) {
    out_ << "no ports\n";
  } else {
    table.Print(out_);
  }
}

void Printer::Print(const v1::WorkerResult& result) {
  Table table({{"WORKER"},
               {"BUSY", Align::kRight},
               {"RECEIVED", Align::kRight},
               {"HANDED IN", Align::kRight},
               {"FORWARDED", Align::kRight},
               {"CONSUMED", Align::kRight},
               {"HELD", Align::kRight},
               {"HANDED OFF", Align::kRight},
               {"DROPPED", Align::kRight},
               {"ORIGINATED", Align::kRight},
               {"ANNOUNCED", Align::kRight},
               {"IPV4 FLOWS", Align::kRight},
               {"IPV6 FLOWS", Align::kRight},
               {"CREATED", Align::kRight}});
  const auto add = [&](std::string name, const v1::WorkerResult::Worker& worker) {
    table.Add({std::move(name), numbers_.Percent(worker.busy_share()),
               numbers_.Count(worker.received()), numbers_.Count(worker.handed_in()),
               numbers_.Count(worker.forwarded()), numbers_.Count(worker.consumed()),
               numbers_.Count(worker.held()), numbers_.Count(worker.handed_off()),
               numbers_.Count(worker.dropped()), numbers_.Count(worker.originated()),
               numbers_.Count(worker.announced()),
               Cat(numbers_.Count(worker.flows_ipv4()), "/",
                   numbers_.Count(worker.flows_ipv4_capacity())),
               Cat(numbers_.Count(worker.flows_ipv6()), "/",
                   numbers_.Count(worker.flows_ipv6_capacity())),
               numbers_.Count(worker.flows_created())});
  };
  for (const auto& worker : result.worker()) {
    add(std::to_string(worker.worker()), worker);
  }
  if (result.worker_size() > 1) add("total", result.total());
  table.Print(out_);
}

void Printer::Print(const v1::DropsResult& result) {
  PrintReasons("DROPPED", result.drop());
  if (!result.drop().empty() && !result.end().empty()) out_ << '\n';
  PrintReasons("ENDED", result.end());
  if (result.drop().empty())
    out_ << (result.end().empty() ? "" : "\n") << "no packet was dropped\n";
}

void Printer::PrintReasons(std::string_view title,
                           const google::protobuf::RepeatedPtrField<v1::DropsResult::Reason>& all) {
  if (all.empty()) return;
  std::vector<Column> columns = {{title}, {"TOTAL", Align::kRight}};
  std::vector<std::string> titles;
  const int workers = all[0].worker_size();
  titles.reserve(static_cast<size_t>(workers));
  for (int i = 0; i < workers && workers > 1; ++i) {
    titles.push_back(Cat("WORKER ", i));
    columns.push_back({titles.back(), Align::kRight});
  }
  columns.push_back({"WHY"});
  Table table(std::move(columns));
  for (const auto& reason : all) {
    std::vector<std::string> cells = {reason.name(), numbers_.Count(reason.total())};
    for (int i = 0; i < workers && workers > 1; ++i) {
      cells.push_back(numbers_.Count(i < reason.worker_size() ? reason.worker(i) : 0));
    }
    cells.push_back(reason.help());
    table.Add(std::move(cells));
  }
  table.Print(out_);
}

}  // namespace tandem::tandemctl
