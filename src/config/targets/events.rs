//! `[targets.NAME]` of kind `events`: signed webhooks, and who receives them.

use std::path::PathBuf;
use std::time::Duration;

use super::EventFormat;
use crate::config::duration;
use crate::config::filter::Glob;
use crate::config::secret::Secret;
use crate::config::section::Section;

/// The settings of an events target.
#[derive(Clone, Debug, PartialEq)]
pub struct Events {
    /// Where events are posted.
    pub url: Secret,
    /// Their shape. Default: `standard`.
    pub format: EventFormat,
    /// What they are signed with.
    pub secret: Secret,
    /// What they were signed with before, while receivers change over. Default: none.
    pub old_secret: Option<Secret>,
    /// Default: `default`.
    pub tenant: String,
    /// Default: `rosterd`.
    pub product: String,
    /// The headers of a Polis signature. Default: the three names it goes by.
    pub signature_headers: Vec<String>,
    /// Which kinds of event are posted. Default: all.
    pub events: Vec<Glob>,
    /// Whether the URL may lead to a private address. Default: false.
    pub allow_private_addresses: bool,
    /// How long events can be looked up and replayed. Default: `30d`.
    pub keep: Duration,
    /// The waits before each attempt. Default: ten attempts in three days.
    pub retry: Vec<Duration>,
    /// Most requests under way at once. Default: 8.
    pub concurrency: usize,
    /// Further certificate authorities to trust. Default: none.
    pub ca_file: Option<PathBuf>,
}

impl Events {
    pub(super) fn read(section: &mut Section) -> Option<Self> {
        let url = section.secret("url");
        let secret = section.secret("secret");
        let old_secret = section.secret("old_secret");
        let retry: Vec<Duration> = section
            .texts("retry")
            .iter()
            .filter_map(|wait| duration::parse(wait).ok())
            .collect();
        if retry.is_empty() && !section.problems.spoilt(&section.key("retry")) {
            let message = format!(
                "'{}' must hold at least one length of time: the wait before the first attempt",
                section.key("retry")
            );
            section.refuse("retry", message);
        }
        Some(Self {
            url: url?,
            format: section.word("format")?,
            secret: secret?,
            old_secret,
            tenant: section.text("tenant")?,
            product: section.text("product")?,
            signature_headers: section.texts("signature_headers"),
            events: section.list("events"),
            allow_private_addresses: section.flag("allow_private_addresses")?,
            keep: section.read("keep", duration::parse)?,
            retry,
            concurrency: section.count("concurrency")?,
            ca_file: section.path("ca_file"),
        })
    }
}
