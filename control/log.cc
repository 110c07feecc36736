// SPDX-License-Identifier: Apache-2.0
#include "control/log.h"

#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <mutex>

#include "control/text.h"

namespace tandem::control {
namespace {

constexpr std::array<std::string_view, 5> kNames = {"error", "warning", "notice", "info", "debug"};

std::atomic<LogLevel> g_level{LogLevel::kNotice};

std::string_view NameOf(LogLevel level) {
  return kNames[static_cast<size_t>(level) - static_cast<size_t>(LogLevel::kError)];
}

// systemd.exec(5): JOURNAL_STREAM names the device and inode of the stream; stderr may have been
// redirected since.
bool StderrIsJournal() {
  const char* const stream = std::getenv("JOURNAL_STREAM");
  struct stat status {};
  if (stream == nullptr || fstat(STDERR_FILENO, &status) != 0) return false;
  return Cat(uint64_t{status.st_dev}, ":", uint64_t{status.st_ino}) == stream;
}

std::string Stamp() {
  timeval now{};
  gettimeofday(&now, nullptr);
  tm local{};
  localtime_r(&now.tv_sec, &local);
  std::array<char, 48> text{};
  const size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S", &local);
  std::snprintf(text.data() + length, text.size() - length, ".%03ld",
                static_cast<long>(now.tv_usec / 1000));
  return text.data();
}

void AppendClean(std::string_view line, std::string& to) {
  for (const char c : line) {
    const auto code = static_cast<unsigned char>(c);
    to += (code < 0x20 && c != '\t') || code == 0x7f ? '?' : c;
  }
}

}  // namespace

std::optional<LogLevel> ParseLogLevel(std::string_view name) {
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<LogLevel>(i + static_cast<size_t>(LogLevel::kError));
  }
  return std::nullopt;
}

void SetLogLevel(LogLevel level) {
  g_level.store(level, std::memory_order_relaxed);
}

bool IsLogged(LogLevel level) {
  return level <= g_level.load(std::memory_order_relaxed);
}

std::string FormatLog(LogLevel level, std::string_view stamp, std::string_view message) {
  std::string text;
  while (!message.empty()) {
    const size_t end = message.find('\n');
    const std::string_view line = message.substr(0, end);
    message.remove_prefix(end == std::string_view::npos ? message.size() : end + 1);
    if (line.empty()) continue;
    text += stamp.empty() ? Cat("<", static_cast<int>(level), ">")
                          : Cat(stamp, " ", NameOf(level), ": ");
    AppendClean(line, text);
    text += '\n';
  }
  return text;
}

void Log(LogLevel level, std::string_view message) {
  if (!IsLogged(level)) return;
  static const bool is_journal = StderrIsJournal();
  static std::mutex mutex;
  const std::string text = FormatLog(level, is_journal ? "" : Stamp(), message);
  const std::lock_guard<std::mutex> lock(mutex);
  for (size_t done = 0; done < text.size();) {
    const ssize_t written = write(STDERR_FILENO, text.data() + done, text.size() - done);
    if (written <= 0) return;  // nobody reads: there is nowhere to say so
    done += static_cast<size_t>(written);
  }
}

}  // namespace tandem::control
