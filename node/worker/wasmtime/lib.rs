//! Carries the C functions of wasmtime into a static library; there is nothing of our own.
pub use wasmtime_c_api::*;
