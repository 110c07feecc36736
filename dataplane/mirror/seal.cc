// SPDX-License-Identifier: Apache-2.0
//
// The seal on OpenSSL's libcrypto. A context keeps the expanded key; a frame only sets the nonce.
#include "dataplane/mirror/seal.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <rte_byteorder.h>

#include <algorithm>
#include <cstring>
#include <string_view>

namespace tandem::mirror {
namespace {

constexpr size_t kNonceSize = 12;     // RFC 5116 section 5.1
constexpr size_t kBodyMax = 1 << 16;  // far above any frame: lengths fit libcrypto's int

struct ContextDeleter {
  void operator()(EVP_CIPHER_CTX* context) const noexcept { EVP_CIPHER_CTX_free(context); }
};
struct KdfDeleter {
  void operator()(EVP_KDF* kdf) const noexcept { EVP_KDF_free(kdf); }
  void operator()(EVP_KDF_CTX* context) const noexcept { EVP_KDF_CTX_free(context); }
};

OSSL_PARAM Octets(const char* name, std::span<const uint8_t> bytes) {
  // The library reads parameters that it is given, whatever the type says; and an empty one has to
  // point somewhere.
  static uint8_t nothing = 0;
  void* data = bytes.empty() ? &nothing : const_cast<uint8_t*>(bytes.data());
  return OSSL_PARAM_construct_octet_string(name, data, bytes.size());
}

// The last argument of the key derivation: what the key is for, in fixed-size fields behind a label.
class Info {
 public:
  explicit Info(std::string_view label) {
    Add({reinterpret_cast<const uint8_t*>(label.data()), label.size()});
  }

  void Add8(uint8_t value) { Add({&value, 1}); }
  void Add32(uint32_t value) {
    value = rte_cpu_to_be_32(value);
    Add({reinterpret_cast<const uint8_t*>(&value), sizeof(value)});
  }
  void Add64(uint64_t value) {
    value = rte_cpu_to_be_64(value);
    Add({reinterpret_cast<const uint8_t*>(&value), sizeof(value)});
  }
  std::span<const uint8_t> bytes() const { return std::span(bytes_).first(size_); }

 private:
  void Add(std::span<const uint8_t> bytes) {
    std::copy(bytes.begin(), bytes.end(), bytes_.begin() + static_cast<ptrdiff_t>(size_));
    size_ += bytes.size();
  }

  std::array<uint8_t, 64> bytes_{};
  size_t size_ = 0;
};

StreamKey Derive(const PresharedKey& psk, std::span<const uint8_t> salt, const Info& info) {
  StreamKey made;
  std::array<uint8_t, sizeof(made.key) + sizeof(made.salt)> out{};
  made.is_usable = Hkdf(psk, salt, info.bytes(), out);
  std::memcpy(made.key.data(), out.data(), made.key.size());
  std::memcpy(made.salt.data(), out.data() + made.key.size(), made.salt.size());
  OPENSSL_cleanse(out.data(), out.size());
  return made;
}

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

 private:
  std::unique_ptr<EVP_CIPHER_CTX, ContextDeleter> context_;
  std::array<uint8_t, kNonceSize> nonce_{};
  Mode mode_ = Mode::kNone;
};

}  // namespace

bool Hkdf(std::span<const uint8_t> secret, std::span<const uint8_t> salt,
          std::span<const uint8_t> info, std::span<uint8_t> out) noexcept {
  const std::unique_ptr<EVP_KDF, KdfDeleter> kdf(EVP_KDF_fetch(nullptr, "HKDF", nullptr));
  if (!kdf) return false;
  const std::unique_ptr<EVP_KDF_CTX, KdfDeleter> context(EVP_KDF_CTX_new(kdf.get()));
  if (!context) return false;
  char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
      Octets(OSSL_KDF_PARAM_KEY, secret),
      Octets(OSSL_KDF_PARAM_SALT, salt),
      Octets(OSSL_KDF_PARAM_INFO, info),
      OSSL_PARAM_construct_end(),
  };
  return EVP_KDF_derive(context.get(), out.data(), out.size(), parameters) == 1;
}

StreamKey ControlKey(const PresharedKey& psk, uint8_t sender_unit, uint64_t incarnation) noexcept {
  Info info("tandem mirror control");
  info.Add8(sender_unit);
  info.Add64(incarnation);
  return Derive(psk, {}, info);
}

StreamKey KeyOfStream(const PresharedKey& psk, const Nonce& unit1_nonce, const Nonce& unit2_nonce,
                      uint8_t sender_unit, const FrameHeader& stream) noexcept {
  std::array<uint8_t, 2 * sizeof(Nonce)> nonces{};
  std::memcpy(nonces.data(), unit1_nonce.data(), sizeof(Nonce));
  std::memcpy(nonces.data() + sizeof(Nonce), unit2_nonce.data(), sizeof(Nonce));
  Info info("tandem mirror stream");
  info.Add8(sender_unit);
  info.Add8(static_cast<uint8_t>(stream.type));
  info.Add8(stream.group);
  info.Add8(stream.worker);
  info.Add32(stream.session);
  return Derive(psk, nonces, info);
}

struct Sealer::Impl {
  Cipher cipher;
};

Sealer::Sealer() : impl_(std::make_unique<Impl>()) {}
Sealer::~Sealer() = default;
Sealer::Sealer(Sealer&&) noexcept = default;
Sealer& Sealer::operator=(Sealer&&) noexcept = default;

void Sealer::SetKey(const StreamKey& key) noexcept {
  impl_->cipher.SetKey(key, Cipher::Direction::kSeal);
}

bool Sealer::Seal(std::span<uint8_t> frame, uint64_t sequence,
                  std::span<const uint8_t> body) noexcept {
  if (body.size() > kBodyMax || frame.size() < kHeaderSize + body.size() + kTagSize) return false;
  Cipher& cipher = impl_->cipher;
  uint8_t* to = frame.data() + kHeaderSize;
  uint8_t* tag = to + body.size();
  switch (cipher.mode()) {
    case Mode::kNone:
      if (!body.empty()) std::memmove(to, body.data(), body.size());
      std::memset(tag, 0, kTagSize);
      return true;
    case Mode::kKeyed:
      return cipher.Run(sequence, frame.first(kHeaderSize), body, to) && cipher.Finish() &&
             cipher.ReadTag(tag);
    case Mode::kBroken:
      break;
  }
  return false;
}

struct Opener::Impl {
  // Whether the seal is right; then `body` holds what was sealed.
  bool Open(std::span<const uint8_t> frame, uint64_t sequence, std::span<uint8_t> body) noexcept {
    static constexpr std::array<uint8_t, kTagSize> kNoTag{};
    const std::span<const uint8_t> header = frame.first(kHeaderSize);
    const std::span<const uint8_t> sealed =
        frame.subspan(kHeaderSize, frame.size() - kHeaderSize - kTagSize);
    const std::span<const uint8_t> tag = frame.last(kTagSize);
    switch (cipher.mode()) {
      case Mode::kNone:
        if (!std::equal(tag.begin(), tag.end(), kNoTag.begin())) return false;
        if (!sealed.empty()) std::memmove(body.data(), sealed.data(), sealed.size());
        return true;
      case Mode::kKeyed:
        return cipher.Run(sequence, header, sealed, body.data()) && cipher.ExpectTag(tag.data()) &&
               cipher.Finish();
      case Mode::kBroken:
        break;
    }
    return false;
  }

  Cipher cipher;
  ReplayWindow window;
};

Opener::Opener() : impl_(std::make_unique<Impl>()) {}
Opener::~Opener() = default;
Opener::Opener(Opener&&) noexcept = default;
Opener& Opener::operator=(Opener&&) noexcept = default;

void Opener::SetKey(const StreamKey& key) noexcept {
  impl_->cipher.SetKey(key, Cipher::Direction::kOpen);
  impl_->window.Reset();
}

void Opener::ResetWindow() noexcept {
  impl_->window.Reset();
}

Opener::Result Opener::Open(std::span<const uint8_t> frame, uint64_t sequence,
                            std::span<uint8_t> body) noexcept {
  if (frame.size() < kHeaderSize + kTagSize) return Result::kForged;
  const size_t size = frame.size() - kHeaderSize - kTagSize;
  if (size > kBodyMax || body.size() < size) return Result::kForged;
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
