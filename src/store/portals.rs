//! The rows of the portals: links, and what the local target holds.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::codec::{KeyReader, KeyWriter, encode};
use super::rows::{self, VERSION};
use super::{KeyRange, Op, Tree};
use super::{Store, StoreError};
use crate::plan::{Account, GroupLink, Groups, Link, Role};

/// An account of the local target.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct LocalAccount {
    pub key: String,
    pub account: Account,
    pub source: String,
    pub source_id: String,
    /// The local groups that hold it.
    pub groups: Groups,
}

/// A device of an MDM portal on a local target.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LocalDevice {
    pub id: String,
    pub name: String,
    /// The account's key.
    pub assigned_to: Option<String>,
    pub policy: Option<String>,
}

impl Store {
    pub fn link(&self, portal: &str, key: &str) -> Result<Option<Link>, StoreError> {
        self.row(Tree::Links, &rows::of_portal(portal, key), "link")
    }

    pub fn links(&self, portal: &str) -> impl Iterator<Item = Result<Link, StoreError>> + '_ {
        self.links_after(portal, None)
    }

    /// By key, those after `after` if one is given.
    pub fn links_after(
        &self,
        portal: &str,
        after: Option<&str>,
    ) -> impl Iterator<Item = Result<Link, StoreError>> + '_ {
        self.scan_rows(Tree::Links, page(portal, after), "link")
    }

    /// How many accounts a portal has links to. Reads no row.
    pub fn link_count(&self, portal: &str) -> Result<usize, StoreError> {
        let all = KeyRange::prefix(rows::of_source(portal));
        let mut count = 0;
        for entry in self.engine().scan(Tree::Links, all) {
            entry?;
            count += 1;
        }
        Ok(count)
    }

    /// The links whose keys begin so.
    pub fn links_beginning(
        &self,
        portal: &str,
        beginning: &str,
    ) -> impl Iterator<Item = Result<Link, StoreError>> + '_ {
        let beginning = KeyWriter::new().text(portal).text_beginning(beginning);
        self.scan_rows(Tree::Links, KeyRange::prefix(beginning.finish()), "link")
    }

    pub fn has_links(&self) -> Result<bool, StoreError> {
        Ok(self
            .engine()
            .scan(Tree::Links, KeyRange::all())
            .next()
            .transpose()?
            .is_some())
    }

    pub fn group_link(
        &self,
        portal: &str,
        source: &str,
        group: u32,
    ) -> Result<Option<GroupLink>, StoreError> {
        self.row(
            Tree::GroupLinks,
            &rows::portal_group(portal, source, group),
            "group link",
        )
    }

    pub fn group_links(
        &self,
        portal: &str,
    ) -> impl Iterator<Item = Result<GroupLink, StoreError>> + '_ {
        self.scan_rows(
            Tree::GroupLinks,
            KeyRange::prefix(rows::of_source(portal)),
            "group link",
        )
    }

    /// The keys of a portal's admins that are linked and not departed.
    pub fn admins(&self, portal: &str) -> Result<BTreeSet<String>, StoreError> {
        self.engine()
            .scan(Tree::Admins, KeyRange::prefix(rows::of_source(portal)))
            .map(|entry| {
                let (key, _) = entry?;
                let mut reader = KeyReader::new(&key, "admin");
                reader.text()?;
                Ok(reader.text()?)
            })
            .collect()
    }

    pub fn local_account(
        &self,
        portal: &str,
        key: &str,
    ) -> Result<Option<LocalAccount>, StoreError> {
        self.row(Tree::Accounts, &rows::of_portal(portal, key), "account")
    }

    pub fn local_accounts(
        &self,
        portal: &str,
    ) -> impl Iterator<Item = Result<LocalAccount, StoreError>> + '_ {
        self.local_accounts_after(portal, None)
    }

    /// By key, those after `after` if one is given.
    pub fn local_accounts_after(
        &self,
        portal: &str,
        after: Option<&str>,
    ) -> impl Iterator<Item = Result<LocalAccount, StoreError>> + '_ {
        self.scan_rows(Tree::Accounts, page(portal, after), "account")
    }

    pub fn local_group(
        &self,
        portal: &str,
        source: &str,
        group: u32,
    ) -> Result<Option<GroupLink>, StoreError> {
        self.row(
            Tree::LocalGroups,
            &rows::portal_group(portal, source, group),
            "local group",
        )
    }

    pub fn local_groups(
        &self,
        portal: &str,
    ) -> impl Iterator<Item = Result<GroupLink, StoreError>> + '_ {
        self.scan_rows(
            Tree::LocalGroups,
            KeyRange::prefix(rows::of_source(portal)),
            "local group",
        )
    }

    pub fn device(&self, portal: &str, id: &str) -> Result<Option<LocalDevice>, StoreError> {
        self.row(Tree::Devices, &rows::of_portal(portal, id), "device")
    }

    pub fn devices(
        &self,
        portal: &str,
    ) -> impl Iterator<Item = Result<LocalDevice, StoreError>> + '_ {
        self.devices_after(portal, None)
    }

    /// By key, those after `after` if one is given.
    pub fn devices_after(
        &self,
        portal: &str,
        after: Option<&str>,
    ) -> impl Iterator<Item = Result<LocalDevice, StoreError>> + '_ {
        self.scan_rows(Tree::Devices, page(portal, after), "device")
    }

    pub fn policies(&self, portal: &str) -> Result<BTreeSet<String>, StoreError> {
        self.scan_rows(
            Tree::Policies,
            KeyRange::prefix(rows::of_source(portal)),
            "policy",
        )
        .collect()
    }
}

/// The rows of a portal, those after a key if one is given.
fn page(portal: &str, after: Option<&str>) -> KeyRange {
    let all = KeyRange::prefix(rows::of_source(portal));
    match after {
        Some(key) => all.after(&rows::of_portal(portal, key)),
        None => all,
    }
}

/// Writes a link, and whether its account counts as an admin.
pub fn put_link(portal: &str, link: &Link) -> [Op; 2] {
    let place = rows::of_portal(portal, &link.key);
    let admin = if link.account.role == Some(Role::Admin) && !link.is_departed() {
        Op::Put(Tree::Admins, place.clone(), Vec::new())
    } else {
        Op::Delete(Tree::Admins, place.clone())
    };
    [Op::Put(Tree::Links, place, encode(VERSION, link)), admin]
}

pub fn delete_link(portal: &str, key: &str) -> [Op; 2] {
    let place = rows::of_portal(portal, key);
    [
        Op::Delete(Tree::Links, place.clone()),
        Op::Delete(Tree::Admins, place),
    ]
}

pub fn put_group_link(portal: &str, link: &GroupLink) -> Op {
    let place = rows::portal_group(portal, &link.source, link.number);
    Op::Put(Tree::GroupLinks, place, encode(VERSION, link))
}

pub fn delete_group_link(portal: &str, source: &str, group: u32) -> Op {
    Op::Delete(Tree::GroupLinks, rows::portal_group(portal, source, group))
}

pub fn put_local_account(portal: &str, account: &LocalAccount) -> Op {
    Op::Put(
        Tree::Accounts,
        rows::of_portal(portal, &account.key),
        encode(VERSION, account),
    )
}

pub fn delete_local_account(portal: &str, key: &str) -> Op {
    Op::Delete(Tree::Accounts, rows::of_portal(portal, key))
}

pub fn put_local_group(portal: &str, group: &GroupLink) -> Op {
    let place = rows::portal_group(portal, &group.source, group.number);
    Op::Put(Tree::LocalGroups, place, encode(VERSION, group))
}

pub fn delete_local_group(portal: &str, source: &str, group: u32) -> Op {
    Op::Delete(Tree::LocalGroups, rows::portal_group(portal, source, group))
}

pub fn put_device(portal: &str, device: &LocalDevice) -> Op {
    Op::Put(
        Tree::Devices,
        rows::of_portal(portal, &device.id),
        encode(VERSION, device),
    )
}

pub fn delete_device(portal: &str, id: &str) -> Op {
    Op::Delete(Tree::Devices, rows::of_portal(portal, id))
}

pub fn put_policy(portal: &str, name: &str) -> Op {
    Op::Put(
        Tree::Policies,
        rows::of_portal(portal, name),
        encode(VERSION, name),
    )
}

pub fn delete_policy(portal: &str, name: &str) -> Op {
    Op::Delete(Tree::Policies, rows::of_portal(portal, name))
}
