#include "node/cli/api.hpp"
#include "node/cli/browser.hpp"
#include "node/cli/failed.hpp"
#include "node/cli/verbs.hpp"

#include <unistd.h>

// `tessera open`: the page of node/dashboard in a browser of this machine, let in by the token.
namespace tessera::cli {

namespace {

// A fragment stays in the browser: it is sent to nobody, and the page removes it at once.
std::string address_of(const Access& access) {
  return access.url() + "/#token=" + access.token;
}

void say_how(const Access& access, bool tunnel, Terminal& terminal) {
  const auto port = std::to_string(access.port);
  terminal.note("open it in a browser of this machine; it holds the token: keep it secret");
  if (!tunnel)
    terminal.note("from another machine, first: ssh -L " + port + ":127.0.0.1:" + port +
                  " USER@THIS_MACHINE");
}

} // namespace

void open_dashboard(const Command& c, Terminal& terminal) {
  Api{c.common}.get("/v1/status"); // Is it there, and is this its token?
  const auto access = access_to(c.common);
  const bool shows = ::isatty(STDOUT_FILENO) == 1;
  const bool opens = !c.no_browser && has_display();
  if (!opens && !shows && !c.common.json)
    throw Failed{Exit::failed,
                 {"E450", "the dashboard can be opened nowhere",
                  c.no_browser ? "standard output is no terminal, and the address holds the token"
                               : "there is no display here, and standard output is no terminal",
                  "type it in a terminal, or take the address from: tessera open --json"}};
  if (opens)
    browse(c.common.paths().token.parent_path() / "open.html", address_of(access));
  if (c.common.json)
    return terminal.json({{"url", address_of(access)}, {"opened", opens}});
  terminal.note(opens ? "the dashboard opens in your browser" : "the dashboard is here:");
  if (shows)
    terminal.data(address_of(access));
  if (!opens)
    say_how(access, !c.common.api.empty(), terminal);
}

} // namespace tessera::cli
