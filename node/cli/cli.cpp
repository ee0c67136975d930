#include "node/cli/cli.hpp"

#include "node/cli/failed.hpp"
#include "node/cli/verbs.hpp"

#include <algorithm>
#include <exception>

namespace tessera {

namespace {

using namespace cli;

using Verb = void (*)(const Command&, Terminal&);

const std::map<std::string, Verb> answered{
    {"stop", cli::stop},
    {"status", cli::status},
    {"id", cli::id},
    {"invite", cli::invite},
    {"peers", cli::peers},
    {"kernels", cli::kernels},
    {"submit", cli::submit},
    {"jobs", cli::jobs},
    {"wait", cli::wait},
    {"result", cli::result},
    {"cancel", cli::cancel},
    {"new", cli::new_thing},
    {"pause", cli::pause},
    {"snooze", cli::pause},
    {"resume", cli::resume},
    {"why", cli::why},
    {"logs", cli::logs},
    {"rm", cli::rm},
    {"watch", cli::watch_live},
    {"service", cli::service},
    {"completions", cli::complete},
    {"man", cli::manual},
    {"config", cli::config},
    {"top", cli::top},
    {"open", cli::open_dashboard},
};

// What the person asked for, as far as that is known before parsing.
Common guessed(int argc, char** argv) {
  Common common;
  common.json = std::find(argv, argv + argc, std::string_view{"--json"}) != argv + argc;
  return common;
}

int perform(const Command& command, const StartNode& start, const RunLocal& local) {
  Terminal terminal{command.common};
  try {
    if (command.verb == "start")
      return start(command.start);
    if (command.verb.empty())
      terminal.data(command.help);
    else if (command.verb == "run")
      cli::run(command, terminal, local);
    else
      answered.at(command.verb)(command, terminal);
    terminal.finish();
    return int(Exit::ok);
  } catch (const Failed& failed) {
    terminal.error(failed.error());
    return int(failed.exit());
  }
}

} // namespace

int run_cli(int argc, char** argv, const StartNode& start, const RunLocal& local) {
  Common common = guessed(argc, argv);
  try {
    const auto command = parse(argc, argv);
    common = command.common;
    return perform(command, start, local);
  } catch (const Failed& failed) {
    Terminal{common}.error(failed.error());
    return int(failed.exit());
  } catch (const std::exception& e) {
    Terminal{common}.error({"E399", "this command failed unexpectedly", e.what(),
                            "try again; if it stays, tell the makers what you typed"});
    return int(Exit::failed);
  }
}

} // namespace tessera
