;; Wants a table of 2^32 - 1 entries before it does anything.
(module (memory (export "memory") 1) (table 0xffffffff funcref) (func (export "run") (result i32) (i32.const 0)))
