//! Letters as text files in a folder: what a print room, or a printing service's agent, takes from there.
//!
//! A letter's file name follows from its message, and a file is there whole or not at all, so a letter written twice is
//! one file. Whoever prints moves or deletes it.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::{Carrier, Parcel, Undelivered};

/// Writes letters into a folder.
#[derive(Clone, Debug)]
pub struct Letters {
    folder: PathBuf,
}

impl Letters {
    /// Letters go here; the folder is made when the first one is written.
    pub fn into(folder: &Path) -> Letters {
        Letters {
            folder: folder.to_owned(),
        }
    }

    fn write(&self, name: &str, text: &str) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let (begun, done) = (
            self.folder.join(format!(".{name}.part")),
            self.folder.join(name),
        );
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            options.mode(0o600);
        }
        let mut file = options.open(&begun)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        drop(file);
        fs::rename(&begun, &done)?;
        // The name is as durable as the text only when the folder is.
        #[cfg(unix)]
        fs::File::open(&self.folder)?.sync_all()?;
        Ok(())
    }
}

impl Carrier for Letters {
    fn carry(&self, parcel: &Parcel) -> Result<String, Undelivered> {
        // Not of the message's id, which may hold `:`.
        let name = format!("{}-{}.txt", parcel.dated, parcel.identity());
        match self.write(&name, &letter(parcel)) {
            Ok(()) => Ok(name),
            Err(error) => Err(Undelivered::soft(format!(
                "the letter could not be written: {:?}",
                error.kind()
            ))),
        }
    }
}

/// Sender, address, day, subject and text, one below the other.
fn letter(parcel: &Parcel) -> String {
    let lines = |text: &str| text.trim().replace("\r\n", "\n");
    let mut address = lines(&parcel.to.address);
    let name = lines(&parcel.to.name);
    // An address often begins with the name already.
    if !address.starts_with(&name) {
        address = format!("{name}\n{address}");
    }
    format!(
        "{}\n\n{address}\n\n{}\n\n{}\n\n{}",
        parcel.sender,
        crate::locale::day(&parcel.dated, &parcel.language),
        parcel.text.subject,
        parcel.text.body,
    )
}
