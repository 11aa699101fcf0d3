//! Who is asking: bearer API keys, one tenant and one scope each.
//!
//! - A key is `ik_<id>_<secret>`: the id (12 hex digits) finds the row, the secret is 256 random bits. Only the
//!   BLAKE3 hash of the secret is kept, in `api-keys.toml` of the data directory; a slow password hash would add
//!   nothing, because there is nothing to guess in 256 random bits.
//! - The tenant of a request is the tenant of its key. No argument, header or id can name another one.
//! - A key for backups belongs to no tenant: it reads the raw log of all of them and is refused by GraphQL.
//! - Without any key the server serves loopback only, as tenant `default` with scope admin.

use std::fmt;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Tenant of a server that has no keys.
pub const DEFAULT_TENANT: &str = "default";
/// Tenant of a key for backups: no name a tenant can have.
pub const ALL_TENANTS: &str = "*";

const FILE_NAME: &str = "api-keys.toml";

/// What a key may do; `read`, `operate` and `admin` each include the one before.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// The blocks of the log, of all tenants, for backups; and nothing else.
    Backup,
    /// Queries and the event feed.
    Read,
    /// Everything a billing day needs: accounts, subscriptions, usage, bill runs, payments.
    Operate,
    /// Also what changes the rules: catalogs, legal entities, taxes, dunning policies.
    Admin,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Scope::Backup => "backup",
            Scope::Read => "read",
            Scope::Operate => "operate",
            Scope::Admin => "admin",
        })
    }
}

/// An authenticated request: everything below the edge takes its tenant from here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub tenant: String,
    pub scope: Scope,
    /// Name of the key, recorded as the actor of each fact; never the secret.
    pub actor: String,
}

/// Why a request was not let in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    #[error("no API key was sent, this server needs `Authorization: Bearer ik_…`")]
    Missing,
    #[error("the Authorization header is not of the form `Bearer ik_<id>_<secret>`")]
    Malformed,
    #[error("the API key is unknown or was revoked")]
    Unknown,
}

impl Denied {
    /// Stable code for clients.
    pub fn code(&self) -> &'static str {
        match self {
            Denied::Missing => "API_KEY_MISSING",
            Denied::Malformed => "API_KEY_MALFORMED",
            Denied::Unknown => "API_KEY_UNKNOWN",
        }
    }
}

/// One row of `api-keys.toml`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    pub id: String,
    pub tenant: String,
    pub scope: Scope,
    pub name: String,
    /// BLAKE3 of the secret, in hex.
    pub hash: String,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    #[serde(default)]
    key: Vec<Key>,
}

/// Why the key file could not be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    #[error("cannot read or write {path}")]
    Io {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{path} is not a list of API keys")]
    Syntax {
        path: PathBuf,
        source: toml::de::Error,
    },
    #[error("{path}: key `{id}` carries the hash `{hash}`, which is not 64 hex digits")]
    Hash {
        path: PathBuf,
        id: String,
        hash: String,
    },
    #[error("tenant `{0}` must be 1 to 40 characters a-z, 0-9, `-`, and start with a letter")]
    Tenant(String),
    #[error("the operating system gave no random bytes")]
    Random,
    #[error("{path} holds no key with id `{id}`")]
    NoSuchKey { path: PathBuf, id: String },
}

/// The keys of one data directory.
#[derive(Debug)]
pub struct Keys {
    path: PathBuf,
    keys: Vec<Key>,
}

impl Keys {
    /// Reads `api-keys.toml` of the data directory; a missing file is an empty list.
    pub fn load(data: &Path) -> Result<Keys, KeyFileError> {
        let path = data.join(FILE_NAME);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(source) => return Err(KeyFileError::Io { path, source }),
        };
        let file: KeyFile = toml::from_str(&text).map_err(|source| KeyFileError::Syntax {
            path: path.clone(),
            source,
        })?;
        for key in &file.key {
            if blake3::Hash::from_hex(&key.hash).is_err() {
                return Err(KeyFileError::Hash {
                    path,
                    id: key.id.clone(),
                    hash: key.hash.clone(),
                });
            }
        }
        Ok(Keys {
            path,
            keys: file.key,
        })
    }

    /// No key at all: the server stays on loopback.
    pub fn none() -> Keys {
        Keys {
            path: PathBuf::new(),
            keys: Vec::new(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    pub fn rows(&self) -> &[Key] {
        &self.keys
    }

    /// Makes a key, stores its hash and returns the key itself: the only time it can be seen.
    pub fn add(&mut self, tenant: &str, scope: Scope, name: &str) -> Result<String, KeyFileError> {
        let fits = match scope {
            Scope::Backup => tenant == ALL_TENANTS,
            Scope::Read | Scope::Operate | Scope::Admin => is_tenant(tenant),
        };
        if !fits {
            return Err(KeyFileError::Tenant(tenant.to_owned()));
        }
        let id = random_hex::<6>()?;
        let secret = random_hex::<32>()?;
        self.keys.push(Key {
            id: id.clone(),
            tenant: tenant.to_owned(),
            scope,
            name: name.to_owned(),
            hash: blake3::hash(secret.as_bytes()).to_hex().to_string(),
        });
        self.write()?;
        Ok(format!("ik_{id}_{secret}"))
    }

    /// Removes a key; a running server lets it in until it is restarted.
    pub fn revoke(&mut self, id: &str) -> Result<(), KeyFileError> {
        let before = self.keys.len();
        self.keys.retain(|key| key.id != id);
        if self.keys.len() == before {
            return Err(KeyFileError::NoSuchKey {
                path: self.path.clone(),
                id: id.to_owned(),
            });
        }
        self.write()
    }

    /// Decides who a request comes from, given its `Authorization` header.
    pub fn authenticate(&self, authorization: Option<&str>) -> Result<Caller, Denied> {
        if self.is_empty() {
            return Ok(Caller {
                tenant: DEFAULT_TENANT.to_owned(),
                scope: Scope::Admin,
                actor: "local".to_owned(),
            });
        }
        let header = authorization.ok_or(Denied::Missing)?;
        let (scheme, key) = header.trim().split_once(' ').ok_or(Denied::Malformed)?;
        let rest = key.trim().strip_prefix("ik_").ok_or(Denied::Malformed)?;
        let (id, secret) = rest.split_once('_').ok_or(Denied::Malformed)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Denied::Malformed);
        }
        let row = self
            .keys
            .iter()
            .find(|row| row.id == id)
            .ok_or(Denied::Unknown)?;
        let kept = blake3::Hash::from_hex(&row.hash).map_err(|_| Denied::Unknown)?;
        // `blake3::Hash` compares in constant time.
        if blake3::hash(secret.as_bytes()) != kept {
            return Err(Denied::Unknown);
        }
        Ok(Caller {
            tenant: row.tenant.clone(),
            scope: row.scope,
            actor: format!("key:{}", row.name),
        })
    }

    /// Writes a new file beside the old one and renames it, readable by its owner only.
    fn write(&self) -> Result<(), KeyFileError> {
        let failed = |source| KeyFileError::Io {
            path: self.path.clone(),
            source,
        };
        let mut text = String::from(
            "# API keys of this data directory. Only hashes are kept; `indelible keys` edits this file.\n\n",
        );
        text.push_str(
            &toml::to_string(&KeyFile {
                key: self.keys.clone(),
            })
            .expect("rows of plain strings are always valid TOML"),
        );
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        let fresh = self.path.with_extension("toml.tmp");
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600);
        }
        let mut file = options.open(&fresh).map_err(failed)?;
        file.write_all(text.as_bytes())
            .and_then(|()| file.sync_all())
            .map_err(failed)?;
        std::fs::rename(&fresh, &self.path).map_err(failed)
    }
}

/// Tenant names stay short and plain: they are part of every stream key.
fn is_tenant(name: &str) -> bool {
    name.len() <= 40
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

fn random_hex<const N: usize>() -> Result<String, KeyFileError> {
    let mut bytes = [0_u8; N];
    getrandom::fill(&mut bytes).map_err(|_| KeyFileError::Random)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let path =
            std::env::temp_dir().join(format!("indelible-keys-{}-{name}", std::process::id()));
        std::fs::remove_dir_all(&path).ok();
        path
    }

    #[test]
    fn a_key_lets_its_own_tenant_in_with_its_own_scope() {
        let data = folder("own");
        let key = Keys::load(&data)
            .unwrap()
            .add("acme", Scope::Operate, "till")
            .unwrap();
        let keys = Keys::load(&data).unwrap();
        let caller = keys.authenticate(Some(&format!("Bearer {key}"))).unwrap();
        assert_eq!(
            (caller.tenant.as_str(), caller.scope, caller.actor.as_str()),
            ("acme", Scope::Operate, "key:till")
        );
        std::fs::remove_dir_all(&data).unwrap();
    }

    #[test]
    fn a_wrong_missing_or_revoked_key_is_denied() {
        let data = folder("wrong");
        let mut keys = Keys::load(&data).unwrap();
        let key = keys.add("acme", Scope::Read, "a").unwrap();
        let mut forged = key.clone();
        forged.pop();
        forged.push(if key.ends_with('0') { '1' } else { '0' });
        assert_eq!(keys.authenticate(None), Err(Denied::Missing));
        assert_eq!(keys.authenticate(Some("Basic abc")), Err(Denied::Malformed));
        assert_eq!(
            keys.authenticate(Some(&format!("Basic {key}"))),
            Err(Denied::Malformed)
        );
        assert_eq!(
            keys.authenticate(Some(&format!("Bearer {forged}"))),
            Err(Denied::Unknown)
        );
        assert!(keys.authenticate(Some(&format!("bearer {key}"))).is_ok());
        keys.add("acme", Scope::Read, "b").unwrap();
        let id = keys.rows()[0].id.clone();
        keys.revoke(&id).unwrap();
        assert_eq!(
            Keys::load(&data)
                .unwrap()
                .authenticate(Some(&format!("Bearer {key}"))),
            Err(Denied::Unknown)
        );
        std::fs::remove_dir_all(&data).unwrap();
    }

    #[test]
    fn the_file_holds_no_secret_and_is_readable_by_its_owner_only() {
        let data = folder("secret");
        let key = Keys::load(&data)
            .unwrap()
            .add("acme", Scope::Admin, "a")
            .unwrap();
        let secret = key.rsplit('_').next().unwrap();
        let text = std::fs::read_to_string(data.join(FILE_NAME)).unwrap();
        assert_eq!(secret.len(), 64);
        assert!(!text.contains(secret));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(data.join(FILE_NAME))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o077, 0);
        }
        std::fs::remove_dir_all(&data).unwrap();
    }

    #[test]
    fn without_keys_everybody_is_the_default_tenant() {
        let caller = Keys::none().authenticate(None).unwrap();
        assert_eq!(
            (caller.tenant.as_str(), caller.scope),
            (DEFAULT_TENANT, Scope::Admin)
        );
    }

    #[test]
    fn a_key_for_backups_belongs_to_no_tenant_and_may_less_than_any_other() {
        let data = folder("backup");
        let mut keys = Keys::load(&data).unwrap();
        assert!(matches!(
            keys.add("acme", Scope::Backup, "x"),
            Err(KeyFileError::Tenant(_))
        ));
        let key = keys.add(ALL_TENANTS, Scope::Backup, "vault").unwrap();
        let caller = keys.authenticate(Some(&format!("Bearer {key}"))).unwrap();
        assert!(caller.scope < Scope::Read && !is_tenant(&caller.tenant));
        std::fs::remove_dir_all(&data).unwrap();
    }

    #[test]
    fn a_tenant_name_must_be_plain() {
        let data = folder("tenant");
        let mut keys = Keys::load(&data).unwrap();
        for bad in ["", "Acme", "a/b", "-a", "1a"] {
            assert!(
                matches!(
                    keys.add(bad, Scope::Read, "x"),
                    Err(KeyFileError::Tenant(_))
                ),
                "{bad}"
            );
        }
    }
}
