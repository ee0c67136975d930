#include "node/cli/unit.hpp"

#include "crypto/digest.hpp"

#include <cstdlib>

namespace tessera::cli {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view mark = "# tessera unit ";

constexpr std::string_view head = R"(
# Change it freely: `tessera service` overwrites no unit that was changed, unless told to with --force. Or keep it, and
# put what you want otherwise into a file of its own: systemctl --user edit tessera

[Unit]
Description=Tessera, a peer-to-peer compute mesh
Documentation=man:tessera(1)

[Service]
Type=exec
)";

constexpr std::string_view rest = R"(
# 2: its settings cannot be meant; trying again would not help.
Restart=on-failure
RestartSec=5
RestartPreventExitStatus=2
# SIGTERM to the node alone: it hands its leases back, and ends its workers itself.
KillMode=mixed
TimeoutStopSec=40
# A worker that is out of memory costs its block, not the node.
OOMPolicy=continue
OOMScoreAdjust=500

# The machine is its owner's first. Workers are at nice 10 by themselves; the journal is written in time, if last.
Nice=5
CPUWeight=20
IOWeight=20
IOSchedulingClass=best-effort
IOSchedulingPriority=7

# What a node needs to write to, and nothing else. systemd before 254 cannot make paths read-only for a user's service
# unless it is told PrivateUsers=yes, which fails where the kernel grants no user namespaces: there the paths stay as they are.
UMask=0077
ProtectSystem=strict
ProtectKernelTunables=yes
ProtectControlGroups=yes
ProtectHostname=yes
NoNewPrivileges=yes
# No MemoryDenyWriteExecute: workers compile WebAssembly to machine code, and run it (behind a filter of their own).
# No PrivateDevices, ProtectClock, ProtectKernelModules, ProtectKernelLogs: they give up capabilities, which the systemd
# of a user may not even do; it refuses to start such a unit.
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictNamespaces=yes
# AF_NETLINK: to find the addresses of this machine, which others shall dial.
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
SystemCallArchitectures=native
# seccomp: with it workers shut themselves in, further than this does.
SystemCallFilter=@system-service seccomp
SystemCallErrorNumber=EPERM

[Install]
WantedBy=default.target
)";

// Kept as it is by systemd: no specifier, no escape, one word.
std::string word(std::string_view text, bool command = false) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\')
      out += '\\';
    if (c == '%' || (command && c == '$'))
      out += c;
    out += c;
  }
  return out + "\"";
}

std::string folder_word(std::string_view folder) { // What begins with %h or %t is ours.
  return folder.starts_with("%h/") || folder.starts_with("%t/") ? std::string{folder}
                                                                : word(folder);
}

std::string digest_line(std::string_view body) {
  return std::string{mark} + to_hex(digest_of(view(body))).substr(0, 32) + "\n";
}

std::string xdg(const char* variable) {
  const char* value = std::getenv(variable);
  return value && *value == '/' ? value : "";
}

void add_folder(Unit& unit, const char* variable, const std::string& usual) {
  const auto own = xdg(variable);
  const char* home = std::getenv("HOME");
  const bool is_usual = own.empty() || (home && own == std::string{home} + "/" + usual);
  unit.folders.push_back((is_usual ? "%h/" + usual : own) + "/tessera");
  if (!is_usual)
    unit.environment.emplace_back(variable, own);
}

} // namespace

Unit plain_unit(std::string program) {
  return {std::move(program),
          {},
          {"%h/.local/share/tessera", "%h/.local/state/tessera", "%h/.cache/tessera", "%t/tessera"},
          {}};
}

Unit own_unit(std::string program, const std::optional<std::string>& data) {
  Unit unit{std::move(program), {}, {}, {}};
  const auto config = xdg("XDG_CONFIG_HOME");
  const char* home = std::getenv("HOME");
  if (!config.empty() && !(home && config == std::string{home} + "/.config"))
    unit.environment.emplace_back("XDG_CONFIG_HOME", config);
  if (data) {
    const auto folder = fs::absolute(*data).lexically_normal().string();
    unit.arguments = {"--data", folder};
    unit.folders = {folder};
    return unit;
  }
  add_folder(unit, "XDG_DATA_HOME", ".local/share");
  add_folder(unit, "XDG_STATE_HOME", ".local/state");
  add_folder(unit, "XDG_CACHE_HOME", ".cache");
  unit.folders.push_back("%t/tessera");
  return unit;
}

std::string unit_text(const Unit& unit) {
  std::string folders, writable, environment, arguments;
  for (const auto& folder : unit.folders) {
    folders += " " + folder_word(folder);
    writable += (writable.empty() ? "" : " ") + folder_word(folder);
  }
  for (const auto& [name, value] : unit.environment)
    environment += "Environment=" + word(name + "=" + value) + "\n";
  for (const auto& argument : unit.arguments)
    arguments += " " + word(argument, true);
  auto body =
      std::string{head} + environment +
      "# Folders must be there to be let through; '+' makes them before anything is closed.\n"
      "ExecStartPre=+/bin/mkdir -p -m 0700" +
      folders + "\nExecStart=" + word(unit.program, true) + " start" + arguments + "\n" +
      std::string{rest};
  body.replace(body.find("ProtectSystem=strict\n"), 0, "ReadWritePaths=" + writable + "\n");
  return digest_line(body) + body;
}

bool untouched(std::string_view text) {
  const auto end = text.find('\n');
  return end != text.npos && text.substr(0, end + 1) == digest_line(text.substr(end + 1));
}

} // namespace tessera::cli
