//! The console: who may look, what they see, and what a form may do.

use serde_json::json;

use super::guarded;
use crate::served::{Answer, Served, TOKEN};
use crate::world::text;

/// Whoever sits at a browser.
struct Browser<'a> {
    served: &'a Served,
    cookie: String,
}

impl<'a> Browser<'a> {
    fn logged_in(served: &'a Served) -> Browser<'a> {
        let form = [("admin_token", TOKEN)];
        let answer = served
            .send(served.request("POST", "/login").form(&form))
            .is(303);
        assert_eq!(answer.header("location"), "/");
        let cookie = answer.header("set-cookie");
        assert!(cookie.contains("; HttpOnly; SameSite=Strict"), "{cookie}");
        let cookie = cookie.split(';').next().expect("a first part").to_owned();
        Browser { served, cookie }
    }

    /// A page, which must be one that can do no harm.
    #[track_caller]
    fn page(&self, path: &str) -> Answer {
        let request = self.served.request("GET", path);
        let answer = self.served.send(request.header("cookie", &self.cookie));
        harmless(&answer);
        answer
    }

    /// Sends a form, with the token that the page at `from` has.
    #[track_caller]
    fn post(&self, from: &str, path: &str) -> Answer {
        let page = self.page(from).is(200).text;
        let token = page
            .split("name=\"token\" value=\"")
            .nth(1)
            .and_then(|rest| rest.split('"').next())
            .expect("every page has a form");
        self.post_with(path, token)
    }

    fn post_with(&self, path: &str, token: &str) -> Answer {
        let request = self.served.request("POST", path).form(&[("token", token)]);
        self.served.send(request.header("cookie", &self.cookie))
    }
}

#[track_caller]
fn harmless(answer: &Answer) {
    let policy = answer.header("content-security-policy");
    assert!(policy.contains("default-src 'none'"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert!(!answer.text.contains("<script"), "{}", answer.text);
    assert!(!answer.text.contains(" style="), "{}", answer.text);
}

#[test]
fn only_the_admin_token_opens_the_console_until_logout() {
    let world = guarded();
    let served = Served::start(&world);
    let get = |path: &str| served.send(served.request("GET", path));
    for path in [
        "/",
        "/runs",
        "/runs/x",
        "/runs/x/approve",
        "/people",
        "/people/x",
    ] {
        let answer = get(path).is(303);
        assert_eq!(answer.header("location"), "/login", "{path}");
    }
    harmless(&get("/login").is(200));
    get("/console.css").is(200);
    let wrong = served
        .request("POST", "/login")
        .form(&[("admin_token", "wrong")]);
    let answer = served.send(wrong).is(401);
    assert!(answer.text.contains("not the admin token"));
    assert_eq!(answer.header("set-cookie"), "");
    served.send(served.request("POST", "/sync")).is(403);

    let browser = Browser::logged_in(&served);
    let page = browser.page("/").is(200).text;
    assert!(page.contains("entra") && page.contains("store"), "{page}");
    for token in ["", "wrong"] {
        browser.post_with("/sync", token).is(403);
        browser.post_with("/logout", token).is(403);
    }
    let answer = browser.post("/", "/logout").is(303);
    assert!(answer.header("set-cookie").contains("Max-Age=0"));
    assert_eq!(
        browser.page("/").status,
        303,
        "the cookie is worth nothing any more"
    );
    let with_cookie = served
        .request("GET", "/api/v1/status")
        .header("cookie", &browser.cookie);
    served.send(with_cookie).problem(401);
}

#[test]
fn a_run_is_asked_for_and_a_held_one_approved_with_its_numbers_in_view() {
    let world = guarded();
    let served = Served::start(&world);
    served.sync(json!({ "full": true }));
    let browser = Browser::logged_in(&served);
    let answer = browser.post("/", "/sync").is(303);
    let run = answer.header("location").to_owned();
    served.wait_for("the run", |_| {
        browser.page(&run).text.contains("applied").then_some(())
    });

    let truth = world.sim.graph_truth();
    for position in [14, 17, 18] {
        let user = text(&truth["users"][position]["id"]);
        let change = json!({ "accountEnabled": false });
        world.sim.patch_user(&user, change).expect("a change");
    }
    let held = text(&served.sync(json!({}))["run"]);
    let page = browser.page("/").is(200).text;
    assert!(
        page.contains("waits for approval") && page.contains(&held),
        "{page}"
    );
    let path = format!("/runs/{held}");
    let page = browser.page(&path).is(200).text;
    assert!(page.contains("Held by the guard"), "{page}");
    let report = browser.served.request("GET", &format!("{path}/report"));
    let report = served
        .send(report.header("cookie", &browser.cookie))
        .is(200);
    let policy = report.header("content-security-policy");
    assert!(policy.contains("script-src 'sha256-"), "{policy}");

    let confirm = format!("{path}/approve");
    let page = browser.page(&confirm).is(200).text;
    assert!(
        page.contains("remove account</td><td class=\"number\">3</td>"),
        "{page}"
    );
    browser.post_with(&confirm, "wrong").is(403);
    assert_eq!(served.get("/api/v1/status").json()["held"], json!([held]));
    let answer = browser.post(&confirm, &confirm).is(303);
    assert_eq!(answer.header("location"), path);
    assert!(browser.page(&path).is(200).text.contains(">applied<"));
    assert_eq!(browser.page(&confirm).status, 409, "once");
}

#[test]
fn a_person_is_found_by_the_beginning_of_their_key_and_cannot_write_html() {
    let world = guarded();
    let user = &world.sim.graph_truth()["users"][14];
    let change = json!({ "displayName": "<script>alert('x')</script>" });
    world
        .sim
        .patch_user(&text(&user["id"]), change)
        .expect("a change");
    let served = Served::start(&world);
    served.sync(json!({ "full": true }));
    let key = text(&user["mail"]).to_lowercase();
    let browser = Browser::logged_in(&served);
    let beginning = key.split('@').next().expect("a first part").to_uppercase();
    let page = browser.page(&format!("/people?q={beginning}")).is(200).text;
    assert!(page.contains("&lt;script&gt;alert"), "{page}");
    let page = browser.page(&format!("/people/{key}")).is(200).text;
    assert!(
        page.contains("has an account") && page.contains("&lt;script&gt;"),
        "{page}"
    );
    browser.page("/people/nobody").is(404);
    let page = browser.page("/people?q=%22%3E%3Cscript%3E").is(200).text;
    assert!(page.contains("No account"), "{page}");
}
