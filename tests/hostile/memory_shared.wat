;; Threads' memory, which is off. wat2wasm: --enable-threads
(module (memory (export "memory") 1 1 shared) (func (export "run") (result i32) (i32.const 0)))
