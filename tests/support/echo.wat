;; Writes what it was given; traps at a "!".
(module
  (import "tessera0" "read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "tessera0" "write" (func $write (param i32 i32)))
  (memory (export "memory") 1)
  (func (export "run") (result i32) (local $n i32)
    (local.set $n (call $read (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 65536)))
    (if (i32.and (local.get $n) (i32.eq (i32.load8_u (i32.const 0)) (i32.const 33))) (then (unreachable)))
    (call $write (i32.const 0) (local.get $n))
    (i32.const 0)))
