use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

fn start() -> Timestamp {
    "2030-01-01T00:00:00Z".parse().unwrap()
}

fn waiting(own: u64, group: Option<u64>) -> Waiting {
    Waiting {
        ties: Ties { own, group },
        attempts: 0,
        due: start(),
        last_error: None,
    }
}

fn window(events: &[(u64, Option<u64>)]) -> Window {
    let mut window = Window::default();
    for ((own, group), sequence) in events.iter().zip(1..) {
        window.read(sequence, &waiting(*own, *group), start());
    }
    window
}

/// Everything that may go now.
fn going(window: &mut Window) -> Vec<u64> {
    std::iter::from_fn(|| window.next().map(|next| next.sequence)).collect()
}

#[test]
fn one_object_waits_for_itself_and_others_go() {
    let mut window = window(&[(1, None), (1, None), (2, None), (1, None)]);
    assert_eq!(going(&mut window), [1, 3]);
    window.done(1);
    assert_eq!(going(&mut window), [2]);
}

#[test]
fn members_of_one_group_go_side_by_side_between_the_group_s_own_events() {
    // The group 9 is made, two users join it, it is deleted.
    let mut window = window(&[(9, None), (1, Some(9)), (2, Some(9)), (9, None)]);
    assert_eq!(going(&mut window), [1]);
    window.done(1);
    assert_eq!(going(&mut window), [2, 3]);
    window.done(2);
    assert!(going(&mut window).is_empty());
    window.done(3);
    assert_eq!(going(&mut window), [4]);
}

#[test]
fn what_is_tied_to_one_that_is_put_off_waits_with_it() {
    let mut window = window(&[(1, None), (1, Some(9)), (9, None), (2, Some(9)), (3, None)]);
    // The group's own event waits for the membership before it.
    assert_eq!(going(&mut window), [1, 5]);
    let later = start() + jiff::SignedDuration::from_secs(5);
    window.put_off(1, later);
    assert!(going(&mut window).is_empty());
    window.done(5);
    assert!(window.is_empty());
    assert_eq!(window.due(), Some(later));
    // Later events of those are passed over too, and of others are not.
    window.read(6, &waiting(2, None), start());
    window.read(7, &waiting(4, None), start());
    assert_eq!(going(&mut window), [7]);
}

#[test]
fn the_window_stays_small_however_long_the_queue_is() {
    let mut window = Window::default();
    let mut sequence = 0;
    while window.wants().is_some() {
        sequence += 1;
        window.read(sequence, &waiting(sequence, None), start());
    }
    assert_eq!(sequence as usize, SIZE);
}

/// A queue as the store holds it, delivered by a window to a receiver that fails by chance.
fn deliver(events: &[(u64, Option<u64>)], fails: &[bool], at_once: usize) -> Vec<u64> {
    let mut queue: BTreeMap<u64, Waiting> = events
        .iter()
        .zip(1..)
        .map(|((own, group), sequence)| (sequence, waiting(*own, *group)))
        .collect();
    let mut fails = fails.iter();
    let (mut now, mut window, mut taken) = (start(), Window::default(), Vec::new());
    let mut under_way: Vec<Next> = Vec::new();
    while !queue.is_empty() {
        if window.due().is_some_and(|due| due <= now) {
            window.rewind();
        }
        if let Some(after) = window.wants() {
            let room = window.room();
            let more: Vec<_> = queue.range(after + 1..).take(room).collect();
            for (sequence, waiting) in more {
                window.read(*sequence, waiting, now);
            }
        }
        while under_way.len() < at_once
            && let Some(next) = window.next()
        {
            under_way.push(next);
        }
        // The one that began last is answered first: answers come in any order.
        if let Some(next) = under_way.pop() {
            if fails.next().copied().unwrap_or(false) {
                now += jiff::SignedDuration::from_secs(1);
                let due = now + jiff::SignedDuration::from_secs(3);
                let row = queue.get_mut(&next.sequence).unwrap();
                (row.attempts, row.due) = (next.attempts + 1, due);
                window.put_off(next.sequence, due);
            } else {
                queue.remove(&next.sequence);
                window.done(next.sequence);
                taken.push(next.sequence);
            }
        } else {
            now = window.due().expect("something waits for its time");
        }
    }
    taken
}

fn event() -> impl Strategy<Value = (u64, Option<u64>)> {
    prop_oneof![
        (0u64..4).prop_map(|user| (user, None)),
        (10u64..12).prop_map(|group| (group, None)),
        (0u64..4, 10u64..12).prop_map(|(user, group)| (user, Some(group))),
    ]
}

proptest! {
    #[test]
    fn every_event_arrives_once_and_tied_ones_in_order(
        events in proptest::collection::vec(event(), 0..60),
        fails in proptest::collection::vec(proptest::bool::weighted(0.4), 0..80),
        at_once in 1usize..5,
    ) {
        let taken = deliver(&events, &fails, at_once);
        let all: BTreeSet<u64> = taken.iter().copied().collect();
        prop_assert_eq!(all.len(), events.len());
        prop_assert_eq!(taken.len(), events.len());
        let place = |sequence: usize| {
            taken.iter().position(|one| *one == sequence as u64).unwrap()
        };
        for (later, (own, group)) in events.iter().enumerate() {
            for (earlier, (other, others_group)) in events[..later].iter().enumerate() {
                let tied = own == other
                    || *group == Some(*other)
                    || *others_group == Some(*own);
                if tied {
                    prop_assert!(place(earlier + 1) < place(later + 1));
                }
            }
        }
    }
}
