// SPDX-License-Identifier: Apache-2.0
#include "control/admin_frame.h"

#include <catch2/catch.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/base/prng.h"
#include "proto/admin.pb.h"

namespace tandem::control {
namespace {

using admin::v1::Request;

std::string FrameOf(const std::string& virtual_name) {
  Request request;
  request.mutable_show_virtual()->set_name(virtual_name);
  std::string frame;
  REQUIRE(AppendFrame(request, frame).ok());
  return frame;
}

std::string NameIn(const std::string& message) {
  Request request;
  REQUIRE(request.ParseFromString(message));
  return request.show_virtual().name();
}

TEST_CASE("admin frame: the length is four bytes, big endian", "[admin]") {
  const std::string frame = FrameOf(std::string(300, 'x'));
  const size_t length = frame.size() - kFrameHeaderSize;
  CHECK(frame.substr(0, 4) ==
        std::string({'\0', '\0', static_cast<char>(length >> 8), static_cast<char>(length)}));
}

TEST_CASE("admin frame: a frame cut at any byte is waited for, then whole", "[admin]") {
  const std::string frame = FrameOf("web");
  for (size_t cut = 0; cut < frame.size(); ++cut) {
    FrameReader reader;
    reader.Append(std::string_view(frame).substr(0, cut));
    auto message = reader.Next();
    REQUIRE(message.ok());
    CHECK_FALSE(message->has_value());
    CHECK(reader.partial() == (cut > 0));
    reader.Append(std::string_view(frame).substr(cut));
    message = reader.Next();
    REQUIRE(message.ok());
    REQUIRE(message->has_value());
    CHECK(NameIn(**message) == "web");
    CHECK_FALSE(reader.partial());
  }
}

TEST_CASE("admin frame: many frames in pieces of chance come out whole and in order", "[admin]") {
  constexpr uint64_t kSeed = 7;
  Prng prng(kSeed);
  INFO("seed " << kSeed);
  std::string stream;
  std::vector<std::string> sent;
  for (int i = 0; i < 500; ++i) {
    sent.push_back(std::string(prng.Below(400), static_cast<char>('a' + i % 26)));
    stream += FrameOf(sent.back());
  }
  FrameReader reader;
  std::vector<std::string> received;
  for (size_t at = 0; at < stream.size();) {
    const size_t piece = std::min<size_t>(1 + prng.Below(700), stream.size() - at);
    reader.Append(std::string_view(stream).substr(at, piece));
    at += piece;
    for (auto message = reader.Next(); message.ok() && *message; message = reader.Next()) {
      received.push_back(NameIn(**message));
    }
  }
  CHECK(received == sent);
}

TEST_CASE("admin frame: a length beyond the most is refused before its bytes come", "[admin]") {
  FrameReader reader;
  reader.Append(std::string_view("\x01\x00\x00\x01", 4));
  const auto message = reader.Next();
  REQUIRE_FALSE(message.ok());
  CHECK(std::string(message.status().message()) ==
        "a frame of 16777217 bytes; 16777216 is the most");

  FrameReader most;
  most.Append(std::string_view("\x01\x00\x00\x00", 4));
  CHECK(most.Next().ok());
  CHECK(most.size() == 4);
}

TEST_CASE("admin frame: a message beyond the most is not sent", "[admin]") {
  Request request;
  request.mutable_load()->set_text(std::string(kFrameMax, 'x'));
  std::string out = "before";
  CHECK_FALSE(AppendFrame(request, out).ok());
  CHECK(out == "before");
}

TEST_CASE("admin frame: an empty message is a frame too", "[admin]") {
  std::string frame;
  REQUIRE(AppendFrame(Request(), frame).ok());
  CHECK(frame == std::string(4, '\0'));
  FrameReader reader;
  reader.Append(frame);
  CHECK((*reader.Next()).value().empty());
}

}  // namespace
}  // namespace tandem::control
