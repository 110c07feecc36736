// SPDX-License-Identifier: Apache-2.0
//
// Whole connections and what goes wrong with them, told segment by segment.
#include <iterator>

#include <catch2/catch.hpp>

#include "dataplane/flow/tcp_state.h"
#include "tests/unit/flow/tcp_connection.h"

using namespace tandem::flow;

namespace {

constexpr Side kClient = Side::kClient;
constexpr Side kServer = Side::kServer;

TEST_CASE("tcp: what a peer is told of a flow does not change in silence") {
  TcpConnection tcp;
  tcp.Open();
  CHECK(tcp.Send(kClient, kFin | kAck).state_changed);
  const TcpVerdict acked = tcp.Send(kServer, kAck);
  CHECK((tcp.flow.flags & kFinAckedClient) != 0);
  CHECK_FALSE(acked.state_changed);
  CHECK(acked.flags_changed);
  CHECK_FALSE(tcp.Send(kServer, kAck, 100).flags_changed);
  CHECK(tcp.Send(kServer, kFin | kAck).state_changed);
}

}  // namespace

TEST_CASE("tcp: opens with three segments and closes with four", "[flow]") {
  TcpConnection tcp;
  tcp.Start(tcp.Next(kClient, kSyn));
  CHECK(tcp.flow.state == State::kOpening);
  CHECK(tcp.Send(kServer, kSyn | kAck).state_changed);
  CHECK(tcp.flow.state == State::kSynAcked);
  CHECK(tcp.Send(kClient, kAck).state_changed);
  CHECK(tcp.flow.state == State::kEstablished);
  for (int i = 0; i < 100; ++i) {
    CHECK_FALSE(tcp.Send(kClient, kAck, 700).state_changed);
    CHECK_FALSE(tcp.Send(kServer, kAck, 900).state_changed);
  }
  CHECK(tcp.flow.client_ack == tcp.server_next - 900);
  CHECK(tcp.flow.server_ack == tcp.client_next);
  tcp.Send(kClient, kFin | kAck);
  CHECK(tcp.flow.state == State::kFinClient);
  tcp.Send(kServer, kAck);
  CHECK((tcp.flow.flags & kFinAckedClient) != 0);
  tcp.Send(kServer, kFin | kAck);
  CHECK(tcp.flow.state == State::kClosing);
  CHECK(tcp.Send(kClient, kAck).state_changed);
  CHECK(tcp.flow.state == State::kTimeWait);
}

TEST_CASE("tcp: the server closes first, with three segments", "[flow]") {
  TcpConnection tcp;
  tcp.Open();
  tcp.Send(kServer, kFin | kAck);
  CHECK(tcp.flow.state == State::kFinServer);
  tcp.Send(kClient, kFin | kAck);
  CHECK(tcp.flow.state == State::kClosing);
  tcp.Send(kServer, kAck);
  CHECK(tcp.flow.state == State::kTimeWait);
}

TEST_CASE("tcp: both close at once", "[flow]") {
  TcpConnection tcp;
  tcp.Open();
  const TcpSegment from_client = tcp.Next(kClient, kFin | kAck);
  const TcpSegment from_server = tcp.Next(kServer, kFin | kAck);
  tcp.Send(kClient, from_client);
  tcp.Send(kServer, from_server);
  CHECK(tcp.flow.state == State::kClosing);
  tcp.Send(kClient, kAck);
  CHECK(tcp.flow.state == State::kClosing);  // the client's FIN is not acknowledged yet
  tcp.Send(kServer, kAck);
  CHECK(tcp.flow.state == State::kTimeWait);
}

TEST_CASE("tcp: a half-closed connection carries data the other way", "[flow]") {
  TcpConnection tcp;
  tcp.Open();
  tcp.Send(kClient, kFin | kAck);
  for (int i = 0; i < 50; ++i) {
    tcp.Send(kServer, kAck, 1000);
    tcp.Send(kClient, kAck);
    CHECK(tcp.flow.state == State::kFinClient);
  }
  tcp.Send(kServer, kFin | kAck, 10);
  CHECK(tcp.flow.state == State::kClosing);
  tcp.Send(kClient, kAck);
  CHECK(tcp.flow.state == State::kTimeWait);
}

TEST_CASE("tcp: a FIN that carries the last ACK of the handshake counts as both", "[flow]") {
  TcpConnection tcp;
  tcp.Start(tcp.Next(kClient, kSyn));
  tcp.Send(kServer, kSyn | kAck);
  tcp.Send(kClient, kFin | kAck, 20);  // the bare ACK was lost
  CHECK(tcp.flow.state == State::kFinClient);
  tcp.Send(kServer, kFin | kAck);
  tcp.Send(kClient, kAck);
  CHECK(tcp.flow.state == State::kTimeWait);
}

TEST_CASE("tcp: a server that speaks has seen the ACK that we have not", "[flow]") {
  TcpConnection tcp;
  tcp.Start(tcp.Next(kClient, kSyn));
  tcp.Send(kServer, kSyn | kAck);
  tcp.Send(kServer, kAck);  // proves nothing: it answers a stray SYN like this
  CHECK(tcp.flow.state == State::kSynAcked);
  tcp.Send(kServer, kAck, 20);
  CHECK(tcp.flow.state == State::kEstablished);
}

TEST_CASE("tcp: retransmissions of the handshake change nothing", "[flow]") {
  TcpConnection tcp;
  const TcpSegment syn = tcp.Next(kClient, kSyn);
  tcp.Start(syn);
  CHECK_FALSE(tcp.Track(kClient, syn).state_changed);
  TcpSegment syn_ack = tcp.Next(kServer, kSyn | kAck);
  syn_ack.acknowledgement = syn.sequence + 1;
  tcp.Send(kServer, syn_ack);
  CHECK(tcp.Track(kClient, syn).action == TcpAction::kForward);
  CHECK(tcp.Track(kServer, syn_ack).action == TcpAction::kForward);
  CHECK(tcp.flow.state == State::kSynAcked);
  tcp.Send(kClient, kAck);
  CHECK_FALSE(tcp.Track(kServer, syn_ack).state_changed);
  CHECK(tcp.flow.state == State::kEstablished);
}

TEST_CASE("tcp: a SYN with another sequence starts an opening flow afresh", "[flow]") {
  TcpConnection tcp;
  tcp.Start(tcp.Next(kClient, kSyn));
  TcpSegment old_answer = tcp.Next(kServer, kSyn | kAck);
  tcp.client_next += 5000;
  tcp.Send(kClient, kSyn);
  CHECK(tcp.flow.state == State::kOpening);
  tcp.Track(kServer, old_answer);  // acknowledges the SYN that was given up
  CHECK(tcp.flow.state == State::kOpening);
  tcp.Send(kServer, kSyn | kAck);
  tcp.Send(kClient, kAck);
  CHECK(tcp.flow.state == State::kEstablished);
}

TEST_CASE("tcp: a server that answers a repeated SYN with another sequence is followed", "[flow]") {
  TcpConnection tcp;
  tcp.Start(tcp.Next(kClient, kSyn));
  tcp.Send(kServer, kSyn | kAck);
  tcp.server_next += 123456;  // a SYN cookie of a later time
  tcp.Send(kServer, kSyn | kAck);
  tcp.Send(kClient, kAck);
  CHECK(tcp.flow.state == State::kEstablished);
}

TEST_CASE("tcp: a blind ACK does not complete a handshake", "[flow]") {
  TcpConnection tcp;
  tcp.Start(tcp.Next(kClient, kSyn));
  tcp.Send(kServer, kSyn | kAck);
  TcpSegment blind = tcp.Next(kClient, kAck);
  blind.acknowledgement += 100000;
  CHECK(tcp.Track(kClient, blind).action == TcpAction::kForward);
  CHECK(tcp.flow.state == State::kSynAcked);
}

TEST_CASE("tcp: data in a SYN may be acknowledged with it or not", "[flow]") {
  for (const uint32_t acknowledged : {0U, 40U, 100U}) {
    TcpConnection tcp;
    tcp.Start(tcp.Next(kClient, kSyn, 100));
    TcpSegment syn_ack = tcp.Next(kServer, kSyn | kAck);
    syn_ack.acknowledgement = TcpConnection::kClientIsn + 1 + acknowledged;
    tcp.Send(kServer, syn_ack);
    CHECK(tcp.flow.state == State::kSynAcked);
  }
}

TEST_CASE("tcp: a closed port's RST ends an opening flow", "[flow]") {
  TcpConnection tcp;
  tcp.Start(tcp.Next(kClient, kSyn));
  tcp.server_next = 0;  // RFC 9293 section 3.10.7.1: such a RST has sequence 0
  CHECK(tcp.Send(kServer, kRst | kAck).action == TcpAction::kClose);
}

TEST_CASE("tcp: a RST counts when it is where the receiver is, or in its window", "[flow]") {
  for (const Side side : {kClient, kServer}) {
    for (const uint32_t ahead : {0U, 1U, 999U}) {
      TcpConnection tcp;
      tcp.Open();
      TcpSegment reset = tcp.Next(side, kRst);
      reset.sequence += ahead;
      CHECK(tcp.Track(side, reset).action == TcpAction::kClose);
    }
    for (const uint32_t ahead : {UINT32_MAX, 1024U, 1U << 20, 1U << 31}) {
      TcpConnection tcp;
      tcp.Open();
      TcpSegment reset = tcp.Next(side, kRst);
      reset.sequence += ahead;
      CHECK(tcp.Track(side, reset).action == TcpAction::kForward);
      CHECK(tcp.flow.state == State::kEstablished);
    }
  }
}

TEST_CASE("tcp: window scales widen the window only when both sides offer them", "[flow]") {
  for (const bool server_offers : {false, true}) {
    TcpConnection tcp;
    TcpSegment syn = tcp.Next(kClient, kSyn);
    syn.has_window_scale = true;
    syn.window_scale = 7;
    tcp.Start(syn);
    TcpSegment syn_ack = tcp.Next(kServer, kSyn | kAck);
    syn_ack.has_window_scale = server_offers;
    syn_ack.window_scale = server_offers ? 3 : 0;
    tcp.Send(kServer, syn_ack);
    tcp.Send(kClient, kAck);
    tcp.Send(kServer, kAck);
    CHECK(bool{(tcp.flow.flags & kWindowScaled) != 0} == server_offers);
    // 1000 << 7 into the client's window, 1000 << 3 into the server's.
    TcpSegment from_server = tcp.Next(kServer, kRst);
    from_server.sequence += 100000;
    TcpConnection copy = tcp;
    const TcpAction expected = server_offers ? TcpAction::kClose : TcpAction::kForward;
    CHECK(copy.Track(kServer, from_server).action == expected);
    TcpSegment from_client = tcp.Next(kClient, kRst);
    from_client.sequence += 7999;
    CHECK(tcp.Track(kClient, from_client).action == expected);
  }
}

TEST_CASE("tcp: a stranger's FIN does not shorten a flow's life", "[flow]") {
  TcpConnection tcp;
  tcp.Open();
  TcpSegment blind = tcp.Next(kClient, kFin | kAck);
  blind.sequence += 5000;
  tcp.Track(kClient, blind);
  CHECK(tcp.flow.state == State::kEstablished);
  CHECK((tcp.flow.flags & kFinClientSent) == 0);
}

TEST_CASE("tcp: a rebooted client gets its port back by way of a RST", "[flow]") {
  TcpConnection tcp;
  tcp.Open();
  tcp.Send(kClient, kAck, 300);
  tcp.Send(kServer, kAck);
  TcpSegment syn = tcp.Next(kClient, kSyn);
  syn.sequence += 77777;
  CHECK(tcp.Track(kClient, syn).action == TcpAction::kForward);
  CHECK(tcp.flow.state == State::kEstablished);
  tcp.Send(kServer, kAck);  // challenge ACK (RFC 5961 section 4)
  TcpSegment reset;
  reset.flags = kRst;
  reset.sequence = tcp.client_next;  // what the challenge acknowledged
  CHECK(tcp.Track(kClient, reset).action == TcpAction::kClose);
}

TEST_CASE("tcp: a client's SYN reopens a closing flow when it is new", "[flow]") {
  TcpConnection tcp;
  tcp.Open();
  tcp.Send(kClient, kFin | kAck, 100);
  TcpSegment syn = tcp.Next(kClient, kSyn);
  syn.sequence = tcp.client_next - 1;  // not behind the FIN
  CHECK(tcp.Track(kClient, syn).action == TcpAction::kForward);
  syn.sequence = tcp.client_next + 1;
  CHECK(tcp.Track(kClient, syn).action == TcpAction::kReopen);
  tcp.Send(kServer, kFin | kAck);
  tcp.Send(kClient, kAck);
  REQUIRE(tcp.flow.state == State::kTimeWait);
  syn.sequence = tcp.client_next - 50000;
  CHECK(tcp.Track(kClient, syn).action == TcpAction::kReopen);
}

TEST_CASE("tcp: a one-legged flow is established and closed by the client alone", "[flow]") {
  TcpConnection tcp;
  tcp.flow.flags = kOneLegged;
  tcp.Start(tcp.Next(kClient, kSyn));
  ++tcp.server_next;  // its SYN-ACK goes another way
  tcp.Send(kClient, kAck);
  CHECK(tcp.flow.state == State::kEstablished);
  tcp.Send(kClient, kAck, 5000);
  TcpSegment blind = tcp.Next(kClient, kRst);
  blind.sequence += 1U << 24;
  CHECK(tcp.Track(kClient, blind).action == TcpAction::kForward);
  TcpConnection copy = tcp;
  CHECK(copy.Send(kClient, kRst).action == TcpAction::kClose);
  tcp.Send(kClient, kFin | kAck);
  CHECK(tcp.flow.state == State::kFinClient);
  tcp.Send(kClient, kAck);
  CHECK(tcp.flow.state == State::kFinClient);
  CHECK(tcp.Send(kClient, kSyn).action == TcpAction::kReopen);
}

TEST_CASE("tcp: a flow adopted in mid-stream learns from what it sees", "[flow]") {
  TcpConnection tcp;
  tcp.Start(tcp.Next(kClient, kAck, 500));
  CHECK(tcp.flow.state == State::kEstablished);
  CHECK((tcp.flow.flags & kLooselyInitiated) != 0);
  TcpConnection copy = tcp;
  CHECK(copy.Send(kClient, kRst).action == TcpAction::kClose);
  copy = tcp;
  CHECK(copy.Send(kServer, kRst).action == TcpAction::kClose);
  TcpSegment blind = tcp.Next(kClient, kRst);
  blind.sequence -= 100000;
  CHECK(tcp.Track(kClient, blind).action == TcpAction::kForward);
  tcp.Send(kServer, kFin | kAck);
  tcp.Send(kClient, kFin | kAck);
  tcp.Send(kServer, kAck);
  CHECK(tcp.flow.state == State::kTimeWait);
}

TEST_CASE("tcp: a flow adopted with its FIN is closing from the start", "[flow]") {
  TcpConnection tcp;
  tcp.Start(tcp.Next(kClient, kFin | kAck));
  CHECK(tcp.flow.state == State::kFinClient);
  tcp.Send(kServer, kFin | kAck);
  tcp.Send(kClient, kAck);
  CHECK(tcp.flow.state == State::kTimeWait);
}

TEST_CASE("tcp: an established flow of which nothing was seen believes a RST with ACK", "[flow]") {
  TcpConnection tcp;
  tcp.Open();
  tcp.flow.flags &= static_cast<uint16_t>(~(kClientSeen | kServerSeen));
  tcp.client_next += 1U << 30;
  tcp.server_next += 1U << 30;
  TcpConnection copy = tcp;
  CHECK(copy.Send(kClient, kRst).action == TcpAction::kForward);
  CHECK(copy.Send(kClient, kRst | kAck).action == TcpAction::kClose);
  tcp.Send(kServer, kAck, 10);
  tcp.Send(kClient, kFin | kAck);
  tcp.Send(kServer, kFin | kAck);
  tcp.Send(kClient, kAck);
  CHECK(tcp.flow.state == State::kTimeWait);
}

TEST_CASE("tcp: a connection goes on wherever it was taken over", "[flow]") {
  struct Step {
    Side side;
    uint8_t flags;
    uint32_t payload_length;
  };
  // The client's SYN comes before; its FIN is Step 5.
  constexpr Step kSteps[] = {{kServer, kSyn | kAck, 0}, {kClient, kAck, 0},
                             {kClient, kAck, 900},      {kServer, kAck, 900},
                             {kClient, kAck, 0},        {kClient, kFin | kAck, 0},
                             {kServer, kAck, 0},        {kServer, kFin | kAck, 0}};
  constexpr size_t kCount = std::size(kSteps);
  for (size_t taken_over = 0; taken_over <= kCount; ++taken_over) {
    // A segment may have passed the other device, which could not tell of it any more.
    for (const size_t resumed : {taken_over, taken_over + 1}) {
      CAPTURE(taken_over, resumed);
      TcpConnection tcp;
      tcp.Start(tcp.Next(kClient, kSyn));
      for (size_t i = 0; i < taken_over; ++i)
        tcp.Send(kSteps[i].side, kSteps[i].flags, kSteps[i].payload_length);
      if (resumed > taken_over && taken_over < kCount) {
        const Step& lost = kSteps[taken_over];
        tcp.Advance(lost.side, tcp.Next(lost.side, lost.flags, lost.payload_length));
      }
      tcp.cold = {};
      TakeOverTcp(tcp.flow);
      for (size_t i = resumed; i < kCount; ++i) {
        const Step& step = kSteps[i];
        CHECK(tcp.Send(step.side, step.flags, step.payload_length).action == TcpAction::kForward);
        if (i >= 2 && i < 5) CHECK(tcp.flow.state == State::kEstablished);
      }
      CHECK(tcp.Send(kClient, kAck).action == TcpAction::kForward);
      CHECK_FALSE(IsEmbryonic(tcp.flow.state));
      CHECK(tcp.Send(kServer, kRst | kAck).action == TcpAction::kClose);
    }
  }
}

TEST_CASE("tcp: a taken over flow's windows may be scaled by anything", "[flow]") {
  TcpConnection tcp;
  TcpSegment syn = tcp.Next(kClient, kSyn);
  syn.has_window_scale = true;
  syn.window_scale = 7;
  tcp.Start(syn);
  TcpSegment answer = tcp.Next(kServer, kSyn | kAck);
  answer.has_window_scale = true;
  answer.window_scale = 7;
  tcp.Send(kServer, answer);
  tcp.Send(kClient, kAck);
  TakeOverTcp(tcp.flow);
  tcp.Send(kClient, kAck);
  // Within 1000 << 7 bytes of what the client acknowledged, and beyond any unscaled window.
  tcp.server_next += 120'000;
  CHECK(tcp.Send(kServer, kFin | kAck).state_changed);
}
