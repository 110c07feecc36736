// SPDX-License-Identifier: Apache-2.0
#include "control/admin_frame.h"

#include <google/protobuf/message_lite.h>
#include <google/protobuf/stubs/logging.h>

#include <cstdint>

#include <absl/strings/str_cat.h>

namespace tandem::control {

absl::Status AppendFrame(const google::protobuf::MessageLite& message, std::string& out) {
  const size_t length = message.ByteSizeLong();
  if (length > kFrameMax) {
    return absl::ResourceExhaustedError(
        absl::StrCat("a message of ", length, " bytes is beyond the ", kFrameMax, " of a frame"));
  }
  for (const int shift : {24, 16, 8, 0}) {
    out.push_back(static_cast<char>(length >> shift & 0xff));
  }
  message.AppendToString(&out);
  return absl::OkStatus();
}

bool ParseMessage(const std::string& bytes, google::protobuf::MessageLite& message) {
  const google::protobuf::LogSilencer silencer;
  return message.ParseFromString(bytes);
}

absl::StatusOr<std::optional<std::string>> FrameReader::Next() {
  if (buffer_.size() < kFrameHeaderSize) return std::nullopt;
  size_t length = 0;
  for (size_t i = 0; i < kFrameHeaderSize; ++i) {
    length = length << 8 | static_cast<uint8_t>(buffer_[i]);
  }
  if (length > kFrameMax) {
    return absl::OutOfRangeError(
        absl::StrCat("a frame of ", length, " bytes; ", kFrameMax, " is the most"));
  }
  if (buffer_.size() - kFrameHeaderSize < length) return std::nullopt;
  std::string message = buffer_.substr(kFrameHeaderSize, length);
  buffer_.erase(0, kFrameHeaderSize + length);
  return message;
}

}  // namespace tandem::control
