//! How layers meet, what is shown of them, and what counts as a change of the rules.

use std::path::PathBuf;

use rosterd::config::{
    self, GraphSignIn, Loaded, Mapping, Origin, PortalName, Role, Scope, Settings, ShowFormat,
    SourceKind,
};

const BASE: &str = r#"
[server]
admin_token = { file = "/etc/admin.token" }

[sources.entra]
kind = "graph"
tenant = "contoso.example"
client_id = "app"
client_secret = { file = "entra.secret" }
application = "portal"

[targets.local]
kind = "local"

[portals.dashboard]
kind = "dashboard"
target = "local"
sources = ["entra"]

[portals.dashboard.attributes]
title = { from = "title", default = "Staff" }
"#;

fn layers(files: &[&str], variables: &[(&str, &str)]) -> Loaded {
    let texts = files.iter().enumerate();
    let texts = texts.map(|(n, text)| (PathBuf::from(format!("{n}.toml")), (*text).to_owned()));
    let variables = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    config::parse_layers(texts.collect(), variables).unwrap_or_else(|errors| panic!("{errors}"))
}

fn base_with(more: &str) -> Settings {
    layers(&[BASE, more], &[]).settings
}

fn dashboard() -> PortalName {
    "dashboard".parse().unwrap()
}

#[test]
fn a_later_file_changes_single_keys_and_a_variable_goes_before_all() {
    let loaded = layers(
        &[
            BASE,
            "[server]\nlisten = \"127.0.0.1:1\"\n[portals.dashboard]\ndefault_role = \"viewer\"",
        ],
        &[("ROSTERD__SERVER__LISTEN", "127.0.0.1:2")],
    );
    assert_eq!(loaded.settings.server.listen.port(), 2);
    assert_eq!(
        loaded.settings.portals["dashboard"].default_role,
        Some(Role::Viewer)
    );
    assert_eq!(
        loaded.origins["server.listen"],
        Origin::Env("ROSTERD__SERVER__LISTEN".into())
    );
    assert_eq!(
        loaded.origins["portals.dashboard.default_role"],
        Origin::File("1.toml".into(), 4)
    );
    assert_eq!(
        loaded.origins["portals.dashboard.target"],
        Origin::File("0.toml".into(), 17)
    );
    assert_eq!(
        loaded.origins["portals.dashboard.match_on"],
        Origin::Default
    );
}

#[test]
fn variables_reach_lists_flags_numbers_and_secrets() {
    let settings = layers(
        &[BASE],
        &[
            ("ROSTERD__SAFETY__PROTECT", "a@x.example, b@x.example"),
            ("ROSTERD__SAFETY__MAX_DEACTIVATIONS", "3"),
            ("ROSTERD__SOURCES__ENTRA__NESTED_GROUPS", "false"),
            ("ROSTERD__SOURCES__ENTRA__CONCURRENCY", "2"),
            ("ROSTERD__SOURCES__ENTRA__RATE_SHARE", "0.25"),
            ("ROSTERD__SERVER__ADMIN_TOKEN__ENV", "TOKEN"),
            ("ROSTERD__PORTALS__DASHBOARD__GROUPS__PUSH", "[\"A, B\"]"),
            ("ROSTERD__SERVER__PUBLIC_URL", ""),
            ("ROSTERD_LOG", "ours is two underscores"),
        ],
    )
    .settings;
    assert_eq!(settings.safety.protect.len(), 2);
    assert_eq!(settings.safety.max_deactivations, config::Limit::Count(3));
    let source = &settings.sources["entra"];
    assert!(!source.nested_groups);
    assert_eq!(source.pull().unwrap().concurrency, 2);
    assert_eq!(source.pull().unwrap().rate_share, 0.25);
    assert_eq!(
        settings.server.admin_token.unwrap().kept_in(),
        "the environment variable TOKEN"
    );
    assert_eq!(settings.portals["dashboard"].push[0].as_str(), "A, B");
    assert_eq!(settings.server.public_url, None);
}

#[test]
fn a_later_secret_or_mapping_stands_whole() {
    let settings = base_with(
        "[server]\nadmin_token = { credential = \"admin\" }\n[portals.dashboard.attributes]\ntitle = { constant = 7 }",
    );
    assert_eq!(
        settings.server.admin_token.unwrap().kept_in(),
        "the credential admin"
    );
    let title = &settings.portals["dashboard"].attributes["title"];
    assert_eq!(*title, Mapping::Constant(7.into()));
}

#[test]
fn a_secret_written_out_is_taken_with_a_warning_that_does_not_repeat_it() {
    let loaded = layers(&[BASE, "[server]\nadmin_token = \"hunter2\""], &[]);
    assert_eq!(
        loaded.warnings,
        [
            "1.toml:2: 'server.admin_token' is written out in the settings: keep it in a file and give { file = PATH }"
        ]
    );
    let everything = format!("{loaded:?}{}", config::render(&loaded, ShowFormat::Json));
    assert!(!everything.contains("hunter2"));
    assert_eq!(
        loaded
            .settings
            .server
            .admin_token
            .unwrap()
            .read()
            .unwrap()
            .expose(),
        "hunter2"
    );
}

#[test]
fn a_dashboard_without_a_role_map_has_the_usual_four_and_an_empty_one_none() {
    let usual = base_with("").portals["dashboard"].roles.clone();
    assert_eq!(usual.len(), 4);
    assert_eq!(usual["applivery-admin"], Role::Admin);
    assert!(
        base_with("[portals.dashboard.roles]").portals["dashboard"]
            .roles
            .is_empty()
    );
    let own = base_with("[portals.dashboard.roles]\n\"Ops Team\" = \"editor\"");
    assert_eq!(own.portals["dashboard"].roles.len(), 1);
}

#[test]
fn idle_settings_are_warned_about() {
    let nothing = config::parse("a.toml", "").unwrap();
    assert_eq!(
        nothing.warnings,
        [
            "no sources are set: there is nothing to do",
            "no portals are set: there is nothing to do"
        ]
    );
    let okta = "[sources.okta]\nkind = \"okta\"\norg_url = \"https://a.okta.com\"\napi_token = { env = \"T\" }\nscope = \"all\"";
    assert_eq!(
        layers(&[BASE, okta], &[]).warnings,
        ["1.toml:1: 'sources.okta' feeds no portal: no portal names it"]
    );
}

#[test]
fn a_managed_identity_needs_no_client_and_may_ask_elsewhere() {
    let settings = config::parse(
        "a.toml",
        r#"
        [sources.entra]
        kind = "graph"
        tenant = "t"
        identity = "managed"
        identity_endpoint = "http://169.254.169.254"
        cloud = "us_dod"
        authority = "http://127.0.0.1:9"
        scope = "all"
        "#,
    )
    .unwrap()
    .settings;
    let source = &settings.sources["entra"];
    assert_eq!(source.scope, Scope::All);
    let SourceKind::Graph(graph) = &source.kind else {
        panic!()
    };
    assert!(matches!(
        graph.sign_in,
        GraphSignIn::Identity {
            client_id: None,
            ..
        }
    ));
    assert_eq!(graph.endpoint.as_str(), "https://dod-graph.microsoft.us/");
    assert_eq!(graph.authority.as_str(), "http://127.0.0.1:9/");
}

#[test]
fn files_are_read_in_the_order_they_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let one = file("1.toml", "[log]\nlevel = \"warn\"");
    let two = file("2.toml", "[log]\nlevel = \"debug\"");
    let level = |files: &[PathBuf]| config::load(files).unwrap().settings.log.level.to_string();
    assert_eq!(level(&[one.clone(), two.clone()]), "debug");
    assert_eq!(level(&[two, one]), "warn");
}

#[test]
fn settings_are_shown_with_their_origins_and_without_secrets() {
    let text = r#"
[server]
listen = "127.0.0.1:9"
admin_token = { file = "token" }
[targets.local]
kind = "local"
[safety]
protect = ["a", "b"]
"#;
    let loaded = layers(&[text], &[("ROSTERD__LOG__LEVEL", "debug")]);
    insta::assert_snapshot!(config::render(&loaded, ShowFormat::Text), @r##"
    audit.keep = "400d"                      # default
    audit.max_size = "1GiB"                  # default
    history.keep = "90d"                     # default
    history.max_size = "1GiB"                # default
    log.format = "text"                      # default
    log.level = "debug"                      # ROSTERD__LOG__LEVEL
    notify.command = []                      # default
    notify.overdue_after = "24h"             # default
    safety.max_deactivations = "10%"         # default
    safety.max_group_deletes = "10%"         # default
    safety.max_membership_removals = "25%"   # default
    safety.protect = ["a", "b"]              # 0.toml:8
    server.admin_token = "***"               # 0.toml:4
    server.insecure_no_auth = false          # default
    server.listen = "127.0.0.1:9"            # 0.toml:3
    state.cache = "64MiB"                    # default
    state.path = "/var/lib/rosterd"          # default
    targets.local.kind = "local"             # 0.toml:6
    "##);
    let json: serde_json::Value =
        serde_json::from_str(&config::render(&loaded, ShowFormat::Json)).unwrap();
    assert_eq!(json["server.listen"]["value"], "127.0.0.1:9");
    assert_eq!(json["server.listen"]["from"], "0.toml:3");
    assert_eq!(json["server.admin_token"]["value"], "***");
}

fn fingerprint(settings: &Settings) -> String {
    settings.rules_fingerprint(&dashboard()).unwrap()
}

#[test]
fn what_decides_who_is_in_a_portal_changes_its_fingerprint() {
    let before = fingerprint(&base_with(""));
    for change in [
        "[sources.entra]\nscope = \"all\"",
        "[sources.entra]\napplication = \"other\"",
        "[sources.entra]\nnested_groups = false",
        "[portals.dashboard]\nmatch_on = \"userName\"",
        "[portals.dashboard]\nrole_updates = \"continuous\"",
        "[portals.dashboard]\non_deactivate = \"remove\"",
        "[portals.dashboard.roles]\nx = \"admin\"",
        "[portals.dashboard.groups]\npush = []",
        "[portals.dashboard.include]\ngroups = [\"x\"]",
        "[portals.dashboard.exclude]\nattributes = [\"department = x\"]",
        "[portals.dashboard.attributes]\ntitle = \"title\"",
    ] {
        assert_ne!(fingerprint(&base_with(change)), before, "{change}");
    }
}

#[test]
fn how_a_source_is_reached_does_not_change_a_fingerprint() {
    let before = fingerprint(&base_with(""));
    for change in [
        "",
        "[sources.entra]\nschedule = \"1m\"\ntimeout = \"5s\"",
        "[sources.entra]\nclient_secret = { env = \"X\" }",
        "[sources.entra]\nendpoint = \"http://127.0.0.1:1\"",
        "[portals.store]\nkind = \"store\"\ntarget = \"local\"\nsources = [\"entra\"]",
        "[safety]\nprotect = [\"x\"]",
    ] {
        assert_eq!(fingerprint(&base_with(change)), before, "{change}");
    }
    assert_eq!(
        base_with("").rules_fingerprint(&"store".parse().unwrap()),
        None
    );
}
