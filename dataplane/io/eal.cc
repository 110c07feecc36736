// SPDX-License-Identifier: Apache-2.0
#include "dataplane/io/eal.h"

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_log.h>
#include <rte_pdump.h>
#include <rte_version.h>

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <utility>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include "dataplane/io/eal_leftovers.h"

namespace tandem::io {
namespace {

// EAL is one of a process, and so is what listens to it. Never destroyed: EAL's threads may log
// until the very end.
struct State {
  std::mutex mutex;
  EalLogSink sink;
  std::string partial;                 // drivers log pieces of lines
  std::string first_error;             // since they were last taken
  std::vector<std::string> arguments;  // EAL keeps pointers into its argv
  std::string runtime_directory;
  bool exclusive = false;  // nobody else has our file prefix
};

State& TheState() {
  static State* const state = new State;
  return *state;
}

ssize_t WriteLog(void* /*cookie*/, const char* text, size_t size) {
  State& state = TheState();
  const int level = rte_log_cur_msg_loglevel();
  const std::lock_guard<std::mutex> lock(state.mutex);
  state.partial.append(text, size);
  size_t begin = 0;
  for (size_t end = 0; (end = state.partial.find('\n', begin)) != std::string::npos;) {
    const std::string_view line(state.partial.data() + begin, end - begin);
    begin = end + 1;
    if (line.empty()) continue;
    if (level > 0 && level <= static_cast<int>(RTE_LOG_ERR)) {
      // What follows the first error is mostly its consequences.
      if (state.first_error.empty()) state.first_error = line;
    }
    if (state.sink) state.sink(level > 0 ? static_cast<unsigned>(level) : RTE_LOG_INFO, line);
  }
  state.partial.erase(0, begin);
  return static_cast<ssize_t>(size);
}

void OpenLog(EalLogSink sink) {
  TheState().sink = std::move(sink);
  cookie_io_functions_t functions{};
  functions.write = WriteLog;
  std::FILE* const stream = fopencookie(nullptr, "w", functions);
  if (stream != nullptr) rte_openlog_stream(stream);
}

// EAL answers a wrong argument with two screens of help, on stdout and before the reason.
class StdoutMuted {
 public:
  StdoutMuted() {
    std::fflush(stdout);
    saved_ = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    const int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (saved_ >= 0 && null >= 0) dup2(null, STDOUT_FILENO);
    if (null >= 0) close(null);
  }
  ~StdoutMuted() {
    std::fflush(stdout);
    if (saved_ < 0) return;
    dup2(saved_, STDOUT_FILENO);
    close(saved_);
  }
  StdoutMuted(const StdoutMuted&) = delete;
  StdoutMuted& operator=(const StdoutMuted&) = delete;

 private:
  int saved_ = -1;
};

int InitEal(std::vector<char*>& argv) {
  const StdoutMuted muted;
  return rte_eal_init(static_cast<int>(argv.size()) - 1, argv.data());
}

void TidyUp() {
  const State& state = TheState();
  if (state.runtime_directory.empty()) return;
  RemoveEalLeftovers(state.runtime_directory, state.exclusive, HugetlbfsMounts("/proc/mounts"));
}

bool CpusOverlap(unsigned one, unsigned other) {
  const rte_cpuset_t a = rte_lcore_cpuset(one);
  const rte_cpuset_t b = rte_lcore_cpuset(other);
  rte_cpuset_t both;
  CPU_AND(&both, &a, &b);
  return CPU_COUNT(&both) > 0;
}

std::vector<unsigned> AllLcores() {
  std::vector<unsigned> lcores;
  for (unsigned lcore = 0; lcore < RTE_MAX_LCORE; ++lcore) {
    if (rte_lcore_is_enabled(lcore) != 0) lcores.push_back(lcore);
  }
  return lcores;
}

}  // namespace

std::string DpdkVersion() {
  return rte_version();
}

std::string TakeEalError() {
  State& state = TheState();
  const std::lock_guard<std::mutex> lock(state.mutex);
  return std::exchange(state.first_error, {});
}

absl::StatusOr<Eal> Eal::Start(const EalOptions& options, EalLogSink sink) {
  absl::StatusOr<EalPlan> plan = PlanEal(options, ReadMachine());
  if (!plan.ok()) return plan.status();
  OpenLog(std::move(sink));
  std::vector<std::string>& kept = TheState().arguments;
  kept = plan->arguments;
  std::vector<char*> argv;
  for (std::string& argument : kept) {
    argv.push_back(argument.data());
  }
  argv.push_back(nullptr);
  // Registered before EAL registers the removal of its sockets, it runs after that.
  std::atexit(TidyUp);
  if (InitEal(argv) < 0) {
    const std::string error = TakeEalError();
    return absl::FailedPreconditionError(
        absl::StrCat("DPDK does not start with \"", absl::StrJoin(plan->arguments, " "),
                     "\": ", error.empty() ? rte_strerror(rte_errno) : error));
  }
  TheState().runtime_directory = rte_eal_get_runtime_dir();
  TheState().exclusive = plan->multi_process;
  Eal eal(*std::move(plan));
  // Other processes attach only where EAL shares its memory; elsewhere there is nothing to serve.
  eal.capture_ = eal.plan_.multi_process && rte_pdump_init() == 0;
  return eal;
}

Eal::Eal(Eal&& other) noexcept
    : plan_(std::move(other.plan_)),
      owner_(std::exchange(other.owner_, false)),
      capture_(other.capture_) {}

Eal::~Eal() {
  if (!owner_) return;
  if (capture_) rte_pdump_uninit();
  rte_eal_cleanup();
}

std::vector<unsigned> Eal::WorkerLcores() const {
  std::vector<unsigned> lcores = AllLcores();
  std::erase(lcores, rte_get_main_lcore());
  return lcores;
}

int Eal::NodeOf(unsigned lcore) const {
  return static_cast<int>(rte_lcore_to_socket_id(lcore));
}

bool Eal::HasCpuForEachLcore() const {
  const std::vector<unsigned> lcores = AllLcores();
  for (size_t i = 0; i < lcores.size(); ++i) {
    for (size_t k = 0; k < i; ++k) {
      if (CpusOverlap(lcores[i], lcores[k])) return false;
    }
  }
  return true;
}

}  // namespace tandem::io
