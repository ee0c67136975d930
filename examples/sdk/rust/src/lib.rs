//! Kernels for Tessera in Rust: ABI `tessera0`, whole, with values for bytes.
//!
//! Export `run` with `tessera::run! { ... }`, and where the job names no built-in merge, `merge` with
//! `tessera::merge!`; jobs of rounds also export `tessera::step!`, whose body ends with a [`Step`]. A call that cannot end well says why with
//! [`refuse`]; a panic says where. One instance lives for many calls: carry nothing from one to the next in
//! statics, or the result depends on who computed what.
//!
//! The crate needs no `std` and brings the panic handler along. A kernel that wants `Vec` and maps leaves out
//! `#![no_std]` and takes the feature `std`, at about 20 KB; a panic is then a trap without a place. Hash maps of `std`
//! have no order that lasts: use `BTreeMap`.
#![no_std]

use core::mem::{size_of, MaybeUninit};
use core::ops::Range;

mod tessera0 {
    #[link(wasm_import_module = "tessera0")]
    extern "C" {
        pub fn len(slot: i32) -> u32;
        pub fn read(slot: i32, offset: u32, to: *mut u8, n: u32) -> u32;
        pub fn write(from: *const u8, n: u32);
        pub fn spawn(task: *const u8, n: u32);
        pub fn fail(message: *const u8, n: u32) -> !;
    }
}

/// What a call can read. Which is there depends on the export.
#[derive(Clone, Copy)]
pub enum Slot {
    /// The job's parameters.
    Params = 0,
    /// `run`: the leaf (a range, a file's bytes, a tree's task); `merge`: the left partial; `step`: the state.
    Input = 1,
    /// `run`: the state of a round; `merge`: the right partial; `step`: the merged partial.
    Other = 2,
}

/// What can be copied as it lies in memory.
///
/// # Safety
/// Every pattern of bits must be a value of the type, and it must have no padding: `repr(C)`, of `Value`s.
pub unsafe trait Value: Copy {}

macro_rules! values { ($($t:ty)*) => { $(unsafe impl Value for $t {})* } }
values! { u8 i8 u16 i16 u32 i32 u64 i64 u128 i128 usize isize f32 f64 }
unsafe impl<T: Value, const N: usize> Value for [T; N] {}

/// Ends this call; whoever submitted the job reads the message.
pub fn refuse(why: &str) -> ! {
    unsafe { tessera0::fail(why.as_ptr(), why.len() as u32) }
}

/// Bytes in a slot.
pub fn size(slot: Slot) -> usize {
    unsafe { tessera0::len(slot as i32) as usize }
}

/// Copies from `offset` on; answers how many bytes there were, at most `to.len()`.
pub fn read_bytes(slot: Slot, offset: usize, to: &mut [u8]) -> usize {
    unsafe { tessera0::read(slot as i32, offset as u32, to.as_mut_ptr(), to.len() as u32) as usize }
}

/// The value that fills the slot; another size is refused.
pub fn read<T: Value>(slot: Slot) -> T {
    let mut value = MaybeUninit::<T>::uninit();
    let n = size_of::<T>() as u32;
    unsafe {
        if size(slot) != n as usize
            || tessera0::read(slot as i32, 0, value.as_mut_ptr().cast(), n) != n
        {
            refuse("a slot holds a value of another size than this kernel wants");
        }
        value.assume_init()
    }
}

/// The same, or this where the slot is empty: for parameters.
pub fn read_or<T: Value>(slot: Slot, otherwise: T) -> T {
    if size(slot) == 0 {
        otherwise
    } else {
        read(slot)
    }
}

/// Appends to the output: the partial of this leaf or merge, or the next state.
pub fn write<T: Value>(value: &T) {
    unsafe { tessera0::write((value as *const T).cast(), size_of::<T>() as u32) }
}

/// The same, of any number of bytes.
pub fn write_bytes(bytes: &[u8]) {
    unsafe { tessera0::write(bytes.as_ptr(), bytes.len() as u32) }
}

/// Tree jobs: one more task.
pub fn spawn(task: &[u8]) {
    unsafe { tessera0::spawn(task.as_ptr(), task.len() as u32) }
}

/// The items of this leaf.
pub fn items() -> Range<u64> {
    if size(Slot::Input) != 16 {
        refuse("this kernel runs over a range: give the job --items N");
    }
    let [begin, end] = read::<[u64; 2]>(Slot::Input);
    begin..end
}

/// The whole of a merge for values of one type: writes `join(left, right)`.
pub fn merge_with<T: Value>(join: impl FnOnce(T, T) -> T) {
    write(&join(read(Slot::Input), read(Slot::Other)));
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d049bb133111eb);
    z ^ (z >> 31)
}

/// There is no entropy here: a random number is a function of (seed, counter), the counter usually being the item's
/// index, or index * draws + draw. The function is SplitMix64 (Steele, Lea, Flood 2014) jumped to the counter, its seed
/// mixed first so that neighbouring seeds share no stretch of numbers. The same in all of Tessera's SDKs.
pub fn random(seed: u64, counter: u64) -> u64 {
    const GOLDEN: u64 = 0x9e3779b97f4a7c15;
    mix(mix(seed.wrapping_add(GOLDEN)).wrapping_add(counter.wrapping_mul(GOLDEN)))
}

/// Of a random number: a double in [0, 1), of 53 bits.
pub fn unit(random: u64) -> f64 {
    (random >> 11) as f64 / (1u64 << 53) as f64
}

/// Exports `run`: one leaf, or one task of a tree.
#[macro_export]
macro_rules! run { ($($body:tt)*) => { $crate::export! { run $($body)* } } }

/// Exports `merge`: two partials into one, left and right in that order.
#[macro_export]
macro_rules! merge { ($($body:tt)*) => { $crate::export! { merge $($body)* } } }

/// What `step` ends with.
#[derive(Clone, Copy)]
pub enum Step {
    /// Another round, on the state that it wrote.
    Next = 0,
    /// None: what it wrote is the job's result.
    Over = 1,
}

/// Exports `step`: a state and a merged partial into the next state, and whether it is the last.
#[macro_export]
macro_rules! step {
    ($($body:tt)*) => {
        #[no_mangle]
        pub extern "C" fn step() -> i32 {
            let answer: $crate::Step = { $($body)* };
            answer as i32
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! export {
    ($name:ident $($body:tt)*) => {
        #[no_mangle]
        pub extern "C" fn $name() -> i32 {
            $($body)*;
            0
        }
    };
}

// The message would cost ten kilobytes of formatting; the place is what one looks for.
#[cfg(all(target_arch = "wasm32", not(feature = "std")))]
#[panic_handler]
fn panicked(info: &core::panic::PanicInfo) -> ! {
    let mut text = Text {
        bytes: [0; 256],
        used: 0,
    };
    text.add(b"panicked at ");
    if let Some(place) = info.location() {
        text.add(place.file().as_bytes());
        text.add(b":");
        text.add_number(place.line());
    }
    unsafe { tessera0::fail(text.bytes.as_ptr(), text.used as u32) }
}

#[cfg(all(target_arch = "wasm32", not(feature = "std")))]
struct Text {
    bytes: [u8; 256],
    used: usize,
}

#[cfg(all(target_arch = "wasm32", not(feature = "std")))]
impl Text {
    fn add(&mut self, more: &[u8]) {
        for (to, from) in self.bytes.iter_mut().skip(self.used).zip(more) {
            *to = *from;
            self.used += 1;
        }
    }
    fn add_number(&mut self, n: u32) {
        if n >= 10 {
            self.add_number(n / 10);
        }
        self.add(&[b'0' + (n % 10) as u8]);
    }
}
