#pragma once

#include "actors/shell_actor.hpp"
#include "node/messages_actor.hpp"

#include <functional>
#include <map>
#include <utility>

// An actor's questions to the store. What a store took along when it died, the next one is asked
// again.
namespace tessera {

class StoreAsks { // In the state of an actor that is wired.
public:
  // `then(Answer&)` comes once.
  template<class Answer, class Self, class Ask, class Then>
  void ask(Self self, Ask ask, Then then) {
    const auto number = next_++;
    const auto put = [this, self, number, ask = std::move(ask), then = std::move(then)] {
      self->request(self->state.wiring->store, caf::infinite, ask)
          .then(
              [this, number, then](Answer& answer) mutable {
                if (open_.erase(number))
                  then(answer);
              },
              [](const caf::error&) {}); // It died: see again().
    };
    open_[number] = put;
    put();
  }

  void again() { // The store is another.
    for (const auto& [number, put] : open_)
      put();
  }

private:
  std::uint64_t next_ = 0;
  std::map<std::uint64_t, std::function<void()>> open_;
};

} // namespace tessera
