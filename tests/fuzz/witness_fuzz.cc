// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as datagrams for the witness and for devices; and two devices whose datagrams, and anything
// else that has the right seal, come in any order, late, twice or never, while both ends are restarted. The
// two never count on one lease at a moment; and neither end says more than it is asked.
#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <vector>

#include "dataplane/base/assert.h"
#include "dataplane/witness/link.h"
#include "dataplane/witness/server.h"
#include "tests/fuzz/input.h"

namespace {

using namespace tandem;
using namespace tandem::witness;
using tandem::fuzz::Input;

using Datagram = std::vector<uint8_t>;

constexpr uint64_t kGroup = 7;
constexpr size_t kStepsMax = 500;
constexpr size_t kUnderWayMax = 32;
constexpr Nanos kLease = kSecond;

mirror::PresharedKey TheKey() {
  mirror::PresharedKey key{};
  key.fill(1);
  return key;
}

Datagram Taken(Input& input) {
  const std::span<const uint8_t> bytes = input.Take(input.Byte());
  return {bytes.begin(), bytes.end()};
}

class Wire final : public Path {
 public:
  std::span<const uint8_t> Receive() noexcept override {
    if (arrived.empty()) return {};
    current_ = arrived.front();
    arrived.pop_front();
    return current_;
  }
  void Send(std::span<const uint8_t> datagram) noexcept override {
    TANDEM_ASSERT(datagram.size() == kDatagramSize);
    if (sent.size() < kUnderWayMax) sent.emplace_back(datagram.begin(), datagram.end());
  }

  std::vector<Datagram> sent;  // to the witness; the input says when, and whether, each arrives
  std::vector<Datagram> answered;
  std::deque<Datagram> arrived;

 private:
  Datagram current_;
};

struct Device {
  Device(ha::DeviceId number, uint64_t run)
      : id(number),
        link(std::make_unique<Link>(
            LinkOptions{.path = &wire, .key = TheKey(), .device = id, .run = run})) {}

  const ha::DeviceId id;
  Wire wire;
  std::unique_ptr<Link> link;
  ha::LeaseHolder holder;
};

class World {
 public:
  World() { RestartWitness(); }

  void Step(Input& input) {
    const uint8_t kind = input.Byte();
    now_ += Nanos{input.Byte()} * kMillisecond;
    const unsigned which = kind >> 7;
    Device& device = *devices_[which];
    switch (kind & 15) {
      case 0:
      case 1:
        device.link->Ask(1, kGroup, device.holder.Ask(now_));
        break;
      case 2:
        device.holder.Release();
        device.link->Release(kGroup);
        break;
      case 3:
      case 4:
      case 5:
        ToWitness(device, input.Byte(), (kind & 16) != 0);
        break;
      case 6:
      case 7:
      case 8:
        ToDevice(device, input.Byte(), (kind & 16) != 0);
        break;
      case 9:
        Forge(device, input);
        break;
      case 10:
        AnswerTo(device, Taken(input));
        break;
      case 11:
        device.wire.arrived.push_back(Taken(input));
        break;
      case 12:
        RestartWitness();
        break;
      case 13:
        // The process ends, and with it what it counted on.
        devices_[which] = std::make_unique<Device>(device.id, ++runs_ << 20);
        break;
      default:
        break;
    }
    for (auto& one : devices_)
      Hear(*one);
    TANDEM_ASSERT(!devices_[0]->holder.IsHeld(now_) || !devices_[1]->holder.IsHeld(now_));
  }

 private:
  void RestartWitness() {
    server_ = std::make_unique<Server>(ServerOptions{.lease = kLease, .run = ++runs_ << 40},
                                       TheKey(), now_);
  }

  void AnswerTo(Device& device, const Datagram& question) {
    std::array<uint8_t, kDatagramSize> answer{};
    if (!server_->Answer(question, now_, answer)) return;
    if (device.wire.answered.size() < kUnderWayMax)
      device.wire.answered.emplace_back(answer.begin(), answer.end());
  }

  void ToWitness(Device& device, uint8_t index, bool again) {
    if (device.wire.sent.empty()) return;
    const auto at = device.wire.sent.begin() + index % static_cast<int>(device.wire.sent.size());
    AnswerTo(device, *at);
    if (!again) device.wire.sent.erase(at);
  }

  void ToDevice(Device& device, uint8_t index, bool again) {
    if (device.wire.answered.empty()) return;
    const auto at =
        device.wire.answered.begin() + index % static_cast<int>(device.wire.answered.size());
    device.wire.arrived.push_back(*at);
    if (!again) device.wire.answered.erase(at);
  }

  // A device's question, by somebody who has the key and does not know the rules.
  void Forge(Device& device, Input& input) {
    Message message;
    message.type = static_cast<MessageType>(1 + input.Byte() % 3);
    message.device = 3;
    message.lease_ms = static_cast<uint16_t>(input.Byte() << 4);
    message.id = {++runs_ << 50, 1U + input.Byte()};
    message.group = kGroup + input.Byte() % 2;
    message.session = input.Byte();
    MessageSealer sealer;
    sealer.SetKey({TheKey(), Direction::kQuestions, message.device});
    std::array<uint8_t, kDatagramSize> datagram{};
    TANDEM_ASSERT(sealer.Seal(message, datagram));
    AnswerTo(device, {datagram.begin(), datagram.end()});
  }

  void Hear(Device& device) {
    while (const auto answer = device.link->Receive(now_)) {
      TANDEM_ASSERT(answer->group == 1);
      device.holder.OnAnswer(answer->ticket, answer->is_granted, kLease);
    }
    device.link->Turn(now_);
  }

  Nanos now_ = 100 * kSecond;
  uint64_t runs_ = 0;
  std::unique_ptr<Server> server_;
  std::array<std::unique_ptr<Device>, 2> devices_{std::make_unique<Device>(1, 1),
                                                  std::make_unique<Device>(2, 2)};
};

void CheckSame(std::span<const uint8_t> bytes) {
  const auto message = ReadMessage(bytes);
  if (!message) return;
  std::array<uint8_t, kDatagramSize> again{};
  WriteMessage(*message, again);
  TANDEM_ASSERT(std::equal(again.begin(), again.begin() + mirror::kHeaderSize, bytes.begin()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  CheckSame({data, size});
  Input input({data, size});
  World world;
  for (size_t i = 0; i < kStepsMax && !input.is_empty(); ++i)
    world.Step(input);
  return 0;
}
