//! Settings whose value is one word of a fixed list.
//!
//! The macro makes the enum, its words and both directions between them, so that a word
//! is spelled once. The schema takes the list from here for its messages and the docs.

/// Defines an enum of words: `Variant = "word"`, with `WORDS`, `as_str`, `FromStr`,
/// `Display`, `Serialize` and `Deserialize`.
macro_rules! words {
    ($(#[$doc:meta])* $type:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $type {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $type {
            /// Every word, as the settings spell it.
            pub const WORDS: &'static [&'static str] = &[$($word),+];

            /// The word, as the settings spell it.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl std::str::FromStr for $type {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err($crate::config::words::not_one_of(Self::WORDS, text)),
                }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use words;

/// This says what would have been right, and which word was probably meant.
pub(crate) fn not_one_of(words: &[&str], text: &str) -> String {
    let list = words.join(", ");
    match nearest(words.iter().copied(), text) {
        Some((near, true)) => {
            format!("must be one of {list}, not '{text}': did you mean '{near}'?")
        }
        _ => format!("must be one of {list}, not '{text}'"),
    }
}

/// The known word nearest to `text`, and whether it is near enough to have been meant.
///
/// Near enough: at most two slips, three in a long word, and never the whole word.
pub(crate) fn nearest<'a>(
    known: impl IntoIterator<Item = &'a str>,
    text: &str,
) -> Option<(&'a str, bool)> {
    let letters = text.chars().count();
    let forgiven = if letters >= 9 { 3 } else { 2 };
    known
        .into_iter()
        .map(|word| (strsim::osa_distance(word, text), word))
        .min()
        .map(|(slips, word)| (word, slips <= forgiven && slips < letters))
}

#[cfg(test)]
mod tests {
    words! {
        /// For these tests.
        Colour { Red = "red", Green = "green", }
    }

    #[test]
    fn every_word_reads_back_as_itself() {
        for word in Colour::WORDS {
            assert_eq!(word.parse::<Colour>().unwrap().as_str(), *word);
        }
    }

    #[test]
    fn a_slip_is_met_with_the_word_that_was_meant() {
        assert_eq!(
            "grene".parse::<Colour>().unwrap_err(),
            "must be one of red, green, not 'grene': did you mean 'green'?"
        );
        assert_eq!(
            "ultramarine".parse::<Colour>().unwrap_err(),
            "must be one of red, green, not 'ultramarine'"
        );
    }
}
