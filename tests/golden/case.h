// SPDX-License-Identifier: Apache-2.0
//
// One golden case: a script, run against a device; the result is the same script with what happened
// under each line. README.md describes the language.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/golden/counters_text.h"
#include "tests/support/hosts.h"
#include "tests/support/rig.h"

namespace tandem::test {

class Case {
 public:
  // `setups`: the directory of what `use` names.
  explicit Case(std::string setups) : setups_(std::move(setups)) {}

  // The transcript of a case. A line that is not understood is followed by "    error: …".
  std::string Run(const std::string& text);

 private:
  void Execute(const std::string& line);
  bool Prepare(const std::vector<std::string>& words, const std::string& line);
  void Use(const std::string& name);
  void AddHost(const std::vector<std::string>& words);
  void Begin();
  void Act(const std::vector<std::string>& words, const std::string& line);
  void Send(const std::string& line);
  void Repeat(int count, const std::string& line);
  void Reload();
  void Advance(const std::string& span);
  void SetAnswers(const std::vector<std::string>& words, bool answers);
  void SetUnsent(const std::vector<std::string>& words);
  void ListConnections();
  void ListRecords();
  void SetClaim(bool held);
  void PrintCounters();
  void Report(const std::vector<Sent>& sent, bool with_time);
  void ReportChanges();
  void Print(const std::string& line);
  void Refuse(const std::string& why) { Print("error: " + why); }

  std::string setups_;
  std::string setup_config_;
  std::string config_;  // lines with | since the last start or reload
  RigOptions options_;
  Hosts hosts_;
  std::unique_ptr<Rig> rig_;
  // A persistence record of no client, held: with one bucket, all of them.
  persist::Key claimed_;
  std::unique_ptr<persist::Table::Claim> claim_;
  bool with_hex_ = false;
  bool is_quiet_ = false;
  Nanos mark_ = 0;  // of the time that Report shows
  CounterValues at_start_;
  CounterValues last_;
  std::string out_;
};

}  // namespace tandem::test
