//! Groups of a portal: which are pushed, and who is in them.

use std::sync::Arc;

use super::Deciding;
use super::stand::Stand;
use crate::directory::Value;
use crate::plan::{Action, AttributeChange, Entry, GroupLink, Groups, Op, Subject, SubjectKind};
use crate::rules::groups::{GroupFacts, pushed};
use crate::rules::lifecycle::PushedGroup;
use crate::sync::RunError;
use crate::sync::view::Who;

impl Deciding<'_> {
    /// The pushed groups that hold a user.
    pub(super) fn pushed_groups(
        &mut self,
        portal: usize,
        stand: &Stand,
    ) -> Result<Vec<Arc<PushedGroup>>, RunError> {
        let source = stand.who.source;
        let rules = &self.view.sources[source].rules;
        let mut groups = Vec::new();
        for membership in &stand.person.memberships {
            if !(membership.direct || rules.nested_groups) {
                continue;
            }
            let who = Who {
                source,
                number: membership.number,
            };
            let place = (portal, who);
            let known = self.pushed.entry(place).or_insert_with(|| {
                let facts = GroupFacts {
                    source: rules,
                    folded_name: &membership.folded_name,
                    assigned: membership.assigned,
                    gone: false,
                };
                pushed(facts, &self.portals[portal]).then(|| {
                    Arc::new(PushedGroup {
                        source: rules.name.clone(),
                        number: membership.number,
                        id: membership.group.id.as_str().to_owned(),
                        display_name: membership.group.display_name.clone(),
                    })
                })
            });
            groups.extend(known.clone());
        }
        Ok(groups)
    }

    /// Of the groups a link is in, those it should not be in that are pushed all the same.
    pub(super) fn leaving_groups(
        &self,
        portal: usize,
        groups: &[Arc<PushedGroup>],
        held: &Groups,
    ) -> Result<Vec<Arc<PushedGroup>>, RunError> {
        let mut leaving = Vec::new();
        for (source, number) in held.iter() {
            if groups
                .iter()
                .any(|group| group.source == source && group.number == number)
            {
                continue;
            }
            let Some(place) = self.view.source_named(source) else {
                continue;
            };
            let Some(group) = self.view.group(Who {
                source: place,
                number,
            })?
            else {
                continue;
            };
            let facts = GroupFacts {
                source: &self.view.sources[place].rules,
                folded_name: &group.folded_name,
                assigned: group.assigned,
                gone: group.gone,
            };
            if pushed(facts, &self.portals[portal]) {
                leaving.push(Arc::new(PushedGroup {
                    source: source.to_owned(),
                    number,
                    id: group.group.id.as_str().to_owned(),
                    display_name: group.group.display_name.clone(),
                }));
            }
        }
        Ok(leaving)
    }

    pub(super) fn group(&mut self, portal: usize, who: Who) -> Result<(), RunError> {
        let rules = &self.portals[portal];
        let source = &self.view.sources[who.source].rules;
        let group = self.view.group(who)?;
        let link = self
            .view
            .store
            .group_link(&rules.name, &source.name, who.number)?;
        let wanted = group.filter(|group| {
            let facts = GroupFacts {
                source,
                folded_name: &group.folded_name,
                assigned: group.assigned,
                gone: group.gone,
            };
            pushed(facts, rules)
        });
        let (op, display, id, changes, reason) = match (&wanted, &link) {
            (None, None) => return Ok(()),
            (Some(group), None) => {
                let group = &group.group;
                let changes = vec![
                    change("displayName", None, &group.display_name),
                    change("externalId", None, group.external_id()),
                ];
                let id = group.id.as_str();
                (
                    Op::CreateGroup,
                    &group.display_name,
                    id,
                    changes,
                    "selected to be pushed",
                )
            }
            (Some(group), Some(link)) => {
                let group = &group.group;
                let mut changes = Vec::new();
                if link.display_name != group.display_name {
                    changes.push(change(
                        "displayName",
                        Some(&link.display_name),
                        &group.display_name,
                    ));
                }
                if link.external_id != group.external_id() {
                    changes.push(change(
                        "externalId",
                        Some(&link.external_id),
                        group.external_id(),
                    ));
                }
                if changes.is_empty() {
                    return Ok(());
                }
                (
                    Op::UpdateGroup,
                    &group.display_name,
                    group.id.as_str(),
                    changes,
                    "renamed",
                )
            }
            (
                None,
                Some(GroupLink {
                    display_name, id, ..
                }),
            ) => {
                let reason = "no longer selected to be pushed, or gone";
                (
                    Op::DeleteGroup,
                    display_name,
                    id.as_str(),
                    Vec::new(),
                    reason,
                )
            }
        };
        let subject = Subject {
            kind: SubjectKind::Group,
            source: source.name.clone(),
            id: id.to_owned(),
            display: display.clone(),
        };
        self.out.builder.push(Entry::Action(Action {
            portal: rules.name.clone(),
            op,
            key: display.clone(),
            subject: subject.clone(),
            changes,
            reason: reason.to_owned(),
            members: Vec::new(),
            device: None,
            joins: Groups::default(),
        }))?;
        self.mark(&subject, false);
        Ok(())
    }
}

fn change(attribute: &str, before: Option<&str>, after: &str) -> AttributeChange {
    AttributeChange {
        attribute: attribute.to_owned(),
        before: before.map(Value::from),
        after: Some(Value::from(after)),
    }
}
