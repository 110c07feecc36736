// SPDX-License-Identifier: Apache-2.0
//
// One frame of each shape that Parse accepts, for the tests that cut, split and answer them.
#pragma once

#include <string>
#include <vector>

#include "dataplane/net/parse.h"
#include "tests/support/packet_builder.h"

namespace tandem::test {

struct GoodFrame {
  std::string name;
  net::Kind kind;
  Bytes bytes;
};

std::vector<GoodFrame> GoodFrames();

}  // namespace tandem::test
