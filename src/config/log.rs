//! `[log]`: how much is logged, and in which form. The command line goes before it.

use url::Url;

use super::address;
use super::section::Section;
use super::words::words;

words! {
    /// How much is logged.
    LogLevel {
        /// What a human should look at.
        Error = "error",
        /// What may need a look.
        Warn = "warn",
        /// What was done.
        Info = "info",
        /// And why: the causes of errors, every request.
        Debug = "debug",
        /// Everything.
        Trace = "trace",
    }
}

words! {
    /// The form of the log.
    LogFormat {
        /// Lines for people.
        Text = "text",
        /// JSON for programs.
        Json = "json",
    }
}

/// The settings of `[log]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// Default: `info`.
    pub level: LogLevel,
    /// Default: `text`.
    pub format: LogFormat,
    /// A collector of traces. Default: none.
    pub traces: Option<Url>,
}

impl Log {
    pub(super) fn read(section: &mut Section) -> Option<Self> {
        Some(Self {
            level: section.word("level")?,
            format: section.word("format")?,
            traces: section.read("traces", address::web),
        })
    }
}
