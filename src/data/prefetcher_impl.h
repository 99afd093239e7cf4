// Prefetcher's template code; included by data/loader.h only.
#pragma once

#include "base/error.h"

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

namespace steadyiqa::data {

/// Values [delivered, started) are being made or wait in a ring of `ahead` slots; value i lives in slot i % ahead.
template <class T>
struct Prefetcher<T>::State {
  struct Slot {
    std::optional<T> value;
    std::exception_ptr error;
  };

  State(std::int64_t n, std::function<T(std::int64_t)> f, int ahead)
      : count(n), make(std::move(f)), ring(static_cast<std::size_t>(ahead)) {}

  ~State() {
    {
      const std::lock_guard lock(mutex);
      stop = true;
    }
    may_start.notify_all();
    for (std::thread& worker : workers) {
      worker.join();
    }
  }

  Slot& slot(std::int64_t i) { return ring[static_cast<std::size_t>(i) % ring.size()]; }

  void work() {
    std::unique_lock lock(mutex);
    while (true) {
      may_start.wait(lock, [this] {
        return stop || started == count || started - delivered < static_cast<std::int64_t>(ring.size());
      });
      if (stop || started == count) {
        return;
      }
      const std::int64_t i = started++;
      lock.unlock();
      Slot made;
      try {
        made.value.emplace(make(i));
      } catch (...) {
        made.error = std::current_exception();
      }
      lock.lock();
      slot(i) = std::move(made);
      is_ready.notify_one();
    }
  }

  T take() {
    std::unique_lock lock(mutex);
    STEADYIQA_ASSERT(delivered < count, "Prefetcher::next called more than count times");
    Slot& ready = slot(delivered);
    is_ready.wait(lock, [&ready] { return ready.value.has_value() || ready.error != nullptr; });
    Slot taken = std::exchange(ready, Slot{});
    ++delivered;
    lock.unlock();
    may_start.notify_one();
    if (taken.error) {
      std::rethrow_exception(taken.error);
    }
    return *std::move(taken.value);
  }

  const std::int64_t count;
  const std::function<T(std::int64_t)> make;
  std::mutex mutex;
  std::condition_variable may_start;  ///< a slot came free, or stop
  std::condition_variable is_ready;   ///< a slot was filled
  std::vector<Slot> ring;
  std::int64_t started = 0;
  std::int64_t delivered = 0;
  bool stop = false;
  std::vector<std::thread> workers;
};

template <class T>
Prefetcher<T>::Prefetcher(std::int64_t count, std::function<T(std::int64_t)> make, int threads, int ahead)
    : state_(std::make_unique<State>(count, std::move(make), ahead)) {
  STEADYIQA_ASSERT(count >= 0 && threads >= 1 && ahead >= 1, "Prefetcher: bad count, threads or ahead");
  for (int i = 0; i < std::min(threads, ahead); ++i) {
    state_->workers.emplace_back([state = state_.get()] { state->work(); });
  }
}

template <class T>
Prefetcher<T>::~Prefetcher() = default;

template <class T>
T Prefetcher<T>::next() {
  return state_->take();
}

}  // namespace steadyiqa::data
