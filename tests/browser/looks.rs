//! Every page in light, in dark and on a phone: nothing sticks out, everything can be read, and
//! there is a picture to look at.

use serde_json::json;

use crate::driver::{Browser, Scheme, Screen};
use crate::served::Served;
use crate::world::{World, text};
use crate::{company, somebody, three_leave};

/// Says where the contrast is below what WCAG 2.2 asks for at level AA.
const CONTRAST: &str = include_str!("contrast.js");

/// What sticks out to the side, if anything does.
const WIDER: &str = "const wide = [...document.querySelectorAll('body *')].filter(it => \
                     it.getBoundingClientRect().right > innerWidth + 1 && !it.closest('.skip')); \
                     return document.documentElement.scrollWidth > innerWidth + 1 \
                     ? wide.map(it => it.tagName + '.' + it.className + ' ' + it.innerText) : []";

/// Lets something happen, so that pages have something to show.
fn lived_in(world: &World, served: &Served) -> String {
    served.sync(json!({ "full": true }));
    let key = somebody(world);
    for (id, name) in [("C02ZX1", "Mac of the design team"), ("F9FXQ2", "Phone")] {
        let put = json!({ "name": name, "assigned_to": key });
        let path = format!("/api/v1/portals/mdm/devices/{id}");
        served.call("PUT", &path, Some(put)).is(201);
    }
    let truth = world.sim.graph_truth();
    for round in 0..6 {
        for position in 3..3 + (round * 5) % 7 {
            let user = text(&truth["users"][position]["id"]);
            let change = json!({ "jobTitle": format!("Engineer {round}") });
            world.sim.patch_user(&user, change).expect("a change");
        }
        served.sync(json!({}));
    }
    let user = text(&truth["users"][15]["id"]);
    let change = json!({ "jobTitle": "Head of Design" });
    world.sim.patch_user(&user, change).expect("a change");
    served.sync(json!({}));
    key
}

#[test]
fn every_page_fits_and_can_be_read_in_light_in_dark_and_on_a_phone() {
    let world = company();
    let served = Served::start(&world);
    let browser = Browser::open(&served);
    let see = |pages: &[(&str, &str)]| {
        for (screen, scheme, suffix) in [
            (Screen::Desk, Scheme::Light, "light"),
            (Screen::Desk, Scheme::Dark, "dark"),
            (Screen::Phone, Scheme::Light, "phone"),
        ] {
            browser.show_as(screen, scheme);
            for (name, path) in pages {
                browser.go(path);
                look(&browser, &format!("{name}-{suffix}"));
            }
        }
        browser.show_as(Screen::Desk, Scheme::Light);
    };
    see(&[("login", "/login")]);
    browser.fill("input[name=admin_token]", crate::served::TOKEN);
    browser.click("main button");
    browser.is_at("/");
    see(&[
        ("people-before", "/people"),
        (
            "groups-empty",
            "/groups?source=entra&q=nothing%20has%20this%20name",
        ),
    ]);

    let key = lived_in(&world, &served);
    let runs = served.get("/api/v1/runs").json();
    let applied = format!("/runs/{}", text(&runs["items"][0]["run"]));
    let explained = served.get(&format!("/api/v1/explain/{key}")).json();
    let group = text(&explained["users"][0]["groups"][0]["id"]);
    see(&[
        ("overview", "/"),
        ("run", &applied),
        ("people", "/people?q=a"),
        ("person", &format!("/people/{key}")),
        ("groups-of-source", "/groups"),
        ("groups-of-portal", "/groups?portal=dashboard"),
        ("group", &format!("/groups/entra/{group}")),
    ]);

    three_leave(&world);
    let held = format!("/runs/{}", text(&served.sync(json!({}))["run"]));
    see(&[
        ("overview-held", "/"),
        ("runs", "/runs"),
        ("run-held", &held),
        ("approve", &format!("{held}/approve")),
        ("discard", &format!("{held}/discard")),
    ]);
    let discard = format!("/api/v1{held}/discard");
    served.call("POST", &discard, None).is(200);
    see(&[("run-discarded", &held)]);
    browser.is_content();
    browser.go("/people/nobody");
    look(&browser, "not-found-light");
    browser.complains_of_status(404);
}

#[track_caller]
fn look(browser: &Browser, name: &str) {
    browser.picture(name);
    assert_eq!(
        browser.script(WIDER),
        json!([]),
        "{name} is wider than the window"
    );
    let faint = browser.script(CONTRAST);
    assert_eq!(faint, json!([]), "{name} cannot be read well");
}
