// SPDX-License-Identifier: Apache-2.0
//
// A field of the configuration as text format has it, to compare and to show.
#pragma once

#include <string>
#include <vector>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

namespace tandem::control {

// One, or those of a list; each on one line.
std::vector<std::string> ValuesOf(const google::protobuf::Message& message,
                                  const google::protobuf::FieldDescriptor* field);

// "80", or in brackets: "[80, 443]".
std::string TextOfValues(const google::protobuf::FieldDescriptor* field,
                         const std::vector<std::string>& values);

}  // namespace tandem::control
