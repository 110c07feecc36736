// SPDX-License-Identifier: Apache-2.0
//
// Frames of the admin socket: a length in four bytes, big endian, and a serialised message
// (proto/admin.proto). Both ends use this; neither trusts the other.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

namespace google::protobuf {
class MessageLite;
}

namespace tandem::control {

inline constexpr size_t kFrameHeaderSize = 4;
inline constexpr size_t kFrameMax = size_t{16} << 20;  // bytes of a message

// Appends `message` as a frame. kResourceExhausted, and nothing appended, beyond kFrameMax.
absl::Status AppendFrame(const google::protobuf::MessageLite& message, std::string& out);

// False when `bytes` are no message of that type. Says nothing on stderr, unlike protobuf itself, so
// that a stranger cannot fill the log.
bool ParseMessage(const std::string& bytes, google::protobuf::MessageLite& message);

// Takes a stream of bytes apart. It holds what was appended and not taken yet, nothing in advance:
// a frame that claims a great length costs no memory before its bytes come.
class FrameReader {
 public:
  void Append(std::string_view bytes) { buffer_.append(bytes); }

  // The next message's bytes; nullopt when it has not all come yet. kOutOfRange when its length is
  // beyond kFrameMax: the stream cannot be followed any more.
  absl::StatusOr<std::optional<std::string>> Next();

  // A frame has begun. REQUIRES: Next() said nullopt.
  bool partial() const { return !buffer_.empty(); }
  size_t size() const { return buffer_.size(); }

 private:
  std::string buffer_;
};

}  // namespace tandem::control
