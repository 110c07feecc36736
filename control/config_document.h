// SPDX-License-Identifier: Apache-2.0
//
// A configuration together with the places it was written at, so that whatever is wrong with an
// object, found while parsing or much later (a port that does not exist), can be reported with its
// line and column.
//
// Thread safety: as a value.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <google/protobuf/text_format.h>

#include "control/config_report.h"
#include "proto/config.pb.h"

namespace tandem::control {

// One object of a document: what it is called, and where it and its fields were written. Refers to
// the document.
class Origin {
 public:
  using Tree = google::protobuf::TextFormat::ParseInfoTree;

  // The object itself, "virtual 'web'" or, while it has no name, "virtual #3" (counted from 1).
  const std::string& label() const { return label_; }
  Location location() const { return location_; }
  // Whether `place` lies between the object's first and last character. False when unknown.
  bool Contains(Location place) const { return location_ <= place && place <= end_; }
  // Where the field's `index`th value was written; where the object was, if the field is absent.
  // REQUIRES: the object's type has a field of that name.
  Location At(std::string_view field, int index = 0) const;
  // The `index`th object in a field; `name` may be empty.
  Origin Nested(std::string_view field, int index, std::string_view name) const;

 private:
  friend class Document;
  Origin(std::string label, Location location, const google::protobuf::Message* message,
         const Tree* tree)
      : label_(std::move(label)), location_(location), message_(message), tree_(tree) {}

  std::string label_;
  Location location_;
  Location end_;
  const google::protobuf::Message* message_;
  const Tree* tree_;  // nullptr: not read from text
};

class Document {
 public:
  // A configuration that was not read from text; `file` is what errors call it.
  Document(std::string file, config::v1::Config config);
  Document(std::string file, std::unique_ptr<config::v1::Config> config,
           std::unique_ptr<Origin::Tree> tree);

  const std::string& file() const { return file_; }
  const config::v1::Config& config() const { return *config_; }

  // The `index`th object of a kind, which is a field of Config: "port", "virtual", "device".
  Origin Object(std::string_view kind, int index = 0) const;
  // "file:line:column" of the `index`th object of a kind, for errors found later.
  std::string LocationOf(std::string_view kind, int index = 0) const;

  // What Validate found worth telling though it is no error.
  const std::vector<std::string>& notes() const { return notes_; }
  void set_notes(std::vector<std::string> notes) { notes_ = std::move(notes); }

 private:
  std::string file_;
  std::unique_ptr<config::v1::Config> config_;
  std::unique_ptr<Origin::Tree> tree_;
  std::vector<std::string> notes_;
};

}  // namespace tandem::control
