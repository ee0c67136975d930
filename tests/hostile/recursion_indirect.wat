;; The same through a table.
(module (memory (export "memory") 1) (type $t (func (param i32) (result i32)))
  (table funcref (elem $deeper))
  (func $deeper (type $t) (i32.add (call_indirect (type $t) (local.get 0) (i32.const 0)) (i32.const 1)))
  (func (export "run") (result i32) (call $deeper (i32.const 0))))
