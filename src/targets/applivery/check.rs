//! What can be said before the first action: what Applivery cannot do at all, and whether it
//! can be reached.

use super::client::Failure;
use super::devices::Platform;
use super::people::Kind;
use super::{Applivery, Finding, Options, Place};
use crate::rules::{MatchOn, OnDeactivate, Portal, PortalKind};

/// What of a portal's rules cannot be carried out, a line each.
pub fn cannot(options: &Options, portal: &Portal) -> Vec<String> {
    let mut lines = Vec::new();
    let path = &options.path;
    if portal.kind == PortalKind::Directory {
        lines.push(
            "Applivery has employees (kind = \"store\"), collaborators (\"dashboard\") and device users (\"mdm\"), and no plain directory"
                .to_owned(),
        );
        return lines;
    }
    if portal.match_on != MatchOn::Email {
        lines.push(format!(
            "match_on = \"{}\": Applivery tells people apart by their address: set \"email\"",
            portal.match_on.as_str()
        ));
    }
    let documented = options.settings.undocumented_calls;
    match &portal.on_deactivate {
        OnDeactivate::Remove if !documented => lines.push(format!(
            "on_deactivate = \"remove\": Applivery documents no call that removes an {}: set \"nothing\", or {path}.undocumented_calls = true for one that may work",
            match portal.kind {
                PortalKind::Store => "employee",
                _ => "account of the dashboard",
            }
        )),
        OnDeactivate::RemoveUserAndDevices if !options.settings.remove_devices_allowed => {
            lines.push(format!(
                "on_deactivate = \"remove_user_and_devices\" takes devices out for good: allow it with {path}.remove_devices_allowed = true"
            ));
        }
        OnDeactivate::ChangePolicy(_)
            if Platform::ALL
                .iter()
                .all(|platform| options.policy(*platform).is_none()) =>
        {
            lines.push(format!(
                "on_deactivate = \"change_policy\": each platform has policies of its own: name them in {path}.policies"
            ));
        }
        _ => {}
    }
    if portal.kind == PortalKind::Store && !portal.push.is_empty() && !documented {
        lines.push(format!(
            "groups are tags, and Applivery documents no call that changes an employee's: set groups = {{ push = [] }}, or {path}.undocumented_calls = true for one that may work"
        ));
    }
    lines
}

/// Tests what the portals need: each list can be read, each policy is there.
pub async fn findings(target: &Applivery) -> Vec<Finding> {
    let mut findings = Vec::new();
    let organization = &target.options.settings.organization;
    let mut kinds: Vec<(Kind, Vec<(&str, &Place)>)> = Vec::new();
    for (name, place) in &target.portals {
        match kinds.iter_mut().find(|(kind, _)| *kind == place.kind) {
            Some((_, places)) => places.push((name, place)),
            None => kinds.push((place.kind, vec![(name, place)])),
        }
    }
    if kinds.is_empty() {
        // Nobody needs anything of it: whether it is there can be told all the same.
        kinds.push((Kind::DeviceUser, Vec::new()));
    }
    for (kind, places) in kinds {
        let what = kind.list_name();
        let probed = target.client.probe(what, kind.path()).await;
        let reached = matches!(probed, Ok(()) | Err(Failure::Refused { .. }));
        findings.push(finding(organization, what, probed));
        if !reached {
            // The rest would say the same.
            continue;
        }
        if kind == Kind::DeviceUser && !places.is_empty() {
            devices(target, &mut findings).await;
            if places.iter().any(|(_, place)| place.policy.is_some()) {
                policies(target, &mut findings).await;
            }
        }
        for (name, place) in places {
            let lost: Vec<&str> = place
                .mapped
                .iter()
                .map(String::as_str)
                .filter(|attribute| !kind.carries(attribute))
                .collect();
            if !lost.is_empty() {
                findings.push(Finding::ok(format!(
                    "portal '{name}' can be served, without {}: Applivery has no place for it there",
                    lost.join(", ")
                )));
            }
        }
    }
    findings
}

fn finding(organization: &str, what: &str, probed: Result<(), Failure>) -> Finding {
    match probed {
        Ok(()) => Finding::ok(format!(
            "{what} of organization '{organization}' can be read"
        )),
        Err(Failure::Gone(text)) => Finding::wrong(format!(
            "{text}; look whether there is an organization '{organization}', and whether it has this part of Applivery"
        )),
        Err(failure) => Finding::wrong(failure.to_string()),
    }
}

async fn devices(target: &Applivery, findings: &mut Vec<Finding>) {
    for platform in Platform::ALL {
        let what = format!("the list of {} devices", platform.as_str());
        let probed = target.devices().probe(platform).await;
        findings.push(match probed {
            // An organization need not manage every platform.
            Err(Failure::Gone(_)) => Finding::ok(format!("{what} is not there: it has none")),
            probed => finding(&target.options.settings.organization, &what, probed),
        });
    }
}

async fn policies(target: &Applivery, findings: &mut Vec<Finding>) {
    let path = &target.options.path;
    for platform in Platform::ALL {
        let name = platform.as_str();
        let Some(wanted) = target.options.policy(platform) else {
            findings.push(Finding::ok(format!(
                "{path}.policies.{name} is not set: the policy of a departing user's {name} devices will not be changed, and that is reported"
            )));
            continue;
        };
        let what = format!("the list of {name} policies");
        let listed = target
            .client
            .list(&what, &platform.policies_path(), &[])
            .await;
        findings.push(match listed {
            Ok(policies) => match policies.iter().any(|policy| policy["id"] == wanted) {
                true => Finding::ok(format!("the policy of {name} devices is there")),
                false => Finding::wrong(format!(
                    "there is no {name} policy '{wanted}'; '{path}.policies.{name}' is the id of one, which is another on each platform"
                )),
            },
            Err(failure) => Finding::wrong(failure.to_string()),
        });
    }
}
