//! Writes the folder of wasmtime's C headers where cmake/wasmtime finds it.
use std::{env, fs, path::Path};

fn main() {
    let headers = env::var("DEP_WASMTIME_C_API_INCLUDE").expect("wasmtime-c-api-impl names its headers");
    let out = env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    fs::write(Path::new(&out).join("headers"), headers).expect("OUT_DIR is writable");
}
