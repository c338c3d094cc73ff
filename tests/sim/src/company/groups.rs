//! How big groups are and who is in them.
//!
//! Sizes are heavy-tailed: one group of nearly everybody, a few large ones, a long tail of small
//! ones. Members are picked by striding through the people with a step that shares no factor with
//! their number, so a group of any size is drawn without remembering who is in already.

use crate::ids;

/// Sizes of `groups` groups holding `memberships` in total, none above `people`.
pub fn sizes(groups: usize, memberships: usize, people: usize) -> Vec<usize> {
    let weights: Vec<f64> = (0..groups)
        .map(|rank| 1.0 / (rank as f64 + 1.5).powf(0.85))
        .collect();
    let total: f64 = weights.iter().sum();
    let mut left = memberships;
    let mut sizes: Vec<usize> = weights
        .iter()
        .map(|weight| {
            let wish = (memberships as f64 * weight / total) as usize;
            let size = wish.min(people).min(left);
            left -= size;
            size
        })
        .collect();
    // What the cap and the rounding left over goes to whoever still has room.
    for size in &mut sizes {
        let more = left.min(people - *size);
        *size += more;
        left -= more;
        if left == 0 {
            break;
        }
    }
    sizes
}

/// The positions of `size` different people out of `people`.
pub fn pick(seed: u64, group: u64, size: usize, people: usize) -> impl Iterator<Item = u32> {
    let count = people as u64;
    let chance = ids::draw(seed, 0x6d65_6d62, group);
    let start = if count == 0 { 0 } else { chance % count };
    let mut step = if count == 0 {
        1
    } else {
        ((chance >> 20) % count) | 1
    };
    while count > 0 && common(step, count) != 1 {
        step += 1;
    }
    (0..size.min(people) as u64).map(move |turn| ((start + turn * step) % count) as u32)
}

fn common(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { common(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn sizes_add_up_and_have_a_heavy_head() {
        let sizes = sizes(100, 5_000, 1_000);
        assert_eq!(sizes.iter().sum::<usize>(), 5_000);
        assert!(sizes[0] > 10 * sizes[99]);
        assert!(sizes.iter().all(|&size| size <= 1_000));
    }

    #[test]
    fn nobody_is_picked_twice() {
        for people in [1, 2, 20, 97, 360] {
            let picked: Vec<_> = pick(3, 9, people, people).collect();
            assert_eq!(picked.iter().collect::<HashSet<_>>().len(), people);
        }
        assert_eq!(pick(3, 9, 5, 0).count(), 0);
    }
}
