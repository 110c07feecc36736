// SPDX-License-Identifier: Apache-2.0
#include "control/config_load.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include <absl/strings/match.h>

#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>

#include "control/config_check.h"
#include "control/text.h"

namespace tandem::control {
namespace {

using google::protobuf::TextFormat;

constexpr int kNestingMax = 16;  // the schema needs 3

struct Complaint {
  Location location;
  std::string text;
};

// With AllowUnknownField the parser goes on after an unknown field and calls it a warning; to us it
// is an error like any other.
class Collector : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int line, int column, const std::string& message) override {
    Add(errors_, line, column, message);
  }
  void AddWarning(int line, int column, const std::string& message) override {
    Add(warnings_, line, column, message);
  }
  const std::vector<Complaint>& errors() const { return errors_; }
  const std::vector<Complaint>& warnings() const { return warnings_; }

 private:
  static void Add(std::vector<Complaint>& complaints, int line, int column,
                  const std::string& message) {
    if (complaints.size() >= Report::kErrorsKeptMax) return;
    const Location location = line < 0 ? Location{} : Location{line + 1, column + 1};
    complaints.push_back({location, message});
  }

  std::vector<Complaint> errors_;
  std::vector<Complaint> warnings_;
};

// `Message type "tandem.config.v1.Pool" has no field named "membr".` in the words of the file.
std::string UnknownField(const std::string& message) {
  const size_t end = message.rfind('"');
  if (!absl::StrContains(message, "has no field named") || end == std::string::npos || end == 0) {
    return message;
  }
  const size_t begin = message.rfind('"', end - 1);
  if (begin == std::string::npos) return message;
  return Cat("unknown field ", Quote(message.substr(begin + 1, end - begin - 1)));
}

struct Place {
  Location location;
  std::string label;
};

// Every object of the document in the order of the text.
std::vector<Place> PlacesOf(const Document& document) {
  std::vector<Place> places;
  const auto* type = document.config().GetDescriptor();
  const auto* reflection = document.config().GetReflection();
  for (int i = 0; i < type->field_count(); ++i) {
    const auto* field = type->field(i);
    const int count = field->is_repeated() ? reflection->FieldSize(document.config(), field)
                                           : reflection->HasField(document.config(), field);
    for (int index = 0; index < count; ++index) {
      const Origin origin = document.Object(field->name(), index);
      places.push_back({origin.location(), origin.label()});
    }
  }
  std::sort(places.begin(), places.end(),
            [](const Place& a, const Place& b) { return a.location < b.location; });
  return places;
}

void ReportUnknownFields(const Collector& collector, const Document& document, bool complete,
                         Report& report) {
  if (collector.warnings().empty()) return;
  // What the parser broke off in has no place of its own, so then nothing is said about objects.
  const std::vector<Place> places = complete ? PlacesOf(document) : std::vector<Place>();
  for (const Complaint& warning : collector.warnings()) {
    const auto after = std::upper_bound(
        places.begin(), places.end(), warning.location,
        [](const Location& location, const Place& place) { return location < place.location; });
    const std::string label = after == places.begin() ? "" : std::prev(after)->label;
    report.Error(warning.location, label, UnknownField(warning.text));
  }
}

absl::StatusOr<Document> Checked(Document document, Report report) {
  Validate(document, report);
  if (!report.ok()) return report.status();
  document.set_notes(report.notes());
  return document;
}

absl::Status CheckSize(std::string_view text, const std::string& file) {
  if (text.size() > kConfigBytesMax) {
    return absl::InvalidArgumentError(Cat(file, ": larger than ", kConfigBytesMax, " bytes"));
  }
  const auto opens = static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return c == '{' || c == '<'; }));
  if (opens > kConfigObjectsMax) {
    return absl::InvalidArgumentError(
        Cat(file, ": ", opens, " objects, more than ", kConfigObjectsMax));
  }
  return absl::OkStatus();
}

struct FileCloser {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  const std::unique_ptr<std::FILE, FileCloser> file(std::fopen(path.c_str(), "re"));
  if (file == nullptr) return absl::ErrnoToStatus(errno, path);
  std::string text;
  std::vector<char> chunk(size_t{64} << 10);
  while (text.size() <= kConfigBytesMax) {
    const size_t count = std::fread(chunk.data(), 1, chunk.size(), file.get());
    text.append(chunk.data(), count);
    if (count < chunk.size()) break;
  }
  if (std::ferror(file.get()) != 0) return absl::ErrnoToStatus(errno, path);
  return text;
}

}  // namespace

absl::StatusOr<Document> LoadConfigText(std::string_view text, std::string file) {
  if (const absl::Status status = CheckSize(text, file); !status.ok()) return status;
  auto config = std::make_unique<config::v1::Config>();
  auto tree = std::make_unique<Origin::Tree>();
  Collector collector;
  TextFormat::Parser parser;
  parser.RecordErrorsTo(&collector);
  parser.WriteLocationsTo(tree.get());
  parser.AllowUnknownField(true);
  parser.SetRecursionLimit(kNestingMax);
  const bool complete = parser.ParseFromString(std::string(text), config.get());

  Report report(file);
  Document document(std::move(file), std::move(config), std::move(tree));
  ReportUnknownFields(collector, document, complete, report);
  for (const Complaint& error : collector.errors())
    report.Error(error.location, "", error.text);
  if (!complete) {
    if (report.ok()) report.Error({}, "", "not protobuf text format");
    return report.status();
  }
  return Checked(std::move(document), std::move(report));
}

absl::StatusOr<Document> LoadConfigFile(const std::string& path) {
  absl::StatusOr<std::string> text = ReadFile(path);
  if (!text.ok()) return text.status();
  return LoadConfigText(*text, path);
}

absl::StatusOr<Document> LoadConfig(config::v1::Config config, std::string file) {
  Report report(file);
  return Checked(Document(std::move(file), std::move(config)), std::move(report));
}

}  // namespace tandem::control
