#pragma once

#include <filesystem>
#include <string>
#include <vector>

// A folder to begin with: a kernel that computes something known, what it needs of the SDK, a
// Makefile with a test, and the next commands in a README. The files are those of examples/sdk.
namespace tessera::cli {

// "c", "cpp", "rust", "as".
const std::vector<std::string>& task_languages();

// Makes the folder, which must be absent or empty; answers the paths below it that it wrote,
// sorted. Throws Failed E402 (no such language), E441 (the folder is not empty, or none), E442 (it
// cannot be written).
std::vector<std::string> write_task(const std::string& language,
                                    const std::filesystem::path& folder);

} // namespace tessera::cli
