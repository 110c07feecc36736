// SPDX-License-Identifier: Apache-2.0
#include "tools/tandemctl/run.h"

#include <optional>
#include <set>

#include "control/config_edit.h"
#include "control/text.h"
#include "tools/tandemctl/client.h"
#include "tools/tandemctl/commands.h"
#include "tools/tandemctl/files.h"
#include "tools/tandemctl/help.h"
#include "tools/tandemctl/print.h"

namespace tandem::tandemctl {
namespace {

namespace v1 = admin::v1;
using control::Cat;

struct Options {
  bool json = false;
  bool raw = false;
  bool help = false;
  bool version = false;
  std::string socket = kDefaultSocket;
  std::vector<std::string> words;
};

// Options may stand anywhere; behind "--" all are words.
absl::StatusOr<Options> ParseOptions(const std::vector<std::string>& arguments) {
  Options options;
  bool words_only = false;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (words_only || argument.size() < 2 || argument[0] != '-') {
      options.words.push_back(argument);
    } else if (argument == "--") {
      words_only = true;
    } else if (argument == "--json") {
      options.json = true;
    } else if (argument == "--raw") {
      options.raw = true;
    } else if (argument == "--help" || argument == "-h") {
      options.help = true;
    } else if (argument == "--version") {
      options.version = true;
    } else if (argument.rfind("--socket=", 0) == 0) {
      options.socket = argument.substr(9);
    } else if (argument == "--socket" && i + 1 < arguments.size()) {
      options.socket = arguments[++i];
    } else if (argument == "--socket") {
      return absl::InvalidArgumentError("--socket needs a path");
    } else {
      return Unknown("option", argument, {"--json", "--raw", "--socket", "--help", "--version"});
    }
  }
  return options;
}

ExitStatus Complain(const Streams& streams, const absl::Status& status, ExitStatus exit_status) {
  streams.err << "tandemctl: " << std::string(status.message()) << '\n';
  return exit_status;
}

ExitStatus ExitStatusOf(const absl::Status& status) {
  return absl::IsUnavailable(status) ? kUnreachable : kRefused;
}

ExitStatus Check(const Invocation& invocation, const Options& options, const Streams& streams) {
  const v1::CheckResult result = CheckFile(invocation.file, streams.in);
  if (options.json) {
    streams.out << ToJson(result);
  } else {
    for (const std::string& note : result.note()) {
      streams.out << "note: " << note << '\n';
    }
    for (const std::string& error : result.error()) {
      streams.err << error << '\n';
    }
    if (result.valid()) streams.out << invocation.file << ": valid\n";
  }
  return result.valid() ? kDone : kRefused;
}

// Asks the daemon; tables are printed as the answer comes, JSON when it is whole.
absl::Status Ask(const v1::Request& request, const Options& options, const Streams& streams) {
  Client client;
  if (const absl::Status status = client.Connect(options.socket); !status.ok()) return status;
  Printer printer(streams.out, options.raw);
  v1::Response whole;
  const absl::Status status = client.Ask(request, [&](const v1::Response& response) {
    if (options.json) {
      whole.MergeFrom(response);
    } else {
      printer.Print(response);
    }
  });
  if (status.ok() && options.json) streams.out << ToJson(ResultOf(whole));
  return status;
}

absl::Status Save(const Invocation& invocation, const Options& options, const Streams& streams) {
  Client client;
  if (const absl::Status status = client.Connect(options.socket); !status.ok()) return status;
  std::string text;
  absl::Status status = client.Ask(invocation.request, [&](const v1::Response& response) {
    text = control::PrintConfig(response.config().config(), "Written by tandemctl save.");
  });
  if (!status.ok()) return status;
  status = WriteText(invocation.file, text);
  if (!status.ok()) return status;
  v1::Response saved;
  saved.mutable_saved()->set_path(invocation.file);
  if (options.json) {
    streams.out << ToJson(saved.saved());
  } else {
    Printer(streams.out, options.raw).Print(saved);
  }
  return absl::OkStatus();
}

ExitStatus Execute(Invocation& invocation, const Options& options, const Streams& streams) {
  absl::Status status;
  switch (invocation.action) {
    case Action::kCheckFile:
      return Check(invocation, options, streams);
    case Action::kSaveFile:
      status = Save(invocation, options, streams);
      break;
    case Action::kLoadFile: {
      auto text = ReadText(invocation.file, streams.in);
      if (!text.ok()) return Complain(streams, text.status(), kRefused);
      invocation.request.mutable_load()->set_text(*std::move(text));
      invocation.request.mutable_load()->set_name(invocation.file);
      status = Ask(invocation.request, options, streams);
      break;
    }
    case Action::kAsk:
      status = Ask(invocation.request, options, streams);
      break;
  }
  streams.out.flush();
  return status.ok() ? kDone : Complain(streams, status, ExitStatusOf(status));
}

// Names that the daemon knows, for completion; none when it cannot be reached.
std::set<std::string> NamesOf(const Completion& completion, const std::string& socket) {
  using Names = Completion::Names;
  v1::Request request;
  if (completion.names == Names::kVirtuals) request.mutable_show_virtual();
  if (completion.names == Names::kPools) request.mutable_show_pool();
  if (completion.names == Names::kMembers) request.mutable_show_pool()->set_name(completion.pool);
  if (completion.names == Names::kPorts) request.mutable_show_port();
  if (completion.names == Names::kSnatPools || completion.names == Names::kPersistences ||
      completion.names == Names::kTrafficGroups || completion.names == Names::kDevices ||
      completion.names == Names::kDeviceGroups) {
    request.mutable_show_config();
  }
  std::set<std::string> names;
  Client client;
  if (request.request_case() == v1::Request::REQUEST_NOT_SET || !client.Connect(socket).ok()) {
    return names;
  }
  const absl::Status ignored = client.Ask(request, [&](const v1::Response& response) {
    for (const auto& object : response.virtuals().virtual_()) {
      names.insert(object.name());
    }
    const auto& config = response.config().config();
    for (const auto& pool : config.snat_pool()) {
      if (completion.names == Names::kSnatPools) names.insert(pool.name());
    }
    for (const auto& profile : config.profile_persistence()) {
      if (completion.names == Names::kPersistences) names.insert(profile.name());
    }
    for (const auto& group : config.traffic_group()) {
      if (completion.names == Names::kTrafficGroups) names.insert(group.name());
    }
    for (const auto& device : config.device_group().device()) {
      if (completion.names == Names::kDevices) names.insert(device.name());
    }
    if (completion.names == Names::kDeviceGroups && config.has_device_group())
      names.insert(config.device_group().name());
    for (const auto& port : response.ports().port()) {
      names.insert(port.name());
    }
    for (const auto& pool : response.pools().pool()) {
      if (completion.names == Names::kPools) names.insert(pool.name());
      for (const auto& member : pool.member()) {
        if (completion.names == Names::kMembers) names.insert(member.name());
      }
    }
  });
  return names;
}

// `__complete WORD...`: what may follow the words, one a line, for deploy/completion. A line "@file"
// stands for the names of files.
ExitStatus PrintCompletion(const Options& options, const Streams& streams) {
  const Completion completion =
      Complete(std::vector<std::string>(options.words.begin() + 1, options.words.end()));
  for (const std::string_view word : completion.words) {
    streams.out << word << '\n';
  }
  for (const std::string& name : NamesOf(completion, options.socket)) {
    streams.out << name << '\n';
  }
  if (completion.names == Completion::Names::kFiles) streams.out << "@file\n";
  return kDone;
}

}  // namespace

ExitStatus Run(const std::vector<std::string>& arguments, const Streams& streams) {
  const auto options = ParseOptions(arguments);
  if (!options.ok()) return Complain(streams, options.status(), kUsage);
  if (options->version) {
    streams.out << "tandemctl " << TANDEM_VERSION << '\n';
    return kDone;
  }
  if (options->help || options->words.empty()) {
    const auto help = HelpFor(options->words);
    if (!help.ok()) return Complain(streams, help.status(), kUsage);
    (options->help ? streams.out : streams.err) << *help;
    return options->help ? kDone : kUsage;
  }
  if (options->words[0] == "__complete") return PrintCompletion(*options, streams);

  Words words(options->words);
  const auto command = FindCommand(words);
  if (!command.ok()) return Complain(streams, command.status(), kUsage);
  Invocation invocation;
  absl::Status status = (*command)->parse(words, invocation);
  if (status.ok()) status = words.End();
  if (!status.ok()) {
    Complain(streams, status, kUsage);
    streams.err << "usage: tandemctl " << (*command)->usage() << '\n';
    return kUsage;
  }
  return Execute(invocation, *options, streams);
}

}  // namespace tandem::tandemctl
