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

constexpr int kNestingMax = 16;  // the schema needs 4

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

// "membr" of `Message type "tandem.config.v1.Pool" has no field named "membr".`; else empty.
std::string UnknownField(const std::string& message) {
  const size_t end = message.rfind('"');
  if (!absl::StrContains(message, "has no field named") || end == std::string::npos || end == 0) {
    return "";
  }
  const size_t begin = message.rfind('"', end - 1);
  return begin == std::string::npos ? "" : message.substr(begin + 1, end - begin - 1);
}

// Protobuf's columns: a tab leads to the next multiple of eight.
int ColumnAfter(int column, char c) {
  constexpr int kTab = 8;
  return c == '\t' ? column + kTab - column % kTab : column + 1;
}

size_t LineStart(std::string_view text, size_t offset) {
  const size_t newline = offset == 0 ? std::string_view::npos : text.rfind('\n', offset - 1);
  return newline == std::string_view::npos ? 0 : newline + 1;
}

size_t OffsetOf(std::string_view text, Location location) {
  size_t offset = 0;
  for (int line = 1; line < location.line; ++line) {
    const size_t newline = text.find('\n', offset);
    if (newline == std::string_view::npos) return text.size();
    offset = newline + 1;
  }
  for (int column = 0; column + 1 < location.column && offset < text.size(); ++offset)
    column = ColumnAfter(column, text[offset]);
  return offset;
}

Location LocationOf(std::string_view text, size_t offset, Location after) {
  const size_t end = OffsetOf(text, after);
  const auto newlines = std::count(text.begin() + static_cast<std::ptrdiff_t>(offset),
                                   text.begin() + static_cast<std::ptrdiff_t>(end), '\n');
  int column = 0;
  for (size_t i = LineStart(text, offset); i < offset; ++i)
    column = ColumnAfter(column, text[i]);
  return {after.line - static_cast<int>(newlines), column + 1};
}

// The parser notices an unknown field when it has read on; the operator looks for its name.
Location StartOfWord(std::string_view text, std::string_view word, Location after) {
  const size_t end = OffsetOf(text, after);
  if (end < word.size()) return after;
  const size_t start = text.rfind(word, end - word.size());
  return start == std::string_view::npos ? after : LocationOf(text, start, after);
}

// Every object of the document in the order of the text.
std::vector<Origin> OriginsOf(const Document& document) {
  std::vector<Origin> origins;
  const auto* type = document.config().GetDescriptor();
  const auto* reflection = document.config().GetReflection();
  for (int i = 0; i < type->field_count(); ++i) {
    const auto* field = type->field(i);
    const int count = field->is_repeated() ? reflection->FieldSize(document.config(), field)
                                           : reflection->HasField(document.config(), field);
    for (int index = 0; index < count; ++index)
      origins.push_back(document.Object(field->name(), index));
  }
  std::sort(origins.begin(), origins.end(),
            [](const Origin& a, const Origin& b) { return a.location() < b.location(); });
  return origins;
}

std::string LabelAt(const std::vector<Origin>& origins, Location place) {
  const auto after = std::upper_bound(
      origins.begin(), origins.end(), place,
      [](Location location, const Origin& origin) { return location < origin.location(); });
  if (after == origins.begin() || !std::prev(after)->Contains(place)) return "";
  return std::prev(after)->label();
}

void ReportUnknownFields(const Collector& collector, std::string_view text,
                         const Document& document, bool complete, Report& report) {
  if (collector.warnings().empty()) return;
  // What the parser broke off in has no place of its own, so then nothing is said about objects.
  const std::vector<Origin> origins = complete ? OriginsOf(document) : std::vector<Origin>();
  size_t searches = 0;
  for (const Complaint& warning : collector.warnings()) {
    const std::string name = UnknownField(warning.text);
    if (name.empty()) {
      report.Error(warning.location, LabelAt(origins, warning.location), warning.text);
      continue;
    }
    // Each search may walk through the whole text; no more of them than will be shown.
    const Location place = ++searches > Report::kErrorsShownMax
                               ? warning.location
                               : StartOfWord(text, name, warning.location);
    report.Error(place, LabelAt(origins, place), Cat("unknown field ", Quote(name)));
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

// As far as it could be read, and what is wrong with the text. An error: it is not even looked at.
struct Read {
  Document document;
  Report report;
  bool is_complete = false;
};
absl::StatusOr<Read> ReadText(std::string_view text, std::string file) {
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
  ReportUnknownFields(collector, text, document, complete, report);
  for (const Complaint& error : collector.errors())
    report.Error(error.location, "", error.text);
  if (!complete && report.ok()) report.Error({}, "", "not protobuf text format");
  return Read{std::move(document), std::move(report), complete};
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
  absl::StatusOr<Read> read = ReadText(text, std::move(file));
  if (!read.ok()) return read.status();
  if (!read->is_complete) return read->report.status();
  return Checked(std::move(read->document), std::move(read->report));
}

absl::StatusOr<config::v1::Config> ParseConfigText(std::string_view text, std::string file) {
  absl::StatusOr<Read> read = ReadText(text, std::move(file));
  if (!read.ok()) return read.status();
  if (!read->report.ok()) return read->report.status();
  return read->document.config();
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
