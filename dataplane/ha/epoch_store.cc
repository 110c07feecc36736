// SPDX-License-Identifier: Apache-2.0
#include "dataplane/ha/epoch_store.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>
#include <vector>

#include "dataplane/base/fnv.h"

namespace tandem::ha {
namespace {

constexpr std::string_view kFirstLine = "tandem-ha 1";
constexpr std::string_view kHexDigits = "0123456789abcdef";

std::string Hex(uint64_t value) {
  std::string text(16, '0');
  for (size_t i = 16; i-- > 0; value >>= 4)
    text[i] = kHexDigits[value & 15];
  return text;
}

void MakePlain(std::string& text) {
  if (text.size() > kHistoryTextMax) text.resize(kHistoryTextMax);
  std::ranges::replace_if(
      text, [](char c) { return c < ' ' || c > '~'; }, '?');
}

template <class Number>
bool ReadNumber(std::string_view text, Number& to) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), to);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

// Takes the part before the separator off `rest`; all of it when there is none.
std::string_view TakeUntil(std::string_view& rest, char separator) {
  const size_t at = std::min(rest.find(separator), rest.size());
  const std::string_view part = rest.substr(0, at);
  rest.remove_prefix(std::min(at + 1, rest.size()));
  return part;
}

bool IsPlain(std::string_view text) {
  return text.size() <= kHistoryTextMax &&
         std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
}

// "<unix ms>\t<from>\t<to>\t<epoch>\t<group>\t<reason>"
bool ReadTransition(std::string_view text, Transition& to) {
  std::array<std::string_view, 5> fields;
  for (std::string_view& field : fields)
    field = TakeUntil(text, '\t');
  unsigned from = 0, state = 0;
  uint32_t epoch = 0;
  if (!ReadNumber(fields[0], to.unix_ms) || !ReadNumber(fields[1], from) ||
      !ReadNumber(fields[2], state) || !ReadNumber(fields[3], epoch)) {
    return false;
  }
  if (from == 0 || from >= kStates || state == 0 || state >= kStates) return false;
  to.from = static_cast<State>(from);
  to.to = static_cast<State>(state);
  to.epoch = Epoch::FromBits(epoch);
  to.group = fields[4];
  to.reason = text;
  return to.epoch.is_sound() && IsPlain(to.group) && IsPlain(to.reason);
}

bool ReadLine(std::string_view line, Facts& facts) {
  const std::string_view word = TakeUntil(line, ' ');
  if (word == "ballot") return ReadNumber(line, facts.ballot) && facts.ballot <= kBallotMax;
  if (word == "forced-offline") {
    facts.forced_offline = line == "yes";
    return line == "yes" || line == "no";
  }
  if (word != "transition" || facts.history.size() >= kHistoryMax) return false;
  return ReadTransition(line, facts.history.emplace_back());
}

}  // namespace

void Facts::Note(Transition transition) {
  MakePlain(transition.group);
  MakePlain(transition.reason);
  history.push_back(std::move(transition));
  while (history.size() > kHistoryMax)
    history.pop_front();
}

std::string FormatFacts(const Facts& facts) {
  std::string text(kFirstLine);
  text += "\nballot " + std::to_string(facts.ballot);
  text += std::string("\nforced-offline ") + (facts.forced_offline ? "yes" : "no") + "\n";
  for (const Transition& one : facts.history) {
    text += "transition " + std::to_string(one.unix_ms) + '\t' +
            std::to_string(static_cast<unsigned>(one.from)) + '\t' +
            std::to_string(static_cast<unsigned>(one.to)) + '\t' +
            std::to_string(one.epoch.bits()) + '\t' + one.group + '\t' + one.reason + '\n';
  }
  return text + "checksum " + Hex(Fnv1a(text)) + "\n";
}

std::optional<Facts> ParseFacts(std::string_view text, std::string& error) {
  const auto fail = [&](size_t line, const char* what) {
    error = "line " + std::to_string(line) + ": " + what;
    return std::nullopt;
  };
  if (text.size() > kFactsSizeMax) return fail(1, "the file is too long");
  std::string_view rest = text;
  if (TakeUntil(rest, '\n') != kFirstLine) return fail(1, "not \"tandem-ha 1\"");
  Facts facts;
  std::array<bool, 2> has{};
  for (size_t number = 2; !rest.empty(); ++number) {
    const auto before = static_cast<size_t>(rest.data() - text.data());
    std::string_view line = TakeUntil(rest, '\n');
    if (line.starts_with("checksum ")) {
      line.remove_prefix(9);
      if (line != Hex(Fnv1a(text.substr(0, before)))) {
        return fail(number, "the checksum differs: the file is damaged");
      }
      if (!rest.empty()) return fail(number + 1, "something after the checksum");
      if (!has[0] || !has[1]) return fail(number, "no ballot or no forced-offline before the end");
      return facts;
    }
    const bool is_ballot = line.starts_with("ballot ");
    const bool is_forced = line.starts_with("forced-offline ");
    if ((is_ballot && std::exchange(has[0], true)) || (is_forced && std::exchange(has[1], true)))
      return fail(number, "said twice");
    if (!ReadLine(line, facts)) return fail(number, "not a fact");
  }
  const auto lines = static_cast<size_t>(std::ranges::count(text, '\n'));
  return fail(lines + 1, "no checksum: the file is cut off");
}

std::string SaveFacts(const Facts& facts, const std::string& path, FactsDisk& disk) {
  const std::string beside = path + ".new";
  if (std::string error = disk.Write(beside, FormatFacts(facts)); !error.empty()) return error;
  if (std::string error = disk.Sync(beside); !error.empty()) return error;
  if (std::string error = disk.Rename(beside, path); !error.empty()) return error;
  return disk.SyncDirectoryOf(path);
}

}  // namespace tandem::ha
