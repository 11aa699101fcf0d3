//! How messages reach people: e-mail, letters, and what a webhook carries on.
