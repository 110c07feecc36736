// SPDX-License-Identifier: Apache-2.0
//
// Responses as people and as programs read them.
#pragma once

#include <array>
#include <cstddef>
#include <ostream>
#include <string>

#include "proto/admin.pb.h"
#include "tools/tandemctl/table.h"

namespace tandem::tandemctl {

// The protobuf JSON of `message`: every field, under the names of admin.proto. 64-bit numbers are
// strings there, as the mapping demands.
std::string ToJson(const google::protobuf::Message& message);

// The result in `response`, whichever it is.
const google::protobuf::Message& ResultOf(const admin::v1::Response& response);

// Prints responses as they come; one request's responses in order.
class Printer {
 public:
  Printer(std::ostream& out, bool raw) : out_(out), numbers_(raw) {}

  void Print(const admin::v1::Response& response);

 private:
  void Print(const admin::v1::VersionResult& result);
  void Print(const admin::v1::VirtualResult& result);
  void Print(const admin::v1::PoolResult& result);
  void Print(const admin::v1::ConnectionResult& result, bool last);
  void Print(const admin::v1::ArpResult& result);
  void Print(const admin::v1::PortResult& result);
  void Print(const admin::v1::WorkerResult& result);
  void Print(const admin::v1::DropsResult& result);
  void Print(const admin::v1::RouteResult& result);
  void Print(const admin::v1::ConfigResult& result);
  void Print(const admin::v1::PersistenceResult& result, bool last);
  void Print(const admin::v1::MirrorResult& result);
  void Print(const admin::v1::TrafficGroupResult& result);
  void Print(const admin::v1::DeviceGroupResult& result);
  void Print(const admin::v1::FailoverResult& result);
  void Print(const admin::v1::ConfigSyncResult& result);
  void PrintComparisons(const admin::v1::DeviceGroupResult& result);
  void PrintWitness(const admin::v1::FailoverResult& result);
  void PrintScores(const admin::v1::TrafficGroupResult& result);
  void PrintReasons(std::string_view title,
                    const google::protobuf::RepeatedPtrField<admin::v1::DropsResult::Reason>& all);

  std::ostream& out_;
  Numbers numbers_;
  // Widths of the connections' or records' lines so far: they are printed as they come.
  std::array<size_t, 7> widths_{};
};

}  // namespace tandem::tandemctl
