//! Globs over display names: `*`, `?`, `[...]`, compared folded.

use globset::{GlobBuilder, GlobMatcher};

use crate::directory::fold::fold;

/// Several globs; a name matches when one of them does.
#[derive(Clone, Debug, Default)]
pub struct Globs(Vec<GlobMatcher>);

impl Globs {
    pub fn new<S: AsRef<str>>(patterns: &[S]) -> Result<Globs, globset::Error> {
        patterns
            .iter()
            .map(|pattern| {
                // Braces and backslashes mean themselves here.
                let mut escaped = String::new();
                for c in fold(pattern.as_ref()).chars() {
                    match c {
                        '{' | '}' | '\\' => escaped.extend(['\\', c]),
                        _ => escaped.push(c),
                    }
                }
                Ok(GlobBuilder::new(&escaped)
                    .literal_separator(false)
                    .backslash_escape(true)
                    .build()?
                    .compile_matcher())
            })
            .collect::<Result<_, _>>()
            .map(Globs)
    }

    /// Whether the folded name matches.
    pub fn matches(&self, folded_name: &str) -> bool {
        self.0.iter().any(|glob| glob.is_match(folded_name))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        Globs::new(&[pattern]).unwrap().matches(&fold(name))
    }

    #[test]
    fn stars_marks_and_classes_work_across_everything() {
        assert!(matches("Sales *", "SALES EMEA/North"));
        assert!(matches("team-?", "Team-7"));
        assert!(matches("[ab]*", "Beta"));
        assert!(!matches("[ab]*", "gamma"));
        assert!(matches("*", ""));
    }

    #[test]
    fn braces_and_backslashes_mean_themselves() {
        assert!(matches("{a,b}", "{A,B}"));
        assert!(!matches("{a,b}", "a"));
        assert!(matches(r"a\b", r"A\B"));
    }
}
