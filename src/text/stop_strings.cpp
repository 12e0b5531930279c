#include "text/stop_strings.h"

#include <algorithm>
#include <utility>

namespace ingle {

StopStrings::StopStrings(const std::vector<std::string>& stops) : nodes_(1) {
  for (const std::string& stop : stops) {
    stop_sizes_bytes_.push_back(static_cast<uint32_t>(stop.size()));
    if (!stop.empty()) insert(stop, static_cast<uint32_t>(stop_sizes_bytes_.size() - 1));
  }
  link();
}

uint32_t StopStrings::child(uint32_t node, uint8_t byte) const {
  const auto& children = nodes_[node].children;
  const auto it = std::lower_bound(children.begin(), children.end(), std::pair<uint8_t, uint32_t>(byte, 0));
  return it != children.end() && it->first == byte ? it->second : 0;
}

void StopStrings::insert(std::string_view stop, uint32_t index) {
  uint32_t node = 0;
  for (const char c : stop) {
    const auto byte = static_cast<uint8_t>(c);
    uint32_t next = child(node, byte);
    if (next == 0) {
      next = static_cast<uint32_t>(nodes_.size());
      auto& children = nodes_[node].children;
      const std::pair<uint8_t, uint32_t> entry(byte, next);
      children.insert(std::lower_bound(children.begin(), children.end(), entry), entry);
      Node added;
      added.size_bytes = nodes_[node].size_bytes + 1;
      nodes_.push_back(std::move(added));
    }
    node = next;
  }
  if (nodes_[node].longest_stop == kNone) nodes_[node].longest_stop = index;
}

void StopStrings::link() {
  std::vector<uint32_t> queue = {0};
  for (size_t q = 0; q < queue.size(); ++q) {
    const uint32_t parent = queue[q];
    for (const auto& [byte, node] : nodes_[parent].children) {
      queue.push_back(node);
      uint32_t shorter = 0;
      if (parent != 0) {
        uint32_t from = nodes_[parent].shorter;
        while (from != 0 && child(from, byte) == 0) from = nodes_[from].shorter;
        shorter = child(from, byte);
      }
      nodes_[node].shorter = shorter;
      if (nodes_[node].longest_stop == kNone) nodes_[node].longest_stop = nodes_[shorter].longest_stop;
    }
  }
}

std::string StopStrings::push(std::string_view text) {
  if (match_) return {};
  const size_t held_before = held_.size();
  held_ += text;
  for (size_t i = held_before; i < held_.size(); ++i) {
    const auto byte = static_cast<uint8_t>(held_[i]);
    uint32_t next = child(at_, byte);
    while (next == 0 && at_ != 0) {
      at_ = nodes_[at_].shorter;
      next = child(at_, byte);
    }
    at_ = next;
    const uint32_t stop = nodes_[at_].longest_stop;
    if (stop == kNone) continue;
    const size_t begin = i + 1 - stop_sizes_bytes_[stop];
    match_ = Match{stop, shown_bytes_ + begin};
    shown_bytes_ += begin;
    std::string shown = held_.substr(0, begin);
    held_.clear();
    return shown;
  }
  const size_t showable = held_.size() - nodes_[at_].size_bytes;
  std::string shown = held_.substr(0, showable);
  held_.erase(0, showable);
  shown_bytes_ += showable;
  return shown;
}

std::string StopStrings::finish() {
  at_ = 0;
  shown_bytes_ += held_.size();
  return std::exchange(held_, {});
}

}  // namespace ingle
