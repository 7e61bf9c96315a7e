//! `User` and `Group`: who templates and workers run as.
//!
//! The supervisor keeps what it was started with, because a restart may have to bind port 80 again. The names are looked
//! up before the fork; between fork and exec only system calls are allowed.

use std::ffi::{CStr, CString};
use std::io;
use std::ptr;

use rustix::process::{Gid, Uid};

/// Room for one entry of the user or group database.
const ENTRY_BYTES_MAX: usize = 64 * 1024;

/// A user with its groups, looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunAs {
    uid: Option<Uid>,
    gid: Gid,
    groups: Vec<Gid>,
}

/// `User` or `Group` names nobody.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnknownName {
    /// No such user.
    #[error("User: no user {0:?} on this machine")]
    User(String),
    /// No such group.
    #[error("Group: no group {0:?} on this machine")]
    Group(String),
}

/// Whether this process may become somebody else at all.
#[must_use]
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

impl RunAs {
    /// Looks the names up; `#` and a number is taken as it is. `None` when neither is given.
    pub fn find(user: Option<&str>, group: Option<&str>) -> Result<Option<Self>, UnknownName> {
        let user = user.map(find_user).transpose()?;
        let group = group.map(find_group).transpose()?;
        Ok(match (user, group) {
            (None, None) => None,
            (None, Some(gid)) => Some(Self {
                uid: None,
                gid,
                groups: vec![gid],
            }),
            (Some(user), group) => {
                let gid = group
                    .or(user.primary)
                    .unwrap_or(Gid::from_raw(user.uid.as_raw()));
                let groups = user
                    .name
                    .map_or_else(|| vec![gid], |name| supplementary(&name, gid));
                Some(Self {
                    uid: Some(user.uid),
                    gid,
                    groups,
                })
            }
        })
    }

    /// Makes the calling process run as this user. For a child between fork and exec: it only makes system calls.
    pub(crate) fn become_it(&self) -> io::Result<()> {
        rustix::thread::set_thread_groups(&self.groups)?;
        rustix::thread::set_thread_gid(self.gid)?;
        if let Some(uid) = self.uid {
            rustix::thread::set_thread_uid(uid)?;
        }
        Ok(())
    }

    /// Whether it is no change at all: root stays root.
    pub(crate) fn is_root(&self) -> bool {
        self.uid.is_none_or(Uid::is_root)
    }
}

struct User {
    uid: Uid,
    primary: Option<Gid>,
    name: Option<CString>,
}

fn find_user(name: &str) -> Result<User, UnknownName> {
    let unknown = || UnknownName::User(name.to_owned());
    let mut buffer = vec![0; ENTRY_BYTES_MAX];
    // SAFETY: all-zero bytes are a valid `passwd`: numbers and pointers that may be null.
    let mut entry: libc::passwd = unsafe { std::mem::zeroed() };
    let mut found = ptr::null_mut();
    let number = numeric(name);
    if let Some(number) = number {
        // SAFETY: every pointer is to a local that lives through the call, with the true length of the buffer.
        unsafe {
            libc::getpwuid_r(
                number,
                &raw mut entry,
                buffer.as_mut_ptr(),
                buffer.len(),
                &raw mut found,
            )
        };
    } else {
        let name = CString::new(name).map_err(|_| unknown())?;
        // SAFETY: as above; the name ends with a zero byte.
        unsafe {
            libc::getpwnam_r(
                name.as_ptr(),
                &raw mut entry,
                buffer.as_mut_ptr(),
                buffer.len(),
                &raw mut found,
            )
        };
    }
    match (number, found.is_null()) {
        (Some(number), true) => Ok(User {
            uid: Uid::from_raw(number),
            primary: None,
            name: None,
        }),
        (None, true) => Err(unknown()),
        (_, false) => {
            // SAFETY: the call found an entry, so its name is a string inside `buffer`, which is still there.
            let name = unsafe { CStr::from_ptr(entry.pw_name) }.to_owned();
            let (uid, gid) = (Uid::from_raw(entry.pw_uid), Gid::from_raw(entry.pw_gid));
            Ok(User {
                uid,
                primary: Some(gid),
                name: Some(name),
            })
        }
    }
}

fn find_group(name: &str) -> Result<Gid, UnknownName> {
    if let Some(number) = numeric(name) {
        return Ok(Gid::from_raw(number));
    }
    let unknown = || UnknownName::Group(name.to_owned());
    let c_name = CString::new(name).map_err(|_| unknown())?;
    let mut buffer = vec![0; ENTRY_BYTES_MAX];
    // SAFETY: all-zero bytes are a valid `group`: numbers and pointers that may be null.
    let mut entry: libc::group = unsafe { std::mem::zeroed() };
    let mut found = ptr::null_mut();
    // SAFETY: every pointer is to a local that lives through the call, with the true length of the buffer.
    unsafe {
        libc::getgrnam_r(
            c_name.as_ptr(),
            &raw mut entry,
            buffer.as_mut_ptr(),
            buffer.len(),
            &raw mut found,
        )
    };
    if found.is_null() {
        Err(unknown())
    } else {
        Ok(Gid::from_raw(entry.gr_gid))
    }
}

/// All groups of a user, the given one first.
fn supplementary(name: &CStr, gid: Gid) -> Vec<Gid> {
    // The kernel allows 65536 groups; a list cut short here would only take rights away.
    let mut groups: Vec<libc::gid_t> = vec![0; 1024];
    let mut count = 1024;
    // SAFETY: the list has room for `count` numbers, and the name ends with a zero byte.
    let result = unsafe {
        libc::getgrouplist(
            name.as_ptr(),
            gid.as_raw(),
            groups.as_mut_ptr(),
            &raw mut count,
        )
    };
    if result < 0 {
        return vec![gid];
    }
    groups.truncate(usize::try_from(count).unwrap_or(0));
    groups.into_iter().map(Gid::from_raw).collect()
}

/// `#1000`
fn numeric(name: &str) -> Option<u32> {
    // -1 means "leave it as it is" to the kernel, so it can be nobody's number.
    name.strip_prefix('#')?
        .parse()
        .ok()
        .filter(|&number| number != u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers() {
        assert_eq!(RunAs::find(None, None).unwrap(), None);
        let root = RunAs::find(Some("root"), None).unwrap().unwrap();
        assert_eq!(root.uid, Some(Uid::ROOT));
        assert!(root.is_root());
        assert!(root.groups.contains(&Gid::ROOT));
        assert_eq!(RunAs::find(Some("#0"), None).unwrap().unwrap(), root);

        let stranger = RunAs::find(Some("#54321"), Some("#54322"))
            .unwrap()
            .unwrap();
        assert_eq!(
            (stranger.uid, stranger.gid),
            (Some(Uid::from_raw(54321)), Gid::from_raw(54322))
        );
        assert_eq!(stranger.groups, [Gid::from_raw(54322)]);
        assert!(!stranger.is_root());
    }

    #[test]
    fn a_group_alone_keeps_the_user() {
        let group_only = RunAs::find(None, Some("#7")).unwrap().unwrap();
        assert_eq!((group_only.uid, group_only.gid), (None, Gid::from_raw(7)));
    }

    #[test]
    fn strangers_are_named() {
        let check = |user, group, expected: &str| {
            assert_eq!(RunAs::find(user, group).unwrap_err().to_string(), expected);
        };
        check(
            Some("no-such-user"),
            None,
            "User: no user \"no-such-user\" on this machine",
        );
        check(
            None,
            Some("no-such-group"),
            "Group: no group \"no-such-group\" on this machine",
        );
        check(Some("#-1"), None, "User: no user \"#-1\" on this machine");
        check(
            Some("#4294967295"),
            None,
            "User: no user \"#4294967295\" on this machine",
        );
    }
}
