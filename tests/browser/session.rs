//! Who gets in, and whose forms count.

use std::cell::RefCell;

use serde_json::json;

use crate::driver::Browser;
use crate::served::{Served, TOKEN};
use crate::{company, three_leave};

#[test]
fn only_the_admin_token_opens_the_console_and_logging_out_closes_it() {
    let world = company();
    let served = Served::start(&world);
    let browser = Browser::open(&served);
    browser.go("/people");
    browser.is_at("/login");
    browser.fill("input[name=admin_token]", "not the token");
    browser.click("main button");
    browser.says("This is not the admin token.");
    browser.complains_of_status(401);
    assert!(!browser.has("header nav"), "nobody is let in");
    browser.fill("input[name=admin_token]", TOKEN);
    browser.click("main button");
    browser.is_at("/");
    browser.says("Sources");
    let cookie = browser.script("return document.cookie");
    assert_eq!(cookie, "", "scripts cannot read the session");
    browser.click("header form button");
    browser.is_at("/login");
    browser.go("/");
    browser.is_at("/login");
    browser.is_content();
}

/// The session's cookie goes along with all of these forms: it must not be enough.
#[test]
fn a_form_without_the_sessions_token_changes_nothing() {
    let world = company();
    let served = Served::start(&world);
    served.sync(json!({ "full": true }));
    three_leave(&world);
    let held = served.sync(json!({}));
    assert_eq!(held["status"], "held");
    let held = held["run"].as_str().expect("an id").to_owned();
    let before = served.get("/api/v1/runs").json();
    let browser = Browser::logged_in(&served);
    let paths = [
        "/sync".to_owned(),
        format!("/runs/{held}/approve"),
        format!("/runs/{held}/discard"),
        "/logout".to_owned(),
    ];
    for path in &paths {
        for field in ["", "<input name=token value=forged>"] {
            browser.go("/");
            browser.is_content();
            let script = format!(
                "const form = document.createElement('form'); form.method = 'post'; \
                 form.action = '{path}'; form.innerHTML = '{field}'; \
                 document.body.append(form); form.submit()"
            );
            browser.script(&script);
            browser.says("this form is not of your session");
            browser.complains_of_status(403);
        }
    }
    browser.go("/");
    browser.says("A plan waits for approval");
    assert_eq!(served.get("/api/v1/runs").json(), before);
    assert_eq!(served.get("/api/v1/status").json()["held"], json!([held]));
}

/// If the browser's log were empty for another reason, nothing would be proved by it.
#[test]
fn what_a_page_may_not_do_is_refused_and_noticed() {
    let world = company();
    let served = Served::start(&world);
    let browser = Browser::logged_in(&served);
    browser.is_content();
    browser.script(
        "const script = document.createElement('script'); script.textContent = 'document.title = 1'; \
         document.body.append(script); \
         const image = document.createElement('img'); image.src = 'http://127.0.0.1:9/x.png'; \
         document.body.append(image); \
         const text = document.createElement('p'); text.setAttribute('style', 'color: red'); \
         document.body.append(text)",
    );
    let title = browser.script("return document.title");
    assert_eq!(title, "Overview · rosterd", "no script runs");
    let noticed = RefCell::new(String::new());
    for refused in ["script-src", "img-src", "style-src"] {
        browser.wait(&format!("for the log to name {refused}"), || {
            // What was read once is not told again.
            noticed.borrow_mut().extend(browser.complaints());
            noticed
                .borrow()
                .contains(&format!("policy violated: {refused}"))
        });
    }
}
