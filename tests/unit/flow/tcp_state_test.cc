// SPDX-License-Identifier: Apache-2.0
#include "dataplane/flow/tcp_state.h"

#include <array>
#include <catch2/catch.hpp>
#include <cstring>
#include <string>
#include <string_view>

#include "tests/unit/flow/tcp_connection.h"

using namespace tandem::flow;

namespace {

// What is to come of a segment of each class (SYN, SYN-ACK, ACK, FIN, RST, none), by state:
//   letter of a state: forwarded, and the flow is in that state; '.': forwarded, no change;
//   R: reopen, X: close, D: drop.
// Own segments carry ten bytes. A stranger's are a quarter of the sequence space ahead or behind.
struct Row {
  State state;
  Side side;
  std::string_view own;
  std::string_view ahead;
  std::string_view behind;
};

constexpr std::string_view kStateLetters = "-OAEcsCT";  // in the order of State

constexpr std::array<Row, 16> kRows = {{
    {State::kFree, Side::kClient, "DDDDDD", "DDDDDD", "DDDDDD"},
    {State::kFree, Side::kServer, "DDDDDD", "DDDDDD", "DDDDDD"},
    {State::kOpening, Side::kClient, ".DDDXD", ".DDD.D", ".DDD.D"},
    {State::kOpening, Side::kServer, "DA..XD", "D....D", "D....D"},
    {State::kSynAcked, Side::kClient, ".DEcXD", ".D...D", ".D...D"},
    {State::kSynAcked, Side::kServer, "D.EsXD", "D....D", "D....D"},
    {State::kEstablished, Side::kClient, ".D.cXD", ".D...D", ".D...D"},
    {State::kEstablished, Side::kServer, "...sXD", ".....D", ".....D"},
    {State::kFinClient, Side::kClient, "RD..XD", "RD...D", ".D...D"},
    {State::kFinClient, Side::kServer, "...CXD", ".....D", ".....D"},
    {State::kFinServer, Side::kClient, "RD.CXD", "RD...D", ".D...D"},
    {State::kFinServer, Side::kServer, "....XD", ".....D", ".....D"},
    // An acknowledgement beyond the FIN acknowledges the FIN.
    {State::kClosing, Side::kClient, "RDT.XD", "RDT..D", "RD...D"},
    {State::kClosing, Side::kServer, "D...XD", "D....D", "D....D"},
    {State::kTimeWait, Side::kClient, "RD..XD", "RD...D", "RD...D"},
    {State::kTimeWait, Side::kServer, "D...XD", "D....D", "D....D"},
}};

// A connection that has got as far as `state`; in kClosing the server's FIN waits for its ACK.
TcpConnection MakeConnection(State state) {
  TcpConnection tcp;
  if (state == State::kFree) return tcp;
  tcp.Start(tcp.Next(Side::kClient, kSyn));
  if (state == State::kOpening) return tcp;
  tcp.Send(Side::kServer, kSyn | kAck);
  if (state == State::kSynAcked) return tcp;
  tcp.Send(Side::kClient, kAck);
  tcp.Send(Side::kServer, kAck, 100);
  tcp.Send(Side::kClient, kAck, 200);
  if (state == State::kEstablished) return tcp;
  tcp.Send(state == State::kFinServer ? Side::kServer : Side::kClient, kFin | kAck);
  if (state == State::kFinClient || state == State::kFinServer) return tcp;
  tcp.Send(Side::kServer, kFin | kAck);
  if (state == State::kClosing) return tcp;
  tcp.Send(Side::kClient, kAck);
  return tcp;
}

bool IsUnchanged(const TcpConnection& before, const TcpConnection& after) {
  return std::memcmp(&before.flow, &after.flow, sizeof(FlowCommon)) == 0 &&
         std::memcmp(&before.cold, &after.cold, sizeof(FlowCold)) == 0;
}

char LetterOf(const TcpVerdict& verdict, State state) {
  switch (verdict.action) {
    case TcpAction::kForward:
      return verdict.state_changed ? kStateLetters[static_cast<size_t>(state)] : '.';
    case TcpAction::kReopen:
      return 'R';
    case TcpAction::kClose:
      return 'X';
    case TcpAction::kDrop:
      return 'D';
  }
  return '?';
}

// All 64 combinations of flags, shifted by `distance` from the sender's true place.
void CheckRow(const Row& row, std::string_view letters, uint32_t distance) {
  for (unsigned bits = 0; bits < 64; ++bits) {
    const auto flags = static_cast<uint8_t>(bits);
    const TcpConnection before = MakeConnection(row.state);
    REQUIRE(before.flow.state == row.state);
    TcpConnection after = before;
    TcpSegment segment = before.Next(row.side, flags, 10);
    segment.sequence += distance;
    segment.acknowledgement += distance;
    const TcpVerdict verdict = after.Track(row.side, segment);

    const FlagClass flag_class = Classify(flags);
    char expected = letters[static_cast<size_t>(flag_class)];
    const bool has_ack = (flags & kAck) != 0;
    // No connection has a FIN without ACK, and only an acknowledging RST answers a SYN.
    if (flag_class == FlagClass::kFin && !has_ack) expected = 'D';
    if (row.state == State::kOpening && row.side == Side::kServer &&
        flag_class == FlagClass::kRst && !has_ack) {
      expected = '.';
    }
    INFO("state " << static_cast<int>(row.state) << " side " << static_cast<int>(row.side)
                  << " flags " << bits << " distance " << distance);
    REQUIRE(LetterOf(verdict, after.flow.state) == expected);
    REQUIRE(verdict.state_changed == (after.flow.state != before.flow.state));
    // What is dropped, ends the flow, or is a stranger's SYN, FIN or RST leaves no trace.
    const bool is_stranger = distance != 0;
    const bool leaves_trace = flag_class == FlagClass::kAck || flag_class == FlagClass::kSyn;
    if (verdict.action != TcpAction::kForward || (is_stranger && !leaves_trace)) {
      REQUIRE(IsUnchanged(before, after));
    }
  }
}

}  // namespace

TEST_CASE("tcp state: flags fall into one class, RST before SYN before FIN before ACK", "[flow]") {
  for (unsigned flags = 0; flags < 64; ++flags) {
    const bool fin = (flags & kFin) != 0;
    const bool syn = (flags & kSyn) != 0;
    const bool rst = (flags & kRst) != 0;
    const bool ack = (flags & kAck) != 0;
    const FlagClass expected = rst          ? FlagClass::kRst
                               : syn && ack ? FlagClass::kSynAck
                               : syn        ? FlagClass::kSyn
                               : fin        ? FlagClass::kFin
                               : ack        ? FlagClass::kAck
                                            : FlagClass::kNone;
    CHECK(Classify(static_cast<uint8_t>(flags)) == expected);
  }
}

TEST_CASE("tcp state: every state, side and flag combination, in and out of window", "[flow]") {
  for (const Row& row : kRows) {
    CheckRow(row, row.own, 0);
    CheckRow(row, row.ahead, 1U << 30);
    CheckRow(row, row.behind, 0U - (1U << 30));
  }
}

TEST_CASE("tcp state: the cells are those that the rows above show", "[flow]") {
  for (const Row& row : kRows) {
    for (size_t flags = 0; flags < kFlagClassCount; ++flags) {
      const TcpCell& cell = CellOf(row.state, row.side, static_cast<FlagClass>(flags));
      const char letter = row.own[flags];
      INFO("state " << static_cast<int>(row.state) << " side " << static_cast<int>(row.side)
                    << " class " << flags);
      CHECK((cell.action == TcpAction::kDrop) == (letter == 'D'));
      CHECK((cell.action == TcpAction::kReopen) == (letter == 'R'));
      CHECK((cell.action == TcpAction::kClose) == (letter == 'X'));
      if (cell.action != TcpAction::kForward) CHECK(cell.next == row.state);
      const size_t next = kStateLetters.find(letter);
      if (next != std::string_view::npos) CHECK(cell.next == static_cast<State>(next));
    }
  }
}
