//! The rules of each noun as given / when / then, spoken through commands.

#[path = "specs/book.rs"]
mod book;
#[path = "specs/dunning.rs"]
mod dunning;
#[path = "specs/journal.rs"]
mod journal;
#[path = "specs/receivables.rs"]
mod receivables;
