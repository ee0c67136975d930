;; A tree's task that has children for ever.
(module (import "tessera0" "spawn" (func $spawn (param i32 i32))) (memory (export "memory") 1)
  (func (export "run") (result i32)
    (loop $again (call $spawn (i32.const 0) (i32.const 65536)) (br $again)) (i32.const 0)))
