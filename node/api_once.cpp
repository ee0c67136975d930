#include "node/api_shell.hpp"

#include <caf/actor_cast.hpp>

// A submission that is sent twice is one, where its sender gave it a key.
namespace tessera::api {

namespace {

constexpr int created = 201;
constexpr int server_error = 500; // From here on: another time it may work.

Error wrong(const char* code, const char* what, const char* why, const char* fix) {
  return {code, what, why, fix};
}

// What is answered goes to the caller, and is remembered for whoever sends it again.
Caller remembering(Self self, const std::string& key, const Digest& body, const Caller& caller) {
  return {[=](HttpReply reply) {
            auto& once = self->state.once;
            const std::string body{reply.body ? text_of(*reply.body) : std::string_view{}};
            if (reply.status >= server_error)
              once.dropped(key);
            else
              once.answered(key, reply.status, body, now(self));
            caller.respond(std::move(reply));
          },
          caller.path, std::make_shared<const Submission>(Submission{key, body, {}, 0})};
}

} // namespace

void remember_again(Self self, const std::vector<Submission>& submissions) {
  for (const auto& s : submissions) {
    const auto ago =
        std::chrono::milliseconds(std::max<std::int64_t>(0, unix_ms(self) - s.since_ms));
    self->state.once.restore(s.key, s.body, {created, s.answer}, ago, now(self));
  }
}

std::optional<Caller> once(Self self, const HttpRequest& request, const Caller& caller) {
  const auto given = request.headers.find("idempotency-key");
  if (given == request.headers.end())
    return caller;
  auto& s = self->state;
  const auto& key = given->second;
  if (!s.once.valid(key)) {
    refuse(caller, wrong("E468", "this Idempotency-Key is none",
                         "wanted are 1 to 255 printable characters without spaces",
                         "send another, or none"));
    return std::nullopt;
  }
  const auto body = digest_of(request.body);
  const auto verdict = s.once.begin(key, body, now(self));
  if (std::holds_alternative<Idempotency::Fresh>(verdict))
    return remembering(self, key, body, caller);
  if (const auto* replay = std::get_if<Idempotency::Replay>(&verdict)) {
    auto reply = json_reply(replay->status, replay->body);
    if (replay->status >= 400)
      reply.content_type = "application/problem+json";
    reply.headers["Idempotency-Replayed"] = "true";
    caller.respond(std::move(reply));
  } else if (std::holds_alternative<Idempotency::InFlight>(verdict)) {
    refuse(caller, wrong("E467", "the same submission is being taken",
                         "another call with this Idempotency-Key has no answer yet", "try again"));
  } else if (std::holds_alternative<Idempotency::Other>(verdict)) {
    refuse(caller,
           wrong("E466", "this Idempotency-Key stands for another job",
                 "it came with another body, within the last 24 h", "use a new key for each job"));
  } else {
    refuse(caller, wrong("E469", "too many submissions are being taken",
                         "at most 4096 with an Idempotency-Key at a time", "try again"));
  }
  return std::nullopt;
}

} // namespace tessera::api
