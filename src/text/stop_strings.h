// Watches a stream of text for stop strings. Owned by one sequence; one thread at a time. Time is linear in the text
// and in the stop strings, whatever they are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ingle {

class StopStrings {
 public:
  // Empty strings are ignored. The indices in Match count them nonetheless.
  explicit StopStrings(const std::vector<std::string>& stops);

  struct Match {
    size_t index = 0;        // which stop string
    size_t begin_bytes = 0;  // where it begins, counted from the start of the stream
  };

  // Appends `text` to the stream and gives what may be shown of it: everything up to the first byte that may belong to
  // a stop string. The string whose end comes first ends the stream; of those that end at the same byte, the longest.
  // After a match nothing is shown any more.
  std::string push(std::string_view text);

  // What was held back, once no text follows. Empty after a match.
  std::string finish();

  const std::optional<Match>& match() const { return match_; }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;

  // The automaton of Aho and Corasick. A node is a prefix of a stop string, and stands for the longest suffix of the
  // stream that is one.
  struct Node {
    std::vector<std::pair<uint8_t, uint32_t>> children;  // by byte
    uint32_t shorter = 0;                                // the longest proper suffix that is a node
    uint32_t size_bytes = 0;                             // of the prefix
    uint32_t longest_stop = kNone;                       // longest stop string that is a suffix of it
  };

  uint32_t child(uint32_t node, uint8_t byte) const;  // 0: none
  void insert(std::string_view stop, uint32_t index);
  void link();

  std::vector<uint32_t> stop_sizes_bytes_;
  std::vector<Node> nodes_;
  uint32_t at_ = 0;
  std::string held_;
  size_t shown_bytes_ = 0;
  std::optional<Match> match_;
};

}  // namespace ingle
