//! The entries. `"path" [kinds that have it] Kind = default, "line";`

use super::{Key, Kind, Unset};
use crate::config::log::{LogFormat, LogLevel};
use crate::config::portals::{MatchOn, OnCreate, OnDeactivate, PortalKind, Role, RoleUpdates};
use crate::config::sources::{Cloud, Identity, PendingUsers, ScopeWord, SourceWord};
use crate::config::targets::{
    ActiveStyle, ContentType, DeleteMeans, EmailChange, EventFormat, FilterOps, GroupsWord,
    MemberRemove, OnRemove, Paging, ProfileWord, ReadMembers, RoleAs, TargetWord, UnassignValue,
    UpdateBy,
};

macro_rules! keys {
    ($($path:literal $([$($only:ident)+])? $kind:ident $(($words:expr))? = $unset:tt, $doc:literal;)+) => {
        /// Every key there is, in the order of the documentation.
        pub const KEYS: &[Key] = &[$(Key {
            path: $path,
            kind: Kind::$kind $(($words))?,
            only: &[$($(stringify!($only)),+)?],
            unset: keys!(@unset $unset),
            doc: $doc,
        }),+];
    };
    (@unset required) => { Unset::Refused };
    (@unset optional) => { Unset::Nothing };
    (@unset $value:tt) => { Unset::Default(stringify!($value)) };
}

keys! {
    "state.path" Path = "/var/lib/rosterd", "Directory of the store and the daemon's socket.";
    "state.cache" Size = "64MiB", "How much of the store is kept in memory. Worth more from some 100,000 users on.";

    "server.listen" Listen = "127.0.0.1:8480", "Address and port the daemon serves HTTP on.";
    "server.public_url" Url = optional, "How the world reaches the daemon; needed for notifications and SCIM sources.";
    "server.admin_token" Secret = optional, "Bearer token of everything under `/api`; without it that part stays closed.";
    "server.insecure_no_auth" Flag = false, "Open `/api` and the console to everybody on this machine, without a token; on a loopback address only.";
    "server.tls.cert" Path = optional, "Certificate chain (PEM) to serve HTTPS with; needs `key`.";
    "server.tls.key" Path = optional, "Private key (PEM) of that certificate.";

    "log.level" Word(LogLevel::WORDS) = "info", "How much is logged; `--log` goes before it.";
    "log.format" Word(LogFormat::WORDS) = "text", "Lines for people or JSON for programs; `--log-format` goes before it.";
    "log.traces" Url = optional, "A collector of OpenTelemetry traces (OTLP over HTTP), such as `http://127.0.0.1:4318`.";

    "history.keep" Duration = "90d", "How long past runs can be looked up.";
    "history.max_size" Size = "1GiB", "Most disk their plans may take; the oldest go first.";

    "audit.keep" Duration = "400d", "How long the lines of the audit log are kept.";
    "audit.max_size" Size = "1GiB", "Most disk the audit log may take; the oldest lines go first.";

    "notify.url" Secret = optional, "Webhook that is told when something needs an eye; it is a secret, as such addresses are.";
    "notify.command" Texts = [], "Program that is told, with its arguments: a message is on its standard input, as JSON.";
    "notify.overdue_after" Duration = "24h", "How old the last complete sync of a source may be.";

    "sources.NAME.kind" Word(SourceWord::WORDS) = required, "Where people come from: Entra ID, Okta, or a client that pushes SCIM.";
    "sources.NAME.tenant" [graph] Text = required, "Tenant id, or one of its domains.";
    "sources.NAME.client_id" [graph okta] Text = optional, "Id of the application rosterd signs in as.";
    "sources.NAME.client_secret" [graph] Secret = optional, "Client secret: one of the three ways to sign in to Entra ID.";
    "sources.NAME.certificate.file" [graph] Path = optional, "Certificate (PEM) to sign in with; needs `key`.";
    "sources.NAME.certificate.key" [graph] Path = optional, "Private key (PEM) of that certificate.";
    "sources.NAME.identity" [graph] Word(Identity::WORDS) = optional, "Sign in as the managed or workload identity of the machine.";
    "sources.NAME.identity_endpoint" [graph] IdentityUrl = optional, "Where a managed identity asks for its token, instead of the platform's address.";
    "sources.NAME.cloud" [graph] Word(Cloud::WORDS) = "global", "Which Microsoft cloud; decides the two hosts below.";
    "sources.NAME.endpoint" [graph] Url = optional, "Host of Microsoft Graph, instead of the cloud's own.";
    "sources.NAME.authority" [graph] Url = optional, "Host that issues tokens, instead of the cloud's own.";
    "sources.NAME.org_url" [okta] Url = required, "URL of the Okta organization.";
    "sources.NAME.api_token" [okta] Secret = optional, "API token: one of the two ways to sign in to Okta.";
    "sources.NAME.private_key" [okta] Secret = optional, "Private key (PEM or JWK) to sign in with, together with `client_id`.";
    "sources.NAME.key_id" [okta] Text = optional, "Id (`kid`) of that key, if the application has several.";
    "sources.NAME.pending_users" [okta] Word(PendingUsers::WORDS) = "inactive", "Whether users who are staged or provisioned count as active.";
    "sources.NAME.hook_secret" [okta] Secret = optional, "The Authorization value that Okta's event hook sends.";
    "sources.NAME.scope" [graph okta] Word(ScopeWord::WORDS) = "assigned", "Who is in scope: those assigned to the application, or everyone.";
    "sources.NAME.application" [graph okta] Text = optional, "The application of `scope = \"assigned\"`: Entra's application (client) id, Okta's app id.";
    "sources.NAME.nested_groups" [graph okta] Flag = true, "Whether members of groups within assigned, role and pushed groups count.";
    "sources.NAME.schedule" [graph okta] Schedule = "5m", "When changes are fetched.";
    "sources.NAME.full_schedule" [graph okta] Schedule = "0 0 3 * * *", "When everything is fetched, to mend what changes did not tell.";
    "sources.NAME.timezone" [graph okta] Timezone = "UTC", "Timezone of the cron expressions.";
    "sources.NAME.jitter" [graph okta] Duration = optional, "Longest random delay of a scheduled start; without it a tenth of the gap, at most 30 s.";
    "sources.NAME.notifications" [graph] Flag = false, "Whether Graph is asked to notify rosterd of changes; needs `server.public_url`.";
    "sources.NAME.rate_share" [graph okta] Share = 0.5, "Share of the service's rate limit rosterd may use, above 0, at most 1.";
    "sources.NAME.concurrency" [graph okta] Count = 8, "Most requests under way at once.";
    "sources.NAME.timeout" [graph okta] Duration = "30s", "How long one request may take.";
    "sources.NAME.ca_file" [graph okta] Path = optional, "Further certificate authorities (PEM) to trust, for a proxy.";
    "sources.NAME.extensions.URN" [scim] Texts = optional, "Attributes of a schema extension the client may push.";
    "sources.NAME.log.requests" [scim] Count = 100, "How many of the client's latest requests `rosterd scim log` can show.";
    "sources.NAME.log.bodies" [scim] Flag = false, "Whether they are shown with people's data; without it every value is masked.";

    "targets.NAME.kind" Word(TargetWord::WORDS) = required, "Where portals live.";
    "targets.NAME.profile" [scim] Word(ProfileWord::WORDS) = "generic", "The habits of a known SCIM service provider.";
    "targets.NAME.base_url" [scim applivery] ServiceUrl = required, "URL of the service.";
    "targets.NAME.token" [scim applivery] Secret = required, "Bearer token of the service.";
    "targets.NAME.concurrency" [scim events applivery] Count = 8, "Most requests under way at once; a profile of `scim` may have fewer.";
    "targets.NAME.timeout" [scim postgres] Duration = "30s", "How long one request, or one transaction, may take.";
    "targets.NAME.ca_file" [scim events postgres] Path = optional, "Certificate authorities (PEM) to trust beside the public ones; for `postgres` in their place.";
    "targets.NAME.content_type" [scim] Word(ContentType::WORDS) = optional, "What requests say their body is.";
    "targets.NAME.spc_path" [scim] Text = optional, "Path of the ServiceProviderConfig, or `none`.";
    "targets.NAME.match_user" [scim] Texts = optional, "What users are looked up by, in this order: `externalId`, `userName`, `emails.value`.";
    "targets.NAME.match_group" [scim] Texts = optional, "What groups are looked up by, in this order: `externalId`, `displayName`.";
    "targets.NAME.filter_ops" [scim] Word(FilterOps::WORDS) = optional, "Whether lists can be filtered; without, they are read whole.";
    "targets.NAME.user_update" [scim] Word(UpdateBy::WORDS) = optional, "How users are changed.";
    "targets.NAME.group_update" [scim] Word(UpdateBy::WORDS) = optional, "How groups are renamed.";
    "targets.NAME.patch_attrs_pathless" [scim] Flag = optional, "Whether a patch carries one object instead of a path for each attribute.";
    "targets.NAME.deactivate_style" [scim] Word(ActiveStyle::WORDS) = optional, "How `active` is written.";
    "targets.NAME.delete_means" [scim] Word(DeleteMeans::WORDS) = optional, "What the service makes of DELETE on a user.";
    "targets.NAME.on_remove" [scim] Word(OnRemove::WORDS) = optional, "What removing an account means in the service.";
    "targets.NAME.groups" [scim] Word(GroupsWord::WORDS) = optional, "Whether the service takes groups.";
    "targets.NAME.member_batch" [scim] Count = optional, "Most members one request may name.";
    "targets.NAME.member_remove_style" [scim] Word(MemberRemove::WORDS) = optional, "How members are taken out of a group.";
    "targets.NAME.read_members" [scim] Word(ReadMembers::WORDS) = optional, "Whether a group that is read tells its members.";
    "targets.NAME.paging" [scim] Word(Paging::WORDS) = optional, "How lists are paged; without, no list is trusted to be whole.";
    "targets.NAME.page_size" [scim] Count = optional, "How many objects a page is asked to hold.";
    "targets.NAME.trust_total_results" [scim] Flag = optional, "Whether `totalResults` tells where a list ends.";
    "targets.NAME.multi_valued_limit" [scim] Count = optional, "Most values of one multi-valued attribute.";
    "targets.NAME.required_user_attrs" [scim] Texts = optional, "Attributes without which the service refuses a user.";
    "targets.NAME.username_equals_email" [scim] Flag = optional, "Whether `userName` is the email address in the service.";
    "targets.NAME.extensions" [scim] Texts = optional, "URNs of the schema extensions the service takes; `*` for any.";
    "targets.NAME.group_rename" [scim] Flag = optional, "Whether groups can be renamed.";
    "targets.NAME.protected_group_prefixes" [scim] Texts = optional, "Beginnings of names of groups that are never touched.";
    "targets.NAME.role_as" [scim] Word(RoleAs::WORDS) = optional, "What carries the role of a dashboard account.";
    "targets.NAME.role_group_prefix" [scim] Text = optional, "With `role_as = \"groups\"`: what stands before the role in the group's name; `role-` without it.";
    "targets.NAME.rate.reads_per_minute" [scim] Count = optional, "Most requests a minute that read.";
    "targets.NAME.rate.writes_per_minute" [scim] Count = optional, "Most requests a minute that write.";
    "targets.NAME.rate.user_writes_per_minute" [scim] Count = optional, "Most of them that write users.";
    "targets.NAME.rate.group_writes_per_minute" [scim] Count = optional, "Most of them that write groups.";
    "targets.NAME.rate.burst" [scim applivery] Count = optional, "How many requests may go at once after a quiet time; without it a minute's worth of each kind, for `applivery` 100.";
    "targets.NAME.url" [events postgres] Secret = required, "Where events are posted, or the database's connection string.";
    "targets.NAME.format" [events] Word(EventFormat::WORDS) = "standard", "Shape of the events.";
    "targets.NAME.secret" [events] Secret = required, "Key the events are signed with.";
    "targets.NAME.old_secret" [events] Secret = optional, "The key before that one, which signs too while receivers change over.";
    "targets.NAME.tenant" [events] Text = "default", "Tenant named in the events.";
    "targets.NAME.product" [events] Text = "rosterd", "Product named in the events.";
    "targets.NAME.events" [events] Globs = optional, "Kinds of event that are posted, as globs such as `user.*`; without any, all.";
    "targets.NAME.signature_headers" [events] Texts = ["BoxyHQ-Signature", "Ory-Polis-Signature", "Ory-Signature"], "Headers that carry a Polis signature.";
    "targets.NAME.allow_private_addresses" [events] Flag = false, "Whether events may be posted to a private address.";
    "targets.NAME.keep" [events] Duration = "30d", "How long events can be looked up and replayed.";
    "targets.NAME.retry" [events] Durations = ["0s", "5s", "5m", "30m", "2h", "5h", "10h", "14h", "20h", "24h"], "Waits before each attempt to post an event; after the last one it is given up.";
    "targets.NAME.schema" [postgres] Text = "rosterd", "Schema of the tables.";
    "targets.NAME.reader_role" [postgres] Text = optional, "A role of the database that is let read the tables.";
    "targets.NAME.purge_after" [postgres] Duration = optional, "How long removed accounts, gone people and events are kept; without it for ever.";
    "targets.NAME.organization" [applivery] Text = required, "Organization id.";
    "targets.NAME.policies.apple" [applivery] Text = optional, "Policy of Apple devices, for `change_policy`.";
    "targets.NAME.policies.windows" [applivery] Text = optional, "Policy of Windows devices, for `change_policy`.";
    "targets.NAME.policies.android" [applivery] Text = optional, "Policy of Android devices, for `change_policy`.";
    "targets.NAME.unassign_value" [applivery] Word(UnassignValue::WORDS) = "null", "What stands for no user when a device is unassigned.";
    "targets.NAME.email_change" [applivery] Word(EmailChange::WORDS) = "conflict", "What becomes of an account whose address changes, which cannot be written: it is kept and reported, or made anew.";
    "targets.NAME.remove_devices_allowed" [applivery] Flag = false, "Whether devices may be removed for good, for `remove_user_and_devices`.";
    "targets.NAME.undocumented_calls" [applivery] Flag = false, "Whether calls are made that Applivery does not document: tags of employees, and removing employees and collaborators.";
    "targets.NAME.rate.per_hour" [applivery] Count = 10000, "Most requests in an hour.";
    "targets.NAME.android.user_field" [applivery] Text = "mdmUserId", "The field that names an Android device's user when it is written.";
    "targets.NAME.android.policy_field" [applivery] Text = "policyId", "The field that names an Android device's policy when it is written.";

    "portals.NAME.kind" Word(PortalKind::WORDS) = required, "The audience: employees of a store, dashboard collaborators, users with devices, or plain users and groups.";
    "portals.NAME.target" Name = required, "The target the portal lives in.";
    "portals.NAME.sources" Names = required, "The sources that feed it; the first goes before the later ones.";
    "portals.NAME.match_on" Word(MatchOn::WORDS) = "email", "What tells that an account and a user are the same.";
    "portals.NAME.on_create" Word(OnCreate::WORDS) = "create", "What happens when a user comes into scope.";
    "portals.NAME.on_deactivate" Word(OnDeactivate::WORDS) = "nothing", "What happens when a user is disabled, deleted or leaves the scope; what is possible depends on the kind.";
    "portals.NAME.policy" [mdm] Text = optional, "The policy of `on_deactivate = \"change_policy\"`.";
    "portals.NAME.deactivate_after" Duration = "0s", "Grace before a deactivation.";
    "portals.NAME.default_role" [dashboard] Word(Role::WORDS) = optional, "Role of a new account whose user is in no mapped group; without it the account has none.";
    "portals.NAME.role_updates" [dashboard] Word(RoleUpdates::WORDS) = "initial", "Whether a role is decided once or follows the groups.";
    "portals.NAME.roles.GROUP" [dashboard] Word(Role::WORDS) = optional, "Role of a group's members; without any, the four groups `applivery-admin`, `-editor`, `-viewer`, `-unassigned`.";
    "portals.NAME.groups.push" Globs = ["*"], "Names of the groups that are pushed to the portal, as globs.";
    "portals.NAME.include.groups" Globs = optional, "Only users in these groups, as globs.";
    "portals.NAME.include.attributes" Conditions = optional, "Only users with these attributes.";
    "portals.NAME.exclude.groups" Globs = optional, "No users in these groups, as globs.";
    "portals.NAME.exclude.attributes" Conditions = optional, "No users with these attributes.";
    "portals.NAME.attributes.ATTRIBUTE" Mapping = optional, "What fills an attribute of the account.";

    "safety.max_deactivations" Limit = "10%", "Most accounts of a portal one run may deactivate before it is held.";
    "safety.max_group_deletes" Limit = "10%", "Most groups of a portal one run may delete before it is held.";
    "safety.max_membership_removals" Limit = "25%", "Most memberships of a portal one run may drop before it is held.";
    "safety.protect" Texts = [], "Match keys of accounts that are never deactivated.";
}
