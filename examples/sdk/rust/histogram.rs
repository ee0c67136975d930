//! Throws one die of 64 sides for each item, and counts: 64 counters of u64. Parameter: the seed, a u64; else 1.
#![no_std]

use tessera::Slot;

const SIDES: usize = 64;

tessera::run! {
    let seed = tessera::read_or(Slot::Params, 1u64);
    let mut counts = [0u64; SIDES];
    for i in tessera::items() {
        counts[tessera::random(seed, i) as usize % SIDES] += 1;
    }
    tessera::write(&counts)
}

tessera::merge! {
    tessera::merge_with(|mut left: [u64; SIDES], right: [u64; SIDES]| {
        for (l, r) in left.iter_mut().zip(right) {
            *l += r;
        }
        left
    })
}
