// SPDX-License-Identifier: Apache-2.0
//
// The seal on OpenSSL's libcrypto. A context keeps the expanded key; a frame only sets the nonce.
#include "dataplane/mirror/seal.h"

#include <openssl/evp.h>
#include <rte_byteorder.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace tandem::mirror {
namespace {

constexpr size_t kNonceSize = 12;       // RFC 5116 section 5.1
constexpr size_t kSealedMax = 1 << 16;  // far above any frame: lengths fit libcrypto's int

struct ContextDeleter {
  void operator()(EVP_CIPHER_CTX* context) const noexcept { EVP_CIPHER_CTX_free(context); }
};

enum class Mode : uint8_t { kNone, kKeyed, kBroken };

// One direction's AES-128-GCM.
class Cipher {
 public:
  enum class Direction : int { kOpen = 0, kSeal = 1 };

  Mode mode() const { return mode_; }

  void SetKey(const StreamKey& key, Direction direction) noexcept {
    mode_ = Mode::kBroken;
    if (!context_) context_.reset(EVP_CIPHER_CTX_new());
    if (!context_ || !key.is_usable) return;
    // GCM's nonce is 12 bytes unless told otherwise.
    if (EVP_CipherInit_ex(context_.get(), EVP_aes_128_gcm(), nullptr, key.key.data(), nullptr,
                          static_cast<int>(direction)) != 1) {
      return;
    }
    std::memcpy(nonce_.data(), key.salt.data(), key.salt.size());
    mode_ = Mode::kKeyed;
  }

  // Whether `header` was taken in and `from` was turned into `to`, up to the tag.
  bool Run(uint64_t sequence, std::span<const uint8_t> header, std::span<const uint8_t> from,
           uint8_t* to) noexcept {
    const uint64_t number = rte_cpu_to_be_64(sequence);
    std::memcpy(nonce_.data() + sizeof(StreamKey::salt), &number, sizeof(number));
    EVP_CIPHER_CTX* context = context_.get();
    int size = 0;
    return EVP_CipherInit_ex(context, nullptr, nullptr, nullptr, nonce_.data(), -1) == 1 &&
           EVP_CipherUpdate(context, nullptr, &size, header.data(),
                            static_cast<int>(header.size())) == 1 &&
           (from.empty() ||
            EVP_CipherUpdate(context, to, &size, from.data(), static_cast<int>(from.size())) == 1);
  }

  bool Finish() noexcept {
    std::array<uint8_t, 16> none{};
    int size = 0;
    return EVP_CipherFinal_ex(context_.get(), none.data(), &size) == 1;
  }
  bool ReadTag(uint8_t* tag) noexcept {
    return EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_GET_TAG, kTagSize, tag) == 1;
  }
  bool ExpectTag(const uint8_t* tag) noexcept {
    return EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_SET_TAG, kTagSize,
                               const_cast<uint8_t*>(tag)) == 1;
  }

  // Whether the frame's seal is right; then `body` holds what was sealed.
  bool Open(std::span<const uint8_t> frame, uint64_t sequence, std::span<uint8_t> body) noexcept {
    static constexpr std::array<uint8_t, kTagSize> kNoTag{};
    const std::span<const uint8_t> sealed =
        frame.subspan(kHeaderSize, frame.size() - kHeaderSize - kTagSize);
    const std::span<const uint8_t> tag = frame.last(kTagSize);
    switch (mode_) {
      case Mode::kNone:
        if (!std::equal(tag.begin(), tag.end(), kNoTag.begin())) return false;
        if (!sealed.empty()) std::memmove(body.data(), sealed.data(), sealed.size());
        return true;
      case Mode::kKeyed:
        return Run(sequence, frame.first(kHeaderSize), sealed, body.data()) &&
               ExpectTag(tag.data()) && Finish();
      case Mode::kBroken:
        break;
    }
    return false;
  }

 private:
  std::unique_ptr<EVP_CIPHER_CTX, ContextDeleter> context_;
  std::array<uint8_t, kNonceSize> nonce_{};
  Mode mode_ = Mode::kNone;
};

// The keys of one secret that may open a frame: the present one, the one before, and one ahead.
class OpenerKeys {
 public:
  bool is_set() const { return is_set_; }

  void Set(const StreamSecret& secret) noexcept {
    Drop();
    secret_ = secret;
    is_set_ = true;
    present_.SetKey(KeyOf(secret_, 0), Cipher::Direction::kOpen);
  }
  void Drop() noexcept { *this = OpenerKeys(); }

  bool Open(std::span<const uint8_t> frame, uint64_t sequence, std::span<uint8_t> body) noexcept {
    Cipher* const cipher = Find(ReadGeneration(frame));
    if (frames_since_leap_ < Opener::kFramesPerLeap) ++frames_since_leap_;
    if (cipher == nullptr || !cipher->Open(frame, sequence, body)) return false;
    if (cipher == &ahead_) {
      Advance(sequence);
    } else if (has_before_ && sequence >= present_since_ + ReplayWindow::kSize) {
      before_ = Cipher();
      has_before_ = false;
    }
    return true;
  }

 private:
  // The key of that generation, of which the lower bits are given; nullptr: it is over, or not made.
  Cipher* Find(uint32_t bits) noexcept {
    const uint32_t distance = (bits - generation_) & kGenerationMask;
    if (distance == 0) return &present_;
    if (distance == kGenerationMask && generation_ != 0) return has_before_ ? &before_ : nullptr;
    const uint32_t wanted = generation_ + distance;
    if (ahead_generation_ == wanted) return &ahead_;
    // The next one is expected. What else it might be, anybody can make one ask for.
    if (distance != 1) {
      if (frames_since_leap_ < Opener::kFramesPerLeap) return nullptr;
      frames_since_leap_ = 0;
    }
    ahead_.SetKey(KeyOf(secret_, wanted), Cipher::Direction::kOpen);
    ahead_generation_ = wanted;
    return &ahead_;
  }

  void Advance(uint64_t sequence) noexcept {
    has_before_ = ahead_generation_ == generation_ + 1;
    before_ = has_before_ ? std::move(present_) : Cipher();
    present_ = std::exchange(ahead_, Cipher());
    generation_ = std::exchange(ahead_generation_, 0);
    present_since_ = sequence;
  }

  StreamSecret secret_;
  bool is_set_ = false;
  bool has_before_ = false;
  uint32_t generation_ = 0;        // of present_
  uint32_t ahead_generation_ = 0;  // 0: there is none
  uint64_t present_since_ = 0;     // number of the frame that it opened first
  unsigned frames_since_leap_ = Opener::kFramesPerLeap;
  Cipher present_, before_, ahead_;
};

}  // namespace

// ---- sealing ------------------------------------------------------------------------------------

struct Sealer::Impl {
  Cipher cipher;
  StreamSecret secret;
  bool has_secret = false;
  uint32_t generation = 0;
  uint64_t frames = 0;  // by this key
  Nanos since = 0;      // its first frame
};

Sealer::Sealer() : impl_(std::make_unique<Impl>()) {}
Sealer::~Sealer() = default;
Sealer::Sealer(Sealer&&) noexcept = default;
Sealer& Sealer::operator=(Sealer&&) noexcept = default;

void Sealer::SetKey(const StreamKey& key) noexcept {
  impl_->has_secret = false;
  impl_->cipher.SetKey(key, Cipher::Direction::kSeal);
}

void Sealer::SetSecret(const StreamSecret& secret) noexcept {
  SetKey(KeyOf(secret, 0));
  impl_->secret = secret;
  impl_->has_secret = true;
  impl_->generation = 0;
  impl_->frames = 0;
}

bool Sealer::RenewWhenDue(const RekeyLimits& limits, Nanos now) noexcept {
  Impl& impl = *impl_;
  if (impl.frames == 0) impl.since = now;
  if (impl.frames < limits.frames && now - impl.since < limits.age) return false;
  if (!impl.has_secret || impl.cipher.mode() != Mode::kKeyed) return false;
  const StreamKey next = KeyOf(impl.secret, impl.generation + 1);
  if (!next.is_usable) return false;
  impl.cipher.SetKey(next, Cipher::Direction::kSeal);
  ++impl.generation;
  impl.frames = 0;
  impl.since = now;
  return true;
}

bool Sealer::Seal(std::span<uint8_t> frame, uint64_t sequence,
                  std::span<const uint8_t> body) noexcept {
  if (body.size() > kSealedMax || frame.size() < kHeaderSize + body.size() + kTagSize) return false;
  Cipher& cipher = impl_->cipher;
  uint8_t* to = frame.data() + kHeaderSize;
  uint8_t* tag = to + body.size();
  switch (cipher.mode()) {
    case Mode::kNone:
      if (!body.empty()) std::memmove(to, body.data(), body.size());
      std::memset(tag, 0, kTagSize);
      return true;
    case Mode::kKeyed:
      if (impl_->has_secret) WriteGeneration(impl_->generation, frame);
      ++impl_->frames;
      return cipher.Run(sequence, frame.first(kHeaderSize), body, to) && cipher.Finish() &&
             cipher.ReadTag(tag);
    case Mode::kBroken:
      break;
  }
  return false;
}

// ---- opening ------------------------------------------------------------------------------------

struct Opener::Impl {
  bool Open(std::span<const uint8_t> frame, uint64_t sequence, std::span<uint8_t> body) noexcept {
    if (!has_secrets) return cipher.Open(frame, sequence, body);
    for (const unsigned which : {opened_by, 1 - opened_by}) {
      if (!keys[which].is_set() || !keys[which].Open(frame, sequence, body)) continue;
      opened_by = which;
      return true;
    }
    return false;
  }

  Cipher cipher;             // without secrets
  bool has_secrets = false;  // or had: without any, nothing is opened
  unsigned opened_by = 0;
  std::array<OpenerKeys, kSecrets> keys;
  ReplayWindow window;
};

Opener::Opener() : impl_(std::make_unique<Impl>()) {}
Opener::~Opener() = default;
Opener::Opener(Opener&&) noexcept = default;
Opener& Opener::operator=(Opener&&) noexcept = default;

void Opener::SetKey(const StreamKey& key) noexcept {
  impl_->has_secrets = false;
  impl_->cipher.SetKey(key, Cipher::Direction::kOpen);
  impl_->window.Reset();
}

void Opener::SetSecret(unsigned which, const StreamSecret& secret) noexcept {
  impl_->has_secrets = true;
  impl_->keys[which].Set(secret);
}

void Opener::DropSecret(unsigned which) noexcept {
  impl_->keys[which].Drop();
}

unsigned Opener::opened_by() const noexcept {
  return impl_->opened_by;
}

void Opener::ResetWindow() noexcept {
  impl_->window.Reset();
}

Opener::Result Opener::Open(std::span<const uint8_t> frame, uint64_t sequence,
                            std::span<uint8_t> body) noexcept {
  if (frame.size() < kHeaderSize + kTagSize) return Result::kForged;
  const size_t size = frame.size() - kHeaderSize - kTagSize;
  if (size > kSealedMax || body.size() < size) return Result::kForged;
  // Cheap, so first: a repeated frame costs no decryption.
  if (!impl_->window.IsNew(sequence)) return Result::kReplayed;
  if (!impl_->Open(frame, sequence, body)) {
    std::fill_n(body.begin(), size, uint8_t{0});
    return Result::kForged;
  }
  impl_->window.Remember(sequence);
  return Result::kOpened;
}

bool ReplayWindow::IsNew(uint64_t sequence) const noexcept {
  if (sequence > highest_) return true;
  if (sequence == 0 || highest_ - sequence >= kSize) return false;
  const uint64_t bit = sequence % kSize;
  return (bits_[bit / 64] >> bit % 64 & 1) == 0;
}

void ReplayWindow::Remember(uint64_t sequence) noexcept {
  if (sequence == 0 || (sequence <= highest_ && highest_ - sequence >= kSize)) return;
  if (sequence > highest_) {
    if (sequence - highest_ >= kSize) {
      bits_.fill(0);
    } else {
      for (uint64_t number = highest_ + 1; number != sequence; ++number) {
        const uint64_t bit = number % kSize;
        bits_[bit / 64] &= ~(uint64_t{1} << bit % 64);
      }
    }
    highest_ = sequence;
  }
  const uint64_t bit = sequence % kSize;
  bits_[bit / 64] |= uint64_t{1} << bit % 64;
}

}  // namespace tandem::mirror
