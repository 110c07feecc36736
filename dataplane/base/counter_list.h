// SPDX-License-Identifier: Apache-2.0
//
// Counters that are made from a list, so that none is forgotten where they are shown or reset.
//
//   #define TANDEM_LINK_COUNTERS(X) X(sent, "frames, ARP included") X(ttl, "came through a router")
//   struct LinkCounters {
//     TANDEM_LINK_COUNTERS(TANDEM_COUNTER_MEMBER)
//     TANDEM_FOR_EACH_COUNTER(TANDEM_LINK_COUNTERS)
//   };
//   counters.ForEach([](std::string_view name, std::string_view help, const Counter& counter) { … });
#pragma once

#include <string_view>

#include "dataplane/base/counter.h"

#define TANDEM_COUNTER_MEMBER(name, help) Counter name;
#define TANDEM_COUNTER_VISIT(name, help) \
  visit(std::string_view(#name), std::string_view(help), name);
#define TANDEM_FOR_EACH_COUNTER(LIST) \
  template <class Visit>              \
  void ForEach(Visit&& visit) const { \
    LIST(TANDEM_COUNTER_VISIT)        \
  }
