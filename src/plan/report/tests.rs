use super::sample;
use super::{Format, Style, words, write};
use crate::plan::{Builder, Entry, Op, Plan, Status};

fn report(plan: &Plan, format: Format) -> String {
    styled(plan, format, Style::Plain)
}

fn styled(plan: &Plan, format: Format, style: Style) -> String {
    let mut out = Vec::new();
    write(plan, format, style, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_quiet_plan_says_so_briefly() {
    insta::assert_snapshot!(report(&sample::quiet(), Format::Text), @"
    Plan 01JDXAMPLE0000000000000000  full run, dry run, 2026-11-22 01:02 UTC
      entra  1,000 users (3 changed), 50 groups (1 changed), 4 requests

    Nothing to do for 1,000 users and 50 groups.
    ");
}

#[test]
fn text_of_a_held_plan() {
    insta::assert_snapshot!(report(&sample::held(), Format::Text), @r#"
    Plan 01JDXAMPLE0000000000000000  full run, dry run, 2026-11-22 01:02 UTC
      entra  1,000 users (3 changed), 50 groups (1 changed), 4 requests
      okta   failed after 7 requests: acme.okta.com answers 401; renew okta.api_token

    Groups
      store
        + create group  Sales
            externalId: – → g-1
            pushed by *

    Accounts
      dashboard
        + create account  jane@contoso.com                  Jane Doe
            role: – → admin
            metadata.badge: – → =1+1
            assigned to the application; member of applivery-admin
        ~ set role        zoe@contoso.com                   Zoë Straße
            role: viewer → editor
            member of applivery-editor
      store
        = adopt account   =eve@contoso.com                  Eve \u{1b}[2J|<script>alert(1)</script>\n# \u{202e}moc
            emails: – → ["a@b.c",2.5]
        > enable account  back@contoso.com                  山田 太郎
            enabled again
        ~ update account  jane@contoso.com                  Jane Doe
            displayName: Jane Roe → Jane Doe
            title: Clerk → –
            changed at entra

    Memberships
      store
        - remove 1 member from "Ops": old@contoso.com
            left at entra
        + add 12 members to "Sales": user01@contoso.com, user02@contoso.com, user03@contoso.com, user04@contoso.com, user05@contoso.com … and 7 more
            members at entra

    Deactivations
      mdm
        ~ change policy    dev-7                             of leaver@contoso.com
            policy: Staff → Quarantine
            disabled at entra
      store
        - remove account   leaver@contoso.com                Lea Ver
            disabled at entra

    Groups removed
      store
        - delete group  Interns
            gone from entra

    Needs a role (1)  the account stands without one
      dashboard   norole@contoso.com

    Departed (1)  the account stays, its user is gone
      mdm         leaver@contoso.com                disabled

    Returned (1)  the user of a departed account is back
      mdm         back@contoso.com                  2 devices stay under the policy Quarantine

    Pending (1)  to be deactivated when the grace period ends
      store       grace@contoso.com                 unassigned; due in 1 d 2 h (2026-11-23 03:05 UTC)

    Spared (1)  not deactivated, for a reason
      dashboard   admin@contoso.com                 last admin

    Skipped (1)  no account can be made
      store       Nomail (entra u-9)                no email

    Conflicts (1)  two users, one key
      store       twin@contoso.com                  Twin One (entra u-10) keeps it, not Twin Two (okta u-11)

    Quarantined (1)  a record that could not be read, left as it is
      entra       u-12                              accountEnabled is "maybe"; next try in 5 min

    Warnings
      ! entra has no attribute "shoeSize" (portal store, title)

    HELD by the guard
      ✗ 12 of 60 accounts of dashboard would be deactivated; max_deactivations allows 6
      A run that comes to this is held until somebody releases it with `rosterd approve RUN`.

    Totals
      dashboard  1 create account, 1 set role
      mdm        1 change policy
      store      1 create group, 1 adopt account, 1 enable account, 1 update account, 1 add members, 1 remove members, 1 remove account, 1 delete group

    Held: nothing was applied. okta could not be read; its people are left as they are.
    "#);
}

#[test]
fn text_after_apply_marks_what_became_of_each_action() {
    let text = report(&sample::partly_applied(), Format::Text);
    let marked: Vec<&str> = text
        .lines()
        .filter(|line| line.contains(['✓', '✗', '·']) || line.contains("attempts"))
        .chain(text.lines().last())
        .collect();
    insta::assert_snapshot!(marked.join("\n"), @r#"
      ✓ + create group  Sales
      ✗ + create account  jane@contoso.com                  Jane Doe
            failed after 3 attempts: app.example.com answers 409 <uniqueness>
      ✓ ~ set role        zoe@contoso.com                   Zoë Straße
      ✓ = adopt account   =eve@contoso.com                  Eve \u{1b}[2J|<script>alert(1)</script>\n# \u{202e}moc
      ✓ > enable account  back@contoso.com                  山田 太郎
      ✓ ~ update account  jane@contoso.com                  Jane Doe
      ✓ - remove 1 member from "Ops": old@contoso.com
      · + add 12 members to "Sales": user01@contoso.com, user02@contoso.com, user03@contoso.com, user04@contoso.com, user05@contoso.com … and 7 more
      ✓ ~ change policy    dev-7                             of leaver@contoso.com
      ✓ - remove account   leaver@contoso.com                Lea Ver
      ✓ - delete group  Interns
    Partly applied: 9 of 11 actions done, 1 failed, 1 skipped. What failed is kept for the next run.
    "#);
}

#[test]
fn markdown_of_a_plan_in_part_applied() {
    insta::assert_snapshot!(report(&sample::partly_applied(), Format::Markdown), @r#"
    # Plan 01JDXAMPLE0000000000000000

    full run, 2026-11-22 01:02 UTC

    **Partly applied: 9 of 11 actions done, 1 failed, 1 skipped. What failed is kept for the next run.**

    ## Sources

    | Source | Read |
    | --- | --- |
    | entra | 1,000 users (3 changed), 50 groups (1 changed), 4 requests |

    ## Totals

    | Portal | Action | Count |
    | --- | --- | --- |
    | dashboard | create account | 1 |
    | dashboard | set role | 1 |
    | mdm | change policy | 1 |
    | store | create group | 1 |
    | store | adopt account | 1 |
    | store | enable account | 1 |
    | store | update account | 1 |
    | store | add members | 1 |
    | store | remove members | 1 |
    | store | remove account | 1 |
    | store | delete group | 1 |

    ## Groups

    | Portal | Action | Who | Changes | Why | Outcome |
    | --- | --- | --- | --- | --- | --- |
    | store | + create group | Sales | externalId: – → g-1 | pushed by \* | ✓ |

    ## Accounts

    | Portal | Action | Who | Changes | Why | Outcome |
    | --- | --- | --- | --- | --- | --- |
    | dashboard | + create account | jane@contoso.com<br>Jane Doe | role: – → admin<br>metadata.badge: – → =1+1 | assigned to the application; member of applivery-admin | ✗ failed after 3 attempts: app.example.com answers 409 &lt;uniqueness&gt; |
    | dashboard | \~ set role | zoe@contoso.com<br>Zoë Straße | role: viewer → editor | member of applivery-editor | ✓ |
    | store | = adopt account | =eve@contoso.com<br>Eve \\u{1b}\[2J\|&lt;script&gt;alert(1)&lt;/script&gt;\\n\# \\u{202e}moc | emails: – → \["a@b.c",2.5\] |  | ✓ |
    | store | &gt; enable account | back@contoso.com<br>山田 太郎 |  | enabled again | ✓ |
    | store | \~ update account | jane@contoso.com<br>Jane Doe | displayName: Jane Roe → Jane Doe<br>title: Clerk → – | changed at entra | ✓ |

    ## Memberships

    | Portal | Action | Who | Changes | Why | Outcome |
    | --- | --- | --- | --- | --- | --- |
    | store | - remove members | Ops | 1 member: old@contoso.com | left at entra | ✓ |
    | store | + add members | Sales | 12 members: user01@contoso.com, user02@contoso.com, user03@contoso.com, user04@contoso.com, user05@contoso.com, user06@contoso.com, user07@contoso.com, user08@contoso.com, user09@contoso.com, user10@contoso.com, user11@contoso.com, user12@contoso.com | members at entra | · skipped: the group could not be made |

    ## Deactivations

    | Portal | Action | Who | Changes | Why | Outcome |
    | --- | --- | --- | --- | --- | --- |
    | mdm | \~ change policy | dev-7 of leaver@contoso.com<br>Lea Ver | policy: Staff → Quarantine | disabled at entra | ✓ |
    | store | - remove account | leaver@contoso.com<br>Lea Ver |  | disabled at entra | ✓ |

    ## Groups removed

    | Portal | Action | Who | Changes | Why | Outcome |
    | --- | --- | --- | --- | --- | --- |
    | store | - delete group | Interns |  | gone from entra | ✓ |

    ## Needs a role (1): the account stands without one

    | Where | Who | What |
    | --- | --- | --- |
    | dashboard | norole@contoso.com |  |

    ## Departed (1): the account stays, its user is gone

    | Where | Who | What |
    | --- | --- | --- |
    | mdm | leaver@contoso.com | disabled |

    ## Returned (1): the user of a departed account is back

    | Where | Who | What |
    | --- | --- | --- |
    | mdm | back@contoso.com | 2 devices stay under the policy Quarantine |

    ## Pending (1): to be deactivated when the grace period ends

    | Where | Who | What |
    | --- | --- | --- |
    | store | grace@contoso.com | unassigned; due in 1 d 2 h (2026-11-23 03:05 UTC) |

    ## Spared (1): not deactivated, for a reason

    | Where | Who | What |
    | --- | --- | --- |
    | dashboard | admin@contoso.com | last admin |

    ## Skipped (1): no account can be made

    | Where | Who | What |
    | --- | --- | --- |
    | store | Nomail (entra u-9) | no email |

    ## Conflicts (1): two users, one key

    | Where | Who | What |
    | --- | --- | --- |
    | store | twin@contoso.com | Twin One (entra u-10) keeps it, not Twin Two (okta u-11) |

    ## Quarantined (1): a record that could not be read, left as it is

    | Where | Who | What |
    | --- | --- | --- |
    | entra | u-12 | accountEnabled is "maybe"; next try in 5 min |
    "#);
}

#[test]
fn csv_of_a_plan_in_part_applied() {
    insta::assert_snapshot!(report(&sample::partly_applied(), Format::Csv), @r#"
    action,portal,op,key,kind,source,id,display,device,member,attribute,before,after,reason,outcome,error,attempts
    1,store,create_group,Sales,group,entra,g-1,Sales,,,externalId,,g-1,pushed by *,done,,1
    2,dashboard,create_account,jane@contoso.com,user,entra,u-1,Jane Doe,,,role,,admin,assigned to the application; member of applivery-admin,failed,app.example.com answers 409 <uniqueness>,3
    2,dashboard,create_account,jane@contoso.com,user,entra,u-1,Jane Doe,,,metadata.badge,,'=1+1,assigned to the application; member of applivery-admin,failed,app.example.com answers 409 <uniqueness>,3
    3,dashboard,set_role,zoe@contoso.com,user,entra,u-4,Zoë Straße,,,role,viewer,editor,member of applivery-editor,done,,1
    4,store,adopt_account,'=eve@contoso.com,user,entra,u-2,Eve \u{1b}[2J|<script>alert(1)</script>\n# \u{202e}moc,,,emails,,"[""a@b.c"",2.5]",,done,,1
    5,store,enable_account,back@contoso.com,user,entra,u-3,山田 太郎,,,,,,enabled again,done,,1
    6,store,update_account,jane@contoso.com,user,entra,u-1,Jane Doe,,,displayName,Jane Roe,Jane Doe,changed at entra,done,,1
    6,store,update_account,jane@contoso.com,user,entra,u-1,Jane Doe,,,title,Clerk,,changed at entra,done,,1
    7,store,remove_members,Ops,group,entra,g-2,Ops,,old@contoso.com,,,,left at entra,done,,1
    8,store,add_members,Sales,group,entra,g-1,Sales,,user01@contoso.com,,,,members at entra,skipped,the group could not be made,0
    8,store,add_members,Sales,group,entra,g-1,Sales,,user02@contoso.com,,,,members at entra,skipped,the group could not be made,0
    8,store,add_members,Sales,group,entra,g-1,Sales,,user03@contoso.com,,,,members at entra,skipped,the group could not be made,0
    8,store,add_members,Sales,group,entra,g-1,Sales,,user04@contoso.com,,,,members at entra,skipped,the group could not be made,0
    8,store,add_members,Sales,group,entra,g-1,Sales,,user05@contoso.com,,,,members at entra,skipped,the group could not be made,0
    8,store,add_members,Sales,group,entra,g-1,Sales,,user06@contoso.com,,,,members at entra,skipped,the group could not be made,0
    8,store,add_members,Sales,group,entra,g-1,Sales,,user07@contoso.com,,,,members at entra,skipped,the group could not be made,0
    8,store,add_members,Sales,group,entra,g-1,Sales,,user08@contoso.com,,,,members at entra,skipped,the group could not be made,0
    8,store,add_members,Sales,group,entra,g-1,Sales,,user09@contoso.com,,,,members at entra,skipped,the group could not be made,0
    8,store,add_members,Sales,group,entra,g-1,Sales,,user10@contoso.com,,,,members at entra,skipped,the group could not be made,0
    8,store,add_members,Sales,group,entra,g-1,Sales,,user11@contoso.com,,,,members at entra,skipped,the group could not be made,0
    8,store,add_members,Sales,group,entra,g-1,Sales,,user12@contoso.com,,,,members at entra,skipped,the group could not be made,0
    9,mdm,change_device_policy,leaver@contoso.com,user,entra,u-5,Lea Ver,dev-7,,policy,Staff,Quarantine,disabled at entra,done,,1
    10,store,remove_account,leaver@contoso.com,user,entra,u-5,Lea Ver,,,,,,disabled at entra,done,,1
    11,store,delete_group,Interns,group,entra,g-3,Interns,,,,,,gone from entra,done,,1
    "#);
}

#[test]
fn csv_rows_all_have_the_columns_of_the_header() {
    let text = report(&sample::held(), Format::Csv);
    let mut rows = ::csv::Reader::from_reader(text.as_bytes());
    let width = rows.headers().unwrap().len();
    let rows: Vec<_> = rows.records().map(Result::unwrap).collect();
    assert!(rows.len() > 20);
    for row in &rows {
        assert_eq!(row.len(), width);
        assert!(
            row.iter()
                .all(|cell| !cell.starts_with(['=', '+', '-', '@']))
        );
    }
}

#[test]
fn only_coloured_text_has_escape_sequences() {
    for format in Format::ALL {
        assert!(
            !report(&sample::held(), format).contains('\u{1b}'),
            "{format:?}"
        );
    }
    let text = styled(&sample::held(), Format::Text, Style::Coloured);
    assert!(text.contains("\u{1b}[32m"));
    assert!(
        !text.contains("\u{1b}[2J"),
        "a name must not steer the terminal"
    );
}

#[test]
fn colours_change_nothing_but_the_colour() {
    let mut text = styled(&sample::held(), Format::Text, Style::Coloured);
    for code in ["0", "1", "2", "31", "32", "33"] {
        text = text.replace(&format!("\u{1b}[{code}m"), "");
    }
    assert_eq!(text, report(&sample::held(), Format::Text));
}

#[test]
fn html_escapes_every_name_and_loads_nothing() {
    let page = report(&sample::partly_applied(), Format::Html);
    assert_eq!(page.matches("<script").count(), 1);
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert!(page.contains("409 &lt;uniqueness&gt;"));
    for loading in ["src=", "url(", "@import", "http://", "https://", "style="] {
        assert!(!page.contains(loading), "{loading}");
    }
}

#[test]
fn html_shows_the_last_phase_however_long_the_first_is() {
    let mut builder = Builder::new();
    for n in 0..2_345 {
        let key = format!("user{n:04}@contoso.com");
        let subject = sample::user(&key, "");
        let action = sample::action("store", Op::CreateAccount, &key, subject, "assigned");
        builder.push(Entry::Action(action)).unwrap();
    }
    let subject = sample::user("u-5", "Lea Ver");
    let leaver = sample::action("store", Op::RemoveAccount, "leaver", subject, "disabled");
    builder.push(Entry::Action(leaver)).unwrap();
    let page = report(&builder.finish(sample::head()).unwrap(), Format::Html);
    assert_eq!(page.matches("<tr data-portal").count(), 2_001);
    assert!(page.contains("This page shows the first 2,000. 345 more are in the JSON and CSV"));
    assert!(page.contains("Lea Ver"));
}

#[test]
fn every_format_has_a_name_to_ask_for() {
    for format in Format::ALL {
        assert_eq!(format.as_str().parse::<Format>().unwrap(), format);
    }
    insta::assert_snapshot!("yaml".parse::<Format>().unwrap_err(), @r#"there is no report format "yaml"; choose text, json, html, markdown or csv"#);
}

#[test]
fn a_full_disk_is_an_error() {
    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    for format in Format::ALL {
        let written = write(&sample::held(), format, Style::Plain, &mut Full);
        assert!(
            matches!(written, Err(super::ReportError::Write(_))),
            "{format:?}"
        );
    }
}

#[test]
fn the_verdict_names_sources_that_could_not_be_read() {
    let mut plan = sample::quiet();
    plan.head.sources = sample::held().head.sources;
    insta::assert_snapshot!(words::verdict(&plan), @"Nothing to do for 1,000 users and 50 groups. okta could not be read; its people are left as they are.");
    plan.head.status = Status::PartlyApplied;
    assert!(words::verdict(&plan).starts_with("Nothing to do for 1,000 users"));
    plan.head.sources.remove("entra");
    insta::assert_snapshot!(words::verdict(&plan), @"No source could be read. okta could not be read; its people are left as they are.");
    plan.head.sources.clear();
    insta::assert_snapshot!(words::verdict(&plan), @"Nothing to do.");
}

#[test]
fn the_verdict_of_an_applied_plan_counts() {
    let mut plan = sample::held();
    plan.head.status = Status::Planned;
    plan.head.sources.remove("okta");
    insta::assert_snapshot!(words::verdict(&plan), @"Planned: 11 actions. Nothing has been changed yet.");
    plan.head.status = Status::Applied;
    plan.set_outcomes(Default::default());
    insta::assert_snapshot!(words::verdict(&plan), @"Applied: 11 of 11 actions done.");
}

#[test]
fn a_held_run_says_how_to_release_it() {
    let mut head = sample::held().head;
    head.dry_run = false;
    insta::assert_snapshot!(words::release(&head), @"If all of it is meant, release it with `rosterd approve 01JDXAMPLE0000000000000000`.");
}

#[test]
fn a_discarded_run_says_that_nothing_was_applied() {
    let mut plan = sample::held();
    plan.head.status = Status::Discarded;
    plan.head.sources.remove("okta");
    insta::assert_snapshot!(words::verdict(&plan), @"Discarded: nothing was applied.");
    insta::assert_snapshot!(words::release(&plan.head), @"Somebody discarded it. A run that comes to the same is held anew.");
}
