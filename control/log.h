// SPDX-License-Identifier: Apache-2.0
//
// The daemon's log: lines on stderr, with the priority prefixes of sd-daemon(3) when stderr is the
// journal, else with a time stamp.
//
// Thread safety: any thread, but not the packet path.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tandem::control {

// Numbered as syslog does.
enum class LogLevel : uint8_t { kError = 3, kWarning = 4, kNotice = 5, kInfo = 6, kDebug = 7 };

// "error", "warning", "notice", "info" or "debug".
std::optional<LogLevel> ParseLogLevel(std::string_view name);

// Levels beyond it are not written. kNotice at first.
void SetLogLevel(LogLevel level);
bool IsLogged(LogLevel level);

// Each line of `message` becomes one of the log; control characters, which somebody else may have
// chosen, are replaced.
void Log(LogLevel level, std::string_view message);

inline void LogError(std::string_view message) {
  Log(LogLevel::kError, message);
}
inline void LogWarning(std::string_view message) {
  Log(LogLevel::kWarning, message);
}
inline void LogNotice(std::string_view message) {
  Log(LogLevel::kNotice, message);
}
inline void LogInfo(std::string_view message) {
  Log(LogLevel::kInfo, message);
}
inline void LogDebug(std::string_view message) {
  Log(LogLevel::kDebug, message);
}

// What Log writes; `stamp` is empty for the journal.
std::string FormatLog(LogLevel level, std::string_view stamp, std::string_view message);

}  // namespace tandem::control
