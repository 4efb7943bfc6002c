//! The sandbox's memory: an append-only file of JSON lines, and the book folded from it.
//!
//! Each change takes the file's lock, reads what other processes appended, decides, appends and lets go. A last line
//! without its line feed is what a crash left of a write nobody was told about; it is cut off.

use super::book::{Book, Entry};
use crate::kernel::{AppError, Result};
use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    sync::{Mutex, PoisonError},
};

pub(super) struct Journal(Mutex<Kept>);

struct Kept {
    file: File,
    /// Up to where the book has read.
    read: u64,
    book: Book,
}

impl Journal {
    /// Opens or makes the file and replays it.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path);
        let mut kept = Kept {
            file: file.map_err(AppError::internal)?,
            read: 0,
            book: Book::default(),
        };
        kept.locked(|_| Ok::<_, AppError>(()))?;
        Ok(Self(Mutex::new(kept)))
    }

    /// Decides on the present book; an entry is written before the answer is given.
    pub(super) fn change<T, E: From<AppError>>(
        &self,
        decide: impl FnOnce(&Book) -> Result<(T, Option<Entry>), E>,
    ) -> Result<T, E> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.locked(|kept| {
            let (answer, entry) = decide(&kept.book)?;
            if let Some(entry) = entry {
                kept.append(entry)?;
            }
            Ok(answer)
        })
    }
}

impl Kept {
    fn locked<T, E: From<AppError>>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        self.file.lock().map_err(AppError::internal)?;
        let done = self.catch_up().map_err(E::from).and_then(|()| work(self));
        self.file.unlock().map_err(AppError::internal)?;
        done
    }

    fn catch_up(&mut self) -> Result<()> {
        let mut text = Vec::new();
        self.file
            .seek(SeekFrom::Start(self.read))
            .map_err(AppError::internal)?;
        self.file
            .read_to_end(&mut text)
            .map_err(AppError::internal)?;
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            let Some(whole) = line.strip_suffix(b"\n") else {
                self.file.set_len(self.read).map_err(AppError::internal)?;
                break;
            };
            self.book
                .apply(serde_json::from_slice(whole).map_err(|error| broken(self.read, &error))?);
            self.read = self
                .read
                .saturating_add(u64::try_from(line.len()).unwrap_or(u64::MAX));
        }
        Ok(())
    }

    fn append(&mut self, entry: Entry) -> Result<()> {
        let mut line = serde_json::to_vec(&entry)?;
        line.push(b'\n');
        self.file.write_all(&line).map_err(AppError::internal)?;
        self.read = self
            .read
            .saturating_add(u64::try_from(line.len()).unwrap_or(u64::MAX));
        self.book.apply(entry);
        Ok(())
    }
}

fn broken(at: u64, error: &serde_json::Error) -> AppError {
    AppError::internal(io::Error::other(format!(
        "the sandbox journal is broken at byte {at}: {error}"
    )))
}
