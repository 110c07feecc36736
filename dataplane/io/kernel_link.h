// SPDX-License-Identifier: Apache-2.0
//
// Whether a network interface of the kernel has its link: for the drivers that sit on one (af_packet,
// af_xdp), which themselves always say yes.
//
// Thread safety: IsUp by any.
#pragma once

#include <string>

namespace tandem::io {

class KernelLink {
 public:
  // Empty: there is none behind the port, and IsUp is true.
  explicit KernelLink(std::string interface);
  ~KernelLink();
  KernelLink(const KernelLink&) = delete;
  KernelLink& operator=(const KernelLink&) = delete;

  bool IsUp() const noexcept;

 private:
  std::string interface_;
  int socket_ = -1;
};

}  // namespace tandem::io
