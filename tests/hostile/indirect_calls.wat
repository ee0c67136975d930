;; Calls an empty entry of a table.
(module (memory (export "memory") 1) (type $t (func (result i32))) (table 2 funcref)
  (func (export "run") (result i32) (call_indirect (type $t) (i32.const 1))))
