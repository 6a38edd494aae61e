//! Opening LMDB: the environment, its tables, its format.

use super::map::{Growth, Map};
use super::schema::{Format, SCHEMA_VERSION, table};
use super::view::View;
use super::{Error, Room, migrate};
use heed::types::Bytes;
use heed::{CommitOrAbort, Database, Env, EnvOpenOptions, WithoutTls};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) type Table = Database<'static, Bytes, Bytes>;

/// The tables, in the order of schema.rs.
#[derive(Clone, Copy)]
pub(crate) struct Tables {
    pub(crate) meta: Table,
    pub(crate) state: Table,
    pub(crate) users: Table,
    pub(crate) addresses: Table,
    pub(crate) mailboxes: Table,
    pub(crate) keywords: Table,
    pub(crate) messages: Table,
    pub(crate) changes: Table,
    pub(crate) holes: Table,
    pub(crate) expunges: Table,
    pub(crate) contents: Table,
    pub(crate) chunks: Table,
    pub(crate) refs: Table,
    pub(crate) garbage: Table,
    pub(crate) devices: Table,
    pub(crate) pop3: Table,
    pub(crate) origins: Table,
    pub(crate) settings: Table,
    pub(crate) hidden: Table,
    pub(crate) lost: Table,
    pub(crate) journal: Table,
    pub(crate) annotations: Table,
}

impl Tables {
    pub(crate) const fn all(&self) -> [(&'static str, Table); 22] {
        [
            (table::META, self.meta),
            (table::STATE, self.state),
            (table::USERS, self.users),
            (table::ADDRESSES, self.addresses),
            (table::MAILBOXES, self.mailboxes),
            (table::KEYWORDS, self.keywords),
            (table::MESSAGES, self.messages),
            (table::CHANGES, self.changes),
            (table::HOLES, self.holes),
            (table::EXPUNGES, self.expunges),
            (table::CONTENTS, self.contents),
            (table::CHUNKS, self.chunks),
            (table::REFS, self.refs),
            (table::GARBAGE, self.garbage),
            (table::DEVICES, self.devices),
            (table::POP3, self.pop3),
            (table::ORIGINS, self.origins),
            (table::SETTINGS, self.settings),
            (table::HIDDEN, self.hidden),
            (table::LOST, self.lost),
            (table::JOURNAL, self.journal),
            (table::ANNOTATIONS, self.annotations),
        ]
    }
}

/// The open environment. Clones share it.
#[derive(Clone)]
pub(crate) struct Environment {
    pub(crate) env: Env<WithoutTls>,
    pub(crate) tables: Tables,
    pub(crate) chunk_size: usize,
    path: PathBuf,
    pub(crate) room: Room,
    pub(super) map: Arc<Map>,
}

/// Limit: tables; LMDB wants to know before it opens the file.
const TABLES_MAX: u32 = 48;

/// Limit: readers at the same moment; each read is short, so that this many executor threads would be needed.
const READERS_MAX: u32 = 126;

/// The map's upper bound where none is configured. Address space costs nothing on 64-bit; a 32-bit kernel gives 2047 MiB
/// in one piece at most.
const MAP_SIZE_DEFAULT: u64 = if cfg!(target_pointer_width = "64") { 128 << 30 } else { 1900 << 20 };

/// Limit: a smaller map than this is not tried when address space is short.
const MAP_SIZE_MIN: u64 = 64 << 20;

/// Octets of a page that LMDB itself uses on an overflow page.
const OVERFLOW_HEADER: u32 = 16;

/// Limit: pages at the end of the file that LMDB may not have written; as many as a transaction may change.
const UNWRITTEN_PAGES_MAX: u64 = 2048;

impl Environment {
    /// Opens the store in the directory `path`, or makes it.
    pub(crate) fn open(path: &Path, map_size: Option<usize>, room: Room) -> Result<Self, String> {
        std::fs::create_dir_all(path).map_err(|error| format!("cannot make {}: {error}", path.display()))?;
        let lock = path.join("lock.mdb");
        allocate_lock(&lock).map_err(|error| format!("cannot make {}: {error}", lock.display()))?;
        let limit = map_size.unwrap_or(usize::try_from(MAP_SIZE_DEFAULT).unwrap_or(usize::MAX)) as u64;
        let growth = room.growth.clone().or_else(Growth::of_this_machine);
        let env = open_env(path, first_size(path, limit, growth.as_ref()), map_size.is_none() || growth.is_some())?;
        let map = Arc::new(Map::new(growth, limit));
        check_length(&env, &path.join("data.mdb"))?;
        env.clear_stale_readers().map_err(|error| error.to_string())?;
        let failed = |error: Error| format!("cannot read the store in {}: {error}", path.display());
        let tables = create_tables(&env).map_err(|error| failed(error.into()))?;
        let format = check_format(&env, &tables, path).map_err(|problem| match problem {
            FormatProblem::Text(text) => text,
            FormatProblem::Store(error) => failed(error),
        })?;
        Ok(Self { env, tables, chunk_size: format.chunk_size as usize, path: path.to_owned(), room, map })
    }

    /// Runs `read` in a short transaction over one snapshot.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&View<'_>) -> Result<T, Error>) -> Result<T, Error> {
        let _pass = self.map.enter();
        let txn = self.env.read_txn()?;
        read(&View { tables: &self.tables, txn: &txn, chunk_size: self.chunk_size })
    }

    /// The directory of the store.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Octets of the file, and of the pages in use.
    pub(crate) fn size(&self) -> Result<(u64, u64), Error> {
        let file = std::fs::metadata(self.path.join("data.mdb")).map_err(|error| Error::Io(error.to_string()))?.len();
        let _pass = self.map.enter();
        let txn = self.env.read_txn()?;
        let mut used = 0;
        for (_, table) in self.tables.all() {
            let stat = table.stat(&txn)?;
            used += (stat.branch_pages + stat.leaf_pages + stat.overflow_pages) as u64 * u64::from(stat.page_size);
        }
        Ok((file, used))
    }
}

/// Octets of the map when the store is opened: all that it may have, unless it grows.
fn first_size(path: &Path, limit: u64, growth: Option<&Growth>) -> u64 {
    let Some(growth) = growth else { return limit };
    let stored = std::fs::metadata(path.join("data.mdb")).map_or(0, |file| file.len());
    growth.start.max(stored.saturating_add(growth.step)).min(limit)
}

#[allow(unsafe_code)]
fn open_env(path: &Path, mut size: u64, may_shrink: bool) -> Result<Env<WithoutTls>, String> {
    loop {
        let mut options = EnvOpenOptions::new().read_txn_without_tls();
        let page = 1 << 16;
        let rounded = usize::try_from(size / page * page).unwrap_or(usize::MAX);
        options.map_size(rounded).max_dbs(TABLES_MAX).max_readers(READERS_MAX);
        // SAFETY: heed asks that nothing else changes the mapped file. The data directory belongs to this program
        // alone: it is locked by `cli::lock` before a store is opened, and no other code here writes to the file.
        match unsafe { options.open(path) } {
            Ok(env) => return Ok(env),
            // A board's kernel may not have that much address space: take half. Never below what is stored.
            Err(heed::Error::Io(error))
                if error.raw_os_error() == Some(12) && may_shrink && size / 2 >= MAP_SIZE_MIN =>
            {
                size /= 2;
            }
            Err(heed::Error::Mdb(heed::MdbError::Invalid | heed::MdbError::VersionMismatch)) => {
                return Err(format!(
                    "{}/data.mdb is not a store of this machine's kind: it is damaged, or was made on a board of another word size \
                     (32-bit and 64-bit stores cannot be exchanged as files: copy the mail by IMAP)",
                    path.display()
                ));
            }
            Err(error) => return Err(format!("cannot open the store in {}: {error}", path.display())),
        }
    }
}

impl Environment {
    /// Gives the map another size.
    #[allow(unsafe_code)]
    pub(super) fn resize(&self, octets: usize) -> Result<(), Error> {
        // SAFETY: heed asks that no transaction of this process is open. Readers have left the gate (`store::map`), and the
        // caller is the one writer, between its transactions.
        Ok(unsafe { self.env.resize(octets) }?)
    }
}

/// Whether the kernel gives so many octets of address space in one piece. Nothing is kept of them.
#[allow(unsafe_code)]
pub(super) fn address_space(octets: usize) -> bool {
    use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};
    // SAFETY: the kernel chooses a place where nothing is, nobody can read or write there, and it is given back whole
    // before anybody else learns of it. heed cannot be asked: its resize loses the map where the kernel refuses.
    unsafe {
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
        mmap_anonymous(std::ptr::null_mut(), octets, ProtFlags::empty(), flags)
            .and_then(|place| munmap(place, octets))
            .is_ok()
    }
}

/// Octets of LMDB's file of readers: more than it needs for [`READERS_MAX`].
const LOCK_SIZE: usize = 16 << 10;

/// Gives the file of readers its place on the disk. LMDB leaves a hole in it and writes there through a memory map, which
/// ends the process (SIGBUS) where the disk is full.
fn allocate_lock(file: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    // Zeros behind what is there change nothing; LMDB sets up the file anew if nobody else has it open.
    let mut lock = options.create(true).append(true).mode(0o600).open(file)?;
    let length = usize::try_from(lock.metadata()?.len()).unwrap_or(usize::MAX);
    lock.write_all(&vec![0; LOCK_SIZE.saturating_sub(length)])
}

/// Looks whether the file has all of its pages. A page of the map that the file does not have would end the process when
/// it is read (SIGBUS), not fail.
///
/// LMDB itself may leave pages at the end unwritten that one transaction took and gave back. The file is made longer by
/// these: whatever lies there is read as zeros then, which is no page and fails as an error.
fn check_length(env: &Env<WithoutTls>, file: &Path) -> Result<(), String> {
    let page = u64::from(env.unnamed_database_stat().page_size);
    let pages = env.info().last_page_number as u64 + 1;
    let failed = |error: std::io::Error| format!("{}: {error}", file.display());
    let length = std::fs::metadata(file).map_err(failed)?.len();
    let wanted = pages * page;
    if length >= wanted {
        return Ok(());
    }
    if wanted - length > UNWRITTEN_PAGES_MAX * page {
        return Err(format!(
            "{} is cut short: it has {length} octets of {wanted}. Its mail is not complete; put back a complete copy \
             (and keep this one: what is in it may be recovered)",
            file.display()
        ));
    }
    log::warn!("{}: {} octets short, which may be harmless; `mailnook verify` tells", file.display(), wanted - length);
    std::fs::OpenOptions::new().write(true).open(file).and_then(|file| file.set_len(wanted)).map_err(failed)
}

fn create_tables(env: &Env<WithoutTls>) -> Result<Tables, heed::Error> {
    let txn = env.write_txn()?;
    let made = env.create_databases_and_commit(txn, |opener, txn| {
        let mut create = |name| opener.create_database::<Bytes, Bytes>(txn, Some(name));
        let first = (
            create(table::META)?,
            create(table::STATE)?,
            create(table::USERS)?,
            create(table::ADDRESSES)?,
            create(table::MAILBOXES)?,
            create(table::KEYWORDS)?,
            create(table::MESSAGES)?,
        );
        let second = (
            create(table::CHANGES)?,
            create(table::HOLES)?,
            create(table::EXPUNGES)?,
            create(table::CONTENTS)?,
            create(table::CHUNKS)?,
            create(table::REFS)?,
            create(table::GARBAGE)?,
        );
        let third = (
            create(table::DEVICES)?,
            create(table::POP3)?,
            create(table::ORIGINS)?,
            create(table::SETTINGS)?,
            create(table::HIDDEN)?,
            create(table::LOST)?,
            create(table::JOURNAL)?,
            create(table::ANNOTATIONS)?,
        );
        Ok::<_, heed::Error>(CommitOrAbort::<_, ()>::Commit((first, second, third)))
    })?;
    let (
        (meta, state, users, addresses, mailboxes, keywords, messages),
        (changes, holes, expunges, contents, chunks, refs, garbage),
        (devices, pop3, origins, settings, hidden, lost, journal, annotations),
    ) = made.unwrap_commit();
    Ok(Tables {
        meta,
        state,
        users,
        addresses,
        mailboxes,
        keywords,
        messages,
        changes,
        holes,
        expunges,
        contents,
        chunks,
        refs,
        garbage,
        devices,
        pop3,
        origins,
        settings,
        hidden,
        lost,
        journal,
        annotations,
    })
}

enum FormatProblem {
    Text(String),
    Store(Error),
}

impl<E: Into<Error>> From<E> for FormatProblem {
    fn from(error: E) -> Self {
        Self::Store(error.into())
    }
}

/// The key of the one entry of `meta`.
pub(crate) const FORMAT_KEY: &[u8] = b"format";

fn check_format(env: &Env<WithoutTls>, tables: &Tables, path: &Path) -> Result<Format, FormatProblem> {
    let mut txn = env.write_txn().map_err(Error::from)?;
    let stored = tables.meta.get(&txn, FORMAT_KEY).map_err(Error::from)?.map(<[u8]>::to_vec);
    if let Some(stored) = stored {
        let format = Format::decode(&stored).map_err(|_| {
            FormatProblem::Text(format!("{}/data.mdb is an LMDB file, but not a mailnook store", path.display()))
        })?;
        if format.schema > SCHEMA_VERSION {
            return Err(FormatProblem::Text(format!(
                "the store in {} has format {}, and this mailnook reads up to format {SCHEMA_VERSION}: \
                 it was written by a newer version; install that version again",
                path.display(),
                format.schema
            )));
        }
        return migrate::run(txn, tables, format).map_err(FormatProblem::Store);
    }
    if !tables.state.is_empty(&txn).map_err(Error::from)? || !tables.messages.is_empty(&txn).map_err(Error::from)? {
        return Err(FormatProblem::Text(format!("the store in {} has lost its format entry", path.display())));
    }
    let page_size = tables.meta.stat(&txn).map_err(Error::from)?.page_size;
    let mut store_id = [0; 16];
    getrandom::fill(&mut store_id).map_err(|error| FormatProblem::Text(format!("no random numbers: {error}")))?;
    let format = Format { schema: SCHEMA_VERSION, page_size, chunk_size: page_size - OVERFLOW_HEADER, store_id };
    tables.meta.put(&mut txn, FORMAT_KEY, &format.encode()).map_err(Error::from)?;
    txn.commit().map_err(Error::from)?;
    Ok(format)
}
