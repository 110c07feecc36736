// SPDX-License-Identifier: Apache-2.0
#include "control/config_values.h"

#include <absl/strings/str_join.h>
#include <google/protobuf/text_format.h>

#include "control/text.h"

namespace tandem::control {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

std::vector<std::string> ValuesOf(const Message& message, const FieldDescriptor* field) {
  google::protobuf::TextFormat::Printer printer;
  printer.SetSingleLineMode(true);
  printer.SetUseUtf8StringEscaping(true);
  std::vector<std::string> values;
  const int count = field->is_repeated() ? message.GetReflection()->FieldSize(message, field) : 1;
  for (int i = 0; i < count; ++i) {
    std::string& value = values.emplace_back();
    printer.PrintFieldValueToString(message, field, field->is_repeated() ? i : -1, &value);
    if (field->message_type() != nullptr) value = Cat("{ ", value, "}");
  }
  return values;
}

std::string TextOfValues(const FieldDescriptor* field, const std::vector<std::string>& values) {
  const std::string text = absl::StrJoin(values, ", ");
  return field->is_repeated() ? Cat("[", text, "]") : text;
}

}  // namespace tandem::control
