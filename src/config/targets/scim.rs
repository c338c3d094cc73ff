//! `[targets.NAME]` of kind `scim`: a SCIM 2.0 service provider.
//!
//! A profile is what is known of a provider's habits; every knob below overrides what the
//! profile says. What the profiles say is in `targets::scim::profile`.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use url::Url;

use crate::config::problems::Origin;
use crate::config::secret::Secret;
use crate::config::section::Section;
use crate::config::words::words;
use crate::config::{address, duration};

words! {
    /// The service providers whose habits are known.
    ProfileWord {
        /// A provider that keeps to the RFCs.
        Generic = "generic",
        /// AWS IAM Identity Center.
        Aws = "aws-iam-identity-center",
        /// Ory Polis, once SAML Jackson.
        Polis = "polis",
        /// Applivery's SCIM endpoint of one portal.
        Applivery = "applivery",
        /// Appspace.
        Appspace = "appspace",
        /// Slack.
        Slack = "slack",
        /// GitHub Enterprise Managed Users.
        GithubEmu = "github-emu",
        /// Atlassian.
        Atlassian = "atlassian",
    }
}

words! {
    /// What a request says its body is.
    ContentType {
        /// `application/scim+json`.
        Scim = "scim+json",
        /// `application/json`.
        Json = "json",
    }
}

words! {
    /// What a user is looked up by.
    MatchUser {
        /// By `userName`.
        UserName = "userName",
        /// By `externalId`.
        ExternalId = "externalId",
        /// By an email address.
        Email = "emails.value",
    }
}

words! {
    /// What a group is looked up by.
    MatchGroup {
        /// By `externalId`.
        ExternalId = "externalId",
        /// By `displayName`.
        DisplayName = "displayName",
    }
}

words! {
    /// Whether lists can be filtered.
    FilterOps {
        /// By one attribute that equals a value.
        Eq = "eq",
        /// Not at all: the whole list is read instead.
        None = "none",
    }
}

words! {
    /// How an object is changed.
    UpdateBy {
        /// With PATCH, what differs.
        Patch = "patch",
        /// With PUT, after reading it.
        Put = "put",
    }
}

words! {
    /// How `active` is written.
    ActiveStyle {
        /// A patch with a path.
        Path = "path",
        /// A patch with an object as its value.
        Pathless = "pathless",
        /// With PUT.
        Put = "put",
    }
}

words! {
    /// What the provider makes of DELETE on a user.
    DeleteMeans {
        /// The user is gone.
        Delete = "delete",
        /// The user is deactivated.
        Deactivate = "deactivate",
        /// It must not be sent.
        Forbidden = "forbidden",
    }
}

words! {
    /// What removing an account means here.
    OnRemove {
        /// `active` becomes false.
        Deactivate = "deactivate",
        /// The user is deleted.
        Delete = "delete",
        /// The user is left as it is.
        Nothing = "none",
    }
}

words! {
    /// Whether the provider takes groups.
    GroupsWord {
        /// It does.
        On = "on",
        /// It does not.
        Off = "off",
        /// It is asked.
        Probe = "probe",
    }
}

words! {
    /// How members are taken out of a group.
    MemberRemove {
        /// `members[value eq "ID"]`, the form of the RFC.
        PathFilter = "path_filter",
        /// The path `members` and a list of values.
        ValueList = "value_list",
    }
}

words! {
    /// Whether a group that is read tells its members.
    ReadMembers {
        /// It does.
        Full = "full",
        /// It never does.
        None = "none",
        /// It does when it is asked with `includeMembers=true`.
        OptIn = "opt_in_query",
    }
}

words! {
    /// How lists are paged.
    Paging {
        /// By `startIndex`.
        Index = "index",
        /// By `cursor`.
        Cursor = "cursor",
        /// They are not, so that no list can be trusted to be whole.
        None = "none",
    }
}

words! {
    /// What carries an account's role.
    RoleAs {
        /// The attribute `roles`.
        Roles = "roles",
        /// The attribute `entitlements`.
        Entitlements = "entitlements",
        /// Membership in a group of the role's name.
        Groups = "groups",
        /// Nothing does.
        Nothing = "none",
    }
}

/// The settings of a SCIM target.
#[derive(Clone, Debug, PartialEq)]
pub struct ScimTarget {
    /// Whose habits it has. Default: `generic`.
    pub profile: ProfileWord,
    /// Where the provider is; a query is sent with every request.
    pub base_url: Url,
    /// Bearer token.
    pub token: Secret,
    /// Most requests under way at once, where the settings say so; else the profile does.
    pub concurrency: Option<usize>,
    /// How long one request may take. Default: 30 s.
    pub timeout: Duration,
    /// Further certificate authorities to trust, PEM. Default: none.
    pub ca_file: Option<PathBuf>,
    /// What goes before the profile.
    pub knobs: Knobs,
}

/// What is set beside the profile; what is not keeps the profile's value.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Knobs {
    pub content_type: Option<ContentType>,
    /// `none` where there is no such path.
    pub spc_path: Option<String>,
    pub match_user: Option<Vec<MatchUser>>,
    pub match_group: Option<Vec<MatchGroup>>,
    pub filter_ops: Option<FilterOps>,
    pub user_update: Option<UpdateBy>,
    pub group_update: Option<UpdateBy>,
    pub patch_attrs_pathless: Option<bool>,
    pub deactivate_style: Option<ActiveStyle>,
    pub delete_means: Option<DeleteMeans>,
    pub on_remove: Option<OnRemove>,
    pub groups: Option<GroupsWord>,
    pub member_batch: Option<usize>,
    pub member_remove_style: Option<MemberRemove>,
    pub read_members: Option<ReadMembers>,
    pub paging: Option<Paging>,
    pub page_size: Option<usize>,
    pub trust_total_results: Option<bool>,
    pub multi_valued_limit: Option<usize>,
    pub required_user_attrs: Option<Vec<String>>,
    pub username_equals_email: Option<bool>,
    /// URNs of schemas; `*` stands for any.
    pub extensions: Option<Vec<String>>,
    pub group_rename: Option<bool>,
    pub protected_group_prefixes: Option<Vec<String>>,
    pub role_as: Option<RoleAs>,
    pub role_group_prefix: Option<String>,
    pub reads_per_minute: Option<usize>,
    pub writes_per_minute: Option<usize>,
    pub user_writes_per_minute: Option<usize>,
    pub group_writes_per_minute: Option<usize>,
    pub burst: Option<usize>,
}

impl ScimTarget {
    pub(super) fn read(section: &mut Section) -> Option<Self> {
        let token = section.secret("token");
        let timeout = section.read("timeout", duration::parse)?;
        if timeout.is_zero() {
            let message = format!("'{}' must be longer than nothing", section.key("timeout"));
            section.refuse("timeout", message);
        }
        // Eight is what holds where nothing is said; a profile may know better.
        let own = section.origin("concurrency") != Origin::Default;
        Some(Self {
            profile: section.word("profile")?,
            base_url: section.read("base_url", address::service)?,
            token: token?,
            concurrency: section.count("concurrency").filter(|_| own),
            timeout,
            ca_file: section.path("ca_file"),
            knobs: Knobs::read(section),
        })
    }
}

impl Knobs {
    fn read(section: &mut Section) -> Knobs {
        let match_user = words_of(section, "match_user", MatchUser::WORDS);
        let match_group = words_of(section, "match_group", MatchGroup::WORDS);
        let texts = |key: &str| section.value(key).map(|_| section.texts(key));
        Knobs {
            content_type: section.word("content_type"),
            spc_path: section.text("spc_path"),
            match_user,
            match_group,
            filter_ops: section.word("filter_ops"),
            user_update: section.word("user_update"),
            group_update: section.word("group_update"),
            patch_attrs_pathless: section.flag("patch_attrs_pathless"),
            deactivate_style: section.word("deactivate_style"),
            delete_means: section.word("delete_means"),
            on_remove: section.word("on_remove"),
            groups: section.word("groups"),
            member_batch: section.count("member_batch"),
            member_remove_style: section.word("member_remove_style"),
            read_members: section.word("read_members"),
            paging: section.word("paging"),
            page_size: section.count("page_size"),
            trust_total_results: section.flag("trust_total_results"),
            multi_valued_limit: section.count("multi_valued_limit"),
            required_user_attrs: texts("required_user_attrs"),
            username_equals_email: section.flag("username_equals_email"),
            extensions: texts("extensions"),
            group_rename: section.flag("group_rename"),
            protected_group_prefixes: texts("protected_group_prefixes"),
            role_as: section.word("role_as"),
            role_group_prefix: section.text("role_group_prefix"),
            reads_per_minute: section.count("rate.reads_per_minute"),
            writes_per_minute: section.count("rate.writes_per_minute"),
            user_writes_per_minute: section.count("rate.user_writes_per_minute"),
            group_writes_per_minute: section.count("rate.group_writes_per_minute"),
            burst: section.count("rate.burst"),
        }
    }
}

/// The list of words at `key`; one that is none of them is refused.
fn words_of<T: FromStr<Err = String>>(
    section: &mut Section,
    key: &str,
    words: &[&str],
) -> Option<Vec<T>> {
    section.value(key)?;
    let mut read = Vec::new();
    for text in section.texts(key) {
        match text.parse() {
            Ok(word) => read.push(word),
            Err(message) => {
                let message = format!("'{}' {message}", section.key(key));
                section.refuse(key, message);
                return None;
            }
        }
    }
    if read.is_empty() {
        let full = section.key(key);
        let message = format!("'{full}' must name one of {} at least", words.join(", "));
        section.refuse(key, message);
        return None;
    }
    Some(read)
}
