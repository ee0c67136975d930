#include "crypto/digest.hpp"
#include "net/wire/codec.hpp"
#include "node/cli/failed.hpp"
#include "node/cli/files.hpp"
#include "node/cli/job_talk.hpp"
#include "node/cli/output_file.hpp"
#include "node/cli/verbs.hpp"
#include "node/cli/wish_flags.hpp"

#include <filesystem>

namespace tessera::cli {

namespace {

std::string upload(Api& api, const std::string& file) {
  const auto input = read_file(file);
  const auto hash = to_hex(blob_id(input));
  api.put("/v1/blobs/" + hash, input);
  return hash;
}

Json spec_of(const Submission& s, Api& api) {
  Json spec{{"kernel", s.kernel}, {"params", Json::object()}};
  for (const auto& [name, value] : s.params)
    spec["params"][name] = value;
  if (s.items)
    spec["items"] = *s.items;
  if (s.leaf == "auto")
    spec["leaf"] = "auto";
  else if (!s.leaf.empty())
    spec["leaf"] = std::stoull(s.leaf);
  if (!s.input.empty())
    spec["input"] = upload(api, s.input);
  if (!s.each.empty())
    spec["each"] = upload(api, s.each);
  if (!s.module.empty())
    spec["module"] = upload(api, s.module);
  if (!s.module_params.empty())
    spec["module_params"] = upload(api, s.module_params);
  if (s.rounds)
    spec["rounds"] = *s.rounds;
  if (s.tree)
    spec["tree"] = true;
  if (s.budget)
    spec["budget"] = *s.budget;
  if (!s.state.empty())
    spec["state"] = upload(api, s.state);
  wishes_into(s.wishing, spec);
  return spec;
}

std::string microtasks_of(const Json& job) {
  if (job.contains("tasks") && job["tasks"].is_number())
    return ""; // Nobody knows how many there will be.
  const auto count = number_at(job, "microtasks");
  return count == 0 ? ""
                    : "  " + std::to_string(count) + (count == 1 ? " microtask" : " microtasks");
}

// After the job's end: the result, the summary, the next command.
void fetch(Api& api, Terminal& terminal, const Command& c, Json job, const std::string& output) {
  const auto saved = save_result(api, job, output, c.common.json);
  if (c.common.json) {
    if (!saved.file.empty())
      job["file"] = saved.file;
    else
      job["text"] = saved.text;
    terminal.json(job);
    return saved.tasks.check();
  }
  summarize(terminal, job, saved.file);
  saved.tasks.check();
  terminal.next("tessera jobs");
}

Json job_of(Api& api, const std::string& id) {
  return api.get(job_path(id));
}

std::vector<std::string> row(const Json& job) {
  return {short_job(text_at(job, "job")),
          shown(text_at(job, "kernel")),
          shown(text_at(job, "state")),
          round_of(job) + std::to_string(number_at(job, "done")) + "/" +
              std::to_string(number_at(job, "microtasks")),
          std::to_string(number_at(job, "rerun")),
          std::to_string(number_at(job, "peers")),
          seconds(number_at(job, "elapsed_ms"))};
}

} // namespace

void submit(const Command& c, Terminal& terminal) {
  check_writable(c.submission.output);
  Api api{c.common};
  const auto job =
      api.post("/v1/jobs", spec_of(c.submission, api), c.submission.wishing.idempotency_key);
  const auto id = text_at(job, "job");
  if (c.submission.detach && c.common.json)
    return terminal.json(job);
  terminal.note("job " + short_job(id) + microtasks_of(job));
  if (c.submission.leaf == "auto") {
    const auto leaf = std::to_string(number_at(job, "leaf"));
    terminal.note("leaf " + leaf + " (to repeat: --leaf " + leaf + ")");
  }
  if (c.submission.detach) {
    terminal.data(shown(id));
    return terminal.next("tessera wait " + short_job(id));
  }
  const DetachOnInterrupt on_interrupt{c.common, id};
  const auto ended = watch(api, terminal, id, {});
  check_done(ended);
  fetch(api, terminal, c, ended, c.submission.output);
}

void jobs(const Command& c, Terminal& terminal) {
  Api api{c.common};
  const auto list =
      api.get(c.mesh_wide ? "/v1/jobs?mesh=1" : "/v1/jobs").value("jobs", Json::array());
  if (c.common.json) {
    for (const auto& job : list)
      terminal.json(job);
    return;
  }
  if (list.empty()) {
    terminal.note("no jobs yet");
    return terminal.next("tessera submit mandelbrot -o m.png");
  }
  std::vector<std::vector<std::string>> rows{
      {"JOB", "KERNEL", "STATE", "DONE", "RE-RUN", "PEERS", "TIME"}};
  for (const auto& job : list)
    rows.push_back(row(job));
  terminal.data(table(rows));
  terminal.next("tessera result " + short_job(text_at(list.front(), "job")) + " -o FILE");
}

void wait(const Command& c, Terminal& terminal) {
  Api api{c.common};
  const auto timeout = c.timeout ? std::optional{std::chrono::seconds{*c.timeout}} : std::nullopt;
  const auto id = text_at(job_of(api, c.subject), "job");
  const auto job = watch(api, terminal, id, timeout);
  if (c.common.json)
    terminal.json(job);
  check_done(job);
  if (c.common.json)
    return;
  summarize(terminal, job, "");
  terminal.next("tessera result " + short_job(id) + " -o FILE");
}

void result(const Command& c, Terminal& terminal) {
  Api api{c.common};
  const auto job = job_of(api, c.subject);
  const auto saved = save_result(api, job, c.output, c.common.json);
  const auto id = text_at(job, "job");
  if (c.common.json) {
    Json answer{{"job", id}, {"state", text_at(job, "state")}};
    answer[saved.file.empty() ? "text" : "file"] = saved.file.empty() ? saved.text : saved.file;
    terminal.json(answer);
    return saved.tasks.check();
  }
  if (!saved.file.empty())
    terminal.note(saved.file);
  saved.tasks.check();
}

namespace {

template<class T>
T must(Result<T> result) {
  if (!result)
    throw Failed{Exit::failed, result.error()};
  return std::move(*result);
}

// Signed here: the key never leaves this process. Null without one: the node's own word will do.
Json word_of(Api& api, const std::string& key_file, const std::string& job) {
  if (key_file.empty())
    return nullptr;
  if (!std::filesystem::exists(key_file))
    throw Failed{Exit::usage,
                 {"E471", "there is no key " + key_file, "it is the identity.key of the submitter",
                  "on the machine that submitted: tessera id says where it is"}};
  const auto self = must(Identity::load_or_create(key_file));
  const auto mesh = from_hex(text_at(api.get("/v1/status"), "mesh_id"));
  const auto id = from_hex(job);
  MeshId mesh_id;
  JobId job_id;
  if (!mesh || mesh->size() != mesh_id.bytes.size() || !id || id->size() != job_id.bytes.size())
    throw Failed{Exit::failed,
                 {"E307", "the node's answer cannot be read", "it names no mesh, or no job",
                  "is this the right URL?"}};
  std::copy(mesh->begin(), mesh->end(), mesh_id.bytes.begin());
  std::copy(id->begin(), id->end(), job_id.bytes.begin());
  const auto word = Codec{self, mesh_id}.seal_cancel(job_id);
  return {{"cancel", to_hex(Codec::envelope_bytes(word->seal))}};
}

} // namespace

void cancel(const Command& c, Terminal& terminal) {
  Api api{c.common};
  const auto id = text_at(job_of(api, c.subject), "job");
  const auto job = api.post(job_path(id) + "/cancel", word_of(api, c.key_file, id));
  if (c.common.json)
    return terminal.json(job);
  const auto state = text_at(job, "state");
  terminal.note("job " + short_job(id) + (state == "done" ? " was done already" : " is cancelled"));
  terminal.next("tessera jobs");
}

} // namespace tessera::cli
