//! What an operator reads when the settings are wrong: every line, word for word.

use rosterd::config;

/// A source, a target and a portal that are right, to break one thing at a time.
const GOOD: &str = r#"[sources.entra]
kind = "graph"
tenant = "contoso.example"
client_id = "app"
client_secret = { file = "secret" }
application = "app"

[targets.local]
kind = "local"

[portals.store]
kind = "store"
target = "local"
sources = ["entra"]
"#;

/// The errors of `GOOD` with `more` after it; the first line of `more` is line 16.
fn errors_with(more: &str) -> String {
    errors(&format!("{GOOD}\n{more}"))
}

/// The errors of `GOOD` with one line put in the place of another.
fn errors_instead(line: &str, other: &str) -> String {
    assert!(GOOD.contains(line), "{line} is not there to be replaced");
    errors(&GOOD.replacen(line, other, 1))
}

fn errors(text: &str) -> String {
    match config::parse("rosterd.toml", text) {
        Ok(_) => "no errors".to_owned(),
        Err(errors) => errors.to_string(),
    }
}

fn errors_of_variables(variables: &[(&str, &str)]) -> String {
    let variables = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    match config::parse_layers(vec![("rosterd.toml".into(), GOOD.to_owned())], variables) {
        Ok(_) => "no errors".to_owned(),
        Err(errors) => errors.to_string(),
    }
}

#[test]
fn good_settings_have_no_errors() {
    assert_eq!(errors(GOOD), "no errors");
    assert_eq!(errors(""), "no errors");
}

macro_rules! golden {
    ($($name:ident: $errors:expr => [$($line:literal),* $(,)?];)+) => {
        $(#[test]
        fn $name() {
            let lines: &[&str] = &[$($line),*];
            assert_eq!($errors, lines.join("\n"));
        })+
    };
}

golden! {
    a_slip_in_a_key_is_met_with_the_key_that_was_meant:
        errors_instead(r#"target = "local""#, "target = \"local\"\non_crate = \"create\"") => [
        "rosterd.toml:14: unknown key 'portals.store.on_crate': did you mean 'on_create'?",
    ];
    a_foreign_key_is_met_with_the_nearest_one: errors_with("[server]\nwebscale = true") => [
        "rosterd.toml:17: unknown key 'server.webscale': the nearest known key is 'listen'",
    ];
    an_unknown_section_is_refused: errors_with("[servr]\nlisten = \"127.0.0.1:1\"") => [
        "rosterd.toml:16: unknown key 'servr': did you mean 'server'?",
    ];
    an_unknown_key_deep_in_a_portal_is_refused: errors_with("[portals.store.groups]\npull = []") => [
        "rosterd.toml:17: unknown key 'portals.store.groups.pull': did you mean 'push'?",
    ];
    an_unknown_key_in_a_secret_is_refused: errors_with("[server]\nadmin_token = { fiel = \"x\" }") => [
        "rosterd.toml:17: 'server.admin_token' has the unknown key 'fiel': did you mean 'file'?",
    ];
    a_key_of_another_kind_is_refused: errors_with("[portals.store.roles]\nA = \"admin\"") => [
        "rosterd.toml:16: 'portals.store.roles' is for kind dashboard only, and 'portals.store' is of kind store",
    ];
    dashboard_keys_on_a_store_are_refused_each:
        errors_with("[portals.s2]\nkind = \"store\"\ntarget = \"local\"\nsources = [\"entra\"]\ndefault_role = \"viewer\"\nrole_updates = \"initial\"\npolicy = \"Q\"") => [
        "rosterd.toml:20: 'portals.s2.default_role' is for kind dashboard only, and 'portals.s2' is of kind store",
        "rosterd.toml:21: 'portals.s2.role_updates' is for kind dashboard only, and 'portals.s2' is of kind store",
        "rosterd.toml:22: 'portals.s2.policy' is for kind mdm only, and 'portals.s2' is of kind store",
    ];
    a_wrong_type_is_named: errors_with("[server]\nlisten = 8480") => [
        "rosterd.toml:17: 'server.listen' must be an address and port, not a number",
    ];
    a_scalar_for_a_table_is_named: errors("portals = 3\nstate = []") => [
        "rosterd.toml:1: 'portals' must be a table, not a number",
        "rosterd.toml:2: 'state' must be a table, not a list",
    ];
    a_list_of_something_else_is_named_with_its_own_line:
        errors_with("[safety]\nprotect = [\n  \"a\",\n  3,\n]") => [
        "rosterd.toml:19: 'safety.protect' must be a list of texts, but holds a number",
    ];
    a_flag_as_text_is_refused: errors_instead("application = \"app\"", "application = \"app\"\nnested_groups = \"yes\"") => [
        "rosterd.toml:7: 'sources.entra.nested_groups' must be true or false, not a text",
    ];
    a_cache_has_room_for_some_pages: errors_with("[state]\ncache = \"12KiB\"") => [
        "rosterd.toml:17: 'state.cache' must be \"1MiB\" or more",
    ];
    counts_and_shares_have_bounds:
        errors_instead("application = \"app\"", "application = \"app\"\nconcurrency = 0\nrate_share = 1.5") => [
        "rosterd.toml:7: 'sources.entra.concurrency' must be a whole number from 1 up to 100000, not 0",
        "rosterd.toml:8: 'sources.entra.rate_share' must be a number above 0, at most 1",
    ];
    an_address_without_a_port_is_refused: errors_with("[server]\nlisten = \"localhost\"") => [
        r#"rosterd.toml:17: 'server.listen' must be an address and port such as "127.0.0.1:8480", not "localhost""#,
    ];
    plain_http_beyond_this_machine_is_refused:
        errors_instead("application = \"app\"", "application = \"app\"\nendpoint = \"http://graph.example.com\"\nauthority = \"login\"") => [
        "rosterd.toml:7: 'sources.entra.endpoint' must begin with https://, as http:// is for loopback hosts only",
        "rosterd.toml:8: 'sources.entra.authority' must be a URL: relative URL without a base",
    ];
    a_word_out_of_the_list_is_refused: errors_with("[portals.store.include]\n[portals.b]\nkind = \"stroe\"") => [
        "rosterd.toml:18: 'portals.b.kind' must be one of store, dashboard, mdm, directory, not 'stroe': did you mean 'store'?",
    ];
    limits_that_are_neither_count_nor_share_are_refused:
        errors_with("[safety]\nmax_deactivations = \"ten\"\nmax_group_deletes = -1\nmax_membership_removals = \"250%\"") => [
        r#"rosterd.toml:17: 'safety.max_deactivations' must be a count such as 20 or a percentage such as "10%", not "ten""#,
        "rosterd.toml:18: 'safety.max_group_deletes' must not be negative",
        r#"rosterd.toml:19: 'safety.max_membership_removals' must be between "0%" and "100%", not "250%""#,
    ];
    lengths_of_time_need_units:
        errors_instead("target = \"local\"", "target = \"local\"\ndeactivate_after = \"24\"") => [
        r#"rosterd.toml:14: 'portals.store.deactivate_after' must be a length of time such as "90s", "5m" or "1h30m": "24" has no unit (ms, s, m, h, d, w)"#,
    ];
    a_length_of_time_in_an_unknown_unit_is_refused:
        errors_instead("target = \"local\"", "target = \"local\"\ndeactivate_after = \"2fortnights\"") => [
        r#"rosterd.toml:14: 'portals.store.deactivate_after' must be a length of time such as "90s", "5m" or "1h30m": unknown unit 'fortnights' (ms, s, m, h, d, w)"#,
    ];
    schedules_that_never_come_are_refused:
        errors_instead("application = \"app\"", "application = \"app\"\nschedule = \"often\"\nfull_schedule = \"0 0 3 * *  * * *\"\ntimezone = \"Berlin\"") => [
        r#"rosterd.toml:7: 'sources.entra.schedule' must be an interval such as "5m" or a cron expression such as "0 */5 * * * *", not "often""#,
        r#"rosterd.toml:8: 'sources.entra.full_schedule' has 8 fields, where a cron expression has 5, 6 or 7: "0 0 3 * *  * * *""#,
        r#"rosterd.toml:9: 'sources.entra.timezone' must be a timezone such as "UTC" or "Europe/Berlin", and this system knows no "Berlin""#,
    ];
    a_source_signs_in_one_way: errors_instead("client_id = \"app\"", "client_id = \"app\"\nidentity = \"managed\"") => [
        "rosterd.toml:1: 'sources.entra' says 2 ways to sign in (client_secret, identity): keep one",
    ];
    a_source_signs_in_somehow: errors_instead("client_secret = { file = \"secret\" }", "") => [
        "rosterd.toml:1: 'sources.entra' says no way to sign in: give client_secret, certificate or identity",
    ];
    a_client_secret_needs_a_client_id: errors_instead("client_id = \"app\"", "") => [
        "rosterd.toml:1: 'sources.entra.client_id' must be given with client_secret",
    ];
    half_a_certificate_is_refused:
        errors_instead("client_secret = { file = \"secret\" }", "certificate = { file = \"c.pem\" }") => [
        "rosterd.toml:5: 'sources.entra.certificate.file' needs 'sources.entra.certificate.key' beside it",
    ];
    okta_signs_in_one_way:
        errors_with("[sources.okta]\nkind = \"okta\"\norg_url = \"https://a.okta.com\"\nscope = \"all\"\napi_token = { env = \"T\" }\nclient_id = \"x\"") => [
        "rosterd.toml:16: 'sources.okta' says two ways to sign in: keep api_token or client_id",
    ];
    okta_needs_url_and_a_way_in: errors_with("[sources.okta]\nkind = \"okta\"\nscope = \"all\"") => [
        "rosterd.toml:16: 'sources.okta' says no way to sign in: give api_token, or client_id and private_key",
        "rosterd.toml:16: missing 'sources.okta.org_url': URL of the Okta organization",
    ];
    okta_with_a_key_needs_the_client_too:
        errors_with("[sources.okta]\nkind = \"okta\"\norg_url = \"https://a.okta.com\"\nscope = \"all\"\nkey_id = \"k\"") => [
        "rosterd.toml:16: 'sources.okta.client_id' must be given to sign in without an api_token",
        "rosterd.toml:16: 'sources.okta.private_key' must be given to sign in without an api_token",
    ];
    assigned_needs_an_application: errors_instead("application = \"app\"", "") => [
        r#"rosterd.toml:1: 'sources.entra.application' must be given when scope is assigned: name the application, or set scope = "all""#,
    ];
    a_secret_is_kept_in_one_place: errors_with("[server]\nadmin_token = { file = \"x\", env = \"Y\" }") => [
        "rosterd.toml:17: 'server.admin_token' needs exactly one of file, env and credential",
    ];
    an_applivery_target_needs_an_organization_and_words_it_knows:
        errors_with("[targets.mdm]\nkind = \"applivery\"\nbase_url = \"https://api.applivery.io/v1\"\ntoken = { env = \"T\" }\nemail_change = \"rename\"\nunassign_value = \"none\"\nrate = { per_hour = 0 }") => [
        "rosterd.toml:16: missing 'targets.mdm.organization': Organization id",
        "rosterd.toml:20: 'targets.mdm.email_change' must be one of conflict, recreate, not 'rename'",
        "rosterd.toml:21: 'targets.mdm.unassign_value' must be one of null, empty, not 'none'",
        "rosterd.toml:22: 'targets.mdm.rate.per_hour' must be a whole number from 1 up to 100000, not 0",
    ];
    a_scim_target_says_where_it_is_and_what_opens_it:
        errors_with("[targets.app]\nkind = \"scim\"\nprofile = \"slak\"\nbase_url = \"http://app.example.com\"\nmatch_user = [\"mail\"]\npaging = \"pages\"") => [
        "rosterd.toml:16: missing 'targets.app.token': Bearer token of the service",
        "rosterd.toml:18: 'targets.app.profile' must be one of generic, aws-iam-identity-center, polis, applivery, appspace, slack, github-emu, atlassian, not 'slak': did you mean 'slack'?",
        "rosterd.toml:19: 'targets.app.base_url' must begin with https://, as http:// is for loopback hosts only",
        "rosterd.toml:21: 'targets.app.paging' must be one of index, cursor, none, not 'pages'",
    ];
    what_users_are_looked_up_by_is_one_of_three:
        errors_with("[targets.app]\nkind = \"scim\"\nbase_url = \"https://app.example.com\"\ntoken = { env = \"T\" }\nmatch_user = [\"mail\"]") => [
        "rosterd.toml:20: 'targets.app.match_user' must be one of userName, externalId, emails.value, not 'mail'",
    ];
    an_extension_has_a_urn_and_names:
        errors_with("[sources.push]\nkind = \"scim\"\n[sources.push.extensions]\n\"urn:x:2.0:User\" = [\"a b\"]") => [
        "rosterd.toml:18: 'sources.push.extensions.\"urn:x:2.0:User\"' names 'a b', which is not the name of an attribute: letters, digits, '-' and '_'",
    ];
    a_portal_needs_kind_target_and_sources: errors_with("[portals.a]\n[portals.b]\nkind = \"mdm\"") => [
        "rosterd.toml:16: missing 'portals.a.kind': one of store, dashboard, mdm, directory",
        "rosterd.toml:17: missing 'portals.b.sources': The sources that feed it; the first goes before the later ones",
        "rosterd.toml:17: missing 'portals.b.target': The target the portal lives in",
    ];
    names_that_lead_nowhere_are_met_with_what_was_meant:
        errors_with("[portals.b]\nkind = \"mdm\"\ntarget = \"locl\"\nsources = [\"entar\", \"workday\"]") => [
        "rosterd.toml:18: 'portals.b.target' names the unknown target 'locl': did you mean 'local'?",
        "rosterd.toml:19: 'portals.b.sources' names the unknown source 'entar': did you mean 'entra'?",
        "rosterd.toml:19: 'portals.b.sources' names the unknown source 'workday': there is no [sources.workday]",
    ];
    a_source_is_named_once_and_at_least_one:
        errors_with("[portals.b]\nkind = \"mdm\"\ntarget = \"local\"\nsources = [\"entra\", \"entra\"]\n[portals.c]\nkind = \"mdm\"\ntarget = \"local\"\nsources = []") => [
        "rosterd.toml:19: 'portals.b.sources' names 'entra' twice",
        "rosterd.toml:23: 'portals.c.sources' names no source",
    ];
    a_deactivation_of_another_kind_is_refused:
        errors_instead("target = \"local\"", "target = \"local\"\non_deactivate = \"change_policy\"") => [
        "rosterd.toml:14: 'portals.store.on_deactivate' cannot be 'change_policy' on a portal of kind store: use nothing, remove",
    ];
    change_policy_needs_its_policy:
        errors_with("[portals.m]\nkind = \"mdm\"\ntarget = \"local\"\nsources = [\"entra\"]\non_deactivate = \"change_policy\"") => [
        "rosterd.toml:20: 'portals.m.on_deactivate' is change_policy, which needs 'portals.m.policy'",
    ];
    a_policy_needs_change_policy:
        errors_with("[portals.m]\nkind = \"mdm\"\ntarget = \"local\"\nsources = [\"entra\"]\npolicy = \"Quarantine\"") => [
        r#"rosterd.toml:20: 'portals.m.policy' is for on_deactivate = "change_policy", and 'portals.m.on_deactivate' is 'nothing'"#,
    ];
    a_portal_given_twice_is_said_so: errors_with("[portals.store]\nkind = \"mdm\"") => [
        "rosterd.toml:16: [portals.store] is given twice, first in line 11: keep one",
    ];
    a_key_given_twice_is_said_so: errors_instead("target = \"local\"", "target = \"local\"\ntarget = \"other\"") => [
        "rosterd.toml:14: 'target' is given twice in the same table: keep one",
    ];
    names_keep_to_a_plain_alphabet: errors_with("[portals.\"My Store\"]\nkind = \"store\"\n[sources._x]\nkind = \"okta\"") => [
        "rosterd.toml:16: 'portals': 'My Store' cannot be a name: use a-z, 0-9, '_' and '-', and begin with a letter or digit",
        "rosterd.toml:18: 'sources': '_x' cannot be a name: use a-z, 0-9, '_' and '-', and begin with a letter or digit",
    ];
    mappings_to_bad_names_are_refused:
        errors_with("[portals.store.attributes]\n\"name.a.b\" = \"title\"\nactive = \"x\"\n\"urn:x\" = \"y\"\nmetadata.plan = \"department\"") => [
        r#"rosterd.toml:17: 'portals.store.attributes': 'name.a.b' cannot be an attribute: give a SCIM attribute ("title", "name.givenName"), "metadata.KEY" or a full URN"#,
        "rosterd.toml:18: 'portals.store.attributes': 'active' cannot be mapped: rosterd decides it",
        r#"rosterd.toml:19: 'portals.store.attributes': 'urn:x' cannot be an attribute: give a SCIM attribute ("title", "name.givenName"), "metadata.KEY" or a full URN"#,
        r#"rosterd.toml:20: 'portals.store.attributes.metadata' is a table without from, constant or template; an attribute with a dot needs quotes, as in "metadata.department""#,
    ];
    mappings_say_one_thing:
        errors_with("[portals.store.attributes]\ntitle = { from = \"title\", template = \"x\" }\ndivision = { constant = 1, default = 2 }\ndepartment = 3\nlocale = { form = \"x\" }\ntimezone = { constant = { a = 1 } }\norganization = \"a b\"\ncostCenter = { form = \"a\", default = \"b\" }") => [
        "rosterd.toml:17: 'portals.store.attributes.title' needs exactly one of from, constant and template",
        "rosterd.toml:18: 'portals.store.attributes.division' is a constant, which never needs a default",
        "rosterd.toml:19: 'portals.store.attributes.department' must be the name of a source attribute or a table, not a number; write { constant = … } for a fixed value",
        r#"rosterd.toml:20: 'portals.store.attributes.locale' is a table without from, constant or template; an attribute with a dot needs quotes, as in "metadata.department""#,
        "rosterd.toml:21: 'portals.store.attributes.timezone' has 'constant', which must be a text, a number, true or false, or a list of these",
        r#"rosterd.toml:22: 'portals.store.attributes.organization' must name an attribute of the source, such as "department" or "source.NAME""#,
        "rosterd.toml:23: 'portals.store.attributes.costCenter' has the unknown key 'form': did you mean 'from'?",
    ];
    templates_that_do_not_parse_are_refused:
        errors_with("[portals.store.attributes]\ntitle = { template = \"{{ name\" }\nlocale = { template = \"{{ name | uper }}\" }") => [
        "rosterd.toml:17: 'portals.store.attributes.title' is not a template: unexpected end of input, expected end of variable block",
        "rosterd.toml:18: 'portals.store.attributes.locale' is not a template: filter uper is unknown",
    ];
    globs_that_do_not_parse_are_refused: errors_with("[portals.store.groups]\npush = [\"Sales *\", \"Sales [\"]") => [
        r#"rosterd.toml:17: 'portals.store.groups.push' holds "Sales [", which is not a glob: unclosed character class; missing ']'"#,
    ];
    conditions_know_equals_only:
        errors_with("[portals.store.include]\nattributes = [\"department = Sales\", \"department != Sales\"]\n[portals.store.exclude]\nattributes = [\"department\"]") => [
        r#"rosterd.toml:17: 'portals.store.include.attributes' knows '=' only: "department != Sales"; turn it round with include and exclude"#,
        r#"rosterd.toml:19: 'portals.store.exclude.attributes' must be a condition such as "department = Sales", not "department""#,
    ];
    roles_are_words: errors_with("[portals.d]\nkind = \"dashboard\"\ntarget = \"local\"\nsources = [\"entra\"]\n[portals.d.roles]\nAdmins = \"root\"") => [
        "rosterd.toml:21: 'portals.d.roles.Admins' must be one of unassigned, viewer, editor, admin, not 'root'",
    ];
    notifications_need_a_public_url: errors_instead("application = \"app\"", "application = \"app\"\nnotifications = true") => [
        "rosterd.toml:7: 'sources.entra.notifications' needs 'server.public_url', where Graph can reach rosterd",
    ];
    notifications_from_the_internet_need_https:
        errors_instead("application = \"app\"", "application = \"app\"\nnotifications = true\n[server]\npublic_url = \"http://localhost:1\"") => [
        "rosterd.toml:7: 'sources.entra.notifications' needs a 'server.public_url' that begins with https:// and can be reached from the internet",
    ];
    broken_toml_is_one_line: errors_with("[server\nlisten = 1") => [
        "rosterd.toml:16: not TOML: unclosed table, expected `]`",
    ];
    a_variable_at_fault_is_named:
        errors_of_variables(&[
        ("ROSTERD__SERVER__LISTEN", "8480"),
        ("ROSTERD__SERVR__LISTEN", "x"), ("ROSTERD__SAFETY__PROTECT__X", "x"), ("ROSTERD__SOURCES__ENTRA__NESTED_GROUPS", "yes"), ("ROSTERD__PORTALS__STORE__SOURCES", "[")]) => [
        "ROSTERD__PORTALS__STORE__SOURCES: 'portals.store.sources': not TOML: unclosed array, expected `]`",
        "ROSTERD__SAFETY__PROTECT__X: 'safety.protect' must be a list of texts, not a table",
        r#"ROSTERD__SERVER__LISTEN: 'server.listen' must be an address and port such as "127.0.0.1:8480", not "8480""#,
        "ROSTERD__SERVR__LISTEN: unknown key 'servr': did you mean 'server'?",
        "ROSTERD__SOURCES__ENTRA__NESTED_GROUPS: 'sources.entra.nested_groups' must be true or false, not a text",
    ];
    everything_wrong_is_said_at_once:
        errors("[server]\nlistn = 1\npublic_url = 2\n[sources.a]\nkind = \"graph\"\n[portals.p]\nkind = \"store\"\ntarget = \"nowhere\"\nsources = [\"b\"]\nmatch_on = \"mail\"") => [
        "rosterd.toml:2: unknown key 'server.listn': did you mean 'listen'?",
        "rosterd.toml:3: 'server.public_url' must be a URL, not a number",
        "rosterd.toml:4: 'sources.a' says no way to sign in: give client_secret, certificate or identity",
        r#"rosterd.toml:4: 'sources.a.application' must be given when scope is assigned: name the application, or set scope = "all""#,
        "rosterd.toml:4: missing 'sources.a.tenant': Tenant id, or one of its domains",
        "rosterd.toml:8: 'portals.p.target' names the unknown target 'nowhere': there is no [targets.nowhere]",
        "rosterd.toml:9: 'portals.p.sources' names the unknown source 'b': there is no [sources.b]",
        "rosterd.toml:10: 'portals.p.match_on' must be one of email, userName, externalId, not 'mail': did you mean 'email'?",
    ];
}

#[test]
fn every_error_is_one_line_and_never_repeats_a_secret() {
    let text = "[server]\nadmin_token = 12345678\n[sources.okta]\nkind = \"okta\"\napi_token = [\"hunter2\"]\norg_url = \"https://u:hunter2@a.okta.com\"";
    let lines = errors(text);
    assert_eq!(lines.lines().count(), 4, "{lines}");
    assert!(
        !lines.contains("hunter2") && !lines.contains("12345678"),
        "{lines}"
    );
}

#[test]
fn a_named_file_that_is_missing_is_an_error() {
    let error = config::load(&["/nowhere/rosterd.toml".into()])
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("/nowhere/rosterd.toml: could not read the settings file: No such file")
    );
}
