//! What is known of service providers' habits, as data: one struct of knobs, one function that
//! fills it for each provider.
//!
//! Only what a provider's own documentation or source says stands here. What nobody outside
//! knows is left at the careful default, and is a setting.

use crate::config::{
    ActiveStyle, ContentType, DeleteMeans, FilterOps, GroupsWord, Knobs, MatchGroup, MatchUser,
    MemberRemove, OnRemove, Paging, ProfileWord, ReadMembers, RoleAs, UpdateBy,
};
use crate::scim::schema::urn;

/// The habits of one service provider.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    pub word: ProfileWord,
    pub content_type: ContentType,
    /// Where the ServiceProviderConfig is, below the base; None where there is none.
    pub spc_path: Option<String>,
    pub match_user: Vec<MatchUser>,
    pub match_group: Vec<MatchGroup>,
    pub filter_ops: FilterOps,
    pub user_update: UpdateBy,
    pub group_update: UpdateBy,
    pub patch_attrs_pathless: bool,
    pub deactivate_style: ActiveStyle,
    pub delete_means: DeleteMeans,
    pub on_remove: OnRemove,
    pub groups: GroupsWord,
    pub member_batch: usize,
    pub member_remove_style: MemberRemove,
    pub read_members: ReadMembers,
    pub paging: Paging,
    pub page_size: usize,
    pub trust_total_results: bool,
    pub multi_valued_limit: Option<usize>,
    pub required_user_attrs: Vec<String>,
    pub username_equals_email: bool,
    /// The schemas whose attributes are taken; None: any.
    pub extensions: Option<Vec<String>>,
    /// Core attributes that are refused.
    pub forbidden_attrs: &'static [&'static str],
    pub group_rename: bool,
    pub protected_group_prefixes: Vec<String>,
    pub role_as: RoleAs,
    pub role_group_prefix: String,
    pub concurrency: usize,
    pub rate: Rate,
}

/// Most requests a minute, by what they do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    pub reads: Option<usize>,
    pub writes: Option<usize>,
    pub user_writes: Option<usize>,
    pub group_writes: Option<usize>,
    /// How many may go at once after a pause; a minute's worth where nothing is said.
    pub burst: Option<usize>,
}

impl Profile {
    /// The profile with what the settings say in its place.
    pub fn of(word: ProfileWord, concurrency: Option<usize>, knobs: &Knobs) -> Profile {
        let mut profile = built_in(word);
        profile.take(knobs);
        if let Some(concurrency) = concurrency {
            profile.concurrency = concurrency;
        }
        profile
    }

    /// Puts what is set in the place of what is known. Taken apart by name: a new knob is a
    /// question to whoever adds it.
    fn take(&mut self, knobs: &Knobs) {
        let Knobs {
            content_type,
            spc_path,
            match_user,
            match_group,
            filter_ops,
            user_update,
            group_update,
            patch_attrs_pathless,
            deactivate_style,
            delete_means,
            on_remove,
            groups,
            member_batch,
            member_remove_style,
            read_members,
            paging,
            page_size,
            trust_total_results,
            multi_valued_limit,
            required_user_attrs,
            username_equals_email,
            extensions,
            group_rename,
            protected_group_prefixes,
            role_as,
            role_group_prefix,
            reads_per_minute,
            writes_per_minute,
            user_writes_per_minute,
            group_writes_per_minute,
            burst,
        } = knobs.clone();
        fn put<T>(place: &mut T, given: Option<T>) {
            if let Some(given) = given {
                *place = given;
            }
        }
        put(&mut self.content_type, content_type);
        put(
            &mut self.spc_path,
            spc_path.map(|path| (path != "none").then_some(path)),
        );
        put(&mut self.match_user, match_user);
        put(&mut self.match_group, match_group);
        put(&mut self.filter_ops, filter_ops);
        put(&mut self.user_update, user_update);
        put(&mut self.group_update, group_update);
        put(&mut self.patch_attrs_pathless, patch_attrs_pathless);
        put(&mut self.deactivate_style, deactivate_style);
        put(&mut self.delete_means, delete_means);
        put(&mut self.on_remove, on_remove);
        put(&mut self.groups, groups);
        put(&mut self.member_batch, member_batch);
        put(&mut self.member_remove_style, member_remove_style);
        put(&mut self.read_members, read_members);
        put(&mut self.paging, paging);
        put(&mut self.page_size, page_size);
        put(&mut self.trust_total_results, trust_total_results);
        put(&mut self.multi_valued_limit, multi_valued_limit.map(Some));
        put(&mut self.required_user_attrs, required_user_attrs);
        put(&mut self.username_equals_email, username_equals_email);
        put(
            &mut self.extensions,
            extensions.map(|urns| (!urns.iter().any(|urn| urn == "*")).then_some(urns)),
        );
        put(&mut self.group_rename, group_rename);
        put(&mut self.protected_group_prefixes, protected_group_prefixes);
        put(&mut self.role_as, role_as);
        put(&mut self.role_group_prefix, role_group_prefix);
        put(&mut self.rate.reads, reads_per_minute.map(Some));
        put(&mut self.rate.writes, writes_per_minute.map(Some));
        put(&mut self.rate.user_writes, user_writes_per_minute.map(Some));
        put(
            &mut self.rate.group_writes,
            group_writes_per_minute.map(Some),
        );
        put(&mut self.rate.burst, burst.map(Some));
    }
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// A provider that keeps to the RFCs. Users are looked up by email last, as not everyone
/// filters by it; one that does not is asked for it once.
fn generic() -> Profile {
    Profile {
        word: ProfileWord::Generic,
        content_type: ContentType::Scim,
        spc_path: Some("/ServiceProviderConfig".to_owned()),
        match_user: vec![MatchUser::ExternalId, MatchUser::UserName, MatchUser::Email],
        match_group: vec![MatchGroup::ExternalId, MatchGroup::DisplayName],
        filter_ops: FilterOps::Eq,
        user_update: UpdateBy::Patch,
        group_update: UpdateBy::Patch,
        patch_attrs_pathless: false,
        deactivate_style: ActiveStyle::Path,
        delete_means: DeleteMeans::Delete,
        on_remove: OnRemove::Deactivate,
        groups: GroupsWord::On,
        member_batch: 100,
        member_remove_style: MemberRemove::PathFilter,
        read_members: ReadMembers::Full,
        paging: Paging::Index,
        page_size: 100,
        trust_total_results: true,
        multi_valued_limit: None,
        required_user_attrs: texts(&["userName"]),
        username_equals_email: false,
        extensions: None,
        forbidden_attrs: &[],
        group_rename: true,
        protected_group_prefixes: Vec::new(),
        role_as: RoleAs::Roles,
        role_group_prefix: "role-".to_owned(),
        concurrency: 8,
        rate: Rate {
            reads: None,
            writes: Some(300),
            user_writes: None,
            group_writes: None,
            burst: None,
        },
    }
}

fn built_in(word: ProfileWord) -> Profile {
    let generic = Profile { word, ..generic() };
    let enterprise = || Some(texts(&[urn::ENTERPRISE]));
    match word {
        ProfileWord::Generic => generic,
        // No other operator than eq; no PUT on groups; a hundred members a request; one value
        // of each multi-valued attribute; groups never tell their members. 429s were seen at
        // some 200 users on 200 groups, the limits are not public: four at a time.
        ProfileWord::Aws => Profile {
            match_user: vec![MatchUser::ExternalId, MatchUser::UserName],
            member_remove_style: MemberRemove::ValueList,
            read_members: ReadMembers::None,
            multi_valued_limit: Some(1),
            required_user_attrs: texts(&[
                "userName",
                "displayName",
                "name.givenName",
                "name.familyName",
            ]),
            extensions: enterprise(),
            forbidden_attrs: &["entitlements", "roles"],
            protected_group_prefixes: texts(&["AWS"]),
            role_as: RoleAs::Nothing,
            concurrency: 4,
            ..generic
        },
        // Any filter is taken for one by the first email; PUT and POST forget members, and PUT
        // without `active` brings a user back; lists stop at 50 whatever is asked.
        ProfileWord::Polis => Profile {
            spc_path: None,
            match_user: vec![MatchUser::UserName],
            match_group: vec![MatchGroup::DisplayName],
            read_members: ReadMembers::OptIn,
            paging: Paging::None,
            trust_total_results: false,
            username_equals_email: true,
            role_as: RoleAs::Nothing,
            ..generic
        },
        // The portal itself decides what deactivation does. Roles follow groups there.
        ProfileWord::Applivery => Profile {
            match_user: vec![MatchUser::UserName, MatchUser::Email],
            username_equals_email: true,
            role_as: RoleAs::Nothing,
            rate: Rate {
                writes: Some(120),
                ..generic.rate
            },
            ..generic
        },
        ProfileWord::Appspace => Profile {
            match_user: vec![MatchUser::UserName],
            username_equals_email: true,
            groups: GroupsWord::Probe,
            extensions: Some(texts(&[
                urn::ENTERPRISE,
                "urn:ietf:params:scim:schemas:extension:appspace:2.0:User",
            ])),
            role_as: RoleAs::Nothing,
            ..generic
        },
        // The limits are the organisation's, across all of its apps. Deleting a group is for
        // good; deleting a user deactivates.
        ProfileWord::Slack => Profile {
            delete_means: DeleteMeans::Deactivate,
            page_size: 1000,
            extensions: enterprise(),
            role_as: RoleAs::Nothing,
            rate: Rate {
                reads: Some(1000),
                writes: Some(600),
                user_writes: Some(180),
                group_writes: Some(180),
                burst: Some(20),
            },
            ..generic
        },
        // A thousand users an hour. DELETE suspends for good, so it is not sent.
        ProfileWord::GithubEmu => Profile {
            match_user: vec![MatchUser::ExternalId, MatchUser::UserName],
            delete_means: DeleteMeans::Forbidden,
            role_as: RoleAs::Nothing,
            rate: Rate {
                user_writes: Some(16),
                burst: Some(300),
                ..generic.rate
            },
            ..generic
        },
        // DELETE deactivates, and the id is of no use afterwards.
        ProfileWord::Atlassian => Profile {
            match_user: vec![MatchUser::ExternalId, MatchUser::UserName],
            delete_means: DeleteMeans::Deactivate,
            role_as: RoleAs::Nothing,
            ..generic
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_goes_before_the_profile_and_the_rest_stays() {
        let knobs = Knobs {
            member_batch: Some(7),
            spc_path: Some("none".to_owned()),
            extensions: Some(vec!["*".to_owned()]),
            writes_per_minute: Some(9),
            ..Knobs::default()
        };
        let profile = Profile::of(ProfileWord::Aws, None, &knobs);
        let expected = Profile {
            member_batch: 7,
            spc_path: None,
            extensions: None,
            rate: Rate {
                writes: Some(9),
                ..built_in(ProfileWord::Aws).rate
            },
            ..built_in(ProfileWord::Aws)
        };
        assert_eq!(profile, expected);
        assert_eq!(profile.concurrency, 4);
        let more = Profile::of(ProfileWord::Aws, Some(6), &knobs);
        assert_eq!(more.concurrency, 6);
    }

    #[test]
    fn nobody_is_deleted_unless_the_settings_say_so() {
        for word in ProfileWord::WORDS {
            let word = word.parse().unwrap();
            let profile = Profile::of(word, None, &Knobs::default());
            assert_eq!(profile.on_remove, OnRemove::Deactivate, "{word}");
            assert!(profile.member_batch > 0 && profile.page_size > 0);
        }
    }
}
