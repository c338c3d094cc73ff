//! The body of an event: the Polis envelope, that of Standard Webhooks, or one that is both.
//!
//! What the two formats require comes first and in their order; what is ours follows, and
//! receivers that do not know it pass over it.

use super::json::write_text;
use crate::config::EventFormat;
use crate::store::events::EventRow;

/// What an envelope says beside the event.
pub struct Envelope {
    pub format: EventFormat,
    pub tenant: String,
    pub product: String,
}

impl Envelope {
    /// The bytes that are signed and sent.
    pub fn body(&self, sequence: u64, row: &EventRow) -> String {
        let EventRow {
            id,
            at,
            kind,
            portal,
            subject: _,
            group: _,
            data,
            previous,
        } = row;
        let mut body = Fields::new(data.len() + 512);
        let at = at.to_string();
        match self.format {
            EventFormat::Polis | EventFormat::Both => {
                body.text("directory_id", portal);
                body.text("event", kind.as_str());
                body.text("tenant", &self.tenant);
                body.text("product", &self.product);
                body.spelled("data", data);
                if self.format == EventFormat::Both {
                    body.text("type", kind.as_str());
                }
                body.text("timestamp", &at);
                body.text("id", id);
                body.spelled("sequence", &sequence.to_string());
            }
            EventFormat::Standard => {
                body.text("type", kind.as_str());
                body.text("timestamp", &at);
                body.spelled("data", data);
                body.text("id", id);
                body.spelled("sequence", &sequence.to_string());
                body.text("directory_id", portal);
                body.text("tenant", &self.tenant);
                body.text("product", &self.product);
            }
        }
        if let Some(previous) = previous {
            body.spelled("previous_attributes", previous);
        }
        body.end()
    }

    /// A body that says nothing: for trying a receiver.
    pub fn trial(&self, id: &str, at: jiff::Timestamp) -> String {
        const KIND: &str = "rosterd.test";
        let mut body = Fields::new(256);
        let at = at.to_string();
        if self.format != EventFormat::Standard {
            body.text("directory_id", "");
            body.text("event", KIND);
            body.text("tenant", &self.tenant);
            body.text("product", &self.product);
            body.spelled("data", "{}");
        }
        if self.format != EventFormat::Polis {
            body.text("type", KIND);
        }
        body.text("timestamp", &at);
        if self.format == EventFormat::Standard {
            body.spelled("data", "{}");
        }
        body.text("id", id);
        body.end()
    }
}

/// An object in the making. No name here looks like an array index, so the order stays.
struct Fields(String);

impl Fields {
    fn new(room: usize) -> Fields {
        let mut out = String::with_capacity(room);
        out.push('{');
        Fields(out)
    }

    fn spelled(&mut self, name: &str, value: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        write_text(&mut self.0, name);
        self.0.push(':');
        self.0.push_str(value);
    }

    fn text(&mut self, name: &str, text: &str) {
        let mut value = String::new();
        write_text(&mut value, text);
        self.spelled(name, &value);
    }

    fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::events::EventKind;

    fn body(format: EventFormat) -> String {
        let envelope = Envelope {
            format,
            tenant: "acme".into(),
            product: "portal".into(),
        };
        let row = EventRow {
            id: "evt_1".into(),
            at: "2026-01-02T03:04:05Z".parse().unwrap(),
            kind: EventKind::UserUpdated,
            portal: "store".into(),
            subject: "u-1".into(),
            group: None,
            data: r#"{"id":"u-1"}"#.into(),
            previous: Some(r#"{"title":null}"#.into()),
        };
        envelope.body(7, &row)
    }

    #[test]
    fn the_keys_of_each_format_come_first() {
        assert_eq!(
            body(EventFormat::Polis),
            r#"{"directory_id":"store","event":"user.updated","tenant":"acme","product":"portal","data":{"id":"u-1"},"timestamp":"2026-01-02T03:04:05Z","id":"evt_1","sequence":7,"previous_attributes":{"title":null}}"#
        );
        assert_eq!(
            body(EventFormat::Both),
            r#"{"directory_id":"store","event":"user.updated","tenant":"acme","product":"portal","data":{"id":"u-1"},"type":"user.updated","timestamp":"2026-01-02T03:04:05Z","id":"evt_1","sequence":7,"previous_attributes":{"title":null}}"#
        );
        assert_eq!(
            body(EventFormat::Standard),
            r#"{"type":"user.updated","timestamp":"2026-01-02T03:04:05Z","data":{"id":"u-1"},"id":"evt_1","sequence":7,"directory_id":"store","tenant":"acme","product":"portal","previous_attributes":{"title":null}}"#
        );
    }
}
