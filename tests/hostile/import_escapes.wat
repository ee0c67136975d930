;; A name that clears the screen and ends the line.
(module (import "env" "\1b[2J\0aE999 all is well" (func)) (memory (export "memory") 1)
  (func (export "run") (result i32) (i32.const 0)))
