#pragma once

#include <string>
#include <string_view>
#include <vector>

// "Did you mean": the word that few typing errors turn into what was typed.
namespace tessera {

// Insertions, deletions, replacements and swaps of neighbours, each costing 1 (optimal string
// alignment).
std::size_t edit_distance(std::string_view a, std::string_view b);

// The nearest of `words`, the first among equals; empty when none is within a third of its length.
std::string nearest(std::string_view typed, const std::vector<std::string>& words);

} // namespace tessera
