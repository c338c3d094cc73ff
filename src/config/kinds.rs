//! What the value of a key may be, and what is said when it is something else.
//!
//! A check reads the value with the very parser the typed settings use, so what passes
//! here is read there.

use std::net::SocketAddr;
use std::str::FromStr;

use super::filter::{Condition, Glob};
use super::limit::Limit;
use super::names::SourceName;
use super::node::{Body, Node};
use super::problems::Origin;
use super::schedule::Schedule;
use super::{address, duration, size, words};

mod tables;

/// The kind of a key's value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Any text but an empty one.
    Text,
    /// A list of texts.
    Texts,
    /// true or false.
    Flag,
    /// A whole number, 1 or more.
    Count,
    /// A number above 0, at most 1.
    Share,
    /// A length of time.
    Duration,
    /// A list of lengths of time.
    Durations,
    /// A size on disk.
    Size,
    /// An interval or a cron expression.
    Schedule,
    /// The name of a timezone.
    Timezone,
    /// A count or a percentage.
    Limit,
    /// A path of the file system.
    Path,
    /// An address and port.
    Listen,
    /// An https URL; http on loopback hosts.
    Url,
    /// The same, which may carry a query.
    ServiceUrl,
    /// A URL, and http on the address of the machine's metadata service.
    IdentityUrl,
    /// A secret.
    Secret,
    /// The name of a target.
    Name,
    /// A list of names of sources.
    Names,
    /// One word of a list.
    Word(&'static [&'static str]),
    /// A list of globs.
    Globs,
    /// A list of conditions.
    Conditions,
    /// The mapping of an attribute.
    Mapping,
}

/// What is wrong with a value: where within it, and in which words. The words continue
/// after the name of the key.
pub(super) struct Fault {
    pub origin: Origin,
    pub message: String,
}

impl Kind {
    /// The kind, in the words of the documentation.
    pub fn describe(self) -> String {
        match self {
            Kind::Word(words) => words
                .iter()
                .map(|word| format!("`{word}`"))
                .collect::<Vec<_>>()
                .join(", "),
            other => other.noun().to_owned(),
        }
    }

    fn noun(self) -> &'static str {
        match self {
            Kind::Text => "a text",
            Kind::Texts => "a list of texts",
            Kind::Flag => "true or false",
            Kind::Count => "a whole number from 1",
            Kind::Share => "a number above 0, at most 1",
            Kind::Duration => "a length of time",
            Kind::Durations => "a list of lengths of time",
            Kind::Size => "a size",
            Kind::Schedule => "a schedule",
            Kind::Timezone => "a timezone",
            Kind::Limit => "a count or percentage",
            Kind::Path => "a path",
            Kind::Listen => "an address and port",
            Kind::Url | Kind::ServiceUrl | Kind::IdentityUrl => "a URL",
            Kind::Secret => "a secret",
            Kind::Name => "a name",
            Kind::Names => "a list of names",
            Kind::Word(_) => "a word",
            Kind::Globs => "a list of globs",
            Kind::Conditions => "a list of conditions",
            Kind::Mapping => "a mapping",
        }
    }

    /// Whether the value is a list.
    pub fn is_list(self) -> bool {
        matches!(
            self,
            Kind::Texts | Kind::Durations | Kind::Names | Kind::Globs | Kind::Conditions
        )
    }

    /// This says what is wrong with `node` as a value of this kind, if anything.
    pub(super) fn check(self, node: &Node) -> Result<(), Fault> {
        let fault = |message: String| Fault {
            origin: node.origin.clone(),
            message,
        };
        let wrong_type = || fault(format!("must be {}, not {}", self.noun(), node.body.noun()));
        if self.is_list() {
            let Body::List(items) = &node.body else {
                return Err(wrong_type());
            };
            return items.iter().try_for_each(|item| {
                match &item.body {
                    Body::Text(text) => self.check_text(text),
                    other => Err(format!(
                        "must be {}, but holds {}",
                        self.noun(),
                        other.noun()
                    )),
                }
                .map_err(|message| Fault {
                    origin: item.origin.clone(),
                    message,
                })
            });
        }
        match (self, &node.body) {
            (Kind::Flag, Body::Flag(_)) => Ok(()),
            (Kind::Count, Body::Whole(1..=100_000)) => Ok(()),
            (Kind::Count, Body::Whole(number)) => Err(fault(format!(
                "must be {} up to 100000, not {number}",
                self.noun()
            ))),
            (Kind::Share, Body::Whole(1)) => Ok(()),
            (Kind::Share, Body::Fraction(share)) if *share > 0.0 && *share <= 1.0 => Ok(()),
            (Kind::Share, Body::Whole(_) | Body::Fraction(_)) => {
                Err(fault(format!("must be {}", self.noun())))
            }
            (Kind::Limit, Body::Whole(count)) if *count >= 0 => Ok(()),
            (Kind::Limit, Body::Whole(_)) => Err(fault("must not be negative".to_owned())),
            (Kind::Secret, Body::Table(table)) => tables::check_secret(table, node),
            (Kind::Mapping, _) => tables::check_mapping(node),
            (Kind::Flag | Kind::Count | Kind::Share, _) => Err(wrong_type()),
            (_, Body::Text(text)) => self.check_text(text).map_err(fault),
            _ => Err(wrong_type()),
        }
    }

    fn check_text(self, text: &str) -> Result<(), String> {
        fn reads<T: FromStr<Err = String>>(text: &str) -> Result<(), String> {
            text.parse::<T>().map(drop)
        }
        match self {
            Kind::Duration | Kind::Durations => duration::parse(text).map(drop),
            Kind::Size => size::parse(text).map(drop),
            Kind::Schedule => reads::<Schedule>(text),
            Kind::Timezone => address::timezone(text).map(drop),
            Kind::Limit => reads::<Limit>(text),
            Kind::Listen => text.parse::<SocketAddr>().map(drop).map_err(|_| {
                format!("must be an address and port such as \"127.0.0.1:8480\", not \"{text}\"")
            }),
            Kind::Url => address::web(text).map(drop),
            Kind::ServiceUrl => address::service(text).map(drop),
            Kind::IdentityUrl => address::identity(text).map(drop),
            Kind::Name | Kind::Names => reads::<SourceName>(text),
            Kind::Globs => reads::<Glob>(text),
            Kind::Conditions => reads::<Condition>(text),
            Kind::Word(words) if words.contains(&text) => Ok(()),
            Kind::Word(words) => Err(words::not_one_of(words, text)),
            _ if text.trim().is_empty() => Err("must not be empty".to_owned()),
            _ => Ok(()),
        }
    }
}
