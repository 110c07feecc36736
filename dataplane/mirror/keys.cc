// SPDX-License-Identifier: Apache-2.0
#include "dataplane/mirror/keys.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <rte_byteorder.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string_view>

namespace tandem::mirror {
namespace {

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

StreamSecret Derive(const PresharedKey& psk, std::span<const uint8_t> salt, const Info& info) {
  StreamSecret made;
  made.is_usable = Hkdf(psk, salt, info.bytes(), made.bytes);
  return made;
}

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

StreamSecret ControlSecret(const PresharedKey& psk, uint8_t sender_unit, uint8_t receiver_unit,
                           uint64_t incarnation) noexcept {
  Info info("tandem mirror control");
  info.Add8(sender_unit);
  info.Add8(receiver_unit);
  info.Add64(incarnation);
  return Derive(psk, {}, info);
}

StreamSecret SecretOfStream(const PresharedKey& psk, const Nonce& lower_nonce,
                            const Nonce& higher_nonce, uint8_t sender_unit,
                            const FrameHeader& stream) noexcept {
  std::array<uint8_t, 2 * sizeof(Nonce)> nonces{};
  std::memcpy(nonces.data(), lower_nonce.data(), sizeof(Nonce));
  std::memcpy(nonces.data() + sizeof(Nonce), higher_nonce.data(), sizeof(Nonce));
  Info info("tandem mirror stream");
  info.Add8(sender_unit);
  info.Add8(static_cast<uint8_t>(stream.type));
  info.Add8(stream.group);
  info.Add8(stream.worker);
  info.Add32(stream.session);
  return Derive(psk, nonces, info);
}

StreamKey KeyOf(const StreamSecret& secret, uint32_t generation) noexcept {
  Info info("tandem mirror key");
  info.Add32(generation);
  StreamKey made;
  std::array<uint8_t, sizeof(made.key) + sizeof(made.salt)> out{};
  made.is_usable = secret.is_usable && Hkdf(secret.bytes, {}, info.bytes(), out);
  std::memcpy(made.key.data(), out.data(), made.key.size());
  std::memcpy(made.salt.data(), out.data() + made.key.size(), made.salt.size());
  OPENSSL_cleanse(out.data(), out.size());
  return made;
}

}  // namespace tandem::mirror
