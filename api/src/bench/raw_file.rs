//! The limit beside which the log is measured: one file, one writer, the payloads and nothing else.
//!
//! Same discipline as the log: clients wait, one thread takes what waits, writes it, calls `fdatasync`, answers. No
//! envelope, no hash, no index, no check.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

/// Most waiting commits, and the bytes at which a group is closed: those of the log.
const QUEUE: usize = 1_024;
const GROUP_BYTES: usize = 2 << 20;

type Waiting = (Vec<u8>, SyncSender<io::Result<()>>);

/// A file that is appended to in groups.
pub struct RawFile {
    queue: Option<SyncSender<Waiting>>,
    writer: Option<JoinHandle<()>>,
}

impl RawFile {
    pub fn create(path: &Path) -> io::Result<RawFile> {
        let file = OpenOptions::new()
            .create_new(true)
            .append(true)
            .open(path)?;
        let (queue, waiting) = sync_channel(QUEUE);
        let writer = std::thread::Builder::new()
            .name("raw-file".into())
            .spawn(move || serve(file, &waiting))?;
        Ok(RawFile {
            queue: Some(queue),
            writer: Some(writer),
        })
    }

    /// Returns when the bytes are on disk.
    pub fn append(&self, bytes: Vec<u8>) -> io::Result<()> {
        let gone = || io::Error::other("the writer is gone");
        let (answer, answered) = sync_channel(1);
        let queue = self.queue.as_ref().ok_or_else(gone)?;
        queue.send((bytes, answer)).map_err(|_| gone())?;
        answered.recv().map_err(|_| gone())?
    }
}

impl Drop for RawFile {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(writer) = self.writer.take() {
            // A writer that panicked has answered nobody, which the clients saw.
            let _ = writer.join();
        }
    }
}

fn serve(mut file: File, waiting: &Receiver<Waiting>) {
    while let Ok(first) = waiting.recv() {
        let mut group = vec![first];
        let mut bytes = 0;
        while bytes < GROUP_BYTES
            && let Ok(next) = waiting.try_recv()
        {
            bytes += next.0.len();
            group.push(next);
        }
        let mut whole = Vec::with_capacity(bytes);
        for (bytes, _) in &group {
            whole.extend_from_slice(bytes);
        }
        let written = file.write_all(&whole).and_then(|()| file.sync_data());
        for (_, answer) in group {
            let answered = match &written {
                Ok(()) => Ok(()),
                Err(e) => Err(io::Error::new(e.kind(), e.to_string())),
            };
            // A client that is gone needs no answer.
            let _ = answer.send(answered);
        }
    }
}
