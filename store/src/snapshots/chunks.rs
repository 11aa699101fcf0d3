//! A section of a snapshot: a stream of bytes in compressed chunks, so that neither writing nor reading holds it whole.
//!
//! Each chunk: length before compression (u32), stored length (u32), bytes; stored as they are where lz4 saves nothing.

use std::io::{self, Read, Write};

use lz4_flex::block::{compress_into, decompress_into, get_maximum_output_size};

/// Most bytes of a chunk before compression (1 MiB).
const CHUNK: usize = 1 << 20;
/// Bytes before each chunk.
const CHUNK_HEADER: usize = 8;

/// What a section came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sum {
    /// Bytes before compression.
    pub raw: u64,
    /// Bytes in the file, headers of chunks included.
    pub stored: u64,
    /// BLAKE3 of the bytes in the file.
    pub hash: [u8; 32],
}

/// Takes a section's bytes and writes them in chunks.
pub(super) struct ChunkWriter<'a> {
    out: &'a mut dyn Write,
    raw: Vec<u8>,
    packed: Vec<u8>,
    hasher: blake3::Hasher,
    sum: Sum,
}

impl<'a> ChunkWriter<'a> {
    pub fn new(out: &'a mut dyn Write) -> ChunkWriter<'a> {
        ChunkWriter {
            out,
            raw: Vec::with_capacity(CHUNK),
            packed: vec![0; get_maximum_output_size(CHUNK)],
            hasher: blake3::Hasher::new(),
            sum: Sum {
                raw: 0,
                stored: 0,
                hash: [0; 32],
            },
        }
    }

    /// Writes what is left and tells what the section came to.
    pub fn finish(mut self) -> io::Result<Sum> {
        self.put_chunk()?;
        self.sum.hash = *self.hasher.finalize().as_bytes();
        Ok(self.sum)
    }

    fn put_chunk(&mut self) -> io::Result<()> {
        if self.raw.is_empty() {
            return Ok(());
        }
        let packed = compress_into(&self.raw, &mut self.packed).map_err(io::Error::other)?;
        let bytes = match self.packed.get(..packed) {
            Some(smaller) if packed < self.raw.len() => smaller,
            _ => &self.raw,
        };
        for part in [
            &length(self.raw.len())?[..],
            &length(bytes.len())?[..],
            bytes,
        ] {
            self.out.write_all(part)?;
            self.hasher.update(part);
        }
        self.sum.raw += self.raw.len() as u64;
        self.sum.stored += (CHUNK_HEADER + bytes.len()) as u64;
        self.raw.clear();
        Ok(())
    }
}

impl Write for ChunkWriter<'_> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.raw.len() == CHUNK {
            self.put_chunk()?;
        }
        let taken = bytes.len().min(CHUNK - self.raw.len());
        self.raw
            .extend_from_slice(bytes.get(..taken).unwrap_or_default());
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn length(bytes: usize) -> io::Result<[u8; 4]> {
    let length = u32::try_from(bytes).map_err(io::Error::other)?;
    Ok(length.to_le_bytes())
}

/// Gives a section's bytes back from its chunks.
pub(super) struct ChunkReader<R> {
    chunks: R,
    raw: Vec<u8>,
    at: usize,
    packed: Vec<u8>,
}

impl<R: Read> ChunkReader<R> {
    /// `chunks` ends where the section ends.
    pub fn new(chunks: R) -> ChunkReader<R> {
        ChunkReader {
            chunks,
            raw: Vec::new(),
            at: 0,
            packed: Vec::new(),
        }
    }

    /// Reads the next chunk; false at the end of the section.
    fn next_chunk(&mut self) -> io::Result<bool> {
        let mut lengths = [[0; 4]; 2];
        let header = lengths.as_flattened_mut();
        if self.chunks.read(&mut header[..1])? == 0 {
            return Ok(false);
        }
        self.chunks.read_exact(&mut header[1..])?;
        let [raw, stored] = lengths.map(|bytes| u32::from_le_bytes(bytes) as usize);
        if raw == 0 || raw > CHUNK || stored > raw {
            return Err(invalid("a chunk has impossible lengths"));
        }
        self.packed.resize(stored, 0);
        self.chunks.read_exact(&mut self.packed)?;
        self.at = 0;
        if stored == raw {
            std::mem::swap(&mut self.raw, &mut self.packed);
            return Ok(true);
        }
        self.raw.resize(raw, 0);
        match decompress_into(&self.packed, &mut self.raw) {
            Ok(read) if read == raw => Ok(true),
            _ => Err(invalid("a chunk cannot be unpacked")),
        }
    }
}

impl<R: Read> Read for ChunkReader<R> {
    #[inline]
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.at == self.raw.len() && !self.next_chunk()? {
            return Ok(0);
        }
        let left = self.raw.get(self.at..).unwrap_or_default();
        let taken = left.len().min(into.len());
        into[..taken].copy_from_slice(&left[..taken]);
        self.at += taken;
        Ok(taken)
    }
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(bytes: &[u8]) -> (Vec<u8>, Sum) {
        let mut out = Vec::new();
        let mut writer = ChunkWriter::new(&mut out);
        writer.write_all(bytes).expect("a vector takes all");
        let sum = writer.finish().expect("a vector takes all");
        (out, sum)
    }

    #[test]
    fn what_went_in_comes_out_whatever_its_length_and_however_it_packs() {
        let noise: Vec<u8> = (0..CHUNK as u64 * 2 + 5)
            .map(|n| {
                *blake3::hash(&n.to_le_bytes())
                    .as_bytes()
                    .first()
                    .expect("32 bytes")
            })
            .collect();
        let zeroes = vec![0; CHUNK * 2 + 5];
        for source in [&noise, &zeroes] {
            for bytes in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, source.len()] {
                let (stored, sum) = packed(&source[..bytes]);
                assert_eq!((sum.raw, sum.stored), (bytes as u64, stored.len() as u64));
                let mut back = Vec::new();
                let mut reader = ChunkReader::new(stored.as_slice());
                reader.read_to_end(&mut back).expect("it can be read");
                assert!(
                    back == source[..bytes],
                    "{bytes} bytes changed on their way"
                );
            }
        }
        assert!(
            packed(&zeroes).0.len() < CHUNK / 10,
            "zeroes were not packed"
        );
    }

    #[test]
    fn a_damaged_chunk_is_an_error_and_never_a_large_allocation() {
        let (stored, _) = packed(&[1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3]);
        for cut in 1..stored.len() {
            let read = ChunkReader::new(&stored[..cut]).read_to_end(&mut Vec::new());
            assert!(read.is_err(), "read from {cut} of {} bytes", stored.len());
        }
        let mut huge = stored.clone();
        huge[..4].copy_from_slice(&u32::MAX.to_le_bytes());
        let read = ChunkReader::new(huge.as_slice()).read_to_end(&mut Vec::new());
        assert!(read.is_err());
    }
}
