;; run is a second name of the memory.
(module (memory (export "memory") 1)
  (export "run" (memory 0)))
