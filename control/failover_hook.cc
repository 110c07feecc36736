// SPDX-License-Identifier: Apache-2.0
#include "control/failover_hook.h"

#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "control/text.h"

namespace tandem::control {
namespace {

// In a session of its own, so that all it begins can be ended; with the signals that this process blocks.
int Spawn(const std::string& program, const std::vector<std::string>& environment, pid_t& pid) {
  std::vector<char*> variables;
  for (char** each = environ; *each != nullptr; ++each)
    variables.push_back(*each);
  for (const std::string& each : environment)
    variables.push_back(const_cast<char*>(each.c_str()));
  variables.push_back(nullptr);
  char* const arguments[] = {const_cast<char*>(program.c_str()), nullptr};
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID);
  const int code =
      posix_spawn(&pid, program.c_str(), nullptr, &attributes, arguments, variables.data());
  posix_spawnattr_destroy(&attributes);
  return code;
}

}  // namespace

FailoverHook::~FailoverHook() {
  if (running_ == 0) return;
  kill(-running_, SIGKILL);
  waitpid(running_, nullptr, 0);
}

void FailoverHook::Configure(std::string program, Nanos timeout) {
  program_ = std::move(program);
  timeout_ = timeout;
  if (program_.empty()) waiting_.clear();
}

void FailoverHook::Add(std::vector<std::string> environment) {
  if (program_.empty()) return;
  if (waiting_.size() == kWaitingMax) {
    waiting_.pop_front();
    ++left_out_;
  }
  waiting_.push_back(std::move(environment));
}

std::vector<std::string> FailoverHook::Poll(Nanos now) {
  std::vector<std::string> lines;
  if (left_out_ != 0) {
    lines.push_back(Cat("hook ", program_, ": too slow, ", std::exchange(left_out_, 0),
                        " transitions were left out"));
  }
  if (running_ != 0) {
    int status = 0;
    const pid_t ended = waitpid(running_, &status, WNOHANG);
    if (ended == running_) {
      if (was_killed_) {
        lines.push_back(Cat("hook ", running_program_, ": killed after its timeout"));
      } else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        lines.push_back(
            WIFEXITED(status)
                ? Cat("hook ", running_program_, ": exit status ", WEXITSTATUS(status))
                : Cat("hook ", running_program_, ": ended by signal ", WTERMSIG(status)));
      }
      running_ = 0;
    } else if (now >= kill_at_ && !was_killed_) {
      kill(-running_, SIGKILL);
      was_killed_ = true;
    }
  }
  if (running_ == 0 && !waiting_.empty()) Begin(now, lines);
  return lines;
}

void FailoverHook::Begin(Nanos now, std::vector<std::string>& lines) {
  const std::vector<std::string> environment = std::move(waiting_.front());
  waiting_.pop_front();
  if (const int code = Spawn(program_, environment, running_); code != 0) {
    running_ = 0;
    lines.push_back(Cat("hook ", program_, ": ", std::strerror(code)));
    return;
  }
  running_program_ = program_;
  was_killed_ = false;
  kill_at_ = now + timeout_;
}

}  // namespace tandem::control
