// SPDX-License-Identifier: Apache-2.0
#include "dataplane/mirror/dictionary_exchange.h"

#include <algorithm>
#include <utility>

namespace tandem::mirror {

using config::ObjectKind;

static_assert((kVirtualsMax + kMembersMax + kInterfacesMax + kTrafficGroupsMax + kPersistencesMax) /
                      DictionaryPages::kEntriesPerPage <
                  kDictionaryPagesMax,
              "a full dictionary passes");

void DictionaryPages::Set(std::shared_ptr<const config::Dictionary> dictionary, uint32_t version) {
  dictionary_ = std::move(dictionary);
  version_ = version;
  items_.clear();
  for (size_t kind = 1; kind < config::kObjectKinds; ++kind) {
    const auto& entries = dictionary_->All(static_cast<ObjectKind>(kind));
    for (size_t number = 1; number < entries.size(); ++number) {
      if (entries[number].name_hash == 0) continue;
      items_.push_back({static_cast<ObjectKind>(kind), static_cast<uint16_t>(number)});
    }
  }
}

uint32_t DictionaryPages::pages() const {
  return static_cast<uint32_t>(
      std::max(size_t{1}, (items_.size() + kEntriesPerPage - 1) / kEntriesPerPage));
}

std::optional<DictionaryPage> DictionaryPages::Answer(const DictionaryRequest& request) const {
  if (dictionary_ == nullptr || request.version != version_ || request.page >= pages()) return {};
  DictionaryPage page{.version = version_, .page = request.page, .pages = pages(), .entries = {}};
  const size_t begin = size_t{request.page} * kEntriesPerPage;
  const size_t end = std::min(items_.size(), begin + kEntriesPerPage);
  for (size_t i = begin; i < end; ++i) {
    const Item& item = items_[i];
    page.entries.push_back({item.kind, item.number, dictionary_->Find(item.kind, item.number)});
  }
  return page;
}

void DictionaryFetch::Forget() {
  *this = DictionaryFetch();
}

void DictionaryFetch::Want(uint32_t version) {
  if (wanted_ ? *wanted_ == version : dictionary_ != nullptr && version_ == version) return;
  partial_ = nullptr;
  next_page_ = 0;
  pages_ = 0;
  is_out_ = false;
  wanted_ = version;
  if (dictionary_ != nullptr && version_ == version) wanted_.reset();
}

std::optional<DictionaryRequest> DictionaryFetch::Due(Nanos now) {
  if (!wanted_ || (is_out_ && now - asked_at_ < kPatience)) return {};
  is_out_ = true;
  asked_at_ = now;
  return DictionaryRequest{.version = *wanted_, .page = next_page_};
}

bool DictionaryFetch::OnPage(const DictionaryPage& page) {
  if (!wanted_ || page.version != *wanted_ || page.page != next_page_ || !is_out_) return false;
  if (next_page_ == 0) {
    partial_ = std::make_shared<config::Dictionary>();
    pages_ = page.pages;
  }
  if (page.pages != pages_) return false;
  for (const DictionaryPage::Entry& one : page.entries)
    partial_->Add(one.kind, one.number, one.entry);
  is_out_ = false;
  if (++next_page_ < pages_) return false;
  partial_->Finish();
  dictionary_ = std::move(partial_);
  version_ = *wanted_;
  wanted_.reset();
  return true;
}

}  // namespace tandem::mirror
