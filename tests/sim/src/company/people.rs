//! One person, worked out from a seed and a position.
//!
//! The first positions have fixed peculiarities, so that even a company of twenty holds one of
//! each kind; further on they come by chance, in the proportions a real directory shows.

use super::names;
use crate::ids;

/// Everything peculiar about how a person is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peculiarity {
    Plain,
    /// Sign-in blocked.
    Disabled,
    /// Invited from another company.
    Guest,
    /// A guest who has not answered the invitation.
    PendingGuest,
    /// No mailbox.
    NoMail,
    /// Addresses written with capitals.
    MixedCase,
    /// Nothing but a name.
    Bare,
    /// An old record that never got a user type.
    Untyped,
}

/// A person of the company.
#[derive(Debug, Clone, Copy)]
pub struct Person {
    pub position: u32,
    pub kind: Peculiarity,
    pub given: &'static str,
    pub family: &'static str,
    given_plain: &'static str,
    family_plain: &'static str,
    chance: u64,
}

/// The address domain of the company's own people.
pub const DOMAIN: &str = "contoso.com";

impl Person {
    /// The person at that position.
    pub fn at(seed: u64, position: u32) -> Self {
        let chance = ids::draw(seed, 0x7065_6f70, u64::from(position));
        let kind = match position {
            3 => Peculiarity::Disabled,
            5 => Peculiarity::Guest,
            7 => Peculiarity::NoMail,
            9 => Peculiarity::MixedCase,
            11 => Peculiarity::PendingGuest,
            13 => Peculiarity::Bare,
            15 => Peculiarity::Untyped,
            0..=19 => Peculiarity::Plain,
            _ => match chance % 100 {
                0..=3 => Peculiarity::Disabled,
                4..=7 => Peculiarity::Guest,
                8 => Peculiarity::PendingGuest,
                9..=11 => Peculiarity::NoMail,
                12..=14 => Peculiarity::MixedCase,
                15 => Peculiarity::Bare,
                16 => Peculiarity::Untyped,
                _ => Peculiarity::Plain,
            },
        };
        let (given, given_plain) = pick(names::GIVEN, chance >> 8);
        let (family, family_plain) = pick(names::FAMILY, chance >> 20);
        Self {
            position,
            kind,
            given,
            family,
            given_plain,
            family_plain,
            chance,
        }
    }

    /// Whether the person comes from outside.
    pub fn is_guest(&self) -> bool {
        matches!(self.kind, Peculiarity::Guest | Peculiarity::PendingGuest)
    }

    /// The part of the address before the `@`, unique in the company.
    pub fn alias(&self) -> String {
        let Self {
            given_plain,
            family_plain,
            position,
            ..
        } = self;
        if self.kind == Peculiarity::MixedCase {
            let capital = |text: &str| {
                let (head, tail) = text.split_at(1);
                format!("{}{tail}", head.to_ascii_uppercase())
            };
            format!(
                "{}.{}{position}",
                capital(given_plain),
                capital(family_plain)
            )
        } else {
            format!("{given_plain}.{family_plain}{position}")
        }
    }

    /// The e-mail address, if the person has one.
    pub fn mail(&self) -> Option<String> {
        match self.kind {
            Peculiarity::NoMail | Peculiarity::Bare => None,
            Peculiarity::Guest | Peculiarity::PendingGuest => {
                Some(format!("{}@partner.example", self.alias()))
            }
            Peculiarity::MixedCase => Some(format!("{}@Contoso.com", self.alias())),
            _ => Some(format!("{}@{DOMAIN}", self.alias())),
        }
    }

    /// The sign-in name in Entra ID.
    pub fn principal_name(&self) -> String {
        if self.is_guest() {
            format!(
                "{}_partner.example#EXT#@contoso.onmicrosoft.com",
                self.alias()
            )
        } else {
            format!("{}@{DOMAIN}", self.alias())
        }
    }

    pub fn display_name(&self) -> String {
        format!("{} {}", self.given, self.family)
    }

    pub fn department(&self) -> &'static str {
        names::DEPARTMENTS[(self.chance >> 30) as usize % names::DEPARTMENTS.len()]
    }

    pub fn title(&self) -> &'static str {
        names::TITLES[(self.chance >> 34) as usize % names::TITLES.len()]
    }

    pub fn company(&self) -> &'static str {
        names::COMPANIES[(self.chance >> 38) as usize % names::COMPANIES.len()]
    }

    /// City, state, country name, country code, language, time zone.
    pub fn place(
        &self,
    ) -> (
        &'static str,
        &'static str,
        &'static str,
        &'static str,
        &'static str,
        &'static str,
    ) {
        names::PLACES[(self.chance >> 42) as usize % names::PLACES.len()]
    }

    /// A number of the person's own, below `limit`.
    pub fn number(&self, limit: u64) -> u64 {
        (self.chance >> 16) % limit
    }

    /// Whether the record comes from a directory on the premises.
    pub fn is_synced(&self) -> bool {
        !self.is_guest() && self.chance >> 50 & 3 == 0
    }

    /// Where the person's manager stands, eight reports to each; the first has none.
    pub fn manager(&self) -> Option<u32> {
        if self.position == 0 || matches!(self.kind, Peculiarity::Bare) || self.is_guest() {
            None
        } else {
            Some((self.position - 1) / 8)
        }
    }
}

fn pick(
    list: &'static [(&'static str, &'static str)],
    chance: u64,
) -> (&'static str, &'static str) {
    list[chance as usize % list.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_people() {
        assert_eq!(
            Person::at(1, 77).principal_name(),
            Person::at(1, 77).principal_name()
        );
        assert_ne!(Person::at(1, 77).chance, Person::at(2, 77).chance);
    }

    #[test]
    fn twenty_people_show_every_peculiarity() {
        let kinds: Vec<_> = (0..20).map(|at| Person::at(5, at).kind).collect();
        for kind in [
            Peculiarity::Plain,
            Peculiarity::Disabled,
            Peculiarity::Guest,
            Peculiarity::PendingGuest,
            Peculiarity::NoMail,
            Peculiarity::MixedCase,
            Peculiarity::Bare,
            Peculiarity::Untyped,
        ] {
            assert!(kinds.contains(&kind), "{kind:?}");
        }
    }
}
