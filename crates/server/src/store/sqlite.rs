//! [`SqliteStore`]: rows in a file of SQLite.
//!
//! One table of one server, held under an exclusive lock. The log is written ahead and synchronised at each commit, so
//! that what was acknowledged survives the end of the machine. Many batches share one commit.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::{Batch, Row, Store, StoreError, Table};

/// Keeps rows in a file of SQLite.
#[derive(Debug)]
pub struct SqliteStore {
    path: PathBuf,
    connection: Connection,
}

impl SqliteStore {
    /// Opens the file, or makes it. While it is open no other server can open it.
    ///
    /// # Errors
    ///
    /// The file cannot be opened for reading and writing, another server has it open, it is something else than the
    /// store of a server, or a later version wrote it. It is not changed then.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, StoreError> {
        Self::open_with(path.into(), OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)
    }

    fn open_with(path: PathBuf, flags: OpenFlags) -> Result<Self, StoreError> {
        let failed = |error| describe(&path, "open", error);
        let connection = Connection::open_with_flags(&path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(failed)?;
        if connection.is_readonly("main").map_err(failed)? {
            return Err(StoreError::new(format!("`{}` is read-only; a server has to write to it", path.display())));
        }
        connection.busy_timeout(std::time::Duration::ZERO).map_err(failed)?;
        // With the lock held for good, the index of the log stays in memory instead of in a file that is shared.
        connection.pragma_update(None, "locking_mode", "EXCLUSIVE").map_err(failed)?;
        let found = Format::read(&connection).map_err(failed)?;
        found.check(&path)?;
        connection.pragma_update(None, "journal_mode", "WAL").map_err(failed)?;
        connection.pragma_update(None, "synchronous", "FULL").map_err(failed)?;
        let prepare = if found == Format::NOTHING { CREATE } else { CLAIM };
        connection.execute_batch(prepare).map_err(failed)?;
        Ok(Self { path, connection })
    }

    /// Gives rows out until it is enough; the kind of one that this version does not know.
    fn read_all(&self, take: &mut dyn FnMut(Row) -> ControlFlow<()>) -> rusqlite::Result<Option<u8>> {
        let mut statement = self.connection.prepare("SELECT kind, key, value FROM rows ORDER BY kind, key")?;
        let mut rows = statement.query([])?;
        while let Some(columns) = rows.next()? {
            let number = columns.get(0)?;
            let Some(table) = Table::from_number(number) else { return Ok(Some(number)) };
            let row = Row { table, key: bytes(columns, 1)?, value: Some(bytes(columns, 2)?) };
            if take(row).is_break() {
                break;
            }
        }
        Ok(None)
    }

    fn read_prefix(&self, table: Table, prefix: &[u8]) -> rusqlite::Result<Vec<Row>> {
        let select = "SELECT key, value FROM rows WHERE kind = ?1 AND key >= ?2 ORDER BY key";
        let mut statement = self.connection.prepare(select)?;
        let mut rows = statement.query((table as u8, prefix))?;
        let mut found = Vec::new();
        while let Some(columns) = rows.next()? {
            let key = bytes(columns, 0)?;
            if !key.starts_with(prefix) {
                break;
            }
            found.push(Row { table, key, value: Some(bytes(columns, 1)?) });
        }
        Ok(found)
    }

    fn write(&mut self, batches: &[Batch]) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        {
            let mut put = transaction.prepare(
                "INSERT INTO rows VALUES (?1, ?2, ?3) ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value",
            )?;
            let mut remove = transaction.prepare("DELETE FROM rows WHERE kind = ?1 AND key = ?2")?;
            for Row { table, key, value } in batches.iter().flat_map(|batch| &batch.rows) {
                let table = *table as u8;
                match value {
                    Some(value) => put.execute((table, key.as_ref(), value.as_ref()))?,
                    None => remove.execute((table, key.as_ref()))?,
                };
            }
        }
        transaction.commit()
    }
}

impl Store for SqliteStore {
    fn load(&mut self, take: &mut dyn FnMut(Row) -> ControlFlow<()>) -> Result<(), StoreError> {
        let strange = self.read_all(take).map_err(|error| describe(&self.path, "read", error))?;
        strange.map_or(Ok(()), |number| Err(unknown(&self.path, number)))
    }

    fn read(&mut self, table: Table, prefix: &[u8]) -> Result<Vec<Row>, StoreError> {
        self.read_prefix(table, prefix).map_err(|error| describe(&self.path, "read", error))
    }

    fn commit(&mut self, batches: &[Batch]) -> Result<(), StoreError> {
        self.write(batches).map_err(|error| describe(&self.path, "write", error))
    }
}

/// What a file says that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Format {
    application: i32,
    version: i32,
    /// Tables and indices.
    things: i64,
}

impl Format {
    const NOTHING: Self = Self { application: 0, version: 0, things: 0 };

    fn read(connection: &Connection) -> rusqlite::Result<Self> {
        let pragma = |name| connection.pragma_query_value(None, name, |row| row.get(0));
        let things = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        Ok(Self { application: pragma("application_id")?, version: pragma("user_version")?, things })
    }

    fn check(self, path: &Path) -> Result<(), StoreError> {
        let path = path.display();
        if self == Self::NOTHING {
            return Ok(());
        }
        if self.application != APPLICATION {
            let message = format!("`{path}` is a database of something else; choose another file");
            return Err(StoreError::new(message));
        }
        if self.version > VERSION {
            let version = self.version;
            return Err(StoreError::new(format!(
                "`{path}` has format {version}, and this version reads up to {VERSION}; use the version that wrote it"
            )));
        }
        Ok(())
    }
}

fn bytes(columns: &rusqlite::Row<'_>, index: usize) -> rusqlite::Result<Bytes> {
    Ok(Bytes::copy_from_slice(columns.get_ref(index)?.as_blob()?))
}

fn describe(path: &Path, action: &str, error: rusqlite::Error) -> StoreError {
    let path = path.display();
    let message = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            format!("`{path}` is in use by another server; stop that one, or choose another file")
        }
        Some(ErrorCode::NotADatabase) => format!("`{path}` is not a database; choose another file"),
        Some(ErrorCode::DatabaseCorrupt) => format!("`{path}` is damaged; restore it from a copy"),
        Some(ErrorCode::DiskFull) => format!("cannot {action} `{path}`: the disk is full; make room and start again"),
        Some(ErrorCode::ReadOnly) => format!("`{path}` is read-only; a server has to write to it"),
        Some(ErrorCode::CannotOpen) => format!("cannot open `{path}`; check that its folder is there and writable"),
        _ => format!("cannot {action} `{path}`"),
    };
    StoreError::new(message).caused_by(error)
}

fn unknown(path: &Path, number: u8) -> StoreError {
    let path = path.display();
    StoreError::new(format!(
        "`{path}` holds rows of kind {number}, which this version does not know; use the version that wrote them"
    ))
}

/// "sted", in the file's header.
const APPLICATION: i32 = 0x7374_6564;
/// To be raised when older versions could not read what this one writes.
const VERSION: i32 = 1;

const CREATE: &str = "
    BEGIN EXCLUSIVE;
    PRAGMA application_id = 0x73746564;
    PRAGMA user_version = 1;
    CREATE TABLE rows (kind INTEGER, key BLOB, value BLOB NOT NULL, PRIMARY KEY (kind, key)) WITHOUT ROWID;
    COMMIT;";
/// Takes the lock, which stays.
const CLAIM: &str = "BEGIN EXCLUSIVE; COMMIT;";

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::store::kit;

    fn refused(path: &Path) -> String {
        let error =
            SqliteStore::open(path).and_then(|mut store| kit::load(&mut store)).expect_err("a store that is refused");
        let message = error.to_string();
        assert!(message.contains(&path.display().to_string()), "{message}");
        message
    }

    fn file(folder: &tempfile::TempDir) -> PathBuf {
        folder.path().join("server.db")
    }

    fn batch(number: u64) -> Batch {
        let row = |table| Row { table, key: number.to_be_bytes().to_vec().into(), value: Some(vec![1; 500].into()) };
        Batch { rows: vec![row(Table::Runs), row(Table::Events)] }
    }

    #[test]
    fn it_keeps_what_a_store_has_to_keep() {
        let folder = tempfile::tempdir().unwrap();
        let open = |number: usize| SqliteStore::open(folder.path().join(number.to_string())).unwrap();
        kit::check(open, |store| {
            let path = store.path.clone();
            drop(store);
            SqliteStore::open(path).unwrap()
        });
    }

    #[test]
    fn a_file_has_one_server() {
        let folder = tempfile::tempdir().unwrap();
        let first = SqliteStore::open(file(&folder)).unwrap();
        assert!(refused(&file(&folder)).contains("in use by another server"));
        drop(first);
        SqliteStore::open(file(&folder)).unwrap();
    }

    #[test]
    fn a_file_of_something_else_is_refused_and_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(file(&folder), "dear diary, ".repeat(1_000)).unwrap();
        let before = fs::read(file(&folder)).unwrap();
        assert!(refused(&file(&folder)).contains("not a database"));
        assert_eq!(fs::read(file(&folder)).unwrap(), before);
        fs::remove_file(file(&folder)).unwrap();

        Connection::open(file(&folder)).unwrap().execute_batch("CREATE TABLE recipes (name TEXT)").unwrap();
        let before = fs::read(file(&folder)).unwrap();
        assert!(refused(&file(&folder)).contains("something else"));
        assert_eq!(fs::read(file(&folder)).unwrap(), before);
    }

    #[test]
    fn a_file_of_a_later_version_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        drop(SqliteStore::open(file(&folder)).unwrap());
        Connection::open(file(&folder)).unwrap().pragma_update(None, "user_version", VERSION + 1).unwrap();
        assert!(refused(&file(&folder)).contains("format 2, and this version reads up to 1"));
    }

    #[test]
    fn a_row_of_a_later_version_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = SqliteStore::open(file(&folder)).unwrap();
        store.connection.execute_batch("INSERT INTO rows VALUES (200, x'00', x'00')").unwrap();
        assert!(kit::load(&mut store).unwrap_err().to_string().contains("rows of kind 200"));
    }

    #[test]
    fn a_damaged_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = SqliteStore::open(file(&folder)).unwrap();
        store.commit(&(0..200).map(batch).collect::<Vec<_>>()).unwrap();
        drop(store);
        let mut bytes = fs::read(file(&folder)).unwrap();
        let middle = bytes.len() / 2;
        bytes[4_096..middle].fill(0xEE);
        fs::write(file(&folder), bytes).unwrap();
        assert!(refused(&file(&folder)).contains("damaged"));
        let bytes = fs::read(file(&folder)).unwrap();
        fs::write(file(&folder), &bytes[..bytes.len() / 3]).unwrap();
        assert!(refused(&file(&folder)).contains("damaged"));
    }

    /// A machine that stops while it writes leaves such a log: what is missing at its end was not acknowledged.
    #[test]
    fn a_log_that_breaks_off_gives_the_whole_batches_before_that() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = SqliteStore::open(file(&folder)).unwrap();
        (0..20).for_each(|number| store.commit(&[batch(number)]).unwrap());
        let log = |path: &Path| path.with_extension("db-wal");
        let (rows, logged) = (fs::read(file(&folder)).unwrap(), fs::read(log(&file(&folder))).unwrap());
        let left = |end: usize, spoil: bool| {
            let path = folder.path().join(format!("{end}-{spoil}.db"));
            let mut logged = logged[..end].to_vec();
            if spoil {
                logged[end / 2..].fill(0xEE);
            }
            fs::write(&path, &rows).unwrap();
            fs::write(log(&path), logged).unwrap();
            kit::load(&mut SqliteStore::open(path).unwrap()).unwrap().len()
        };
        let all = left(logged.len(), false);
        assert_eq!(all, 40);
        let cut: Vec<_> = (0..10).map(|tenth| left(logged.len() * tenth / 10, false)).collect();
        assert!(cut.is_sorted() && cut[9] < all && cut[9] > 0, "{cut:?}");
        assert!(cut.iter().all(|rows| rows % 2 == 0), "whole batches: {cut:?}");
        let spoiled = left(logged.len(), true);
        assert!(spoiled < all && spoiled % 2 == 0, "{spoiled}");
    }

    #[test]
    fn a_place_where_no_file_can_be_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(refused(&folder.path().join("missing/server.db")).contains("folder"));
        assert!(refused(folder.path()).contains("cannot open"));
    }

    #[test]
    fn a_file_that_cannot_be_written_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        drop(SqliteStore::open(file(&folder)).unwrap());
        let error = SqliteStore::open_with(file(&folder), OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap_err();
        assert!(error.to_string().contains("read-only"), "{error}");
    }

    #[test]
    fn what_a_full_disk_did_not_take_is_not_there_and_all_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = SqliteStore::open(file(&folder)).unwrap();
        store.connection.pragma_update(None, "max_page_count", 20).unwrap();
        let kept = (0..).find(|number| store.commit(&[batch(*number)]).is_err()).unwrap();
        let error = store.commit(&[batch(kept)]).unwrap_err();
        assert!(error.to_string().contains("the disk is full"), "{error}");
        drop(store);
        let found = kit::load(&mut SqliteStore::open(file(&folder)).unwrap()).unwrap();
        assert_eq!(found.len() as u64, 2 * kept, "whole batches");
    }
}
