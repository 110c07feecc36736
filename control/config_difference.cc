// SPDX-License-Identifier: Apache-2.0
#include "control/config_difference.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <memory>
#include <utility>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <google/protobuf/text_format.h>

#include "control/config_report.h"
#include "control/config_shared.h"
#include "control/config_values.h"
#include "control/text.h"

namespace tandem::control {
namespace {

namespace v1 = config::v1;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::TextFormat;

constexpr size_t kNamedInLine = 8;

// With a default that is left out where it was written down.
void Normalise(Message& message) {
  const auto* type = message.GetDescriptor();
  const auto* reflection = message.GetReflection();
  std::string value;
  std::string otherwise;
  std::unique_ptr<Message> fresh(message.New());
  for (int i = 0; i < type->field_count(); ++i) {
    const FieldDescriptor* field = type->field(i);
    if (field->is_repeated()) {
      if (field->message_type() == nullptr) continue;
      for (int at = 0; at < reflection->FieldSize(message, field); ++at)
        Normalise(*reflection->MutableRepeatedMessage(&message, field, at));
    } else if (!reflection->HasField(message, field)) {
      continue;
    } else if (field->message_type() != nullptr) {
      Message& nested = *reflection->MutableMessage(&message, field);
      Normalise(nested);
      // Nothing of source_address_translation, say, is none of it.
      if (nested.ByteSizeLong() == 0) reflection->ClearField(&message, field);
    } else {
      TextFormat::PrintFieldValueToString(message, field, -1, &value);
      TextFormat::PrintFieldValueToString(*fresh, field, -1, &otherwise);
      if (value == otherwise) reflection->ClearField(&message, field);
    }
  }
}

bool IsSet(const FieldDescriptor* field) {
  return field->is_repeated() && field->name() != "ha_order";
}

std::string Shown(const FieldDescriptor* field, const std::vector<std::string>& values) {
  constexpr size_t kShownMax = 80;
  std::string text = TextOfValues(field, values);
  if (text.size() > kShownMax)
    text = Cat(text.substr(0, kShownMax - 4), "...", field->is_repeated() ? "]" : "");
  return text;
}

// What of a set the other one lacks. REQUIRES: both sorted.
std::vector<std::string> Without(const std::vector<std::string>& values,
                                 const std::vector<std::string>& others) {
  std::vector<std::string> left;
  std::ranges::set_difference(values, others, std::back_inserter(left));
  return left;
}

// protobuf's MessageDifferencer would compare each object of a list with every other one.
class Comparison {
 public:
  void Add(Difference difference) {
    if (++result_.count <= Differences::kListedMax) result_.listed.push_back(std::move(difference));
  }

  void Compare(const std::string& object, const Message& ours, const Message& theirs) {
    const auto* type = ours.GetDescriptor();
    for (int i = 0; i < type->field_count(); ++i) {
      const FieldDescriptor* field = type->field(i);
      std::vector<std::string> here = ValuesOf(ours, field);
      std::vector<std::string> there = ValuesOf(theirs, field);
      if (IsSet(field)) {
        std::ranges::sort(here);
        std::ranges::sort(there);
      }
      if (here == there) continue;
      const bool is_set = IsSet(field);
      return Add({.object = object,
                  .kind = Difference::Kind::kDiffers,
                  .field = field->name(),
                  .here = Shown(field, is_set ? Without(here, there) : here),
                  .there = Shown(field, is_set ? Without(there, here) : there)});
    }
  }

  void CompareSingle(const FieldDescriptor* field, const v1::Config& ours,
                     const v1::Config& theirs) {
    const auto* reflection = ours.GetReflection();
    Compare(field->name(), reflection->GetMessage(ours, field),
            reflection->GetMessage(theirs, field));
  }

  void CompareNamed(const FieldDescriptor* field, const v1::Config& ours,
                    const v1::Config& theirs) {
    const auto here = ByName(field, ours);
    const auto there = ByName(field, theirs);
    // Both are in the order of names.
    auto theirs_at = there.begin();
    for (const auto& [name, object] : here) {
      for (; theirs_at != there.end() && theirs_at->first < name; ++theirs_at)
        AddOnly(field, theirs_at->first, Difference::Kind::kOnlyThere);
      if (theirs_at == there.end() || theirs_at->first != name) {
        AddOnly(field, name, Difference::Kind::kOnlyHere);
        continue;
      }
      Compare(LabelOf(field, name), *object, *theirs_at->second);
      ++theirs_at;
    }
    for (; theirs_at != there.end(); ++theirs_at)
      AddOnly(field, theirs_at->first, Difference::Kind::kOnlyThere);
  }

  Differences Take() { return std::move(result_); }

 private:
  using Objects = std::map<std::string, const Message*>;

  static std::string LabelOf(const FieldDescriptor* field, const std::string& name) {
    return Cat(field->name(), " ", Quote(name));
  }
  void AddOnly(const FieldDescriptor* field, const std::string& name, Difference::Kind kind) {
    Add({.object = LabelOf(field, name), .kind = kind, .field = {}, .here = {}, .there = {}});
  }
  static Objects ByName(const FieldDescriptor* field, const v1::Config& config) {
    Objects objects;
    const auto* reflection = config.GetReflection();
    const FieldDescriptor* name = field->message_type()->FindFieldByName("name");
    for (int i = 0; i < reflection->FieldSize(config, field); ++i) {
      const Message& object = reflection->GetRepeatedMessage(config, field, i);
      objects.emplace(object.GetReflection()->GetString(object, name), &object);
    }
    return objects;
  }

  Differences result_;
};

}  // namespace

Differences DifferencesOf(const v1::Config& ours, const v1::Config& theirs, bool with_vlans) {
  v1::Config here = SharedPart(ours);
  v1::Config there = SharedPart(theirs);
  for (v1::Config* each : {&here, &there}) {
    // Each device's own, where both have the group.
    for (v1::TrafficGroup& group : *each->mutable_traffic_group())
      group.clear_ha_group();
    if (!with_vlans) each->clear_vlan();
    Normalise(*each);
  }
  Comparison comparison;
  const auto* type = here.GetDescriptor();
  for (int i = 0; i < type->field_count(); ++i) {
    const FieldDescriptor* field = type->field(i);
    if (field->is_repeated()) {
      comparison.CompareNamed(field, here, there);
    } else {
      comparison.CompareSingle(field, here, there);
    }
  }
  return comparison.Take();
}

std::string TextOf(const Difference& difference, std::string_view device) {
  switch (difference.kind) {
    case Difference::Kind::kOnlyHere:
      return "only on this device";
    case Difference::Kind::kOnlyThere:
      return Cat("only on ", device);
    case Difference::Kind::kDiffers:
      break;
  }
  return Cat(difference.field, ": ", difference.here, " here, ", difference.there, " on ", device);
}

std::string TextOf(const Differences& differences, std::string_view device) {
  std::string text;
  const size_t named = std::min(differences.listed.size(), kNamedInLine);
  for (size_t i = 0; i < named; ++i) {
    const Difference& one = differences.listed[i];
    text += Cat(i == 0 ? "" : ", ", one.object, " (", TextOf(one, device), ")");
  }
  if (differences.count > named) text += Cat(", and ", differences.count - named, " more");
  return text;
}

}  // namespace tandem::control
