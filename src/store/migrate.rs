//! Brings a store of an older version up to date when it is opened.
//!
//! Invariant: each step is one durable transaction which ends with the new version in the format entry. A crash before
//! its commit leaves the old version whole, and the step runs again.

use super::Error;
use super::env::{FORMAT_KEY, Tables};
use super::schema::{AccountState, Format, SCHEMA_VERSION, User, state_kind};
use crate::types::canonical_address;
use heed::RwTxn;

/// Brings the store from the version of `format` to ours; the format afterwards.
pub(crate) fn run(mut txn: RwTxn<'_>, tables: &Tables, mut format: Format) -> Result<Format, Error> {
    if format.schema >= SCHEMA_VERSION {
        return Ok(format);
    }
    let from = format.schema;
    if format.schema < 2 {
        to_version_2(&mut txn, tables)?;
        format.schema = 2;
    }
    // Version 3 lists what is gone for good in entries of its own, and notes of a deleted mailbox whether its messages
    // are kept. Entries of version 2 are read as they are, and go when newer ones push them out. Version 4 notes of a
    // deleted mailbox, too, what it was for and after how many days its mail went; where an older entry ends before
    // that, it was for nothing and had no rule.
    if format.schema < 5 {
        to_version_5(&mut txn, tables)?;
    }
    format.schema = SCHEMA_VERSION;
    tables.meta.put(&mut txn, FORMAT_KEY, &format.encode())?;
    txn.commit()?;
    log::info!("store: brought from format {from} to format {}", format.schema);
    Ok(format)
}

/// Version 2 tells of each message by which door it came, and has settings of accounts. Message rows are not rewritten:
/// those without an origin are read as of unknown origin. Account states get the fields that are new.
fn to_version_2(txn: &mut RwTxn<'_>, tables: &Tables) -> Result<(), Error> {
    let mut states = Vec::new();
    for entry in tables.state.prefix_iter(txn, &[state_kind::ACCOUNT])? {
        let (key, value) = entry?;
        states.push((key.to_vec(), AccountState::decode(value)?));
    }
    for (key, state) in states {
        tables.state.put(txn, &key, &state.encode())?;
    }
    Ok(())
}

/// Version 5 has the domains of aliases as the DNS has them. An alias that somebody has in that spelling already goes.
fn to_version_5(txn: &mut RwTxn<'_>, tables: &Tables) -> Result<(), Error> {
    let mut users = Vec::new();
    for entry in tables.users.iter(txn)? {
        let (key, value) = entry?;
        users.push((key.to_vec(), User::decode(value)?));
    }
    for (key, mut user) in users {
        let before = std::mem::take(&mut user.aliases);
        for alias in &before {
            let canonical = canonical_address(alias);
            if canonical == *alias {
                user.aliases.push(canonical);
                continue;
            }
            tables.addresses.delete(txn, alias.as_bytes())?;
            if tables.addresses.get(txn, canonical.as_bytes())?.is_none() {
                // The key of a user is the account's identifier, which is what an address leads to.
                tables.addresses.put(txn, canonical.as_bytes(), &key)?;
                user.aliases.push(canonical);
            }
        }
        if user.aliases != before {
            tables.users.put(txn, &key, &user.encode())?;
        }
    }
    Ok(())
}
