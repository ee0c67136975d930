;; Its last words clear the screen, and pretend to be another error.
(module (import "tessera0" "fail" (func $fail (param i32 i32))) (memory (export "memory") 1)
  (data (i32.const 0) "\1b[2J\0d\0aE999 all is well\0a\80\ff\00end")
  (func (export "run") (result i32) (call $fail (i32.const 0) (i32.const 33)) (i32.const 0)))
