#include "text/special_tokens.h"

#include <algorithm>

namespace ingle {
namespace {

bool is_ascii_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

struct Found {
  size_t begin = 0;
  uint32_t token = 0;
};

}  // namespace

SpecialTokens::SpecialTokens(std::vector<SpecialToken> tokens) : tokens_(std::move(tokens)), nodes_(1) {
  for (uint32_t t = 0; t < tokens_.size(); ++t) insert(t);
  link();
}

uint32_t SpecialTokens::child(uint32_t node, uint8_t byte) const {
  if (node == 0) return root_children_[byte];
  uint32_t at = nodes_[node].first_child;
  while (at != 0 && nodes_[at].byte != byte) at = nodes_[at].next_sibling;
  return at;
}

void SpecialTokens::insert(uint32_t token) {
  const SpecialToken& entry = tokens_[token];
  if (entry.text.empty()) return;
  uint32_t node = 0;
  for (size_t i = entry.text.size(); i-- > 0;) {
    const auto byte = static_cast<uint8_t>(entry.text[i]);
    uint32_t next = child(node, byte);
    if (next == 0) {
      next = static_cast<uint32_t>(nodes_.size());
      Node added;
      added.byte = byte;
      added.next_sibling = nodes_[node].first_child;
      nodes_[node].first_child = next;
      if (node == 0) root_children_[byte] = next;
      nodes_.push_back(added);
    }
    node = next;
  }
  nodes_[node].longest[0] = token;
  if (entry.always) nodes_[node].longest[1] = token;
}

void SpecialTokens::link() {
  std::vector<uint32_t> queue = {0};
  for (size_t q = 0; q < queue.size(); ++q) {
    const uint32_t parent = queue[q];
    for (uint32_t at = nodes_[parent].first_child; at != 0; at = nodes_[at].next_sibling) {
      queue.push_back(at);
      uint32_t shorter = 0;
      if (parent != 0) {
        uint32_t from = nodes_[parent].shorter;
        while (from != 0 && child(from, nodes_[at].byte) == 0) from = nodes_[from].shorter;
        shorter = child(from, nodes_[at].byte);
      }
      nodes_[at].shorter = shorter;
      for (size_t k = 0; k < 2; ++k) {
        if (nodes_[at].longest[k] == kNone) nodes_[at].longest[k] = nodes_[shorter].longest[k];
      }
    }
  }
}

std::vector<SpecialTokens::Piece> SpecialTokens::partition(std::string_view text, bool parse_special) const {
  std::vector<Found> found;  // by descending begin
  uint32_t node = 0;
  for (size_t i = text.size(); i-- > 0;) {
    const auto byte = static_cast<uint8_t>(text[i]);
    uint32_t next = child(node, byte);
    while (next == 0 && node != 0) {
      node = nodes_[node].shorter;
      next = child(node, byte);
    }
    node = next;
    const uint32_t token = nodes_[node].longest[parse_special ? 0 : 1];
    if (token != kNone) found.push_back({i, token});
  }

  std::vector<Piece> pieces;
  size_t at = 0;
  for (auto it = found.rbegin(); it != found.rend(); ++it) {
    if (it->begin < at) continue;  // inside the one before
    const SpecialToken& token = tokens_[it->token];
    size_t end = it->begin;
    while (token.strip_left && end > at && is_ascii_space(text[end - 1])) --end;
    if (end > at) pieces.push_back({text.substr(at, end - at), kNoToken});
    at = it->begin + token.text.size();
    pieces.push_back({text.substr(it->begin, token.text.size()), token.id});
    while (token.strip_right && at < text.size() && is_ascii_space(text[at])) ++at;
  }
  if (at < text.size()) pieces.push_back({text.substr(at), kNoToken});
  return pieces;
}

}  // namespace ingle
