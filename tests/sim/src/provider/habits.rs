//! What each provider takes and refuses, as its documentation or source has it.

/// The habits of one.
#[derive(Debug, Clone)]
pub struct Habits {
    pub wants_user_agent: bool,
    /// Whether there is a ServiceProviderConfig.
    pub config: bool,
    pub patch: bool,
    pub groups: bool,
    pub put_groups: bool,
    /// Attributes of users that a filter may name.
    pub user_filters: &'static [&'static str],
    /// Whatever a filter names, the value is looked for among the first emails.
    pub filters_are_by_email: bool,
    pub pages: bool,
    pub longest_page: usize,
    pub shows_members: Shows,
    /// Most members that one request may name.
    pub members_a_request: Option<usize>,
    pub remove_by_filter: bool,
    pub remove_by_list: ByList,
    /// Whether one request may replace everybody, and another take everybody out.
    pub replaces_members: bool,
    /// Most values of one multi-valued attribute.
    pub values: usize,
    pub needs: &'static [&'static str],
    pub refuses: &'static [&'static str],
    /// Unknown attributes are refused, and paths that lead nowhere.
    pub strict: bool,
    pub unique_emails: bool,
    pub delete: Delete,
    /// Writes a minute of users, and how many at once.
    pub user_writes: Option<(f64, f64)>,
    /// PUT of a user forgets that it is inactive unless it says so.
    pub put_reactivates: bool,
}

/// When a group shows its members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shows {
    Always,
    Never,
    WhenAsked,
}

/// What is made of a removal that lists members beside the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByList {
    Takes,
    /// The RFC gives the list no meaning: everybody goes.
    Everybody,
}

/// What DELETE does to a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delete {
    Removes,
    Deactivates,
    /// And the id is of no use from then on.
    DeactivatesAndForgets,
    /// For good: the name is never free again.
    Suspends,
}

impl Habits {
    pub fn of(name: &str) -> Habits {
        let generic = Habits {
            wants_user_agent: false,
            config: true,
            patch: true,
            groups: true,
            put_groups: true,
            user_filters: &["userName", "externalId", "emails.value", "id"],
            filters_are_by_email: false,
            pages: true,
            longest_page: 100,
            shows_members: Shows::Always,
            members_a_request: None,
            remove_by_filter: true,
            remove_by_list: ByList::Everybody,
            replaces_members: true,
            values: usize::MAX,
            needs: &["userName"],
            refuses: &[],
            strict: true,
            unique_emails: false,
            delete: Delete::Removes,
            user_writes: None,
            put_reactivates: false,
        };
        match name.split('.').next().unwrap_or_default() {
            "aws-iam-identity-center" => Habits {
                put_groups: false,
                user_filters: &["userName", "externalId"],
                shows_members: Shows::Never,
                members_a_request: Some(100),
                remove_by_filter: true,
                remove_by_list: ByList::Takes,
                replaces_members: false,
                values: 1,
                needs: &[
                    "userName",
                    "displayName",
                    "name.givenName",
                    "name.familyName",
                ],
                refuses: &["password", "photos", "ims", "entitlements", "roles"],
                unique_emails: true,
                ..generic
            },
            "polis" => Habits {
                config: false,
                filters_are_by_email: true,
                pages: false,
                shows_members: Shows::WhenAsked,
                replaces_members: false,
                strict: false,
                unique_emails: true,
                put_reactivates: true,
                ..generic
            },
            "appspace" => Habits {
                groups: false,
                user_filters: &["userName"],
                unique_emails: true,
                ..generic
            },
            "slack" => Habits {
                delete: Delete::Deactivates,
                longest_page: 1000,
                unique_emails: true,
                user_writes: Some((180.0, 20.0)),
                ..generic
            },
            "github-emu" => Habits {
                wants_user_agent: true,
                user_filters: &["userName", "externalId", "id"],
                delete: Delete::Suspends,
                ..generic
            },
            "atlassian" => Habits {
                user_filters: &["userName", "externalId"],
                delete: Delete::DeactivatesAndForgets,
                ..generic
            },
            // A server that knows no PATCH.
            "putonly" => Habits {
                patch: false,
                config: false,
                ..generic
            },
            // One that takes a handful of members at a time and does not say so.
            "narrow" => Habits {
                members_a_request: Some(3),
                ..generic
            },
            _ => generic,
        }
    }
}
