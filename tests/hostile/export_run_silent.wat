;; run answers nothing.
(module (memory (export "memory") 1)
  (func (export "run")))
