#include "node/cli/completions.hpp"

#include "node/cli/api.hpp"
#include "node/cli/failed.hpp"
#include "node/cli/verbs.hpp"
#include "node/kernels/kernel.hpp"

#include <algorithm>

namespace tessera::cli {

using Json = nlohmann::json;

namespace {

constexpr std::size_t proposals_max = 200;  // More than one reads; the newest jobs come first.
constexpr std::size_t digits_proposed = 12; // Of a job's id: short to read, and all but unique.

// "value<TAB>what it is", as fish reads it.
std::string line(std::string_view value, std::string_view text) {
  return shown(value) + "\t" + shown(text) + "\n";
}

std::string jobs_known(const Command& c) {
  std::string out;
  std::size_t left = proposals_max;
  for (const auto& job : Api{c.common}.get("/v1/jobs").value("jobs", Json::array()))
    if (left-- > 0)
      out += line(text_at(job, "job").substr(0, digits_proposed),
                  text_at(job, "kernel") + " " + text_at(job, "state"));
    else
      break;
  return out;
}

// Those of this program, which a node of the same version has too.
std::string kernels_known() {
  std::string out;
  for (const auto* kernel : tessera::kernels())
    out += line(kernel->info().name, kernel->info().help);
  return out;
}

std::string params_of(const std::string& name) {
  const auto* kernel = find_kernel(name);
  std::string out;
  if (kernel)
    for (const auto& param : kernel->info().params) {
      out += param.choices.empty() ? line(param.name + "=", param.help) : "";
      for (const auto& choice : param.choices)
        out += line(param.name + "=" + choice, param.help);
    }
  return out;
}

} // namespace

std::string quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text)
    out += c == '\'' ? std::string{"'\\''"} : std::string{c};
  return out + "'";
}

std::string_view asked_for(Wants wants) {
  return wants == Wants::kernel  ? "kernels"
         : wants == Wants::job   ? "jobs"
         : wants == Wants::param ? "params"
                                 : "";
}

std::string completions(const CliText& text, std::string_view shell) {
  return shell == "bash"   ? bash_completions(text)
         : shell == "zsh"  ? zsh_completions(text)
         : shell == "fish" ? fish_completions(text)
                           : "";
}

void complete(const Command& c, Terminal& terminal) {
  const auto& what = c.action.what;
  auto text = what == "jobs"      ? jobs_known(c)
              : what == "kernels" ? kernels_known()
              : what == "params"  ? params_of(c.action.name)
                                  : completions(cli_text(), what);
  if (!text.empty())
    terminal.data(text);
  else if (what != "jobs" && what != "params")
    throw usage("there are no completions for \"" + what + "\"", "known are bash, zsh and fish",
                "for instance: tessera completions bash");
}

void manual(const Command&, Terminal& terminal) {
  terminal.data(man_page(cli_text()));
}

} // namespace tessera::cli
