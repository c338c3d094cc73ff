//! One event of the System Log.

use serde_json::{Value, json};

use crate::clock::{self, Millis};
use crate::ids::Guid;

/// What happened, and to which objects.
#[derive(Debug, Clone)]
pub struct Event {
    pub published: Millis,
    pub kind: &'static str,
    pub targets: Vec<Target>,
}

/// An object an event is about. Clients find targets by type; the order is not promised.
#[derive(Debug, Clone)]
pub struct Target {
    pub kind: &'static str,
    pub id: String,
    pub alternate: String,
    pub name: String,
}

impl Event {
    /// The event as the log shows it; `place` is its place in the log.
    pub fn show(&self, place: usize) -> Value {
        let targets: Vec<Value> = self
            .targets
            .iter()
            .map(|target| {
                json!({
                    "id": target.id,
                    "type": target.kind,
                    "alternateId": target.alternate,
                    "displayName": target.name,
                    "detailEntry": null,
                })
            })
            .collect();
        let transaction = format!("sim{place:020}");
        json!({
            "actor": {
                "id": "00usm000000admnS697",
                "type": "User",
                "alternateId": "admin@contoso.com",
                "displayName": "Sim Admin",
                "detailEntry": null,
            },
            "client": {"userAgent": null, "zone": null, "device": null, "id": null,
                       "ipAddress": "192.0.2.1", "geographicalContext": null},
            "authenticationContext": {"authenticationStep": 0, "externalSessionId": "sim"},
            "displayMessage": self.kind.replace(['.', '_'], " "),
            "eventType": self.kind,
            "outcome": {"result": "SUCCESS", "reason": null},
            "published": clock::iso(self.published),
            "securityContext": {"asNumber": null, "asOrg": null, "isp": null, "domain": null,
                                "isProxy": null},
            "severity": "INFO",
            "debugContext": {"debugData": {"requestId": transaction}},
            "legacyEventType": self.legacy(),
            "transaction": {"type": "WEB", "id": transaction, "detail": {}},
            "uuid": self.uuid(place),
            "version": "0",
            "request": {"ipChain": []},
            "target": targets,
        })
    }

    /// The event's own id.
    pub fn uuid(&self, place: usize) -> String {
        Guid::seeded(self.published, 21, place as u64).to_string()
    }

    fn legacy(&self) -> Value {
        match self.kind {
            "user.lifecycle.deactivate" => "core.user.config.user_deactivated".into(),
            "group.user_membership.add" => "core.user_group_member.user_add".into(),
            "group.user_membership.remove" => "core.user_group_member.user_remove".into(),
            _ => Value::Null,
        }
    }
}
