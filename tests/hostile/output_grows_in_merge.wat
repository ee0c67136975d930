;; Each partial is its two halves, twice: 4^levels bytes at the root.
(module (import "tessera0" "len" (func $len (param i32) (result i32)))
  (import "tessera0" "read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "tessera0" "write" (func $write (param i32 i32))) (memory (export "memory") 256)
  (func (export "run") (result i32) (call $write (i32.const 0) (i32.const 1024)) (i32.const 0))
  (func $copy (param $slot i32) (local $n i32)
    (local.set $n (call $read (local.get $slot) (i32.const 0) (i32.const 0) (call $len (local.get $slot))))
    (call $write (i32.const 0) (local.get $n)) (call $write (i32.const 0) (local.get $n)))
  (func (export "merge") (result i32) (call $copy (i32.const 1)) (call $copy (i32.const 2)) (i32.const 0)))
