// SPDX-License-Identifier: Apache-2.0
//
// How a device gets the configuration that its peer runs, as text, and how it asks the peer to take its
// own. One for each peer; control frames of the association carry it.
//
//   fetch   request(text, offset) -> part(text, size, offset, bytes), one at a time, repeated until it
//           is answered. A text that is not the present one any more is answered with the beginning of
//           the present one: then the fetch begins anew.
//   ask     "take my configuration, number n" -> what has become of n, again and again until it is
//           decided. The peer fetches in between. Numbers go up in a run of the asking device: one that
//           is lower than the last one is an old frame, an equal one a repeated question.
//
// What texts mean, and whether a configuration is taken, is control's to say; the mirror lcore moves
// bytes. Nothing ends here by itself: control looks at `progress` and stops what does not go on.
//
// Bounded: a text by kTextMax, one part and one question under way, one answer a question.
//
// Thread safety: as said at each function. The mirror lcore never waits for control: what comes while
// control is inside is lost, and will be repeated.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "dataplane/base/one_at_a_time.h"
#include "dataplane/base/time.h"
#include "dataplane/mirror/control_codec.h"

namespace tandem::mirror {

struct ConfigText {
  uint64_t id = 0;  // a hash of the bytes, by whoever made them; 0: none
  std::string bytes;
};

class ConfigExchange {
 public:
  static constexpr size_t kTextMax = size_t{16} << 20;
  static constexpr Nanos kPatience = 200 * kMillisecond;
  // Of a part's message that is not text, at most.
  static constexpr size_t kPartOverheadMax = 64;

  // What the peer's newest Hello says.
  struct Peer {
    uint64_t incarnation = 0;  // 0: none came yet
    uint32_t version = 0;      // of its configuration, in this run
    bool exchanges = false;    // whether it knows these messages
  };
  struct Fetched {
    bool is_too_large = false;
    ConfigText text;
  };

  // ---- control ------------------------------------------------------------------------------------
  Peer peer() const;
  // Counts up whenever the peer says something about what is under way.
  uint64_t progress() const noexcept { return progress_.load(std::memory_order_relaxed); }

  // What the peer gets. nullptr: nothing at the moment, and its requests set `is_wanted`.
  void SetText(std::shared_ptr<const ConfigText> text);
  bool is_wanted() const noexcept { return wanted_.load(std::memory_order_relaxed); }

  // Begins to fetch the peer's text; what was fetched before is forgotten. Returns the fetch's number.
  uint32_t Fetch();
  // Once, when the fetch of that number is complete.
  std::optional<Fetched> TakeFetched(uint32_t fetch);
  // Asks the peer to take this device's configuration; an earlier question is not repeated any more.
  uint32_t Ask();
  // The peer's decision about that question, once.
  std::optional<ConfigSyncAnswer> TakeAnswer(uint32_t number);
  // Neither the fetch nor the question is wanted any more.
  void Stop();

  // A question of the peer's, each once.
  std::optional<uint32_t> TakeQuestion();
  // Decides it. A question that the peer has replaced by another one needs no answer.
  void Answer(uint32_t number, ConfigSyncState state, std::string message);

  // ---- mirror lcore -------------------------------------------------------------------------------
  void OnHello(const Hello& hello);
  // `room`: bytes that fit a control body on the way to the peer.
  std::optional<ConfigPart> OnRequest(const ConfigRequest& request, size_t room);
  void OnPart(const ConfigPart& part);
  std::optional<ConfigSyncAnswer> OnQuestion(const ConfigSyncQuestion& question);
  void OnAnswer(const ConfigSyncAnswer& answer);
  // Something to be sent now; ask again until there is nothing.
  std::optional<ControlMessage> Due(Nanos now);

 private:
  // Something that is said again until it is answered.
  struct Repeated {
    bool is_wanted = false;
    bool is_out = false;
    Nanos said_at = 0;

    void Begin() { *this = {.is_wanted = true}; }
    bool Due(Nanos now);
  };

  template <class F>
  void Enter(F&& f) const;  // control
  void NoteActive();        // inside

  mutable OneAtATime at_state_;
  // ---- of who is inside
  Peer peer_;
  std::shared_ptr<const ConfigText> text_;
  uint32_t fetch_ = 0;  // number of the last one
  Repeated fetching_;
  ConfigText partial_;
  size_t size_ = 0;  // that the partial one will have
  std::optional<Fetched> fetched_;
  uint32_t number_ = 0;  // of the last question
  Repeated asking_;
  std::optional<ConfigSyncAnswer> answer_;  // to it
  ConfigSyncAnswer decision_;               // of the peer's last question
  bool has_question_ = false;               // that control has not seen
  bool tells_ = false;                      // the decision, once without being asked

  // ---- anybody's
  std::atomic<uint64_t> progress_{0};
  std::atomic<bool> wanted_{false};
  std::atomic<bool> active_{false};  // Due may have something to say
};

}  // namespace tandem::mirror
