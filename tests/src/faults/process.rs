//! A child process whose lines are read as they come, with an end to all patience.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use super::truth::Truth;

/// A process that says nothing for so long hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// A started process and the lines of its standard output.
pub struct Running {
    child: Child,
    lines: Receiver<String>,
}

impl Running {
    /// Starts the command; its standard error goes nowhere, because an engine that panics under injected faults says so.
    pub fn start(mut command: Command) -> Result<Running, String> {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|e| format!("{command:?} does not start: {e}"))?;
        let out = child.stdout.take().ok_or("no pipe to the process")?;
        let (send, lines) = channel();
        std::thread::spawn(move || {
            let mut out = BufReader::new(out);
            let mut line = String::new();
            // Half a line is what a killed process was about to say: it was not said.
            while matches!(out.read_line(&mut line), Ok(1..)) && line.ends_with('\n') {
                if send.send(line.trim_end().to_string()).is_err() {
                    break;
                }
                line.clear();
            }
        });
        Ok(Running { child, lines })
    }

    /// The next line; none when the process has ended.
    pub fn line(&mut self) -> Result<Option<String>, String> {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => Ok(Some(line)),
            Err(RecvTimeoutError::Disconnected) => Ok(None),
            Err(RecvTimeoutError::Timeout) => {
                self.kill();
                Err(format!("hangs: nothing said for {} s", PATIENCE.as_secs()))
            }
        }
    }

    /// Reads until so many acknowledgements have come; an error if it ends before.
    pub fn acknowledgements(&mut self, count: u64, truth: &mut Truth) -> Result<(), String> {
        let mut seen = 0;
        while seen < count {
            let line = self.line()?.ok_or("the writer ended by itself")?;
            if line.starts_with("refused") {
                return Err(format!("the writer was {line}"));
            }
            seen += u64::from(truth.note(&line)?);
        }
        Ok(())
    }

    /// `kill -9`, unless it is dead already.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Reads what was said until the end of the process; answers the other lines and how it ended.
    pub fn rest(&mut self, truth: &mut Truth) -> Result<(Vec<String>, ExitStatus), String> {
        let mut others = Vec::new();
        while let Some(line) = self.line()? {
            if !truth.note(&line)? {
                others.push(line);
            }
        }
        let status = self.child.wait().map_err(|e| e.to_string())?;
        Ok((others, status))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}
