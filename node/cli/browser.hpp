#pragma once

#include <filesystem>
#include <string>

// The browser of whoever sits here. Other users see a program's arguments (ps), so a secret
// address goes by a file that only this user reads, and the browser is told of that file.
namespace tessera::cli {

bool has_display(); // DISPLAY or WAYLAND_DISPLAY.

// Writes the page that leads to `address`, mode 0600, and has xdg-open show it. It stays: nobody
// tells when the browser has read it. E451: it cannot be written; E452: xdg-open is missing or
// failed.
void browse(const std::filesystem::path& page, const std::string& address);

} // namespace tessera::cli
