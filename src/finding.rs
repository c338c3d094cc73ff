//! What a test of one connection found.

use serde::{Deserialize, Serialize};

/// One line of `rosterd check`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Finding {
    pub ok: bool,
    /// What was tried, and when it failed what is missing and how to mend it.
    pub text: String,
}

impl Finding {
    pub fn ok(text: impl Into<String>) -> Finding {
        Finding {
            ok: true,
            text: text.into(),
        }
    }

    pub fn wrong(text: impl Into<String>) -> Finding {
        Finding {
            ok: false,
            text: text.into(),
        }
    }
}
