#pragma once

#include "actors/shell_actor.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/scheduler/test_coordinator.hpp>

#include <list>
#include <utility>
#include <vector>

// Shells on CAF's testing scheduler: one thread, no real clock, and others' parts played by actors
// that only listen.
namespace tessera::rig {

struct TestingConfig : caf::actor_system_config {
  TestingConfig() {
    add_message_types<caf::id_block::tessera>();
    set("scheduler.policy", caf::atom("testing"));
  }
};

// What one actor was sent and nobody has taken yet, in order. Requests are never answered.
class Ear {
public:
  explicit Ear(caf::actor_system& system) : who_(system.spawn(listening, &messages_)) {}
  Ear(const Ear&) = delete;

  const caf::actor& actor() const { return who_; }

  template<class T>
  std::vector<T> take() {
    std::vector<T> taken;
    std::vector<caf::message> rest;
    for (auto& message : messages_)
      if (message.match_elements<T>())
        taken.push_back(message.get_as<T>(0));
      else
        rest.push_back(std::move(message));
    messages_ = std::move(rest);
    return taken;
  }
  template<class T>
  bool begins_with() const {
    return !messages_.empty() && messages_.front().match_elements<T>();
  }
  std::size_t size() const { return messages_.size(); }
  void clear() { messages_.clear(); }

private:
  using Messages = std::vector<caf::message>;
  static caf::behavior listening(caf::event_based_actor* self, Messages* messages) {
    self->set_default_handler(
        [=](caf::scheduled_actor*, caf::message_view& message) -> caf::result<caf::message> {
          messages->push_back(message.move_content_to_message());
          return caf::delegated<caf::message>{};
        });
    return {[](caf::unit_t) {}}; // Without a behaviour it would end.
  }

  Messages messages_;
  caf::actor who_;
};

template<class Config = TestingConfig>
class Stage {
public:
  Stage() = default;
  Stage(const Stage&) = delete;
  ~Stage() {
    for (const auto& who : cast_)
      caf::anon_send_exit(who, caf::exit_reason::kill);
    run();
  }

  Ear& ear() {
    auto& ear = ears_.emplace_back(system_);
    ends_with_us(ear.actor());
    return ear;
  }
  template<class Shell, class... Args>
  caf::actor spawn(Shell shell, Args&&... args) {
    auto who = system_.spawn(shell, std::forward<Args>(args)...);
    ends_with_us(who);
    return who;
  }
  void ends_with_us(const caf::actor& who) { cast_.push_back(who); }

  void run() { scheduler().run(); }
  template<class... Args>
  void tell(const caf::actor& whom, Args&&... args) {
    caf::anon_send(whom, std::forward<Args>(args)...);
    run();
  }
  template<class... Args>
  void tell_as(const caf::actor& whose, const caf::actor& whom, Args&&... args) {
    caf::send_as(whose, whom, std::forward<Args>(args)...);
    run();
  }
  void end(const caf::actor& who) {
    caf::anon_send_exit(who, caf::exit_reason::kill);
    run();
  }
  // In steps, so that what is armed in one is due in the next.
  void pass(Duration time) {
    constexpr auto step = std::chrono::milliseconds(10);
    for (auto left = time; left > Duration::zero(); left -= step) {
      scheduler().advance_time(std::min<Duration>(left, step));
      run();
    }
  }
  // At one go, for hours.
  void leap(Duration time) {
    scheduler().advance_time(time);
    run();
  }
  Time now() { return scheduler().clock().now(); }
  caf::actor_system& system() { return system_; }

private:
  caf::scheduler::test_coordinator& scheduler() {
    return dynamic_cast<caf::scheduler::test_coordinator&>(system_.scheduler());
  }

  Config config_;
  caf::actor_system system_{config_};
  std::list<Ear> ears_;
  std::vector<caf::actor> cast_;
};

// A link that its test plays.
struct FakeLink final : Link {
  std::vector<std::pair<Bytes, Lane>> sent;
  std::vector<std::pair<std::size_t, Lane>> returned;
  std::vector<std::string> closes;
  std::optional<Duration> measured;

  bool send(Bytes message, Lane lane) override {
    sent.emplace_back(std::move(message), lane);
    return true;
  }
  void consumed(std::size_t bytes, Lane lane) override { returned.emplace_back(bytes, lane); }
  void close(std::string why) override { closes.push_back(std::move(why)); }
  std::optional<Duration> rtt() const override { return measured; }
  Session::Counters counters() const override { return {}; }
  std::string remote() const override { return "127.0.0.1:1"; }
};

inline MessagePtr letter(Message message) {
  return std::make_shared<const Message>(std::move(message));
}

} // namespace tessera::rig
