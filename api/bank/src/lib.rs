//! The bank side: files that go to a bank, and statements that come from one.
