// SPDX-License-Identifier: Apache-2.0
#include "control/config_document.h"

#include <algorithm>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include "control/text.h"
#include "dataplane/base/assert.h"

namespace tandem::control {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using Tree = Origin::Tree;

const FieldDescriptor* FieldOf(const Message& message, std::string_view name) {
  const FieldDescriptor* field = message.GetDescriptor()->FindFieldByName(std::string(name));
  TANDEM_ASSERT(field != nullptr);
  return field;
}

Location Recorded(const Tree* tree, const FieldDescriptor* field, int index) {
  if (tree == nullptr) return {};
  const auto place = tree->GetLocation(field, field->is_repeated() ? index : -1);
  return place.line < 0 ? Location{} : Location{place.line + 1, place.column + 1};
}

// The parser records one place for a whole list, `vlans: ["a", "b"]`; then there are fewer places
// than values and their order says nothing.
bool IsWrittenAsList(const Message& message, const Tree* tree, const FieldDescriptor* field) {
  if (tree == nullptr || !field->is_repeated()) return false;
  const int count = message.GetReflection()->FieldSize(message, field);
  return count > 0 && Recorded(tree, field, count - 1).line == 0;
}

const Tree* NestedTree(const Tree* tree, const FieldDescriptor* field, int index) {
  return tree == nullptr ? nullptr
                         : tree->GetTreeForNested(field, field->is_repeated() ? index : -1);
}

// Where the first field of a message was written.
Location FirstWithin(const Message& message, const Tree* tree) {
  Location first;
  const Descriptor* type = message.GetDescriptor();
  for (int i = 0; i < type->field_count(); ++i) {
    const Location place = Recorded(tree, type->field(i), 0);
    if (place.line != 0 && (first.line == 0 || place < first)) first = place;
  }
  return first;
}

const Message& NestedMessage(const Message& message, const FieldDescriptor* field, int index) {
  const auto* reflection = message.GetReflection();
  return field->is_repeated() ? reflection->GetRepeatedMessage(message, field, index)
                              : reflection->GetMessage(message, field);
}

Location ObjectLocation(const Message& message, const Tree* tree, const FieldDescriptor* field,
                        int index) {
  if (!IsWrittenAsList(message, tree, field)) return Recorded(tree, field, index);
  const Location inside =
      FirstWithin(NestedMessage(message, field, index), NestedTree(tree, field, index));
  return inside.line != 0 ? inside : Recorded(tree, field, 0);
}

Location ObjectEnd(const Message& message, const Tree* tree, const FieldDescriptor* field,
                   int index) {
  if (tree == nullptr || IsWrittenAsList(message, tree, field)) return {};
  const auto end = tree->GetLocationRange(field, field->is_repeated() ? index : -1).end;
  return end.line < 0 ? Location{} : Location{end.line + 1, end.column + 1};
}

std::string NameIn(const Message& message) {
  const FieldDescriptor* field = message.GetDescriptor()->FindFieldByName("name");
  return field == nullptr ? "" : message.GetReflection()->GetString(message, field);
}

std::string LabelOf(const FieldDescriptor* field, int index, std::string_view name) {
  if (!field->is_repeated()) return field->name();
  if (name.empty()) return Cat(field->name(), " #", index + 1);
  return Cat(field->name(), " ", Quote(name));
}

}  // namespace

Location Origin::At(std::string_view field_name, int index) const {
  const FieldDescriptor* field = FieldOf(*message_, field_name);
  const int recorded_index = IsWrittenAsList(*message_, tree_, field) ? 0 : index;
  const Location place = Recorded(tree_, field, recorded_index);
  return place.line != 0 ? place : location_;
}

Origin Origin::Nested(std::string_view field_name, int index, std::string_view name) const {
  const FieldDescriptor* field = FieldOf(*message_, field_name);
  Location place = ObjectLocation(*message_, tree_, field, index);
  if (place.line == 0) place = location_;
  return {Cat(label_, " ", LabelOf(field, index, name)), place,
          &NestedMessage(*message_, field, index), NestedTree(tree_, field, index)};
}

Document::Document(std::string file, config::v1::Config config)
    : Document(std::move(file), std::make_unique<config::v1::Config>(std::move(config)), nullptr) {}

Document::Document(std::string file, std::unique_ptr<config::v1::Config> config,
                   std::unique_ptr<Origin::Tree> tree)
    : file_(std::move(file)), config_(std::move(config)), tree_(std::move(tree)) {}

Origin Document::Object(std::string_view kind, int index) const {
  const FieldDescriptor* field = FieldOf(*config_, kind);
  const Message& message = NestedMessage(*config_, field, index);
  Origin origin(LabelOf(field, index, NameIn(message)),
                ObjectLocation(*config_, tree_.get(), field, index), &message,
                NestedTree(tree_.get(), field, index));
  origin.end_ = ObjectEnd(*config_, tree_.get(), field, index);
  return origin;
}

std::string Document::LocationOf(std::string_view kind, int index) const {
  return ToString(file_, Object(kind, index).location());
}

}  // namespace tandem::control
