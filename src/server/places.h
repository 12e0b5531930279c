// The places of a model's requests: those that run and those that wait, at most so many. Where there are several owners
// some are kept for those who have none, one for each, so that nobody is refused because another asks for much: the
// scheduler is fair to those alone who have a place. Any thread.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

namespace ingle {

class Places {
 public:
  // Some that were taken; gives them back at its end. The Places outlive it.
  class Taken {
   public:
    Taken() = default;
    Taken(Taken&& other) noexcept
        : places_(std::exchange(other.places_, nullptr)), owner_(other.owner_), count_(other.count_) {}
    Taken& operator=(Taken&& other) noexcept {
      give_back();
      places_ = std::exchange(other.places_, nullptr);
      owner_ = other.owner_;
      count_ = other.count_;
      return *this;
    }
    ~Taken() { give_back(); }
    void give_back();
    uint32_t count() const { return count_; }

   private:
    friend class Places;
    Taken(Places* places, uint64_t owner, uint32_t count) : places_(places), owner_(owner), count_(count) {}
    Places* places_ = nullptr;
    uint64_t owner_ = 0;
    uint32_t count_ = 0;
  };

  // `kept`, of `most`: for owners who have none. Less than `most`.
  Places(uint32_t most, uint32_t kept) : most_(most), kept_(kept) {}

  // All or none.
  std::optional<Taken> take(uint64_t owner, uint32_t count) { return take(owner, count, count); }
  // As many of them as there are, but one at least.
  std::optional<Taken> take_some(uint64_t owner, uint32_t most) { return take(owner, 1, most); }
  uint32_t most_of_one() const { return most_ - kept_; }
  uint32_t taken() const;

 private:
  std::optional<Taken> take(uint64_t owner, uint32_t least, uint32_t most);
  void give_back(uint64_t owner, uint32_t count);

  const uint32_t most_, kept_;
  mutable std::mutex mutex_;
  uint32_t taken_ = 0;
  std::map<uint64_t, uint32_t> by_owner_;  // those who have some
};

}  // namespace ingle
