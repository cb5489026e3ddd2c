//! Filling a frame and evaluating allocate and free nothing after warm-up.
#![allow(unsafe_code, clippy::unwrap_used)]

mod sample;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use tessera_rulevm::{Frame, Scratch, VerifiedProgram, evaluate, evaluate_by_code, limits, work_of};
use tessera_wire::program::Rule;

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

/// One scratch serves two programs in turn, with everything known, with nothing known, and by code.
#[test]
fn a_scratch_that_has_seen_both_programs_stays_as_it_is() {
    let small = sample::verified();
    let mut source = sample::program();
    let rule = source.rules[3].clone();
    source.rules.truncate(0);
    for number in 0..2_000 {
        source.rules.push(Rule { source: number, entry: number % 13, ..rule.clone() });
    }
    source.work_max = work_of(&source);
    let large = VerifiedProgram::verify(source, sample::BOUNDS).unwrap();
    let (mut frame, mut scratch) = (Frame::new(&small), Scratch::default());
    let mut turn = || {
        for program in [&small, &large] {
            frame.reset(program, 0);
            evaluate(program, &frame, &mut scratch);
            sample::fill(program, &mut frame);
            evaluate_by_code(program, &frame, &mut scratch);
            evaluate(program, &frame, &mut scratch);
            std::hint::black_box(scratch.true_rules(0..u32::MAX).count());
        }
    };
    turn();
    let before = calls();
    (0..50).for_each(|_| turn());
    assert_eq!(calls(), before);
}
