;; Grows by a page for as long as it is let, touching each, and then for ever.
(module (memory (export "memory") 1)
  (func (export "run") (result i32) (local $got i32)
    (loop $again
      (local.set $got (memory.grow (i32.const 1)))
      (if (i32.ne (local.get $got) (i32.const -1))
        (then (i32.store (i32.mul (local.get $got) (i32.const 65536)) (i32.const 1))))
      (br $again))
    (i32.const 0)))
