//! Filling a frame and evaluating allocate and free nothing after warm-up.
#![allow(unsafe_code)]

mod sample;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use tessera_rulevm::{Frame, Scratch, evaluate, limits};

thread_local! {
    static CALLS: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call is passed on unchanged to the system allocator; counting touches only a thread-local cell without a
// destructor, which itself never allocates.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.with(|calls| calls.set(calls.get() + 1));
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        CALLS.with(|calls| calls.set(calls.get() + 1));
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn calls() -> usize {
    CALLS.with(Cell::get)
}

#[test]
fn nothing_is_allocated_or_freed_after_warm_up() {
    let program = sample::verified();
    let (mut frame, mut scratch) = (Frame::new(&program), Scratch::new(&program));
    let members: Vec<String> = (0..limits::SET_MEMBERS_MAX * 2).map(|number| format!("m{number}")).collect();
    let long = "x".repeat(limits::FRAME_TEXT_BYTES_MAX / 2);
    let before = calls();
    for _ in 0..100 {
        sample::fill(&program, &mut frame);
        for member in &members {
            frame.push_member(&program, sample::KEYWORDS, member);
        }
        for _ in 0..3 {
            frame.set_text(&program, sample::PATH, &long);
        }
        evaluate(&program, &frame, &mut scratch);
        std::hint::black_box(scratch.next_true_rule(0..4));
    }
    assert_eq!(calls(), before);
    drop(program);
    assert!(calls() > before, "the counter counts");
}
