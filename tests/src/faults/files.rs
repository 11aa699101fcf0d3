//! The files of a data directory in memory, to be damaged and written out again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::random::Random;

/// What a file system writes as a whole.
const PAGE: usize = 4_096;
/// What a disk writes as a whole.
const SECTOR: usize = 512;
const ZEROS: [u8; PAGE] = [0; PAGE];

/// One file: its length, and its pages that hold anything but zeros.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    pub length: u64,
    pub pages: BTreeMap<u64, Vec<u8>>,
}

/// Files and directories below a directory, by their paths in it.
#[derive(Clone, Debug, Default)]
pub struct Image {
    pub directories: BTreeSet<PathBuf>,
    pub files: BTreeMap<PathBuf, Content>,
}

impl Image {
    /// Reads a directory. Of files that come or go meanwhile, what is there is taken.
    pub fn read(dir: &Path) -> io::Result<Image> {
        let mut image = Image::default();
        image.add(dir, Path::new(""))?;
        Ok(image)
    }

    fn add(&mut self, root: &Path, below: &Path) -> io::Result<()> {
        for entry in fs::read_dir(root.join(below))? {
            let entry = entry?;
            let path = below.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                self.directories.insert(path.clone());
                self.add(root, &path)?;
            } else if let Some(content) = gone_is_none(Content::read(&root.join(&path)))? {
                self.files.insert(path, content);
            }
        }
        Ok(())
    }

    /// Writes everything into a directory that is made anew.
    pub fn write(&self, dir: &Path) -> io::Result<()> {
        if dir.exists() {
            fs::remove_dir_all(dir)?;
        }
        fs::create_dir_all(dir)?;
        for path in &self.directories {
            fs::create_dir_all(dir.join(path))?;
        }
        for (path, content) in &self.files {
            content.write(&dir.join(path))?;
        }
        Ok(())
    }

    /// What a power cut may leave between two moments: of each file that is written in place, every sector and the
    /// length old or new, in any mixture; every other file old or new as a whole.
    pub fn torn(before: &Image, after: &Image, random: &mut Random) -> Image {
        let mut torn = Image {
            directories: after
                .directories
                .union(&before.directories)
                .cloned()
                .collect(),
            files: BTreeMap::new(),
        };
        let paths: BTreeSet<&PathBuf> = before.files.keys().chain(after.files.keys()).collect();
        for path in paths {
            let content = match (before.files.get(path), after.files.get(path)) {
                (Some(old), Some(new)) if old == new => Some(new.clone()),
                (Some(old), Some(new)) if written_in_place(path) => {
                    Some(Content::torn(old, new, random))
                }
                (old, new) => [old, new][random.index(2)].cloned(),
            };
            if let Some(content) = content {
                torn.files.insert(path.clone(), content);
            }
        }
        torn
    }
}

/// The engine's file and the head's two slots; everything else is written aside, synced and renamed.
fn written_in_place(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| name == "db" || name == "head")
}

fn gone_is_none<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

impl Content {
    fn read(path: &Path) -> io::Result<Content> {
        let mut bytes = Vec::new();
        File::open(path)?.read_to_end(&mut bytes)?;
        let pages = (0..)
            .zip(bytes.chunks(PAGE))
            .filter(|(_, page)| **page != ZEROS[..page.len()])
            .map(|(number, page)| (number, page.to_vec()))
            .collect();
        Ok(Content {
            length: bytes.len() as u64,
            pages,
        })
    }

    fn write(&self, path: &Path) -> io::Result<()> {
        let mut file = File::create(path)?;
        file.set_len(self.length)?;
        for (number, page) in &self.pages {
            file.seek(SeekFrom::Start(number * PAGE as u64))?;
            file.write_all(page)?;
        }
        // Pages are kept whole: the last may reach beyond the end.
        file.set_len(self.length)
    }

    /// The bytes of a page, zeros where nothing is kept.
    fn page(&self, number: u64) -> Vec<u8> {
        let mut page = self.pages.get(&number).cloned().unwrap_or_default();
        page.resize(PAGE, 0);
        page
    }

    fn torn(old: &Content, new: &Content, random: &mut Random) -> Content {
        let length = [old.length, new.length][random.index(2)];
        // How much of the write had reached the disk, from nearly nothing to nearly all.
        let reached = random.below(9);
        let by_sector = random.below(2) == 0;
        let numbers: BTreeSet<u64> = old.pages.keys().chain(new.pages.keys()).copied().collect();
        let mut pages = BTreeMap::new();
        for number in numbers {
            let (old, new) = (old.page(number), new.page(number));
            let mut page = old.clone();
            if old != new {
                let whole = random.below(8) < reached;
                for at in (0..PAGE).step_by(SECTOR) {
                    let reached = if by_sector {
                        random.below(8) < reached
                    } else {
                        whole
                    };
                    if reached {
                        page[at..at + SECTOR].copy_from_slice(&new[at..at + SECTOR]);
                    }
                }
            }
            if number * (PAGE as u64) < length {
                pages.insert(number, page);
            }
        }
        Content { length, pages }
    }

    /// Flips bits of the byte at an offset.
    pub fn flip(&mut self, offset: u64, mask: u8) {
        let (number, at) = (offset / PAGE as u64, offset % PAGE as u64);
        let mut page = self.page(number);
        if let Some(byte) = usize::try_from(at).ok().and_then(|at| page.get_mut(at)) {
            *byte ^= mask;
        }
        self.pages.insert(number, page);
    }

    /// Stretches of pages that hold anything: their offsets and bytes.
    pub fn stretches(&self) -> Vec<(u64, Vec<u8>)> {
        let mut stretches: Vec<(u64, Vec<u8>)> = Vec::new();
        for (number, page) in &self.pages {
            let at = number * PAGE as u64;
            match stretches.last_mut() {
                Some((begin, bytes)) if *begin + bytes.len() as u64 == at => {
                    bytes.extend_from_slice(page);
                }
                _ => stretches.push((at, page.clone())),
            }
        }
        stretches
    }
}

/// A place for scratch copies: in memory where there is such a file system, because nothing here needs a disk.
pub fn scratch() -> io::Result<tempfile::TempDir> {
    let memory = Path::new("/dev/shm");
    match tempfile::tempdir_in(memory) {
        Ok(dir) => Ok(dir),
        Err(_) => tempfile::tempdir(),
    }
}
