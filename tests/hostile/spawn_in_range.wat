;; Has a child in a job that is no tree.
(module (import "tessera0" "spawn" (func $spawn (param i32 i32))) (memory (export "memory") 1)
  (func (export "run") (result i32) (call $spawn (i32.const 0) (i32.const 8)) (i32.const 0)))
