//! How long requests have waited before a worker came to them, and what becomes of those that waited too long.
//!
//! A worker serves all its connections in turns: it comes to everything that was ready once, then looks at the network
//! again. A request that is handled now became readable after the previous turn began, or it would have been handled then.
//! So the time since then bounds how long it has waited in this process. A small task that runs once per turn while
//! requests are coming in notes when turns begin; an idle worker has none.
//!
//! Policy, on top of bounded connections, heads and bodies:
//!
//! | waited | answer |
//! | --- | --- |
//! | less than the caller's `tmax_ms`, the turn it takes to answer included | the decision |
//! | longer | the placement's house ad at once: no rules, no profile, no learning; `tier_reason` is `overloaded` |
//! | more than [`WAITED_MS_MAX`](crate::limits::WAITED_MS_MAX) | 503 with `Retry-After`, before the body is read |
//!
//! Not here: events. They are acknowledged when they are written, and refused when the journal refuses.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Notes when a worker's turns begin. One per worker, never shared between threads.
#[derive(Debug)]
pub(crate) struct Pulse {
    turn: Cell<Instant>,
    turn_before: Cell<Instant>,
    is_beating: Cell<bool>,
    has_worked: Cell<bool>,
}

/// How late a worker is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Waited {
    /// How long a request that is handled now has waited, at most.
    pub(crate) before: Duration,
    /// How long its answer will wait for the others of the turn.
    pub(crate) after: Duration,
}

impl Waited {
    /// Will the answer come after so many milliseconds?
    pub(crate) fn is_beyond(self, tmax_ms: u64) -> bool {
        self.before + self.after > Duration::from_millis(tmax_ms)
    }
}

impl Pulse {
    pub(crate) fn new() -> Rc<Pulse> {
        let now = Instant::now();
        Rc::new(Pulse {
            turn: Cell::new(now),
            turn_before: Cell::new(now),
            is_beating: Cell::new(false),
            has_worked: Cell::new(false),
        })
    }

    /// Asked for each request that is handled, on the worker's own thread and within its `LocalSet`.
    pub(crate) fn waited(self: &Rc<Self>) -> Waited {
        let now = Instant::now();
        self.has_worked.set(true);
        if !self.is_beating.replace(true) {
            self.turn.set(now);
            self.turn_before.set(now);
            tokio::task::spawn_local(Rc::clone(self).beat());
        }
        Waited { before: now - self.turn_before.get(), after: self.turn.get() - self.turn_before.get() }
    }

    /// Once per turn, until a turn has no request.
    async fn beat(self: Rc<Self>) {
        while self.has_worked.replace(false) {
            // Comes back when everything that is ready has had its turn and the network was looked at.
            tokio::task::yield_now().await;
            self.turn_before.set(self.turn.replace(Instant::now()));
        }
        self.is_beating.set(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn busy(time: Duration) {
        let until = Instant::now() + time;
        while Instant::now() < until {
            std::hint::spin_loop();
        }
    }

    /// What each of so many tasks, all ready at once and taking so long, finds out about its waiting.
    fn play(tasks: u32, takes: Duration, rounds: usize) -> Vec<(Duration, Waited)> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let pulse = Pulse::new();
        let seen = Rc::new(std::cell::RefCell::new(Vec::new()));
        runtime.block_on(tokio::task::LocalSet::new().run_until(async {
            for _ in 0..rounds {
                let ready_at = Instant::now();
                let all: Vec<_> = (0..tasks)
                    .map(|_| {
                        let (pulse, seen) = (Rc::clone(&pulse), Rc::clone(&seen));
                        tokio::task::spawn_local(async move {
                            let waited = pulse.waited();
                            seen.borrow_mut().push((ready_at.elapsed(), waited));
                            busy(takes);
                        })
                    })
                    .collect();
                for task in all {
                    task.await.unwrap();
                }
            }
        }));
        seen.take()
    }

    #[test]
    fn what_is_said_of_waiting_is_never_too_little_by_more_than_the_first_request() {
        let takes = Duration::from_millis(1);
        let seen = play(50, takes, 3);
        for (truth, waited) in &seen {
            assert!(waited.before + takes + takes >= *truth, "{waited:?} instead of {truth:?}");
        }
        let last = seen.last().unwrap().1;
        assert!(last.before >= Duration::from_millis(40), "{last:?}");
        assert!(last.is_beyond(40) && !last.is_beyond(60_000));
    }

    #[test]
    fn an_idle_worker_is_not_late() {
        let seen = play(1, Duration::from_millis(2), 1);
        std::thread::sleep(Duration::from_millis(5));
        assert!(seen.iter().all(|(_, waited)| !waited.is_beyond(1)), "{seen:?}");
    }

    #[test]
    fn the_task_ends_with_the_requests() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let pulse = Pulse::new();
        runtime.block_on(tokio::task::LocalSet::new().run_until(async {
            pulse.waited();
            tokio::time::sleep(Duration::from_millis(20)).await;
            assert!(!pulse.is_beating.get());
            tokio::time::sleep(Duration::from_millis(20)).await;
            assert_eq!(pulse.waited(), Waited::default(), "a pause is nobody's waiting");
        }));
    }
}
