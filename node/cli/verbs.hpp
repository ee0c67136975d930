#pragma once

#include "node/cli/command.hpp"
#include "node/cli/terminal.hpp"

// What each verb does with a running node. Each throws Failed.
namespace tessera::cli {

void stop(const Command& command, Terminal& terminal);
void status(const Command& command, Terminal& terminal);
void pause(const Command& command, Terminal& terminal); // And snooze.
void resume(const Command& command, Terminal& terminal);
void id(const Command& command, Terminal& terminal);
void invite(const Command& command, Terminal& terminal);
void peers(const Command& command, Terminal& terminal);
void top(const Command& command, Terminal& terminal);
void config(const Command& command, Terminal& terminal);
void kernels(const Command& command, Terminal& terminal);
void open_dashboard(const Command& command, Terminal& terminal);

void service(const Command& command, Terminal& terminal);
void complete(const Command& command, Terminal& terminal); // The hidden `completions`...
void manual(const Command& command, Terminal& terminal);   // ...and `man`.

void new_thing(const Command& command, Terminal& terminal);

void submit(const Command& command, Terminal& terminal);
void run(const Command& command, Terminal& terminal, const RunLocal& local);
void jobs(const Command& command, Terminal& terminal);
void wait(const Command& command, Terminal& terminal);
void result(const Command& command, Terminal& terminal);
void cancel(const Command& command, Terminal& terminal);
void why(const Command& command, Terminal& terminal);
void logs(const Command& command, Terminal& terminal);
void rm(const Command& command, Terminal& terminal);
void watch_live(const Command& command, Terminal& terminal);

// "since 12:40, until 13:40", of a node's status; empty: it is not paused.
std::string pause_text(const nlohmann::json& status);

} // namespace tessera::cli
