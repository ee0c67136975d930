#pragma once

#include "node/worker/wasm/host.hpp"

// Why a call into a module ended, as an error that its author can use.
namespace tessera::wasm {

// What wasmtime gave back; at most one of them is there.
struct Fall {
  ErrorHandle error;
  TrapHandle trap;
  explicit operator bool() const { return error || trap; }
};

// The host's own failure where there is one; else E720 (a trap), E721 (stack), E722 (fuel), or E723
// (an instance needs more than its limits). The `why` carries the calls that led there, innermost
// first, by name or number.
Error explain(const Fall& fall, const Host& host, const Outline& outline, const std::string& entry);

} // namespace tessera::wasm
