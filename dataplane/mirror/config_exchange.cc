// SPDX-License-Identifier: Apache-2.0
#include "dataplane/mirror/config_exchange.h"

#include <rte_pause.h>

#include <algorithm>
#include <utility>

namespace tandem::mirror {

bool ConfigExchange::Repeated::Due(Nanos now) {
  if (!is_wanted || (is_out && now - said_at < kPatience)) return false;
  is_out = true;
  said_at = now;
  return true;
}

// The mirror lcore is inside for the copy of a part at most.
template <class F>
void ConfigExchange::Enter(F&& f) const {
  while (!at_state_.Try(f))
    rte_pause();
}

void ConfigExchange::NoteActive() {
  active_.store(fetching_.is_wanted || asking_.is_wanted || tells_, std::memory_order_relaxed);
}

// ---- control --------------------------------------------------------------------------------------

ConfigExchange::Peer ConfigExchange::peer() const {
  Peer peer;
  Enter([&] { peer = peer_; });
  return peer;
}

void ConfigExchange::SetText(std::shared_ptr<const ConfigText> text) {
  // The one before is freed outside.
  Enter([&] {
    text_.swap(text);
    wanted_.store(false, std::memory_order_relaxed);
  });
}

uint32_t ConfigExchange::Fetch() {
  uint32_t fetch = 0;
  ConfigText before;
  std::optional<Fetched> forgotten;
  Enter([&] {
    std::swap(before, partial_);
    forgotten.swap(fetched_);
    fetching_.Begin();
    fetch = ++fetch_;
    NoteActive();
  });
  return fetch;
}

std::optional<ConfigExchange::Fetched> ConfigExchange::TakeFetched(uint32_t fetch) {
  std::optional<Fetched> taken;
  Enter([&] {
    if (fetch == fetch_) taken.swap(fetched_);
  });
  return taken;
}

uint32_t ConfigExchange::Ask() {
  uint32_t number = 0;
  Enter([&] {
    answer_.reset();
    asking_.Begin();
    number = ++number_;
    NoteActive();
  });
  return number;
}

std::optional<ConfigSyncAnswer> ConfigExchange::TakeAnswer(uint32_t number) {
  std::optional<ConfigSyncAnswer> taken;
  Enter([&] {
    if (number == number_) taken.swap(answer_);
  });
  return taken;
}

void ConfigExchange::Stop() {
  ConfigText before;
  std::optional<Fetched> forgotten;
  Enter([&] {
    std::swap(before, partial_);
    forgotten.swap(fetched_);
    answer_.reset();
    fetching_ = {};
    asking_ = {};
    NoteActive();
  });
}

std::optional<uint32_t> ConfigExchange::TakeQuestion() {
  std::optional<uint32_t> number;
  Enter([&] {
    if (std::exchange(has_question_, false)) number = decision_.number;
  });
  return number;
}

void ConfigExchange::Answer(uint32_t number, ConfigSyncState state, std::string message) {
  if (message.size() > kSyncMessageMax) message.resize(kSyncMessageMax);
  Enter([&] {
    if (number != decision_.number) return;
    decision_.state = state;
    decision_.message.swap(message);
    tells_ = true;
    NoteActive();
  });
}

// ---- mirror lcore -----------------------------------------------------------------------------------

void ConfigExchange::OnHello(const Hello& hello) {
  // When control is inside, the next Hello says it.
  [[maybe_unused]] const bool is_noted = at_state_.Try([&] {
    if (hello.incarnation != peer_.incarnation) {
      // What was under way with another run of the peer is void; its numbers begin anew.
      decision_ = {};
      has_question_ = tells_ = false;
      partial_.id = 0;
      fetching_.is_out = asking_.is_out = false;
    }
    peer_ = {.incarnation = hello.incarnation,
             .version = hello.dictionary_version,
             .exchanges = (hello.features & kFeatureConfigExchange) != 0};
  });
}

std::optional<ConfigPart> ConfigExchange::OnRequest(const ConfigRequest& request, size_t room) {
  std::optional<ConfigPart> part;
  [[maybe_unused]] const bool is_answered = at_state_.Try([&] {
    if (text_ == nullptr) return wanted_.store(true, std::memory_order_relaxed);
    const size_t size = text_->bytes.size();
    if (room <= kPartOverheadMax || size > UINT32_MAX) return;
    part.emplace();
    part->fetch = request.fetch;
    part->text = text_->id;
    part->size = static_cast<uint32_t>(size);
    if (size > kTextMax) return;  // the size says it
    if (request.text == text_->id && request.offset < size) part->offset = request.offset;
    part->bytes = text_->bytes.substr(part->offset, room - kPartOverheadMax);
  });
  return part;
}

void ConfigExchange::OnPart(const ConfigPart& part) {
  [[maybe_unused]] const bool is_taken = at_state_.Try([&] {
    if (!fetching_.is_wanted || part.fetch != fetch_ || part.text == 0) return;
    if (part.size > kTextMax) {
      fetched_ = Fetched{.is_too_large = true, .text = {}};
      fetching_ = {};
      return NoteActive();
    }
    if (part.text != partial_.id || part.size != size_) {
      if (part.offset != 0) return;
      partial_.id = part.text;
      partial_.bytes.clear();
      partial_.bytes.reserve(part.size);
      size_ = part.size;
    }
    const size_t have = partial_.bytes.size();
    if (part.offset != have || part.bytes.empty() || part.bytes.size() > size_ - have) return;
    partial_.bytes += part.bytes;
    fetching_.is_out = false;
    progress_.fetch_add(1, std::memory_order_relaxed);
    if (partial_.bytes.size() < size_) return;
    fetched_ = Fetched{.text = std::exchange(partial_, {})};
    fetching_ = {};
    NoteActive();
  });
}

std::optional<ConfigSyncAnswer> ConfigExchange::OnQuestion(const ConfigSyncQuestion& question) {
  std::optional<ConfigSyncAnswer> answer;
  [[maybe_unused]] const bool is_answered = at_state_.Try([&] {
    if (question.number < decision_.number) return;
    if (question.number > decision_.number) {
      decision_ = {.number = question.number};
      has_question_ = true;
    }
    answer = decision_;
  });
  return answer;
}

void ConfigExchange::OnAnswer(const ConfigSyncAnswer& answer) {
  [[maybe_unused]] const bool is_taken = at_state_.Try([&] {
    if (!asking_.is_wanted || answer.number != number_) return;
    progress_.fetch_add(1, std::memory_order_relaxed);
    if (answer.state == ConfigSyncState::kWorking) return;
    answer_ = answer;
    asking_ = {};
    NoteActive();
  });
}

std::optional<ControlMessage> ConfigExchange::Due(Nanos now) {
  std::optional<ControlMessage> due;
  if (!active_.load(std::memory_order_relaxed)) return due;
  [[maybe_unused]] const bool is_told = at_state_.Try([&] {
    if (std::exchange(tells_, false)) {
      due = decision_;
      NoteActive();
    } else if (fetching_.Due(now)) {
      due = ConfigRequest{.fetch = fetch_,
                          .text = partial_.id,
                          .offset = static_cast<uint32_t>(partial_.bytes.size())};
    } else if (asking_.Due(now)) {
      due = ConfigSyncQuestion{.number = number_};
    }
  });
  return due;
}

}  // namespace tandem::mirror
