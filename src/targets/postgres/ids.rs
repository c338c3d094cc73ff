//! The ids of rows: made from what the source calls a user or a group, so that nothing has to
//! be looked up or remembered, and a lost store finds the same rows again.

use std::fmt;
use std::str::FromStr;

use crate::plan::SubjectKind;

/// A UUID that stands for one user or group of one directory, whatever becomes of its name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RowId([u8; 16]);

/// What the ids are derived in. It is in every database there is: it never changes.
const CONTEXT: &str = "rosterd 2026 ids of users and groups in a postgres target";

impl RowId {
    pub fn of(kind: SubjectKind, directory: &str, idp_id: &str) -> RowId {
        let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
        hasher.update(kind.as_str().as_bytes());
        // With its length, so that no two pairs run together into one text.
        hasher.update(&(directory.len() as u64).to_le_bytes());
        hasher.update(directory.as_bytes());
        hasher.update(idp_id.as_bytes());
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        // Version 8, "made by a rule of one's own", and the usual variant (RFC 9562 §5.8).
        bytes[6] = bytes[6] & 0x0f | 0x80;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        RowId(bytes)
    }

    pub fn user(directory: &str, idp_id: &str) -> RowId {
        RowId::of(SubjectKind::User, directory, idp_id)
    }

    pub fn group(directory: &str, idp_id: &str) -> RowId {
        RowId::of(SubjectKind::Group, directory, idp_id)
    }
}

impl fmt::Display for RowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, byte) in self.0.iter().enumerate() {
            if matches!(place, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

/// Not a UUID.
#[derive(Debug)]
pub struct NoUuid;

impl FromStr for RowId {
    type Err = NoUuid;

    fn from_str(text: &str) -> Result<RowId, NoUuid> {
        let digits: Vec<u8> = text
            .chars()
            .filter(|c| *c != '-')
            .map(|c| c.to_digit(16).map(|digit| digit as u8).ok_or(NoUuid))
            .collect::<Result<_, _>>()?;
        if digits.len() != 32 {
            return Err(NoUuid);
        }
        let mut bytes = [0; 16];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
            *byte = pair[0] << 4 | pair[1];
        }
        Ok(RowId(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_never_changes_from_one_version_to_the_next() {
        let id = RowId::user("entra", "8a0a1b2c");
        assert_eq!(id.to_string(), "ed34501a-8278-8e3d-a6d0-74f1ac652064");
        assert_eq!(id.to_string().parse::<RowId>().unwrap(), id);
    }

    #[test]
    fn users_and_groups_and_directories_are_told_apart() {
        let ids = [
            RowId::user("a", "bc"),
            RowId::user("ab", "c"),
            RowId::group("a", "bc"),
        ];
        assert!(ids[0] != ids[1] && ids[0] != ids[2]);
    }

    #[test]
    fn what_is_no_uuid_is_not_taken_for_one() {
        assert!("".parse::<RowId>().is_err());
        assert!("8a0a1b2c".parse::<RowId>().is_err());
        let umlaut = "ü0000000-0000-0000-0000-000000000000";
        assert!(umlaut.parse::<RowId>().is_err());
    }
}
