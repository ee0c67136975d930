//! The sum of the squares of all items, modulo 2^64.
#![no_std]

tessera::run! {
    let mut sum = 0u64;
    for i in tessera::items() {
        sum = sum.wrapping_add(i.wrapping_mul(i));
    }
    tessera::write(&sum)
}

tessera::merge! { tessera::merge_with(u64::wrapping_add) }
