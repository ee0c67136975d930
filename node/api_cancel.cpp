#include "node/api_shell.hpp"

// Cancellations: this node's own jobs at a word, others' by their submitter's signature alone.
namespace tessera::api {

namespace {

constexpr std::size_t body_bytes_max = 4096;

using Word = std::shared_ptr<const SignedCancel>;

void say(Self self, const std::vector<Cancels::Say>& words) {
  for (const auto& [root, word] : words)
    tell(self->state.wiring->mesh, ToPeer{root, std::make_shared<const Message>(CancelJob{word})});
  arm_all(self);
}

Error not_ours(const JobStatus& status) {
  return {"E510", "job " + to_hex(status.spec->id).substr(0, 12) + " is not ours",
          "only who submitted a job may cancel it, by its signature",
          "ask at node " + to_text(status.spec->spec.submitter) +
              ", or with its key: tessera cancel JOB --key FILE"};
}

// No word came: the node is to give its own.
bool wordless(const Bytes& body) {
  return body.empty() || text_of(body) == "{}";
}

// The word that came with the call: E463 if it is none, E510 if it is another's.
Result<Word> word_in(Self self, const JobStatus& status, const Bytes& body) {
  const Error unreadable{"E463", "this cancellation cannot be read",
                         "wanted is {\"cancel\": the signed envelope in hex digits}",
                         "see node/http/API.md"};
  const auto json =
      body.size() > body_bytes_max ? Json{} : Json::parse(body.begin(), body.end(), nullptr, false);
  if (!json.is_object() || json.size() != 1 || !json.contains("cancel") ||
      !json["cancel"].is_string())
    return unreadable;
  const auto& codec = *self->state.setup.codec;
  const auto bytes = from_hex(json["cancel"].get<std::string>());
  const auto seal = bytes ? codec.envelope(*bytes) : std::nullopt;
  const auto word = seal ? codec.open_cancel(*seal) : nullptr;
  if (!word)
    return unreadable;
  if (word->job != status.spec->id || word->seal.key != status.spec->spec.submitter)
    return not_ours(status);
  return word;
}

} // namespace

void say_cancels_again(Self self) {
  auto& s = self->state;
  const auto due = s.cancels.wake(now(self));
  say(self, due);
  for (const auto& [root, word] : due)
    ask_about(self, word->job, root, [=, job = word->job](std::vector<JobStatus> jobs) {
      if (!jobs.empty() && ended(jobs.front().state))
        self->state.cancels.ended(job);
    });
}

void cancel(Self self, const JobStatus& status, const Bytes& body, const Caller& caller) {
  auto& s = self->state;
  const bool ours = status.spec->spec.submitter == s.setup.own.subject;
  if (wordless(body) && !ours)
    return refuse(caller, not_ours(status));
  const auto word = wordless(body) ? Result<Word>{s.setup.codec->seal_cancel(status.spec->id)}
                                   : word_in(self, status, body);
  if (!word)
    return refuse(caller, word.error());
  if (!ended(status.state)) {
    if (status.root == s.setup.own.subject)
      tell(s.wiring->scheduler,
           FromPeer{status.root, std::make_shared<const Message>(CancelJob{*word})});
    else
      say(self, s.cancels.add(status.root, *word, now(self)));
  }
  answer_job(self, caller, status, 202);
}

} // namespace tessera::api
