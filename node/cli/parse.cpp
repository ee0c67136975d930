#include "actors/pause.hpp"
#include "node/cli/cli_text.hpp"
#include "node/cli/command.hpp"
#include "node/cli/failed.hpp"
#include "node/cli/settings.hpp"
#include "node/cli/wish_flags.hpp"
#include "node/kernels/nearest.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <algorithm>
#include <cstdlib>

namespace tessera::cli {

const std::vector<std::string> verbs{
    "start",  "stop",   "status",  "id",  "invite", "peers", "jobs",   "submit", "wait",
    "result", "cancel", "kernels", "new", "run",    "pause", "resume", "snooze", "why",
    "logs",   "rm",     "watch",   "top", "config", "open",  "service"};

const std::vector<std::string> hidden_verbs{"completions", "man"};

namespace {

// What CLI11 writes into. It keeps addresses, so this stays where it is while parsing.
struct Typed {
  Command command;
  std::map<std::string, std::vector<std::string>> flags; // Of settings, by their names.
  std::vector<std::string> params;
  std::string colour = "auto";
  std::string data;
  std::string items, rounds, budget, task;
  std::string pause;
  WishFlags wishes;
  std::map<std::string, std::string> settings_of_run; // By flag, as typed.
};

void add_common(CLI::App& verb, Typed& t) {
  auto& c = t.command.common;
  verb.add_option("--data", t.data, "Folder of the node that is meant")->type_name("DIR");
  verb.add_option("--api", c.api, "URL of a node's API, reached through a tunnel")
      ->type_name("URL");
  verb.add_option("--token-file", c.token_file, "File that holds its token")->type_name("FILE");
  verb.add_flag("--json", c.json, "Answer in JSON, lists one object a line");
  verb.add_option("--color", t.colour, "auto, always or never")
      ->type_name("WHEN")
      ->check(CLI::IsMember({"auto", "always", "never"}));
}

// "Memory of one worker (default: 1GiB)"
std::string help_of(const SettingInfo& setting) {
  const std::string fallback = setting.kind == Kind::flag ? "" : setting.fallback;
  return setting.help + (fallback.empty() ? "" : " (default: " + fallback + ")");
}

// One that is true unless said otherwise has the opposite for a flag.
void add_settings(CLI::App& verb, Typed& t) {
  for (const auto& setting : setting_table()) {
    if (setting.kind == Kind::flag) {
      const bool no = std::string_view{setting.flag}.starts_with("--no-");
      verb.add_flag_callback(
          setting.flag, [&t, &setting, no] { t.flags[setting.name] = {no ? "false" : "true"}; },
          no ? std::string{"Not: "} + setting.help : help_of(setting));
      continue;
    }
    auto* option = verb.add_option(setting.flag, t.flags[setting.name], help_of(setting));
    option->type_name(setting.wanted)->allow_extra_args(false);
    if (!setting.list)
      option->expected(1);
  }
}

void add_config(CLI::App& verb, Typed& t) {
  verb.add_option("name", t.command.subject, "One of them, in detail")->type_name("NAME");
  verb.add_flag("--example", t.command.example, "A settings file that holds them all, as comments");
  add_settings(verb, t);
}

void add_submit(CLI::App& verb, Typed& t) {
  auto& s = t.command.submission;
  verb.add_option("kernel", s.kernel, "What to run; see: tessera kernels")
      ->required()
      ->type_name("KERNEL");
  verb.add_option("-p,--param", t.params, "A parameter; repeatable")
      ->type_name("K=V")
      ->allow_extra_args(false);
  verb.add_option("--items", t.items, "How many items, for kernels that ask")->type_name("N");
  verb.add_option("--leaf", s.leaf, "Items of one microtask, or auto")->type_name("N|auto");
  verb.add_option("--input", s.input, "File to work on; - is standard input")->type_name("FILE");
  verb.add_option("--each", s.each,
                  "File of single tasks: each line has the parameters of one, and a result of its "
                  "own; - is standard input")
      ->type_name("FILE");
  verb.add_option("-o,--output", s.output, "File for the result; - is standard output")
      ->type_name("FILE");
  verb.add_flag("--detach", s.detach, "Do not wait for the result");
  t.wishes.add(verb, s.wishing);
}

// Flags of `run` that are settings of the job: flag, setting, what it takes, what it means.
struct RunFlag {
  const char *flag, *setting, *type, *help;
};
constexpr RunFlag run_flags[] = {
    {"--record", "record", "SIZE", "Bytes of one item of the input; the items are its records"},
    {"--merge", "merge", "NAME",
     "Where the module exports no merge: concat, none, count, sum_f64, sum_i64, min_..., max_..., "
     "topk_f64:K, topk_i64:K"},
    {"--memory", "memory", "SIZE", "Memory of the module, at most (default: 256MiB)"},
    {"--output-limit", "output", "SIZE", "What one microtask may write (default: 64MiB)"},
    {"--fuel", "fuel", "N", "Instructions of one microtask, at most; counts them all"},
    {"--time-limit", "time", "MS", "Time of one microtask, at most (default: 30000)"},
    {"--compile-limit", "compile_time", "MS", "Time of compiling, at most (default: 30000)"},
    {"--nan", "nan", "plain|strict", "strict: for inputs that carry NaNs of their own"},
};

void add_run(CLI::App& verb, Typed& t) {
  auto& s = t.command.submission;
  verb.add_option("module", s.module, "A WebAssembly module; see: tessera new task")
      ->required()
      ->type_name("FILE");
  verb.add_option("--items", t.items, "How many items")->type_name("N");
  verb.add_option("--leaf", s.leaf, "Items of one microtask, or auto (default: items / 65536)")
      ->type_name("N|auto");
  verb.add_option("-p,--params", s.module_params, "File with the module's own parameters")
      ->type_name("FILE");
  verb.add_option("--input", s.input, "File to work on; - is standard input")->type_name("FILE");
  verb.add_option("--each", s.each,
                  "File of single tasks: each line or, with --record, record is one, and has a "
                  "result of its own; - is standard input")
      ->type_name("FILE");
  verb.add_option("--rounds", t.rounds, "A job of rounds, at most so many; step makes the next")
      ->type_name("N");
  verb.add_option("--state", s.state, "File with the state that the first round begins with")
      ->type_name("FILE");
  verb.add_flag("--tree", s.tree, "A tree job: tasks that spawn tasks, until none waits");
  verb.add_option("--task", t.task, "File with the first task of a tree job (default: no bytes)")
      ->type_name("FILE");
  verb.add_option("--budget", t.budget,
                  "Tasks that a microtask of a tree job runs (default: as many as take 20 ms)")
      ->type_name("N");
  for (const auto& flag : run_flags)
    verb.add_option(flag.flag, t.settings_of_run[flag.flag], flag.help)->type_name(flag.type);
  verb.add_option("-o,--output", s.output, "File for the result; - is standard output")
      ->type_name("FILE");
  verb.add_flag("--detach", s.detach, "Do not wait for the result");
  t.wishes.add(verb, s.wishing);
  verb.add_flag("--local", s.local,
                "Here, without a mesh: in several orders and instances, whose bytes must agree");
}

void add_job(CLI::App& verb, Typed& t) {
  verb.add_option("job", t.command.subject, "Its id, or the first digits of it")
      ->required()
      ->type_name("JOB");
}

void add_output(CLI::App& verb, Typed& t) {
  verb.add_option("-o,--output", t.command.output, "File for the result; - is standard output")
      ->type_name("FILE");
}

void add_new(CLI::App& verb, Typed& t) {
  auto& c = t.command.creation;
  verb.add_option("what", c.what, "What to begin: task")->required()->type_name("task");
  verb.add_option("folder", c.folder, "Where; absent, or empty")->required()->type_name("DIR");
  verb.add_option("--lang", c.language, "Its language: c, cpp, rust or as (AssemblyScript)")
      ->type_name("c|cpp|rust|as");
}

void add_pause(CLI::App& verb, Typed& t, const char* otherwise) {
  verb.add_option("--for", t.pause, std::string{"For how long: 90s, 30m, 2h or 1d "} + otherwise)
      ->type_name("TIME");
}

void add_service(CLI::App& verb, Typed& t) {
  auto& a = t.command.action;
  verb.add_option("what", a.what, "Install and start it, remove it, show its state or its unit")
      ->required()
      ->type_name("install|uninstall|status|unit");
  verb.add_option("program", a.name, "Of a package's unit: where tessera will be")->group("");
  verb.add_flag("--force", a.force, "Also where its unit was changed by hand");
}

// For packages and shells, not for people: a line of --help less.
void add_hidden(CLI::App& app, Typed& t) {
  auto& a = t.command.action;
  auto* scripts = app.add_subcommand("completions", "Scripts for shells, and what they ask");
  scripts->add_option("what", a.what, "bash, zsh or fish; of the scripts: jobs, kernels, params")
      ->required();
  scripts->add_option("name", a.name, "The kernel whose params are meant");
  auto* manual = app.add_subcommand("man", "The manual, in roff: tessera man | man -l -");
  for (auto* verb : {scripts, manual}) {
    add_common(*verb, t);
    verb->group("");
  }
}

void add_rm(CLI::App& verb, Typed& t) {
  verb.add_option("job", t.command.subjects, "Their ids, or the first digits of them")
      ->type_name("JOB");
  verb.add_flag("--all-ended", t.command.all_ended, "All jobs of this node that have ended");
}

void check_rm(const Command& c) {
  if (c.verb == "rm" && c.subjects.empty() != c.all_ended)
    throw usage(c.all_ended ? "--all-ended takes no JOB" : "tessera rm needs a job",
                "tessera jobs lists them", "run: tessera rm JOB, or: tessera rm --all-ended");
}

void add_verbs(CLI::App& app, Typed& t) {
  const auto add = [&](const char* name, const char* help) {
    auto* verb = app.add_subcommand(name, help);
    add_common(*verb, t);
    return verb;
  };
  add_settings(*add("start", "Run a node, here and now; Ctrl-C hands its work back"), t);
  add("stop", "Stop the node, and wait until it is gone");
  add("status", "The node in a few lines");
  add_pause(*add("pause", "Take no work, and hand back what is there: the machine is yours"), t,
            "(default: until resumed)");
  add_pause(*add("snooze", "Pause for an hour"), t, "(default: 1h)");
  add("resume", "Take work again");
  auto* top = add("top", "Who uses this machine, and how much");
  top->add_flag("--once", t.command.once, "One table, and no more");
  add("id", "This node's id");
  add("invite", "The invite that lets another machine join");
  add("peers", "The nodes of the mesh");
  add_submit(*add("submit", "Run a job on the mesh"), t);
  add("jobs", "Jobs of this node")
      ->add_flag("--mesh", t.command.mesh_wide, "Those of other nodes, too");
  auto* wait = add("wait", "Wait for a job's end");
  add_job(*wait, t);
  wait->add_option("--timeout", t.command.timeout, "Give up after so long")->type_name("SECONDS");
  auto* result = add("result", "Fetch a job's result");
  add_job(*result, t);
  add_output(*result, t);
  auto* cancel = add("cancel", "Stop a job");
  add_job(*cancel, t);
  cancel->add_option("--key", t.command.key_file, "Its submitter's identity.key, at any node")
      ->type_name("FILE");
  add_job(*add("why", "What a job waits for, and what to do about it"), t);
  auto* logs = add("logs", "What happened to a job");
  add_job(*logs, t);
  logs->add_flag("-f,--follow", t.command.follow, "Go on until it ends");
  add_rm(*add("rm", "Forget jobs that have ended, with their results"), t);
  add("watch", "Jobs and peers, live; q quits")
      ->add_option("job", t.command.subject, "One of them, in detail")
      ->type_name("JOB");
  add("kernels", "What can be run")
      ->add_option("name", t.command.subject, "One of them, in detail")
      ->type_name("KERNEL");
  add_config(*add("config", "The settings that start would use, and where each comes from"), t);
  add("open", "The dashboard of the node, in a browser")
      ->add_flag("--no-browser", t.command.no_browser, "Only say where it is");
  add_new(*add("new", "Begin a task of your own"), t);
  add_run(*add("run", "Run a module of your own on the mesh, or here (--local)"), t);
  add_service(*add("service", "Have the node run by itself, as a systemd user service"), t);
  add_hidden(app, t);
}

std::vector<std::string> flags_of(const CLI::App& verb) {
  std::vector<std::string> flags;
  for (const auto* option : verb.get_options())
    for (const auto& name : option->get_lnames())
      flags.push_back("--" + name);
  return flags;
}

// A flag before the verb, where only these are.
void check_first_flag(const std::string& typed) {
  const std::vector<std::string> known{"--help", "--version"};
  if (typed == "-h" || std::find(known.begin(), known.end(), typed) != known.end())
    return;
  const auto near = nearest(typed, known);
  throw usage("\"" + typed + "\" stands where a verb should", "flags follow the verb",
              near.empty() ? "run: tessera --help" : "did you mean: tessera " + near);
}

// A mistyped verb; CLI11 would only say that the arguments were not expected.
void check_verb(int argc, const char* const* argv) {
  if (argc < 2)
    return;
  const std::string typed = argv[1];
  if (typed.starts_with('-'))
    return check_first_flag(typed);
  for (const auto* known : {&verbs, &hidden_verbs})
    if (std::find(known->begin(), known->end(), typed) != known->end())
      return;
  const auto near = nearest(typed, verbs);
  throw Failed{Exit::usage,
               {"E401", "there is no verb \"" + typed + "\"", "tessera --help lists them all",
                near.empty() ? "run: tessera --help" : "did you mean: tessera " + near}};
}

std::string suggestion(const CLI::App& verb, int argc, const char* const* argv) {
  const auto known = flags_of(verb);
  for (int i = 2; i < argc; ++i) {
    const std::string typed{
        std::string_view{argv[i]}.substr(0, std::string_view{argv[i]}.find('='))};
    if (!typed.starts_with('-') || typed.size() < 3 ||
        std::find(known.begin(), known.end(), typed) != known.end())
      continue;
    if (const auto near = nearest(typed, known); !near.empty())
      return "did you mean " + near + "?";
  }
  return "run: tessera " + verb.get_name() + " --help";
}

// CLI11 lists what it did not expect from the right. The first of it is what was typed wrongly.
Failed unexpected(const CLI::App& app, const CLI::App& verb, int argc, const char* const* argv) {
  const auto extra = app.remaining(true);
  const auto first =
      std::find_if(argv, argv + argc, [&](const std::string& word) { // As it was typed.
        return std::find(extra.begin(), extra.end(), word) != extra.end();
      });
  const std::string typed = first == argv + argc ? "" : *first;
  const bool param = verb.get_name() == "submit" && !typed.starts_with('-') &&
                     typed.find('=') != std::string::npos;
  return usage("tessera " + verb.get_name() + " does not take \"" + typed + "\"",
               typed.starts_with('-') ? "it has no such flag" : "it has arguments enough",
               param ? "each parameter has a -p of its own: -p " + typed
                     : suggestion(verb, argc, argv));
}

// Of verbs that are about one thing: where its name is found.
Failed incomplete(const CLI::App& verb, const std::string& what) {
  const auto help = "run: tessera " + verb.get_name() + " --help";
  const bool submit = verb.get_name() == "submit";
  if (verb.get_name() == "service" || verb.get_name() == "completions")
    return usage("tessera " + verb.get_name() + " needs to be told what to do",
                 "it stands behind the verb", help);
  if (verb.get_name() == "run")
    return usage("tessera run needs a module", "it is a file, such as task.wasm",
                 "begin one: tessera new task --lang c DIR");
  return usage("tessera " + verb.get_name() + " needs a " + what,
               std::string{submit ? "tessera kernels" : "tessera jobs"} + " lists them", help);
}

std::string one_line(std::string text) {
  for (auto& c : text)
    c = c == '\n' ? ' ' : c;
  while (!text.empty() && text.back() == ' ')
    text.pop_back();
  return text;
}

const CLI::App& chosen(const CLI::App& app) {
  const auto used = app.get_subcommands();
  return used.empty() ? app : *used.front();
}

void split_params(Typed& t) {
  for (const auto& param : t.params) {
    const auto equals = param.find('=');
    if (equals == std::string::npos || equals == 0)
      throw usage("-p \"" + param + "\" is not NAME=VALUE", "a parameter has a name and a value",
                  "for instance: -p size=1024");
    t.command.submission.params.emplace_back(param.substr(0, equals), param.substr(equals + 1));
  }
}

// CLI11 would take what is past 2^64 for 2^64 - 1.
void take_items(Typed& t) {
  if (t.items.empty())
    return;
  t.command.submission.items = parse_number(t.items);
  if (!t.command.submission.items)
    throw usage("--items cannot be \"" + t.items + "\"", "wanted is a whole number up to 2^63",
                "for instance: --items 1000000");
}

void take_tree(Typed& t) {
  auto& s = t.command.submission;
  if (!t.budget.empty()) {
    s.budget = parse_number(t.budget);
    if (!s.budget || *s.budget == 0 || *s.budget > 1 << 20)
      throw usage("--budget cannot be \"" + t.budget + "\"",
                  "wanted is a whole number from 1 to 1048576", "for instance: --budget 1000");
  }
  if (!s.tree && (!t.task.empty() || s.budget))
    throw usage((s.budget ? "--budget" : "--task") + std::string{" needs --tree"},
                "only tree jobs are of tasks", "add --tree");
  if (s.tree && (s.items || !s.leaf.empty() || s.rounds || !s.state.empty()))
    throw usage("--tree does not go with --items, --leaf, --rounds or --state",
                "a tree job is of as many tasks as it spawns", "leave them out");
  if (s.tree)
    s.state = t.task;
}

void take_rounds(Typed& t) {
  auto& s = t.command.submission;
  if (!t.rounds.empty()) {
    s.rounds = parse_number(t.rounds);
    if (!s.rounds || *s.rounds == 0 || *s.rounds > 0xffffffff)
      throw usage("--rounds cannot be \"" + t.rounds + "\"",
                  "wanted is a whole number from 1 to 4294967295", "for instance: --rounds 100");
  }
  if (!s.state.empty() && !s.rounds)
    throw usage("--state needs --rounds", "a state is what the first round begins with",
                "say how many rounds at most: --rounds N");
}

void take_pause(Typed& t) {
  if (t.command.verb == "snooze" && t.pause.empty())
    t.command.pause = std::chrono::hours(1);
  if (t.pause.empty())
    return;
  t.command.pause = parse_time(t.pause);
  if (!t.command.pause || *t.command.pause < std::chrono::seconds(1) ||
      *t.command.pause > pause_max)
    throw usage("--for cannot be \"" + t.pause + "\"",
                "wanted is a time such as 90s, 30m, 2h or 1d, of a year at most",
                "for instance: tessera " + t.command.verb + " --for 1h");
}

// As the job's parameters, where numbers are whole.
void take_run(Typed& t) {
  auto& s = t.command.submission;
  if (t.command.verb != "run")
    return;
  s.kernel = "wasm";
  const auto slash = s.module.rfind('/');
  s.params.emplace_back("name", s.module.substr(slash == s.module.npos ? 0 : slash + 1));
  for (const auto& flag : run_flags) {
    auto value = t.settings_of_run[flag.flag];
    if (value.empty())
      continue;
    if (std::string_view{flag.type} == "SIZE") {
      const auto bytes = parse_size(value);
      if (!bytes)
        throw usage(std::string{flag.flag} + " cannot be \"" + value + "\"",
                    "wanted is a size such as 4096, 64K or 1GiB", "see: tessera run --help");
      value = std::to_string(*bytes);
    }
    s.params.emplace_back(flag.setting, std::move(value));
  }
  if (s.local && (s.detach || s.leaf == "auto"))
    throw usage(std::string{"--local and "} + (s.detach ? "--detach" : "--leaf auto") +
                    " do not go together",
                s.detach ? "nothing goes on when it ends"
                         : "it tells which leaf is good at its end",
                s.detach ? "leave out one of the two" : "give a number, or leave out --leaf");
}

void check_each(const Submission& s) {
  if (s.each.empty())
    return;
  const bool of_module = !s.module.empty();
  if (!s.input.empty() || s.rounds || s.tree || (of_module && s.items))
    throw usage("--each does not go with --input, --rounds, --tree" +
                    std::string{of_module ? " or --items" : ""},
                "each line or record of its file is a task", "leave them out");
}

void check_submission(const Command& c) {
  const auto& s = c.submission;
  check_each(s);
  const bool digits =
      s.leaf.find_first_not_of("0123456789") == std::string::npos && s.leaf.size() < 20;
  if (s.leaf != "auto" && !digits)
    throw usage("--leaf cannot be \"" + s.leaf + "\"", "wanted is a whole number, or auto",
                "leave it out to take the kernel's own");
  if (s.detach && !s.output.empty())
    throw usage("--detach and -o do not go together", "a detached submit waits for no result",
                "fetch it later: tessera result JOB -o FILE");
}

void check_creation(const Command& c) {
  if (c.verb != "new")
    return;
  if (c.creation.what != "task")
    throw usage("there is no new \"" + c.creation.what + "\"", "what can be begun is a task",
                "for instance: tessera new task --lang c DIR");
  if (c.creation.language.empty())
    throw usage("a new task needs --lang", "it can be c, cpp, rust or as",
                "for instance: tessera new task --lang c " + c.creation.folder);
}

void check_output(const Command& c) {
  if (c.common.json && (c.output == "-" || c.submission.output == "-"))
    throw usage("--json and -o - do not go together", "both want standard output",
                "name a file: -o FILE");
  if (!c.common.api.empty() && c.common.token_file.empty())
    throw usage("--api needs --token-file", "a node answers to its own token only",
                "copy the file named token from that node's folder");
}

void take_common(Typed& t) {
  auto& c = t.command.common;
  const auto or_env = [](std::string& value, const char* name) {
    if (const char* set = std::getenv(name); value.empty() && set)
      value = set;
  };
  or_env(t.data, "TESSERA_DATA");
  or_env(c.api, "TESSERA_API");
  or_env(c.token_file, "TESSERA_TOKEN_FILE");
  if (!t.data.empty())
    c.data = t.data;
  c.colour = t.colour == "always"  ? Colour::always
             : t.colour == "never" ? Colour::never
                                   : Colour::automatic;
}

void take_settings(Typed& t) {
  auto& settings = t.command.settings;
  for (auto& [name, values] : t.flags)
    if (!values.empty())
      settings[name] = {std::move(values), find_setting(name)->flag};
  fill(settings, settings_of_environment());
  for (const auto& file : setting_files())
    fill(settings, settings_of_file(file));
  t.command.start = start_options(settings);
  t.command.start.paths = t.command.common.paths();
  t.command.start.json = t.command.common.json;
}

void describe(CLI::App& app, Typed& t) {
  app.set_version_flag("--version", "tessera " TESSERA_VERSION);
  app.require_subcommand(0, 1);
  app.footer("A first job: tessera start, and in another terminal: tessera submit mandelbrot");
  add_verbs(app, t);
}

} // namespace

CliText cli_text() {
  Typed t;
  CLI::App app{"", "tessera"};
  describe(app, t);
  return cli_text(app);
}

Command parse(int argc, const char* const* argv) {
  check_verb(argc, argv);
  Typed t;
  CLI::App app{"Tessera: a mesh of computers that share out work", "tessera"};
  describe(app, t);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForVersion& version) {
    t.command.help = std::string{version.what()} + "\n";
    return std::move(t.command);
  } catch (const CLI::Success&) {
    t.command.help = app.help();
    return std::move(t.command);
  } catch (const CLI::ExtrasError&) {
    throw unexpected(app, chosen(app), argc, argv);
  } catch (const CLI::RequiredError&) {
    throw incomplete(chosen(app), chosen(app).get_name() == "submit" ? "kernel" : "job");
  } catch (const CLI::ParseError& e) {
    throw usage(one_line(e.what()), "the command line could not be read",
                suggestion(chosen(app), argc, argv));
  }
  if (app.get_subcommands().empty())
    throw usage("nothing was asked for", "tessera is told what to do by a verb",
                "run: tessera --help");
  t.command.verb = chosen(app).get_name();
  take_common(t);
  split_params(t);
  take_items(t);
  take_rounds(t);
  take_tree(t);
  take_pause(t);
  take_run(t);
  t.wishes.take(t.command.submission.wishing);
  check_rm(t.command);
  check_submission(t.command);
  check_creation(t.command);
  check_output(t.command);
  if (t.command.verb == "start" || (t.command.verb == "config" && !t.command.example))
    take_settings(t);
  return std::move(t.command);
}

} // namespace tessera::cli
