//! Who owns a key. Several users may want one account; exactly one gets it.
//!
//! The question is put for a *contest*: every user of a portal that shares a key with
//! another, the key they have now or the one their account stands under. It is answered as
//! a whole, because who stays where blocks who may go where.

use std::collections::BTreeMap;

/// One user's part in a contest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Claim {
    /// The place of the user's source in the portal's order.
    pub precedence: usize,
    pub source: String,
    pub user: String,
    /// The key the user has now; None when absent from the portal or without a key.
    pub wants: Option<String>,
    /// The key that the user's account stands under.
    pub holds: Option<String>,
    /// Whether an absent user's account goes in this run and frees its key.
    pub frees: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ruling {
    /// The user wants nothing: it is absent or has no key.
    None,
    /// The key is this user's; its own account, if any, moves or stays there.
    Owner,
    /// The key is this user's, with the account that another claim holds.
    TakesOver(usize),
    /// Another claim has the key. A linked user stays where it is.
    Blocked { by: usize },
    /// Another claim takes this user's account.
    HandedOver { to: usize },
}

/// Rules on every claim, in order. The same claims in another order get the same rulings.
pub fn rule(claims: &[Claim]) -> Vec<Ruling> {
    let mut blocked: BTreeMap<usize, usize> = BTreeMap::new();
    loop {
        let (rulings, newly) = round(claims, &blocked);
        if newly.is_empty() {
            return rulings;
        }
        // Blocking only grows, so this ends after at most one round a claim.
        blocked.extend(newly);
    }
}

fn round(
    claims: &[Claim],
    blocked: &BTreeMap<usize, usize>,
) -> (Vec<Ruling>, BTreeMap<usize, usize>) {
    let mut rulings: Vec<Ruling> = claims.iter().map(|_| Ruling::None).collect();
    let mut newly = BTreeMap::new();
    let mut contenders: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (number, claim) in claims.iter().enumerate() {
        if let Some(by) = blocked.get(&number) {
            rulings[number] = Ruling::Blocked { by: *by };
        } else if let Some(key) = &claim.wants {
            contenders.entry(key).or_default().push(number);
        }
    }
    for (key, contenders) in contenders {
        let holder = (0..claims.len()).find(|n| claims[*n].holds.as_deref() == Some(key));
        let (winner, ruling) = winner(claims, blocked, key, &contenders, holder);
        if let (Some(holder), Ruling::TakesOver(_)) = (holder, ruling) {
            rulings[holder] = Ruling::HandedOver { to: winner };
        }
        for number in contenders {
            if number == winner {
                rulings[number] = ruling;
            } else if rulings[number] == Ruling::None {
                newly.insert(number, winner);
            }
        }
    }
    (rulings, newly)
}

/// Who gets `key`, and how. The winner need not be among the contenders: it may be a user
/// who stays on the key because its own new one is taken.
fn winner(
    claims: &[Claim],
    blocked: &BTreeMap<usize, usize>,
    key: &str,
    contenders: &[usize],
    holder: Option<usize>,
) -> (usize, Ruling) {
    let unlinked = |n: &&usize| claims[**n].holds.is_none();
    let best = |among: &mut dyn Iterator<Item = &usize>| -> Option<usize> {
        among
            .min_by_key(|n| {
                let claim = &claims[**n];
                (
                    claim.precedence,
                    claim.holds.is_none(),
                    &claim.source,
                    &claim.user,
                )
            })
            .copied()
    };
    let overall = best(&mut contenders.iter()).expect("a key in question has a contender");
    let Some(holder) = holder else {
        return (overall, Ruling::Owner);
    };
    if blocked.contains_key(&holder) {
        return (holder, Ruling::None);
    }
    let challenger = best(&mut contenders.iter().filter(unlinked));
    match &claims[holder].wants {
        // The holder stays at home, unless a source of higher precedence brings the user.
        Some(wants) if wants == key => match challenger {
            Some(challenger) if claims[challenger].precedence < claims[holder].precedence => {
                (challenger, Ruling::TakesOver(holder))
            }
            _ => (holder, Ruling::Owner),
        },
        // The holder moves away: the key is free once it has moved.
        Some(_) => (overall, Ruling::Owner),
        None if claims[holder].frees => match claims[overall].holds {
            None => (overall, Ruling::TakesOver(holder)),
            Some(_) => (overall, Ruling::Owner),
        },
        // The account outlives its user: someone without an account may have it.
        None => match challenger {
            Some(challenger) => (challenger, Ruling::TakesOver(holder)),
            None => (holder, Ruling::None),
        },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn claim(precedence: usize, user: &str, wants: Option<&str>, holds: Option<&str>) -> Claim {
        Claim {
            precedence,
            source: format!("s{precedence}"),
            user: user.to_owned(),
            wants: wants.map(str::to_owned),
            holds: holds.map(str::to_owned),
            frees: false,
        }
    }

    #[test]
    fn the_first_source_owns_and_within_it_the_smaller_id() {
        let claims = [
            claim(1, "a", Some("k"), None),
            claim(0, "c", Some("k"), None),
            claim(0, "b", Some("k"), None),
        ];
        let rulings = rule(&claims);
        assert_eq!(rulings[2], Ruling::Owner);
        assert_eq!(rulings[0], Ruling::Blocked { by: 2 });
        assert_eq!(rulings[1], Ruling::Blocked { by: 2 });
    }

    #[test]
    fn the_linked_user_keeps_its_key_within_a_source() {
        let claims = [
            claim(0, "z", Some("k"), Some("k")),
            claim(0, "a", Some("k"), None),
        ];
        assert_eq!(rule(&claims), [Ruling::Owner, Ruling::Blocked { by: 0 }]);
    }

    #[test]
    fn a_source_of_higher_precedence_takes_the_account_over() {
        let claims = [
            claim(1, "z", Some("k"), Some("k")),
            claim(0, "a", Some("k"), None),
        ];
        assert_eq!(
            rule(&claims),
            [Ruling::HandedOver { to: 1 }, Ruling::TakesOver(0)]
        );
    }

    #[test]
    fn a_swap_just_works() {
        let claims = [
            claim(0, "a", Some("k2"), Some("k1")),
            claim(0, "b", Some("k1"), Some("k2")),
        ];
        assert_eq!(rule(&claims), [Ruling::Owner, Ruling::Owner]);
    }

    #[test]
    fn a_blocked_move_blocks_who_wanted_the_place() {
        let claims = [
            claim(0, "home", Some("b"), Some("b")),
            claim(0, "mover", Some("b"), Some("a")),
            claim(0, "next", Some("a"), None),
        ];
        let rulings = rule(&claims);
        assert_eq!(rulings[1], Ruling::Blocked { by: 0 });
        assert_eq!(rulings[2], Ruling::Blocked { by: 1 });
    }

    #[test]
    fn an_account_that_outlives_its_user_goes_to_someone_new_but_not_to_someone_linked() {
        let departed = claim(0, "old", None, Some("k"));
        let new = claim(0, "new", Some("k"), None);
        assert_eq!(rule(&[departed.clone(), new])[1], Ruling::TakesOver(0));
        let mover = claim(0, "mover", Some("k"), Some("m"));
        assert_eq!(rule(&[departed, mover])[1], Ruling::Blocked { by: 0 });
    }

    proptest! {
        #[test]
        fn one_owner_a_key_and_order_does_not_matter(
            raw in proptest::collection::vec(
                (0usize..2, proptest::option::of(0u8..4), proptest::option::of(0u8..4), any::<bool>()),
                1..7,
            ),
            shift in 0usize..7,
        ) {
            let mut held = Vec::new();
            let claims: Vec<Claim> = raw
                .into_iter()
                .enumerate()
                .map(|(n, (precedence, wants, holds, frees))| {
                    // One link a key.
                    let holds = holds.filter(|k| !held.contains(k));
                    held.extend(holds);
                    Claim {
                        precedence,
                        source: format!("s{precedence}"),
                        user: format!("u{n}"),
                        wants: wants.map(|k| k.to_string()),
                        holds: holds.map(|k| k.to_string()),
                        frees,
                    }
                })
                .collect();
            let rulings = rule(&claims);
            // After the rulings are carried out, nobody shares a key.
            let mut keys = Vec::new();
            for (claim, ruling) in claims.iter().zip(&rulings) {
                match ruling {
                    Ruling::Owner | Ruling::TakesOver(_) => keys.push(claim.wants.clone()),
                    Ruling::Blocked { .. } => keys.extend(claim.holds.clone().map(Some)),
                    Ruling::None if !claim.frees => keys.extend(claim.holds.clone().map(Some)),
                    Ruling::None | Ruling::HandedOver { .. } => {}
                }
            }
            let count = keys.len();
            keys.sort();
            keys.dedup();
            prop_assert_eq!(keys.len(), count);

            let mut turned: Vec<usize> = (0..claims.len()).collect();
            turned.rotate_left(shift % claims.len());
            let again = rule(&turned.iter().map(|n| claims[*n].clone()).collect::<Vec<_>>());
            for (place, n) in turned.iter().enumerate() {
                prop_assert_eq!(
                    std::mem::discriminant(&again[place]),
                    std::mem::discriminant(&rulings[*n])
                );
            }
        }
    }
}
