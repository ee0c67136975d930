;; Grows a table for as long as it is let, and then for ever.
(module (memory (export "memory") 1) (table $t 1 funcref)
  (func (export "run") (result i32)
    (loop $again (drop (table.grow $t (ref.null func) (i32.const 65536))) (br $again))
    (i32.const 0)))
